"""Whole columns to records, against the codec that makes them one by one."""

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from millrace.components.example_gen.csv import passes
from millrace.components.example_gen.shards.splits import SplitRule
from millrace.components.files import arrow_examples, tfrecord
from millrace.serving.example import decode, encode
from millrace.serving.records import frame

INTS = st.integers(-(2**63) + 1, 2**63 - 1)
FLOATS = st.floats(width=32, allow_nan=False)
TEXTS = st.text(max_size=200)
CELLS = {pa.int64(): INTS, pa.float32(): FLOATS, pa.string(): TEXTS, pa.binary(): st.binary()}
NAMES = st.one_of(st.text(min_size=1, max_size=4), st.text("ab", min_size=110, max_size=140))


@st.composite
def tables(draw, any_names=False):
    """Columns of all kinds by name, with cells missing; no name begins another, or any may."""
    rows = draw(st.integers(1, 6))
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    pairs = itertools.permutations(names, 2)
    assume(any_names or not any(two.startswith(one) for one, two in pairs))
    columns = {}
    for name in names:
        kind = draw(st.sampled_from(list(CELLS)))
        cell = st.one_of(st.none(), CELLS[kind])
        columns[name] = pa.array(draw(st.lists(cell, min_size=rows, max_size=rows)), kind)
    return columns


def rows_of(columns):
    """Each row as a mapping of what it holds."""
    cells = {name: array.to_pylist() for name, array in columns.items()}
    return [
        {name: values[row] for name, values in cells.items() if values[row] is not None}
        for row in range(len(next(iter(cells.values()))))
    ]


def typed(columns, row):
    """Floats as float32, as whole ones would be integers."""
    kinds = {name: array.type for name, array in columns.items()}
    return {
        name: np.float32([value]) if kinds[name] == pa.float32() else value
        for name, value in row.items()
    }


def test_a_name_comes_before_those_that_begin_with_it():
    columns = {"10": pa.array([1]), "1": pa.array([2])}
    (record,) = arrow_examples.as_bytes(arrow_examples.records(columns))
    assert {name: value.tolist() for name, value in decode(record).items()} == {"1": [2], "10": [1]}
    assert record.index(b"\x011\x12") < record.index(b"\x0210\x12")


@given(tables())
def test_a_row_of_columns_makes_the_bytes_that_the_codec_makes(columns):
    found = arrow_examples.records(columns).to_pylist()
    assert found == [encode(typed(columns, row)) for row in rows_of(columns)]


@example({"image": pa.array([1]), "image/filename": pa.array(["x"]), "im": pa.array([2])})
@given(tables(any_names=True))
def test_the_order_of_protobuf_can_be_had_for_any_names(columns):
    found = arrow_examples.records(columns, prefix_last=True).to_pylist()
    assert found == [encode(typed(columns, row)) for row in rows_of(columns)]


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=8))
def test_frames_are_those_of_the_record_writer(records):
    found = arrow_examples.frames(pa.array(records, pa.binary()), records)
    assert found.to_pylist() == [tfrecord.frame(record) for record in records]


def test_a_record_of_many_bytes_is_framed_as_the_others():
    texts = ["x", "y" * 70_000, "z" * 200]
    records = arrow_examples.records({"text": pa.array(texts)})
    assert records.to_pylist() == [encode({"text": text}) for text in texts]
    found = arrow_examples.frames(records, records.to_pylist()).to_pylist()
    assert found == [frame(record) for record in records.to_pylist()]


def test_a_vector_is_one_feature_of_several_floats():
    column = pa.FixedSizeListArray.from_arrays(pa.array([1, 2, 3, 4], pa.float32()), 2)
    found = arrow_examples.records({"v": column}).to_pylist()
    assert found == [encode({"v": np.float32([1, 2])}), encode({"v": np.float32([3, 4])})]


@given(
    st.lists(
        st.none() | st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=2), max_size=5
    )
)
def test_a_vector_of_integers_is_one_feature_and_null_is_none(rows):
    column = pa.array(rows, pa.list_(pa.int64(), 2))
    found = arrow_examples.records({"v": column}).to_pylist()
    assert found == [encode({} if row is None else {"v": np.array(row, np.int64)}) for row in rows]


LISTS = {
    pa.int64(): st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 300), max_size=3),
    pa.float32(): st.lists(FLOATS, max_size=3),
    pa.binary(): st.lists(st.binary(max_size=200), max_size=3),
}


@given(kind=st.sampled_from(list(LISTS)), data=st.data())
def test_a_list_of_any_length_is_one_feature_and_null_is_none(kind, data):
    rows = data.draw(st.lists(st.none() | LISTS[kind], min_size=1, max_size=5))
    column = pa.array([None, *rows], pa.list_(kind)).slice(1)
    dtype = {pa.int64(): np.int64, pa.float32(): np.float32}.get(kind)
    cells = [None if row is None else np.array(row, dtype) if dtype else row for row in rows]
    found = arrow_examples.records({"v": column}).to_pylist()
    assert found == [encode({} if cell is None else {"v": cell}) for cell in cells]


def test_a_slice_of_a_column_is_read_from_its_own_beginning():
    column = pa.array([1, 2, None, 300, -1])
    found = arrow_examples.records({"n": column.slice(1, 3)}).to_pylist()
    assert found == [encode({"n": 2}), encode({}), encode({"n": 300})]
    texts = pa.array([b"a", b"bc", b"d"]).slice(1)
    assert arrow_examples.as_bytes(texts) == [b"bc", b"d"]
    assert arrow_examples.flat(texts) == b"bcd"


@pytest.mark.parametrize(
    ("given_split", "held_out"), [("", 0.0), ("", 0.3), ("train", 0.3), ("test", 0.3), ("train", 0)]
)
def test_rows_go_where_the_rule_puts_each_of_them(given_split, held_out):
    rule = SplitRule.of("step", {"train": 0.6, "eval": 0.2, "test": 0.2}, held_out)
    columns = {"n": pa.array(list(range(200)))}
    found = passes.framed(columns, rule, given_split)
    expected = {}
    for number in range(200):
        record = encode({"n": number})
        expected.setdefault(rule.choose(given_split, record), []).append(tfrecord.frame(record))
    assert {name: frames.to_pylist() for name, frames in found.items() if len(frames)} == expected
