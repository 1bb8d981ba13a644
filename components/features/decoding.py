"""Raw image records to pixels, batch by batch; a broken file takes no other with it."""

import collections
import functools
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import tensorflow as tf

from millrace.components.features import image, record
from millrace.components.features.image_spec import ImageSpec
from millrace.serving.example import Decoded

BATCH = 64  # pictures decoded at once: the fewest that keep a few cores busy
_AHEAD = 2  # batches being decoded while the next one is read


Row = TypeVar("Row", bound=tuple[Decoded, *tuple[object, ...]])


def decode_rows(rows: Iterable[Row], spec: ImageSpec) -> Iterator[tuple[Row, np.ndarray | str]]:
    """Each row with its pixels, or with the reason why it has none, in the same order.

    A row is a tuple whose first part is the raw record; the rest travels along. Pixels are
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
    """The kernel's own words in an error of a graph, without the trace around them."""
    before_nodes = message.split("[[{{")[0].strip()
    return re.sub(r"\{\{.*?\}\}", "", before_nodes.splitlines()[-1]).strip(" .")


@functools.cache
def _compiled(spec: ImageSpec) -> Callable[[tf.Tensor], tf.Tensor]:
    signature = [tf.TensorSpec([None], tf.string)]
    return tf.function(lambda files: image.preprocess(files, spec), input_signature=signature)
