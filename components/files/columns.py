"""Batches of `tf.train.Example` records as Arrow columns; `arrow_examples` goes the other way.

A column has a list per record, of binary, float32 or int64: null where the record lacks the
feature. These are the record batches of TFX (`tfx_bsl.coders`, whose decoder does not install
beside this TensorFlow). ptars walks the wire format in Rust; what it does not read as protobuf
does (a feature twice in a record, of two kinds, without a value) is decoded record by record. It
passes over unknown fields, also those of numbers that protobuf refuses.
"""

import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import ptars
import pyarrow as pa

from millrace.components.errors import DataError
from millrace.serving import example
from millrace.serving.errors import WireError
from millrace.serving.protos import example_pb2

BATCH_RECORDS = 1 << 15
BATCH_BYTES, TEXT_BYTES = 32 << 20, 4 << 20  # of texts a token takes several times its bytes
_TOGETHER, _SMALL = 64, 1 << 14  # records of up to so many bytes on average that are taken together

_KINDS = {"bytes": pa.binary(), "float32": pa.float32(), "int64": pa.int64()}
_FIELDS = ("bytes_list", "float_list", "int64_list")  # of Feature, in the order of the kinds


def _type_of(kind: pa.DataType) -> pa.ListType:
    return pa.list_(pa.field("item", kind, nullable=False))


_TYPES = tuple(map(_type_of, _KINDS.values()))


def batches(
    records: Iterable[bytes], place: str, size: int | None = None
) -> Iterator[pa.RecordBatch]:
    """The columns of `records`, 32,768 of them or so many bytes at a time; at least one batch.

    Args:
        records: serialised.
        place: the shard that they are of, for the errors.
        size: the bytes; 32 MiB if it is None.

    Raises:
        DataError: see `of_records`.
    """
    left, start = iter(records), 0
    while (held := _batch_of(left, BATCH_BYTES if size is None else size)) or not start:
        yield of_records(held, place, start)
        if not held:
            return
        start += len(held)


def _batch_of(records: Iterator[bytes], limit: int) -> list[bytes]:
    """The next records that make a batch; of small ones a few more than fit into its bytes."""
    held, size, most = list[bytes](), 0, 1
    while len(held) < BATCH_RECORDS and size < limit:
        some = list(itertools.islice(records, min(most, BATCH_RECORDS - len(held))))
        if not some:
            break
        held += some
        size += sum(map(len, some))
        most = _TOGETHER if size < len(held) * _SMALL else 1
    return held


def of_records(records: Sequence[bytes], place: str, start: int = 0) -> pa.RecordBatch:
    """The columns of `records`, by name; features that no record has are none.

    Args:
        records: serialised.
        place: the shard that they are of, for the errors.
        start: the number of the first of them there.

    Raises:
        DataError: a record is not an Example, or a feature is of different kinds in two records.
    """
    columns = _walked(records, place)
    if columns is None:
        return of_rows(_one_by_one(records, place, start), place)
    return of_columns(columns, len(records))


def of_rows(rows: Sequence[example.Decoded], place: str) -> pa.RecordBatch:
    """The columns of decoded records; see `of_records`."""
    cells: dict[str, list[list[bytes] | np.ndarray | None]] = {}
    for number, row in enumerate(rows):
        for name, value in row.items():
            cells.setdefault(name, [None] * len(rows))[number] = value
    columns = {name: _lists(name, values, place) for name, values in cells.items()}
    return of_columns(columns, len(rows))


def alike(records: Sequence[bytes], place: str, start: int = 0) -> Iterator[pa.RecordBatch]:
    """The columns of `records`, in more than one batch only where the kind of a feature changes.

    Raises:
        DataError: a record is not an Example.
    """
    try:
        whole = of_records(records, place, start)
    except DataError:
        if len(records) == 1:
            raise
        middle = len(records) // 2
        yield from alike(records[:middle], place, start)
        yield from alike(records[middle:], place, start + middle)
    else:
        yield whole


def rows(batch: pa.RecordBatch) -> list[example.Decoded]:
    """Each record of a batch as `decode` gives it."""
    found: list[example.Decoded] = [{} for _ in range(batch.num_rows)]
    for name, lists in zip(batch.schema.names, batch.columns, strict=True):
        flat, lengths = values(lists)
        cells = flat.to_pylist() if pa.types.is_binary(flat.type) else flat.to_numpy()
        ends = lengths.cumsum().tolist()
        for row, start, end, is_absent in zip(
            found, [0, *ends], ends, is_null(lists).tolist(), strict=False
        ):
            if not is_absent:
                row[name] = cells[start:end]
    return found


def decoded(records: Iterable[bytes], place: str, start: int = 0) -> Iterator[example.Decoded]:
    """Each record, many of them decoded at once; see `of_records`.

    Raises:
        DataError: a record is not an Example.
    """
    left = iter(records)
    while held := _batch_of(left, BATCH_BYTES):
        for batch in alike(held, place, start):
            yield from rows(batch)
        start += len(held)


def position(place: str, number: int) -> str:
    """Where a record lies, for messages."""
    return f"{place}, record {number}"


def _one_by_one(records: Sequence[bytes], place: str, start: int) -> list[example.Decoded]:
    found = []
    for number, record in enumerate(records, start):
        try:
            found.append(example.decode(record))
        except WireError as error:
            raise DataError(f"{position(place, number)}: {error}") from error
    return found


def of_columns(columns: Mapping[str, pa.ListArray], length: int) -> pa.RecordBatch:
    """The columns of `length` records, in the order of their names."""
    names = sorted(columns)
    # A batch takes its length from its columns, and records may have no feature at all.
    arrays = [pa.nulls(length), *(columns[name] for name in names)]
    return pa.RecordBatch.from_arrays(arrays, names=["", *names]).remove_column(0)


