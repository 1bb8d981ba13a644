"""Arrow columns to serialised `tf.train.Example`s, a whole batch at once.

The bytes are those of `serving.example.encode` for the same row: one feature per column with a
cell, in the order of their names (where one begins with another, protobuf itself writes the longer
one first). A number's entry is a row of a byte matrix of repeated templates, a text's is made of
a prefix that depends on its length, and Arrow joins the columns' entries row by row.

Layout: tensorflow/core/example/{example,feature}.proto; varints and tags as in
protobuf.dev/programming-guides/encoding. Arrow's `binary` addresses 2 GiB: keep a batch's
records below that.
"""

import hashlib
import itertools
from collections.abc import Mapping, Sequence

import google_crc32c
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_LEN = {1: 0x0A, 2: 0x12, 3: 0x1A}  # tag bytes of length-delimited fields
_MASK_DELTA = np.uint32(0xA282EAD8)
_COUNTED = 2**16  # bytes of a record up to which lengths are counted, not sorted
_JOIN = pc.JoinOptions(null_handling="replace", null_replacement="")

Bytes = NDArray[np.uint8]


def records(columns: Mapping[str, pa.Array], *, prefix_last: bool = False) -> pa.BinaryArray:
    """One serialised Example per row.

    Args:
        columns: by feature name, all of one length. int64 makes an int64 feature, float32 a
            float one, string and binary a bytes one; a list of int64, float32 or binary, or one
            of a fixed size of either number, makes one of that many values. Null means that the
            row lacks the feature.
        prefix_last: of two names of which one begins the other, the longer comes first, as protobuf
            has it. The splits of tables depend on the other order.

    Returns:
        binary [rows].
    """
    end = b"\xff" if prefix_last else b""  # which no name has
    names = sorted(columns, key=lambda name: name.encode() + end)
    entries = [_entries(name, columns[name]) for name in names]
    lengths: NDArray[np.int64] = np.stack([_lengths(entry) for entry in entries]).sum(axis=0)
    return pc.binary_join_element_wise(_headers(lengths), *entries, b"", options=_JOIN)


def frames(examples: pa.BinaryArray, values: Sequence[bytes]) -> pa.BinaryArray:
    """Each record as it lies in a TFRecord file, with masked CRCs (`tfrecord`).

    Args:
        examples: binary [rows].
        values: the same, as `as_bytes` gives them.
    """
    lengths = _lengths(examples).astype("<u8")
    heads = np.empty((len(examples), 12), np.uint8)
    heads[:, :8] = lengths.view(np.uint8).reshape(-1, 8)
    heads[:, 8:] = _length_crcs(lengths).view(np.uint8).reshape(-1, 4)
    feet = checksums(values).view(np.uint8).reshape(-1, 4)
    return pc.binary_join_element_wise(_fixed(heads), examples, _fixed(feet), b"", options=_JOIN)


def checksums(values: Sequence[bytes]) -> NDArray[np.uint32]:
    """The masked CRC-32C of each of `values`, little-endian."""
    return _masked(np.fromiter(map(google_crc32c.value, values), np.uint32, len(values)))


def points(values: Sequence[bytes]) -> NDArray[np.float64]:
    """A number in [0, 1) per record, as `splits` takes it from the SHA-256 of the record."""
    sha256 = hashlib.sha256
    digests = b"".join([sha256(record).digest() for record in values])
    return (np.frombuffer(digests, ">u8")[::4] >> np.uint64(11)).astype(np.float64) / 2**53


def as_bytes(array: pa.BinaryArray) -> list[bytes]:
    """The values of `array`, which has no null."""
    data, offsets = flat(array), _offsets(array).tolist()
    start = offsets[0]
    return [data[a - start : b - start] for a, b in itertools.pairwise(offsets)]


def flat(array: pa.BinaryArray) -> bytes:
    """All values of `array`, one after another."""
    offsets, data = _offsets(array), array.buffers()[2]
    first, last = int(offsets[0]), int(offsets[-1])
    return data.slice(first, last - first).to_pybytes() if last > first else b""


def _entries(name: str, column: pa.Array) -> pa.BinaryArray:
    """The map entry of feature `name` for each row, empty or null where the cell is null."""
    if pa.types.is_int64(column.type):
        return _int_entries(name, column)
    if pa.types.is_float32(column.type):
        return _float_entries(name, column.is_valid(), column.fill_null(0.0), 1)
    if pa.types.is_list(column.type) or pa.types.is_fixed_size_list(column.type):
        return _list_entries(name, column)
    return _text_entries(name, column)


