"""The header of a CSV, found by its cells and by those below."""

import pytest

from millrace.components.errors import DataError
from millrace.components.example_gen.csv import dialect, header
from millrace.components.example_gen.csv.dialect import MISSING, CsvFormat


def settle(sample, **options):
    return dialect.settle("t.csv", sample, "utf-8", CsvFormat(**options))


@pytest.mark.parametrize(
    ("first", "is_header"),
    [
        (["a", "b"], True),
        (["a", "1"], False),
        (["a", "a"], False),
        (["a", "NA"], False),
        (["", "x", "y"], True),
        (["x", "", "y"], False),
        (["2.5,1"], True),
        (["1,5"], False),
        ([""], False),
    ],
)
def test_a_header_has_distinct_names_and_no_numbers(first, is_header):
    assert header.has_header(first, MISSING) == is_header


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b,\n1,2,\n3,4,\n", (("a", "b"), 1)),
        ("a,b\n1,2,\n3,4,\n", (("a", "b"), 1)),
        ("a,b,,\n1,2,,\n3,4,,\n", (("a", "b"), 2)),
        ("a,b,\n1,2,\n3,4,5\n", (("a", "b", "column_3"), 0)),
        ("a,b,\n1,2\n3,4\n", (("a", "b"), 0)),
        ("a,a,b,a_2\n1,2,3,4\n5,6,7,8\n", (("a", "a_3", "b", "a_2"), 0)),
        ("a,a\n1,x\n2,y\n", (("a", "a_2"), 0)),
        ("a,a,a_3,a,b,b\n1,2,3,4,5,6\n", (("a", "a_2", "a_3", "a_4", "b", "b_2"), 0)),
    ],
)
def test_empty_cells_at_the_end_are_no_column_and_equal_names_are_told_apart(text, expected):
    found = settle(text)
    assert ((found.names, found.padding)) == expected
    assert found.header


@pytest.mark.parametrize(
    ("text", "names", "skipped"),
    [
        ("# by me\nx,y\n1,2\n3,4\n", ("x", "y"), 1),
        ("title\nx,y,z\n1,2,3\n4,5,6\n", ("x", "y", "z"), 1),
        ("Report,of sales\na,b,label\n1,2,p\n3,4,q\n", ("a", "b", "label"), 1),
        ("Report,,\n,,\na,b,label\n1,2,p\n3,4,q\n", ("a", "b", "label"), 2),
        ("A note, of a sort, on this\nwritten\n\na,b\n1,2\n3,4\n", ("a", "b"), 3),
        ("Reviews\ntext,label\ngood one,pos\nbad one,neg\nfine,pos\n", ("text", "label"), 1),
        ("\n\na,b\n1,2\n", ("a", "b"), 2),
        ("sep=;\na;b,c\n1;2\n", ("a", "b,c"), 1),
        ('"sep=;"\r\na;b\r\n1;2\r\n', ("a", "b"), 1),
        ("SEP=\\t\na\tb\n1\t2\n", ("a", "b"), 1),
        ("sep=;\nTitle\na;b\n1;2\n3;4\n", ("a", "b"), 2),
        ("// one\n// two, three\na,b\nx,1\n", ("a", "b"), 2),
        ("% one\rx,y\r1,2\r3,4\r", ("x", "y"), 1),
        ("# a,b\n1,2\n3,4\n", ("a", "b"), 0),
        ("# by me\n# a,b\n1,2\n3,4\n", ("a", "b"), 1),
        ("#,name,kind\n1,x,u\n2,y,u\n", ("#", "name", "kind"), 0),
    ],
)
def test_lines_above_the_header_are_skipped(text, names, skipped):
    found = settle(text)
    assert (found.header, found.names, found.skipped) == (True, names, skipped)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('a;b\n"x";1;2\n"y";3;4\n', ("column_1", "a", "b")),  # R's labels
        ("a,b\n1,x,u\n2,y,u\n", ("column_1", "a", "b")),  # its numbers
        ("a\tb\nMazda RX4\t21\t6\nFiat 128\t32\t4\n", ("column_1", "a", "b")),
    ],
)
def test_a_first_cell_that_labels_the_row_has_no_name(text, names):
    assert settle(text).names == names


@pytest.mark.parametrize(
    ("text", "line", "count"),
    [
        ("text,label\nGreat film, loved it,0\nDull, hated it,1\n", 2, "3, and more than 2 in 2 of"),
        ("text,label\nfine,0\nGood, 2 of 2,1\nso,1\nBad, or not,0\n", 3, "3, and more than 2 in 2"),
        ("text,label\nGood,film,1\nBad,film,0\n", 2, "3, and more than 2 in 2 of the first 2"),
    ],
)
def test_a_comma_without_quotes_in_many_records_is_refused(text, line, count):
    with pytest.raises(DataError) as caught:
        settle(text)
    assert f"t.csv, line {line}: expected 2 cells, one for each of 'text', 'label'." in str(
        caught.value
    )
    assert f"Received: {count}" in str(caught.value)
    advised = settle(text, skip_rows=1, header=False, names=("a", "b", "c"))
    assert advised.skipped == 1


def test_names_that_no_record_has_cells_for_are_refused_but_to_be_filled():
    text = "a,b,c\n1,2\n3,4\n"
    with pytest.raises(DataError, match=r"line 2: expected 3 cells, .*Received: 2, .*fill_short"):
        settle(text)
    assert settle(text, fill_short=True).names == ("a", "b", "c")


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("country,2019,2020\nFR,1.5,2.5\nDE,3.5,4.5\n", True),
        (",2019,2020,2021\nFR,1,2,3\nDE,3,4,5\n", True),
        ("FR,2019,2020\nDE,2018,2021\nIT,2017,2020\n", False),
        ("a,b,label\n(cm),(kg),\n1,2,p\n3,4,q\n", True),
        ("a,b\n1,2\na,b\n3,4\n", True),
        ("red,round\ngreen,round\nred,long\n", False),
        ("colour,form\ngreen,round\nred,long\n", True),
        ("x,,y\nu,v,w\nk,l,m\n", True),
    ],
)
def test_a_header_is_told_from_records_by_what_stands_below(text, header):
    assert settle(text).header == header
