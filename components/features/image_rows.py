"""Raw image records to pixels, and to transformed records that are ready to train on.

The pixels come from `features.image`, the ops that `export` serves. Files are decoded in batches;
a broken one takes no other with it.
"""

import collections
import contextlib
import dataclasses
import functools
import itertools
import math
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
_WRITTEN = 1 << 21  # bytes of pixels that become records at once, where that is more than a batch


def transform(
    batches: Iterable[pa.RecordBatch], place: str, spec: ImageSpec, rejected: list[Rejected]
) -> Iterator[bytes]:
    """The transformed records of raw ones.

    Yields `image` (bytes: uint8, height * width * channels), `label` (int64, index in the
    spec's classes) and `image/filename`, encoded. Rows that cannot be decoded, or whose class is
    not in the train split, go to `rejected`.
    The arguments are those of `rows.transform`, the records as `files.columns` has them.
    """
    start = 0
    together = max(1, _WRITTEN // (BATCH * math.prod(spec.shape)))
    for batch in batches:
        labels, reasons = record.labels(batch, "image", spec.classes)
        sources = record.sources(batch, "image")
        is_usable = reasons == ""
        decoded = _decoded(itertools.compress(files(batch), is_usable), spec)
        rest = np.flatnonzero(is_usable)
        while group := list(itertools.islice(decoded, together)):
            found = np.concatenate([each.reasons for each in group])
            rows, rest = rest[: len(found)], rest[len(found) :]
            reasons[rows] = found
            kept = rows[found == ""]
            cells = {
                record.PIXELS: _binary(np.concatenate([each.pixels for each in group])),
                record.INDEX: pa.array(labels[kept]),
                record.filename("image"): sources.take(pa.array(kept)),
            }
            yield from arrow_examples.as_bytes(arrow_examples.records(cells, prefix_last=True))
        for number in np.flatnonzero(reasons != "").tolist():
            where = columns.position(place, start + number)
            rejected.append(Rejected(sources[number].as_py(), reasons[number], where))
        start += batch.num_rows


def _binary(pictures: np.ndarray) -> pa.BinaryArray:
    """The bytes of each of `pictures`, uint8 [batch, ...]."""
    ends = np.arange(len(pictures) + 1, dtype=np.int32) * math.prod(pictures.shape[1:])
    held = [None, pa.py_buffer(ends), pa.py_buffer(pictures)]
    return pa.Array.from_buffers(pa.binary(), len(pictures), held)


def files(batch: pa.RecordBatch) -> list[bytes | None]:
    """The picture file of each record, None where it has none."""
    found = columns.first(batch, record.ENCODED)
    return [None] * batch.num_rows if found is None else found.to_pylist()


def pixels(files: Iterable[bytes | None], spec: ImageSpec) -> Iterator[np.ndarray | str]:
    """The pixels of each file, or the reason why it has none, in the same order.

    Pixels are uint8 [height, width, channels], by `features.image.preprocess`, the same ops that an
    exported model runs.
    """
    for each in _decoded(files, spec):
        pictures = iter(each.pixels)
        for reason in each.reasons.tolist():
            yield reason or next(pictures)


@dataclasses.dataclass(frozen=True)
class _Decoded:
    """A batch of files: why each has no pixels, "" where it has; and those that there are.

    Attributes:
        reasons: text as objects [files].
        pixels: uint8 [files without a reason, height, width, channels].
    """

    reasons: np.ndarray
    pixels: np.ndarray


def _decoded(files: Iterable[bytes | None], spec: ImageSpec) -> Iterator[_Decoded]:
    """The files in batches, decoded while Python reads on."""
    iterator = iter(files)
    batches = iter(lambda: list(itertools.islice(iterator, BATCH)), [])
    pending: collections.deque[Future[_Decoded]] = collections.deque()
    with ThreadPoolExecutor(_AHEAD) as pool:
        for batch in batches:
            compiled(spec)  # here: each thread would trace it for itself
            pending.append(pool.submit(_batch, batch, spec))
            if len(pending) > _AHEAD:
                yield pending.popleft().result()
        for future in pending:
            yield future.result()


def _batch(files: Sequence[bytes | None], spec: ImageSpec) -> _Decoded:
    reasons = np.full(len(files), "", object)
    if None not in files:
        with contextlib.suppress(tf.errors.InvalidArgumentError):
            return _Decoded(reasons, compiled(spec)(tf.constant(files, tf.string)).numpy())
    pictures = [np.empty((0, *spec.shape), np.uint8)]
    for number, found in enumerate(_pixels_of(file, spec) for file in files):
        if isinstance(found, str):
            reasons[number] = found
        else:
            pictures.append(found[None])
    return _Decoded(reasons, np.concatenate(pictures))


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
    traced = tf.function(
        lambda files: image.preprocess(files, spec), input_signature=signature, autograph=False
    )
    graph: Callable[[tf.Tensor], tf.Tensor] = traced.get_concrete_function()
    return graph