def _float_entries(
    name: str, valid: pa.BooleanArray, values: pa.FloatArray, width: int
) -> pa.BinaryArray:
    payload = values.to_numpy(zero_copy_only=False).astype("<f4", copy=False)
    present = valid.to_numpy(zero_copy_only=False)
    packed = _field(1, 4 * width)
    prefix = _entry(name, _field(2, len(packed) + 4 * width) + packed, 4 * width)
    rows = payload.reshape(-1, width)
    rows = rows[present] if len(rows) == len(present) else rows  # `flatten` leaves nulls out
    matrix = np.empty((len(rows), len(prefix) + 4 * width), np.uint8)
    matrix[:, : len(prefix)] = np.frombuffer(prefix, np.uint8)
    matrix[:, len(prefix) :] = np.ascontiguousarray(rows).view(np.uint8).reshape(-1, 4 * width)
    return _binary(matrix, np.where(present, matrix.shape[1], 0))


def _int_entries(name: str, column: pa.Int64Array) -> pa.BinaryArray:
    encoded = column.dictionary_encode()
    values = encoded.dictionary.to_numpy(zero_copy_only=False)
    digits, sizes = _varints(values.view(np.uint64))
    prefixes = [_int_prefix(name, size) for size in range(digits.shape[1] + 1)]
    width = max(map(len, prefixes))
    templates = np.zeros((len(prefixes), width), np.uint8)  # each prefix up to its right end
    for size, prefix in enumerate(prefixes):
        templates[size, width - len(prefix) :] = np.frombuffer(prefix, np.uint8)
    starts, ends = width - np.array(list(map(len, prefixes)))[sizes], width + sizes
    matrix = np.concatenate([templates[sizes], digits], axis=1)
    place = np.arange(matrix.shape[1])
    filled = matrix[(place >= starts[:, None]) & (place < ends[:, None])]
    return _binary(filled, ends - starts).take(encoded.indices)


def _list_entries(name: str, column: pa.ListArray | pa.FixedSizeListArray) -> pa.BinaryArray:
    counts = pc.list_value_length(column).fill_null(0).to_numpy().astype(np.int64)
    is_there, values = column.is_valid().to_numpy(zero_copy_only=False), column.flatten()
    if pa.types.is_float32(values.type):
        width = int(counts.max(initial=0))
        if width and (counts[is_there] == width).all():
            return _float_entries(name, column.is_valid(), values, width)
        data, sizes = values.to_numpy().astype("<f4", copy=False).view(np.uint8), 4 * counts
    elif pa.types.is_int64(values.type):
        digits, lengths = _varints(values.to_numpy().view(np.uint64))
        data = digits[np.arange(digits.shape[1]) < lengths[:, None]]
        sizes = _sums(lengths, counts)
    else:
        items = _items(values)
        data, sizes = np.frombuffer(flat(items), np.uint8), _sums(_lengths(items), counts)
    distinct, where = _distinct(sizes)
    prefixes = [_list_prefix(name, values.type, size) for size in distinct.tolist()]
    heads = pa.array(prefixes, pa.binary()).take(pa.array(where, mask=~is_there))
    return pc.binary_join_element_wise(heads, _binary(data, sizes), b"")


def _list_prefix(name: str, kind: pa.DataType, size: int) -> bytes:
    """An entry up to its values, which take `size` bytes; of no value where that is 0."""
    if pa.types.is_int64(kind) or pa.types.is_float32(kind):
        packed = _field(1, size) if size else b""
        number = 3 if pa.types.is_int64(kind) else 2
        return _entry(name, _field(number, len(packed) + size) + packed, size)
    return _entry(name, _field(1, size) if size else b"", size)


def _items(values: pa.BinaryArray) -> pa.BinaryArray:
    """Each of `values` as it lies in a BytesList."""
    distinct, where = _distinct(_lengths(values))
    heads = pa.array([_field(1, size) for size in distinct.tolist()], pa.binary())
    return pc.binary_join_element_wise(heads.take(pa.array(where)), values, b"")


