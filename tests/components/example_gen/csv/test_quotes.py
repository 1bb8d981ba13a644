"""Quotes that open cells, also after blanks, and lines of comments."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.example_gen.csv import quotes

CELLS = st.text('ab, "\n', max_size=6)


def closed_up(text, delimiter=","):
    return quotes.closed_up(text.encode(), delimiter).decode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (' "a",b\n', '"a",b\n'),  # the first cell of all
        ('a,  "b"\n', 'a,"b"\n'),
        ('a, "b\nc"\n', 'a,"b\nc"\n'),  # over two lines
        ('a, "b ""c"" d" \n', 'a,"b ""c"" d"\n'),
        ('a, "b"', 'a,"b"'),  # the end of the data
        ('"a", "b"\n', '"a","b"\n'),  # beside one that is well written
        ('"a, ","b"\n c, "d"\n', '"a, ","b"\n c,"d"\n'),  # whose quotes follow a blank
        ('a,\t"b"\n', 'a,"b"\n'),
        ('a, "b"\r "c", "d"\r', 'a,"b"\r"c","d"\r'),
    ],
)
def test_blanks_around_quotes_that_enclose_a_cell_are_dropped(text, expected):
    assert closed_up(text) == expected
    places = [place for place, letter in enumerate(text) if letter == '"']
    assert quotes.enclosing(text.encode(), ",").tolist() == places


@pytest.mark.parametrize(
    "text",
    [
        'a,"b, ""c"", d"\n',  # within a cell
        'a,"b, ",","\n',  # the second closes one
        'a, "so" he said\n',  # a text with quotes in it
        'a,say "so"\n',
        'a, 5" wide\n',
        "a, b\n",
        "",
    ],
)
def test_quotes_within_cells_are_none_of_these(text):
    assert closed_up(text) == text


def test_a_tab_between_cells_is_not_a_blank():
    assert closed_up('a\t"b"\n', "\t") == 'a\t"b"\n'
    assert closed_up('a\t "b"\n', "\t") == 'a\t"b"\n'


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6))
def test_what_is_well_written_stays(rows):
    sink = io.StringIO()
    csv.writer(sink, lineterminator="\n").writerows(rows)
    assert closed_up(sink.getvalue()) == sink.getvalue()


def test_a_quote_that_data_ends_within_opens_its_cell():
    assert quotes.enclosing(b'a,b\nc, "d\n', ",").tolist() == [7]


def test_lines_of_comments_are_emptied_but_not_within_quotes():
    data = b'# "x\na,b\n#c,d\n"e\n# f",g\n  # h\n'
    expected = b'\na,b\n\n"e\n# f",g\n\n'
    assert quotes.without_comments(data, "#", ",") == expected
    assert quotes.without_comments(data, "", ",") == data
    assert quotes.without_comments(b'#a\n"b\n# c"\n', "#", "") == b'\n"b\n\n'
