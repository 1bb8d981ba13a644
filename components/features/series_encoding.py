"""Windows as serialised `tf.train.Example`s, millions per second.

All windows of a series have the same features of the same lengths, so their records differ only in
known places: one record is the template of a byte matrix [windows, bytes], and whole columns of it
are overwritten with the float arrays and the times. The bytes are those of
`millrace.serving.example.encode`. Layout: tensorflow/core/example/feature.proto.
"""

import itertools
from collections.abc import Iterator, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from millrace.serving.example import Value, encode
from millrace.serving.packed import read_varint

Block: TypeAlias = NDArray[np.uint8]  # [records, bytes]: records of one length

_LONGER = np.uint64(1) << np.arange(7, 70, 7, dtype=np.uint64)  # the least of 2 to 10 bytes
_AT_ONCE = 1 << 20  # bytes of the matrix: what a core's cache holds


def encode_rows(
    floats: Mapping[str, NDArray[np.float32]],
    numbers: Mapping[str, NDArray[np.int64]],
    texts: Mapping[str, bytes],
) -> Iterator[Block]:
    """One record per row, in order.

    Args:
        floats: by feature, float32 [rows, ...]; flattened.
        numbers: by feature, int64 [rows].
        texts: by feature, the same for all rows.
    """
    rows = len(next(iter(floats.values())))
    width = 4 * sum(array[:1].size for array in floats.values()) + 64
    step = max(1, _AT_ONCE // width)
    for start in range(0, rows, step):
        part = slice(start, min(start + step, rows))
        yield from _encoded(
            {name: array[part] for name, array in floats.items()},
            {name: array[part] for name, array in numbers.items()},
            texts,
        )


def _encoded(
    floats: Mapping[str, NDArray[np.float32]],
    numbers: Mapping[str, NDArray[np.int64]],
    texts: Mapping[str, bytes],
) -> Iterator[Block]:
    lengths = np.stack([_varint_lengths(array) for array in numbers.values()], axis=1)
    for places in _runs(lengths):
        yield _alike(
            {name: array[places] for name, array in floats.items()},
            {name: array[places] for name, array in numbers.items()},
            texts,
        )


def _runs(lengths: NDArray[np.int64]) -> Iterator[slice]:
    """Slices of consecutive rows whose numbers take equally many bytes."""
    changes = np.flatnonzero((lengths[1:] != lengths[:-1]).any(axis=1)) + 1
    edges = [0, *changes.tolist(), len(lengths)]
    for first, last in itertools.pairwise(edges):
        yield slice(first, last)


def _alike(
    floats: Mapping[str, NDArray[np.float32]],
    numbers: Mapping[str, NDArray[np.int64]],
    texts: Mapping[str, bytes],
) -> Block:
    """Records of rows whose numbers take as many bytes as those of the first."""
    first: dict[str, Value] = {name: array[0] for name, array in floats.items()}
    first |= {name: array[:1] for name, array in numbers.items()}
    template = encode(first | dict(texts))
    rows = len(next(iter(floats.values())))
    columns = {name: _bytes_of_floats(array, rows) for name, array in floats.items()}
    columns |= {name: _varints(array) for name, array in numbers.items()}
    matrix = np.tile(np.frombuffer(template, np.uint8), (rows, 1))
    sizes = {name: len(text) for name, text in texts.items()}
    sizes |= {name: raw.shape[1] for name, raw in columns.items()}
    for name, place in _places(sizes, template).items():
        if name in columns:
            matrix[:, place : place + sizes[name]] = columns[name]
    return matrix


def _bytes_of_floats(array: NDArray[np.float32], rows: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(array, "<f4").reshape(rows, -1).view(np.uint8)


def _places(sizes: Mapping[str, int], template: bytes) -> dict[str, int]:
    """Where the values of each feature begin in the record `template`.

    An Example is `Features { map<string, Feature> }`. The values are the last bytes of a map's
    entry, `0a <size> { 0a <size> name, 12 <size> { <kind> <size> { 0a <size> values } } }`.

    Args:
        sizes: by feature, the bytes of its values.
        template: a record with all of them.
    """
    places = {}
    _, place = read_varint(template, 1)
    while place < len(template):
        size, start = read_varint(template, place + 1)
        length, first = read_varint(template, start + 1)
        name = template[first : first + length].decode()
        place = start + size
        places[name] = place - sizes[name]
    return places


def _varint_lengths(array: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bytes that each number takes in base 128, int64 [rows]; a negative one takes ten."""
    return 1 + np.searchsorted(_LONGER, array.astype(np.uint64), side="right")


def _varints(array: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Numbers of the same length in base 128, uint8 [rows, bytes]."""
    length = int(_varint_lengths(array[:1])[0])
    bits = array.astype(np.uint64)
    shifts = np.arange(length, dtype=np.uint64) * np.uint64(7)
    groups = ((bits[:, None] >> shifts) & np.uint64(0x7F)).astype(np.uint8)
    groups[:, :-1] |= 0x80
    return groups