def _sums(sizes: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sum of the next so many of `sizes`, for each of `counts`."""
    ends = counts.cumsum()
    seen = np.concatenate([[0], sizes.cumsum()])
    return seen[ends] - seen[ends - counts]


def _int_prefix(name: str, size: int) -> bytes:
    return _list_prefix(name, pa.int64(), size)


def _varints(values: NDArray[np.uint64]) -> tuple[Bytes, NDArray[np.int64]]:
    """Base-128 digits of each value, uint8 [values, 1..10], and how many of them count."""
    most = max(1, -(-int(values.max(initial=0)).bit_length() // 7))
    narrowest = np.uint16 if most < 3 else np.uint32 if most < 5 else np.uint64
    rest: NDArray[np.unsignedinteger] = values.astype(narrowest)
    sizes, digits = np.ones(len(values), np.int64), np.empty((len(values), most), np.uint8)
    for place in range(most):
        digits[:, place] = rest & 0x7F
        rest >>= 7
        is_going_on = rest > 0
        sizes += is_going_on
        digits[:, place] |= is_going_on.view(np.uint8) << 7
    return digits, sizes


def _text_entries(name: str, column: pa.Array) -> pa.BinaryArray:
    distinct, where = _distinct(_lengths(column))
    heads = pa.array([_text_prefix(name, size) for size in distinct.tolist()], pa.binary())
    is_missing = column.is_null().to_numpy(zero_copy_only=False)
    taken = heads.take(pa.array(where, mask=is_missing))
    return pc.binary_join_element_wise(taken, column.cast(pa.binary()), b"")


def _text_prefix(name: str, size: int) -> bytes:
    """An entry up to its one text, which takes `size` bytes."""
    item = _field(1, size)
    return _entry(name, _field(1, len(item) + size) + item, size)


def _entry(name: str, feature: bytes, missing: int) -> bytes:
    """A map entry up to the end of `feature`, of which `missing` bytes are still to come."""
    key = name.encode()
    named = _field(1, len(key)) + key
    size = len(feature) + missing
    content = named + _field(2, size) + feature
    return _field(1, len(content) + missing) + content


def _field(number: int, length: int) -> bytes:
    """The tag of a length-delimited field and its length."""
    return bytes([_LEN[number]]) + _varint(length)


def _varint(value: int) -> bytes:
    digits = []
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*digits, value])


def _headers(lengths: NDArray[np.int64]) -> pa.BinaryArray:
    """What precedes a row's entries, of `lengths` bytes: the field `features` of an Example."""
    distinct, where = _distinct(lengths)
    fields = [_field(1, size) if size else b"" for size in distinct.tolist()]
    return pa.array(fields, pa.binary()).take(pa.array(where))


def _length_crcs(lengths: NDArray[np.uint64]) -> NDArray[np.uint32]:
    distinct, where = _distinct(lengths.astype(np.int64))
    crcs = [google_crc32c.value(length.tobytes()) for length in distinct.astype("<u8")]
    return _masked(np.array(crcs, np.uint32))[where]


def _distinct(lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The lengths that there are, rising, and the place of each of `lengths` among them."""
    if lengths.max(initial=0) > _COUNTED:
        distinct, where = np.unique(lengths, return_inverse=True)
        return distinct, where
    distinct = np.flatnonzero(np.bincount(lengths))
    places = np.zeros(_COUNTED + 1, np.int64)
    places[distinct] = np.arange(len(distinct))
    return distinct, places[lengths]


def _masked(crcs: NDArray[np.uint32]) -> NDArray[np.uint32]:
    turned = (crcs >> np.uint32(15)) | (crcs << np.uint32(17))
    return (turned + _MASK_DELTA).astype("<u4")


def _fixed(matrix: Bytes) -> pa.BinaryArray:
    """The rows of `matrix` [rows, bytes] as binary values."""
    return _binary(matrix, np.full(len(matrix), matrix.shape[1]))


def _binary(data: Bytes, lengths: Sequence[int] | NDArray[np.int64]) -> pa.BinaryArray:
    """Values of `lengths` bytes each, one after another in `data`."""
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(data).reshape(-1))]
    return pa.Array.from_buffers(pa.binary(), len(lengths), buffers)


def _offsets(array: pa.BinaryArray) -> NDArray[np.int32]:
    whole = np.frombuffer(array.buffers()[1], np.int32)
    return whole[array.offset : array.offset + len(array) + 1]


def _lengths(array: pa.BinaryArray) -> NDArray[np.int64]:
    """Bytes of each value; 0 where it is null."""
    return pc.binary_length(array).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
