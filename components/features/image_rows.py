"""Raw image records to pixels, and to transformed records that are ready to train on.

The pixels come from `features.image`, the ops that `export` serves. Files are decoded in batches;
a broken one takes no other with it.
"""

import collections
import functools
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import tensorflow as tf

from millrace.components.artifacts import Rejected
from millrace.components.features import image, record
from millrace.components.features.image_spec import ImageSpec
from millrace.components.files import arrow_examples, columns

BATCH = 64  # pictures decoded at once: enough to keep a few cores busy
_AHEAD = 2  # batches being decoded while the next one is read


def transform(
    batches: Iterable[pa.RecordBatch], place: str, spec: ImageSpec, rejected: list[Rejected]
) -> Iterator[bytes]:
    """The transformed records of raw ones.

    Yields `image` (bytes: uint8, height * width * channels), `label` (int64, index in the
    spec's classes) and `image/filename`, encoded. Rows that cannot be decoded, or whose class is
    not in the train split, go to `rejected`.

    Args:
        batches: the columns of raw records, as `files.columns` has them.
        place: the file that they are of, for `rejected`.
        spec: how.
        rejected: gets what cannot be used.
    """
    start = 0
    for batch in batches:
        labels, reasons = record.labels(batch, "image", spec.classes)
        sources = record.sources(batch, "image")
        is_usable = reasons == ""
        decoded = pixels(itertools.compress(files(batch), is_usable), spec)
        for at in range(0, batch.num_rows, BATCH):
            rows = slice(at, at + BATCH)
            contents: list[bytes | None] = []
            for number, reason in enumerate(reasons[rows].tolist(), at):
                found = reason or next(decoded)
                if isinstance(found, str):
                    where = columns.position(place, start + number)
                    rejected.append(Rejected(sources[number].as_py(), found, where))
                contents.append(None if isinstance(found, str) else found.tobytes())
            image = pa.array(contents, pa.binary())
            cells = {
                record.PIXELS: image,
                record.INDEX: pa.array(labels[rows]),
                record.filename("image"): sources[rows],
            }
            is_decoded = image.is_valid()
            kept = {name: cell.filter(is_decoded) for name, cell in cells.items()}
            yield from arrow_examples.as_bytes(arrow_examples.records(kept, prefix_last=True))
        start += batch.num_rows


def files(batch: pa.RecordBatch) -> list[bytes | None]:
    """The picture file of each record, None where it has none."""
    found = columns.first(batch, record.ENCODED)
    return [None] * batch.num_rows if found is None else found.to_pylist()


def pixels(files: Iterable[bytes | None], spec: ImageSpec) -> Iterator[np.ndarray | str]:
    """The pixels of each file, or the reason why it has none, in the same order.

    Pixels are uint8 [height, width, channels], by `features.image.preprocess`, the same ops that an
    exported model runs.
    """
    iterator = iter(files)
    batches = iter(lambda: list(itertools.islice(iterator, BATCH)), [])
    pending: collections.deque[Future[Iterable[np.ndarray | str]]] = collections.deque()
    with ThreadPoolExecutor(_AHEAD) as pool:  # TensorFlow decodes while Python reads on
        for batch in batches:
            pending.append(pool.submit(_pixels, batch, spec))
            if len(pending) > _AHEAD:
                yield from pending.popleft().result()
        for future in pending:
            yield from future.result()


def _pixels(files: Sequence[bytes | None], spec: ImageSpec) -> Iterable[np.ndarray | str]:
    if None in files:
        return [_pixels_of(file, spec) for file in files]
    try:
        return compiled(spec)(tf.constant(files, tf.string)).numpy()
    except tf.errors.InvalidArgumentError:
        return [_pixels_of(file, spec) for file in files]


def _pixels_of(file: bytes | None, spec: ImageSpec) -> np.ndarray | str:
    if file is None:
        return f"no `{record.ENCODED}`"
    try:
        return compiled(spec)(tf.constant([file])).numpy()[0]
    except tf.errors.InvalidArgumentError as error:
        return _reason(error.message)


def _reason(message: str) -> str:
    """The kernel's message in an error of a graph, without the trace around it."""
    before_nodes = message.split("[[{{")[0].strip()
    return re.sub(r"\{\{.*?\}\}", "", before_nodes.splitlines()[-1]).strip(" .")


@functools.cache
def compiled(spec: ImageSpec) -> Callable[[tf.Tensor], tf.Tensor]:
    """`features.image.preprocess` of string [batch] as a graph, traced once in a process."""
    signature = [tf.TensorSpec([None], tf.string)]
    return tf.function(
        lambda files: image.preprocess(files, spec), input_signature=signature, autograph=False
    )