def of_array(values: np.ndarray, is_missing: np.ndarray | None = None) -> pa.ListArray:
    """A column of as many values in every record.

    Args:
        values: [records, width], of bytes as objects, or of numbers: whole ones become int64,
            others float32.
        is_missing: bool [records], where the record lacks the feature; nowhere if it is None.
    """
    kind = _KINDS[{"O": "bytes", "f": "float32"}.get(values.dtype.kind, "int64")]
    lengths = np.full(len(values), values.shape[1])
    return of_values(pa.array(values.ravel(), kind), lengths, is_missing)


def of_values(
    flat: pa.Array, lengths: np.ndarray, is_missing: np.ndarray | None = None
) -> pa.ListArray:
    """A column of `flat`, all values one after another, of which each record has so many.

    Args:
        flat: of binary, float32 or int64.
        lengths: int [records].
        is_missing: bool [records], where the record lacks the feature; nowhere if it is None.
    """
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    mask = None if is_missing is None else pa.array(is_missing)
    return pa.ListArray.from_arrays(pa.array(offsets), flat, type=_type_of(flat.type), mask=mask)


def first(batch: pa.RecordBatch, name: str) -> pa.Array | None:
    """The first value of each record's feature [records], null without one; None if none has it."""
    if name not in batch.schema.names:
        return None
    lists = batch.column(name)
    offsets = lists.offsets.to_numpy()
    is_absent = (np.diff(offsets) == 0) | is_null(lists)
    return lists.values.take(pa.array(offsets[:-1], mask=is_absent))


def values(column: pa.ListArray) -> tuple[pa.Array, np.ndarray]:
    """All values, one after another, and how many each record has, int64 [records]."""
    lengths = np.diff(column.offsets.to_numpy()).astype(np.int64)
    return column.flatten(), np.where(is_null(column), 0, lengths)


def distinct(flat: pa.Array) -> tuple[np.ndarray, Sequence[Any]]:
    """The number of each value, int64 [values], -1 for null, and the values by number.

    Floats are as different as their bits. The values are bytes, or NumPy's numbers.
    """
    is_float = pa.types.is_float32(flat.type)
    encoded = (flat.view(pa.int32()) if is_float else flat).dictionary_encode()
    numbers = encoded.indices.fill_null(-1).to_numpy().astype(np.int64)
    found = encoded.dictionary.view(flat.type)
    return numbers, found.to_pylist() if pa.types.is_binary(found.type) else found.to_numpy()


def is_null(column: pa.ListArray) -> np.ndarray:
    """Which records lack the feature, bool [records]."""
    found: np.ndarray = column.is_null().to_numpy(zero_copy_only=False)
    return found


def kind_of(column: pa.ListArray) -> str:
    """bytes, float32 or int64."""
    return {each: name for name, each in _KINDS.items()}[column.type.value_type]


def mixed_kinds(name: str, *found: tuple[str, str]) -> DataError:
    """The error for a feature of several kinds, each with the place where it stands."""
    received = " and ".join(f"{kind} in {place}" for kind, place in found)
    return DataError(
        f"Feature {name!r}: expected values of one kind in every record. "
        f"Received: {received}. Write the records again with one kind."
    )


@functools.cache
def _handler() -> Any:
    descriptor = example_pb2.Example.DESCRIPTOR
    return ptars.HandlerPool([descriptor.file]).get_for_message(descriptor)


def _walked(records: Sequence[bytes], place: str) -> dict[str, pa.ListArray] | None:
    """The columns, or None where ptars would read other than protobuf does."""
    try:
        batch = _handler().list_to_record_batch(list(records))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # a panic of Rust's is no Exception
        return None
    entries = batch.column("features").field("feature")
    rows = np.repeat(np.arange(len(records)), np.diff(entries.offsets.to_numpy()))
    keys = entries.keys.dictionary_encode()
    lists = [entries.items.field(name) for name in _FIELDS]
    holds = np.stack([~is_null(each) for each in lists])
    if (holds.sum(0) > 1).any():
        return None
    codes = keys.indices.to_numpy().astype(
        np.uint16 if len(keys.dictionary) < 1 << 16 else np.int32
    )
    order = np.argsort(codes, kind="stable")
    ends = np.bincount(codes, minlength=len(keys.dictionary)).cumsum().tolist()
    columns = {}
    for name, bounds in zip(keys.dictionary.to_pylist(), pairwise([0, *ends]), strict=True):
        where = order[slice(*bounds)]
        if (np.diff(rows[where]) == 0).any():
            return None
        kinds = np.flatnonzero(holds[:, where].any(1))
        if len(kinds) > 1:
            raise mixed_kinds(name, *((list(_KINDS)[kind], place) for kind in kinds))
        for kind in kinds.tolist():
            places, absent = np.zeros(len(records), np.int64), np.ones(len(records), bool)
            places[rows[where]] = where
            absent[rows[where]] = ~holds[kind, where]
            columns[name] = lists[kind].field("value").take(pa.array(places, mask=absent))
    return columns


def _lists(name: str, values: Sequence[Any], place: str) -> pa.ListArray:
    kinds = {
        "bytes" if isinstance(each, list) else each.dtype.name
        for each in values
        if each is not None
    }
    if len(kinds) > 1:
        raise mixed_kinds(name, *((kind, place) for kind in sorted(kinds)))
    return pa.array(values, _TYPES[list(_KINDS).index(kinds.pop())])
