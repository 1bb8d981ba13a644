"""How a file is written, detected from its beginning."""

import pytest

from millrace.components.errors import DataError, OptionError
from millrace.components.example_gen.csv import dialect
from millrace.components.example_gen.csv.dialect import CsvFormat


def settle(sample, **options):
    return dialect.settle("t.csv", sample, "utf-8", CsvFormat(**options))


@pytest.mark.parametrize(
    ("sample", "names"),
    [
        ('a;b\n"x";1;2\n"y";3;4\n', ("column_1", "a", "b")),
        ("when,,x\na,b,1\n", ("when", "column_2", "x")),
    ],
)
def test_a_name_that_is_lacking_is_made_up(sample, names):
    found = settle(sample)
    assert (found.header, found.names) == (True, names)


def test_columns_without_a_header_are_numbered():
    found = settle("1,2,x\n3,4,y\n")
    assert (found.header, found.names) == (False, ("column_1", "column_2", "column_3"))


def test_a_column_without_a_name_gets_its_number():
    assert settle(",b \n1,2\n").names == ("column_1", "b")


def test_more_columns_than_any_table_has_are_refused():
    row = ",".join(map(str, range(20_000)))
    assert len(settle(f"{row}\n{row}\n").names) == 20_000
    with pytest.raises(DataError) as refused:
        settle(f"a\n{row},1\n", delimiter=",")
    assert str(refused.value) == (
        "t.csv: expected at most 20,000 columns. Received: 20,001 or more, parted by ','. Correct "
        "option csv.delimiter if these are none, keep those that matter, or write a row for each "
        "value."
    )


def test_what_is_given_is_not_detected():
    found = settle("a;b,c\n1;2,3\n", delimiter=",", header=False, names=("x", "y"), quoting=False)
    assert (found.delimiter, found.quote, found.names) == (",", "", ("x", "y"))


def test_braces_and_brackets_may_stand_in_a_table():
    assert settle("[a],{b}\n1,2\n").names == ("[a]", "{b}")


def test_an_empty_file_is_refused():
    with pytest.raises(DataError, match=r"^t\.csv: expected a table, .*Received: an empty file\."):
        settle("\n\n")


def test_names_must_be_as_many_as_columns():
    with pytest.raises(
        OptionError, match=r"^Option csv\.names: expected 2 names, .*t\.csv\. Received: 1\. Correct"
    ):
        settle("a,b\n", names=("x",))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delimiter": "::"}, r"^Option csv\.delimiter: expected one ASCII .*Received: '::'\."),
        ({"delimiter": '"'}, r"csv\.delimiter: expected one ASCII character, neither a quote"),
        ({"thousands": ",", "decimal": ","}, r"^Option csv\.thousands: expected another char"),
    ],
)
def test_separators_that_cannot_be_distinguished_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        CsvFormat(**options)


@pytest.mark.parametrize(
    ("given", "cells", "others"),
    [
        ("-200", ["-200", "-200.0", "-200.00"], ["200", "-2000", "-200.01", "-200,0"]),
        ("-999.90", ["-999.90", "-999.9", "-999.900"], ["-999", "-999.91"]),
        ("-99,9", ["-99,9", "-99,90"], ["-99.9"]),
        ("9999.0", ["9999.0", "9999", "9999.00"], []),
        ("closed", ["closed"], ["closed.0"]),
    ],
)
def test_a_number_that_is_missing_is_so_with_more_zeros(given, cells, others):
    found = dialect.CsvFormat(missing=(given,), default_missing=False).every_missing
    assert set(cells) <= set(found)
    assert not set(others) & set(found)
