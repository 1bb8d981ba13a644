"""Records become the columns that decoding them one by one gives."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.errors import DataError
from millrace.components.files import columns
from millrace.serving.errors import WireError
from millrace.serving.example import decode, encode
from millrace.serving.packed import varint
from millrace.serving.protos import example_pb2

FLOATS = st.lists(st.floats(width=32), max_size=3).map(lambda each: np.array(each, np.float32))
INTEGERS = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3).map(
    lambda each: np.array(each, np.int64)
)
TEXTS = st.lists(st.binary(max_size=3), max_size=3).map(lambda each: np.array(each, object))
ROW = st.fixed_dictionaries(
    {}, optional={"": FLOATS, "a": INTEGERS, "b": TEXTS, "é": FLOATS, "a/base": TEXTS}
)


def rows_of(batch):
    """Each record of a batch as `decode` gives it."""
    found = []
    for row in batch.to_pylist():
        found.append({name: value for name, value in row.items() if value is not None})
    return found


def plain(records):
    return [
        {name: value if isinstance(value, list) else value.tolist() for name, value in row.items()}
        for row in map(decode, records)
    ]


@given(rows=st.lists(ROW, max_size=8))
def test_columns_hold_what_decoding_record_by_record_gives(rows):
    records = [encode(row) for row in rows]
    batch = columns.of_records(records, "f")
    assert batch.num_rows == len(rows)
    assert str(rows_of(batch)) == str(plain(records))  # NaN is not NaN
    assert str(columns.rows(batch)) == str(list(map(decode, records)))
    part = columns.rows(batch.slice(1, 2))
    assert str(part) == str(list(map(decode, records[1:3])))


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


NUMBERS = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=2).map(
    lambda each: [varint(value % 2**64) for value in each]
)
UNKNOWN = st.sampled_from(
    [
        field(9, b"unknown"),
        varint(9 << 3) + varint(300),
        varint(9 << 3 | 5) + b"4444",
        varint(9 << 3 | 1) + b"88888888",
    ]
)
LISTS = st.one_of(
    st.binary(max_size=2).map(lambda each: field(1, field(1, each))),
    st.binary(min_size=4, max_size=4).map(lambda each: field(2, field(1, each))),
    st.binary(min_size=4, max_size=4).map(lambda each: field(2, varint(1 << 3 | 5) + each)),
    NUMBERS.map(lambda each: field(3, field(1, b"".join(each)))),
    NUMBERS.map(lambda each: field(3, b"".join(varint(1 << 3) + value for value in each))),
    UNKNOWN,
)
FEATURE = st.lists(LISTS, max_size=2).map(b"".join)
ENTRY = st.tuples(
    st.sampled_from([b"", field(1, b"a"), field(1, b"b"), field(1, b"\xff")]),
    st.one_of(st.just(b""), UNKNOWN, FEATURE.map(lambda each: field(2, each))),
).flatmap(lambda parts: st.permutations(parts).map(b"".join))
ENTRIES = st.lists(ENTRY.map(lambda each: field(1, each)) | UNKNOWN, max_size=3)
EXAMPLE = st.lists(ENTRIES.map(lambda each: field(1, b"".join(each))) | UNKNOWN, max_size=2).map(
    b"".join
)
DAMAGED = st.tuples(EXAMPLE, st.integers(0, 9)).map(lambda each: each[0][: each[1]])


@given(records=st.lists(st.one_of(EXAMPLE, DAMAGED), max_size=3))
def test_records_of_any_writer_are_read_as_protobuf_reads_them(records):
    try:
        expected = plain(records)
    except WireError:
        with pytest.raises(DataError, match=r"^f, record \d+: Record: expected a serialised"):
            columns.of_records(records, "f")
        return
    kinds = {
        (name, type(value), getattr(value, "dtype", None))
        for row in map(decode, records)
        for name, value in row.items()
    }
    if len(kinds) > len({name for name, *_ in kinds}):
        with pytest.raises(DataError, match="expected values of one kind"):
            columns.of_records(records, "f")
        return
    assert str(rows_of(columns.of_records(records, "f"))) == str(expected)


OF_TFX = [  # as CsvExampleGen of TFX 1.16 writes the rows Cork,3,80.5 and ,4, and Sligo,,75.25
    b"\n4\n\x10\n\x04area\x12\x08\x12\x06\n\x04\x00\x00\xa1B\n\x0e\n\x05rooms\x12\x05\x1a\x03\n\x01\x03"
    b"\n\x10\n\x04town\x12\x08\n\x06\n\x04Cork",
    b"\n(\n\x0e\n\x05rooms\x12\x05\x1a\x03\n\x01\x04\n\n\n\x04area\x12\x02\x12\x00\n\n\n\x04town\x12\x02\n\x00",
    b"\n2\n\x10\n\x04area\x12\x08\x12\x06\n\x04\x00\x80\x96B\n\x11\n\x04town\x12\t\n\x07\n\x05Sligo"
    b"\n\x0b\n\x05rooms\x12\x02\x1a\x00",
]


def test_records_of_tfx_have_lists_without_a_value_where_a_cell_is_missing():
    batch = columns.of_records(OF_TFX, "f")
    assert batch.to_pydict() == {
        "area": [[80.5], [], [75.25]],
        "rooms": [[3], [4], []],
        "town": [[b"Cork"], [], [b"Sligo"]],
    }
    assert str(columns.rows(batch)) == str(list(map(decode, OF_TFX)))


A = field(1, b"a")
WHOLE, FRACTION = (encode({"a": value}) for value in (1, 0.5))


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (WHOLE + FRACTION, [0.5]),  # the feature twice: the later one counts
        (field(1, field(1, A + field(2, field(1, field(1, b"x")) + field(3, b"\n\1\7")))), [7]),
        (field(1, field(1, A + field(2, b""))), None),  # of no kind, as if it were not there
    ],
)
def test_a_feature_of_several_kinds_in_a_record_is_of_the_last(record, expected):
    assert columns.of_records([record], "f").to_pylist() == (
        [{}] if expected is None else [{"a": expected}]
    )


def test_a_feature_without_a_value_is_null_beside_records_that_have_one():
    without = field(1, field(1, A + field(2, b"")))
    assert columns.of_records([WHOLE, without], "f").column("a").to_pylist() == [[1], None]


def test_a_field_of_a_number_beyond_those_of_protobuf_is_passed_over_as_an_unknown_one():
    """Where protobuf refuses the record: such bytes come from no writer of Examples."""
    beyond = varint((1 << 29) << 3 | 5) + b"1234"
    assert columns.of_records([WHOLE + beyond], "f").to_pylist() == [{"a": [1]}]


def test_what_is_no_example_is_named_by_its_number_in_the_shard():
    with pytest.raises(DataError, match=r"^shard, record 7: Record: expected a serialised"):
        columns.of_records([encode({"a": 1}), b"\xff"], "shard", start=6)


@pytest.mark.parametrize("last", [b"", field(1, field(1, field(1, b"a") * 2))])
def test_a_feature_of_two_kinds_is_refused(last):
    """Also where records are decoded one by one."""
    with pytest.raises(DataError) as refused:
        columns.of_records([encode({"a": 1}), encode({"a": 0.5}), last], "f")
    assert str(refused.value) == (
        "Feature 'a': expected values of one kind in every record. Received: float32 in f and "
        "int64 in f. Write the records again with one kind."
    )


def test_batches_are_cut_by_number_and_by_size(monkeypatch):
    records = [encode({"n": number}) for number in range(7)]
    monkeypatch.setattr(columns, "BATCH_RECORDS", 3)
    assert [each.num_rows for each in columns.batches(records, "f")] == [3, 3, 1]
    monkeypatch.setattr(columns, "BATCH_BYTES", 1)
    assert [each.num_rows for each in columns.batches(records, "f")] == [1] * 7
    assert [each.num_rows for each in columns.batches(records, "f", 1 << 20)] == [3, 3, 1]


def test_no_records_are_one_batch_without_columns():
    (batch,) = columns.batches([], "f")
    assert (batch.num_rows, batch.num_columns) == (0, 0)


def test_records_without_features_still_count():
    batch = columns.of_records([b"", example_pb2.Example().SerializeToString()], "f")
    assert (batch.num_rows, batch.num_columns) == (2, 0)


def test_a_column_is_a_list_per_record_and_null_where_absent():
    batch = columns.of_records([encode({"a": [1, 2]}), encode({"b": "x"})], "f")
    assert batch.column("a").to_pylist() == [[1, 2], None]
    assert [columns.kind_of(batch.column(name)) for name in ("a", "b")] == ["int64", "bytes"]
    assert pa.types.is_list(batch.schema.field("a").type)


def test_values_are_numbered_as_they_come_floats_by_their_bits():
    floats = pa.array([0.0, None, -0.0, np.nan, 0.0, np.nan], pa.float32())
    numbers, found = columns.distinct(floats)
    assert (numbers.tolist(), str(found)) == ([0, -1, 1, 2, 0, 2], "[ 0. -0. nan]")
    numbers, found = columns.distinct(pa.array([b"b", b"a", b"b"], pa.binary())[1:])
    assert (numbers.tolist(), found) == ([0, 1], [b"a", b"b"])


def test_records_are_cut_where_the_kind_of_a_feature_changes():
    values = [1, 2, 3, 0.5, 4]
    found = list(columns.alike([encode({"x": value}) for value in values], "f"))
    assert [each["x"][0] for batch in found for each in columns.rows(batch)] == values
    assert len(found) == 4  # 1 and 2; 3; 0.5; 4
    with pytest.raises(DataError, match=r"^f, record 9: Record: expected a serialised"):
        list(columns.alike([WHOLE, FRACTION, b"no example"], "f", start=7))


@pytest.mark.parametrize(
    ("sizes", "most", "expected"),
    [
        ([], 10, [0]),
        ([8] * 200, 10**4, [90, 90, 20]),  # as many records as a batch may have
        ([8] * 200, 64, [65, 65, 65, 5]),  # small ones: the first, and sixty-four more
        ([40_000] * 3, 50_000, [2, 1]),  # large ones one by one
    ],
)
def test_a_batch_has_so_many_records_or_bytes(sizes, most, expected, monkeypatch):
    monkeypatch.setattr(columns, "BATCH_RECORDS", 90)
    monkeypatch.setattr(columns, "BATCH_BYTES", most)
    found = columns.batches((b"\x0a\0" + b"\x12\0" * (size // 2 - 1) for size in sizes), "f")
    assert [batch.num_rows for batch in found] == expected
