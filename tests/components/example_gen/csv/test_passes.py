"""What a column may be read as, block by block: the same whether read as numbers or as text."""

from unittest import mock

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from millrace.components.example_gen.csv import columns, parsing, passes
from millrace.components.example_gen.csv.columns import ColumnReading
from millrace.components.example_gen.csv.dialect import MISSING, Dialect
from millrace.components.example_gen.csv.evidence import Evidence
from millrace.components.example_gen.csv.parsing import Block

SEMICOLON = Dialect(
    *(";", '"'),
    header=False,
    names=("a", "b"),
    encoding="utf-8",
    decimal="auto",
    thousands="",
    missing=MISSING,
)
READINGS = columns.readings("auto", "", comma_parts_cells=False)
ODD = [
    "1,5",
    "2012-05-06",
    "20120506",
    "007",
    "$5",
    "1.234",
    "0x1F",
    " 7 ",
    "+7",
    "inf",
    "1e39",
    "9223372036854775808",
    "x",
    "NA",
]
CELLS = st.one_of(
    st.integers(-99, 99).map(str),
    st.floats(-9, 9).map(str),
    st.sampled_from(ODD),
)


def block_of(rows):
    return Block("t.csv", 1, "".join(f"{a};{b}\n" for a, b in rows).encode(), "utf-8")


@example([[("2.5", "x")], [("1e39", "x")]], 200)  # a float, and one beyond float32
@given(
    st.lists(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=4), min_size=1, max_size=4),
    st.sampled_from([1, 2, 200]),
)
def test_blocks_say_what_their_cells_as_text_say(blocks, first):
    found = {"a": Evidence(READINGS), "b": Evidence(READINGS)}
    expected = dict(found)
    for rows in blocks:
        with mock.patch.object(passes, "HEAD", first):
            found = passes.with_block(found, block_of(rows), SEMICOLON)
        for name, cells in zip("ab", zip(*rows, strict=True), strict=True):
            kept = [None if cell == "NA" else cell for cell in cells]
            expected[name] = expected[name].seen(pa.array(kept, pa.string()), name)
    for name, exact in expected.items():
        if found[name].needs_recount:
            assert exact.best.misfits or exact.zeros
        else:
            assert found[name].settled == exact.settled
            assert found[name].ambiguous == exact.ambiguous


@pytest.mark.parametrize(
    ("cell", "numbers"), [("10", True), ("x10", True), ("0x10", False), ("0XG", False)]
)
def test_no_column_is_read_as_numbers_where_arrow_would_take_one_for_hexadecimal(cell, numbers):
    readings = {"a": ColumnReading("int"), "b": None}
    found = parsing.cells_of(block_of([("1", cell)]), SEMICOLON, readings).columns
    assert found["a"].type == (pa.int64() if numbers else pa.string())


@given(
    st.lists(
        st.lists(st.sampled_from(["0", "07", "0.5", "10", "-01", "é"]), min_size=2, max_size=2),
        min_size=1,
    ),
    st.sampled_from("\n\r"),
    st.booleans(),
)
def test_leading_zeros_are_found_in_the_bytes(rows, end, quoted):
    cell = '"{}"' if quoted else "{}"
    text = "".join(";".join(map(cell.format, row)) + end for row in rows)
    found = parsing.leading_zeros(Block("t.csv", 1, text.encode(), "utf-8"), SEMICOLON)
    expected = {
        name for name, cells in zip("ab", zip(*rows, strict=True), strict=True) if "07" in cells
    }
    assert found == ({"a", "b"} if quoted and expected else expected)


@pytest.mark.parametrize(("count", "head"), [(0, b""), (1, b'1;"a\n"\n'), (9, b'1;"a\n"\n2;b\n')])
def test_a_block_is_parted_between_two_records(count, head, monkeypatch):
    monkeypatch.setattr(parsing, "_BEGINNING", 14)
    block = Block("t.csv", 5, b'1;"a\n"\n2;b\n3;c\n', "utf-8")
    first, rest = parsing.parted(block, SEMICOLON, count)
    assert (first.line, first.data, first.data + rest.data) == (5, head, block.data)
    assert rest.line == 5 + head.count(b"\n")
