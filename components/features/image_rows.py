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
from typing import TypeVar

import numpy as np
import tensorflow as tf

from millrace.components.artifacts import Rejected
from millrace.components.features import image, record
from millrace.components.features.image_spec import ImageSpec
from millrace.serving.example import Decoded, encode

BATCH = 64  # pictures decoded at once: enough to keep a few cores busy
_AHEAD = 2  # batches being decoded while the next one is read

Row = TypeVar("Row", bound=tuple[Decoded, *tuple[object, ...]])


def transform(
    rows: Iterable[tuple[Decoded, str]], spec: ImageSpec, rejected: list[Rejected]
) -> Iterator[bytes]:
    """The transformed records of `rows`: raw ones, each with its position.

    Yields `image` (bytes: uint8, height * width * channels), `label` (int64, index in the
    spec's classes) and `image/filename`, encoded. Rows that cannot be decoded, or whose class is
    not in the train split, go to `rejected`.
    """
    for (row, position, label), pixels in decode_rows(labelled(rows, spec, rejected), spec):
        source = record.source(row, "image")
        if isinstance(pixels, str):
            rejected.append(Rejected(source, pixels, position))
        else:
            name, content = record.filename("image"), pixels.tobytes()
            yield encode({record.PIXELS: content, record.INDEX: label, name: source})


def labelled(
    rows: Iterable[tuple[Decoded, str]], spec: ImageSpec, rejected: list[Rejected]
) -> Iterator[tuple[Decoded, str, int]]:
    """Each row of a known class, its position and its label; the others go to `rejected`."""
    labels = {name: label for label, name in enumerate(spec.classes)}
    for row, position in rows:
        label = record.label_of(row, "image", labels)
        if isinstance(label, str):
            rejected.append(Rejected(record.source(row, "image"), label, position))
        else:
            yield row, position, label


def decode_rows(rows: Iterable[Row], spec: ImageSpec) -> Iterator[tuple[Row, np.ndarray | str]]:
    """Each row with its pixels, or with the reason why it has none, in the same order.

    A row is a tuple whose first part is the raw record; the rest is passed through. Pixels are
    uint8 [height, width, channels], by `features.image.preprocess`, the same ops that an
    exported model runs.
    """
    iterator = iter(rows)
    batches = iter(lambda: list(itertools.islice(iterator, BATCH)), [])
    pending: collections.deque[tuple[list[Row], Future[Iterable[np.ndarray | str]]]]
    pending = collections.deque()
    with ThreadPoolExecutor(_AHEAD) as pool:  # TensorFlow decodes while Python reads on
        for batch in batches:
            files = [_file(row[0]) for row in batch]
            pending.append((batch, pool.submit(_pixels, files, spec)))
            if len(pending) > _AHEAD:
                yield from _paired(*pending.popleft())
        for batch, future in pending:
            yield from _paired(batch, future)


def _paired(
    batch: list[Row], pixels: Future[Iterable[np.ndarray | str]]
) -> Iterator[tuple[Row, np.ndarray | str]]:
    return zip(batch, pixels.result(), strict=True)


def _pixels(files: Sequence[bytes | None], spec: ImageSpec) -> Iterable[np.ndarray | str]:
    if None in files:
        return [_pixels_of(file, spec) for file in files]
    try:
        return _compiled(spec)(tf.constant(files, tf.string)).numpy()
    except tf.errors.InvalidArgumentError:
        return [_pixels_of(file, spec) for file in files]


def _pixels_of(file: bytes | None, spec: ImageSpec) -> np.ndarray | str:
    if file is None:
        return f"no `{record.ENCODED}`"
    try:
        return _compiled(spec)(tf.constant([file])).numpy()[0]
    except tf.errors.InvalidArgumentError as error:
        return _reason(error.message)


def _file(row: Decoded) -> bytes | None:
    value = row.get(record.ENCODED)
    return bytes(value[0]) if value is not None and len(value) else None


def _reason(message: str) -> str:
    """The kernel's message in an error of a graph, without the trace around it."""
    before_nodes = message.split("[[{{")[0].strip()
    return re.sub(r"\{\{.*?\}\}", "", before_nodes.splitlines()[-1]).strip(" .")


@functools.cache
def _compiled(spec: ImageSpec) -> Callable[[tf.Tensor], tf.Tensor]:
    signature = [tf.TensorSpec([None], tf.string)]
    return tf.function(
        lambda files: image.preprocess(files, spec), input_signature=signature, autograph=False
    )
