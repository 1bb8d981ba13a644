"""Quotes that open cells, and those after a space, which strict readers take for characters."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.errors import DataError
from millrace.components.example_gen.csv import quotes

CELLS = st.text('ab, "\n', max_size=6)


def check(text, delimiter=",", line=1):
    quotes.check_spaces("t.csv", text.encode(), line, delimiter)


def test_a_cell_in_quotes_after_a_space_is_refused_with_its_line():
    with pytest.raises(DataError) as caught:
        check('x,y\na, "b, c"\n', line=7)
    assert str(caught.value) == (
        "t.csv, line 8: expected quotes right after the delimiter ','. Received: a space before "
        "'\"b, c\"'. Remove the spaces before quotes, or set the option csv.quoting=false if the "
        "quotes are part of the cells."
    )


@pytest.mark.parametrize(
    "text",
    [
        ' "a",b\n',  # the first cell of all
        'a,  "b"\n',
        'a, "b\nc"\n',  # over two lines
        'a, "b ""c"" d" \n',
        'a, "b"',  # the end of the data
        '"a", "b"\n',  # beside one that is well written
        'a,\t"b"\n',
    ],
)
def test_so_is_each_that_ends_with_its_quotes(text):
    with pytest.raises(DataError, match="a space before"):
        check(text)


@pytest.mark.parametrize(
    "text",
    [
        'a,"b, ""c"", d"\n',  # within a cell
        'a, "so" he said\n',  # a text with quotes in it
        'a,say "so"\n',
        'a, 5" wide\n',
        "a, b\n",
        "",
    ],
)
def test_quotes_within_cells_are_none_of_these(text):
    check(text)


def test_a_tab_between_cells_is_not_a_space():
    check('a\t"b"\n', "\t")
    with pytest.raises(DataError, match="a space before"):
        check('a\t "b"\n', "\t")


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6))
def test_what_is_well_written_passes(rows):
    sink = io.StringIO()
    csv.writer(sink, lineterminator="\n").writerows(rows)
    check(sink.getvalue())
