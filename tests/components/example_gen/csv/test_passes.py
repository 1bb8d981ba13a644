"""What a column may be read as, block by block: the same whether read as numbers or as text."""

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from millrace.components.example_gen.csv import columns, parsing, passes
from millrace.components.example_gen.csv.columns import ColumnReading, Evidence
from millrace.components.example_gen.csv.dialect import MISSING, Dialect
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


@example([[("2.5", "x")], [("1e39", "x")]])  # a float, and one that float32 does not hold
@given(st.lists(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=4), min_size=1, max_size=4))
def test_blocks_say_what_their_cells_as_text_say(blocks):
    found = {"a": Evidence(READINGS), "b": Evidence(READINGS)}
    expected = dict(found)
    for rows in blocks:
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
    ("cells", "guess"),
    [
        ([], None),
        (["1"], ColumnReading("int")),
        (["007"], None),
        (["20120506"], None),  # may be a date
        (["1", "2.5"], ColumnReading("float")),
        (["1e5"], None),  # may have a decimal comma further down
        (["1,5"], None),
        (["2012-05-06"], None),
        (["x"], None),
    ],
)
def test_a_column_is_read_as_a_number_where_it_can_be_nothing_else(cells, guess):
    assert Evidence(READINGS).seen(pa.array(cells, pa.string())).guess == guess


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
