"""Rows that are no data, and the reasons."""

import pyarrow as pa

from millrace.components.example_gen.csv import no_data
from millrace.components.example_gen.csv.columns import TEXT, ColumnReading

READINGS = {"a": ColumnReading("float"), "b": ColumnReading("float"), "c": TEXT}


def test_units_below_the_header_a_repeated_header_and_a_line_of_dashes_are_no_data():
    cells = {
        "a": pa.array(["kg", "1", "a", "---", "x"]),
        "b": pa.array(["m", "2", "b", "---", "5"]),
        "c": pa.array(["text", "n", "c", "---", "n"]),
    }
    misfits = {
        row: {"a": cells["a"][row].as_py(), "b": cells["b"][row].as_py()} for row in (0, 2, 3)
    }
    misfits[4] = {"a": "x"}
    assert no_data.aside(cells, misfits, READINGS) == {
        0: "a row of units or types: 'kg', 'm', 'text'",
        2: "it repeats the header",
        3: "a line between rows, of dashes",
    }


def test_a_row_of_misfits_alone_is_told_by_its_cells():
    assert no_data.of_misfits({}, READINGS) == ""
    assert no_data.of_misfits({"a": "x", "b": "y"}, READINGS) == (
        "no cell is of its column's type: 'x', 'y'"
    )
    assert no_data.of_misfits({"a": "x"}, READINGS) == (
        "column 'a': expected a number within float32, received 'x'"
    )


def test_a_long_cell_is_cut():
    assert no_data.cut("x" * 60) == "x" * 60
    assert no_data.cut("x" * 61) == "x" * 59 + "…"
