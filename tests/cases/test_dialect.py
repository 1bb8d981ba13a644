"""Files as spreadsheets and people write them: the header found, the cells as they stand."""

import pytest
from etils.epath import Path

from millrace.components.errors import DataError
from millrace.components.example_gen.csv import files, parsing
from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.csv.passes import CsvFiles


def read(file, **options):
    """The dialect of `file`, its rows by column, and how many were set aside."""
    root, listing = files.list_tables(Path(file))
    dialect = files.settle(root, listing, CsvFormat(**options))
    (span,) = files.cut(root, listing, dialect, 1)
    (block,) = CsvFiles(str(root), dialect).blocks(span)
    cells = parsing.strings(block, dialect, dialect.names)
    return dialect, cells.table.to_pylist(), len(cells.rejected)


def test_a_first_line_names_the_delimiter(case, tmp_path):
    expected = {"name": "n1", "höhe": "1,1", "preis": "1.100,50", "label": "a"}
    dialect, rows, rejected = read(case("excel.csv"))
    assert (dialect.delimiter, len(rows), rejected, rows[1]) == (";", 60, 0, expected)
    wide = tmp_path / "wide.csv"
    wide.write_bytes(case("excel.csv").read_bytes().decode("cp1252").encode("utf-16"))
    dialect, again, rejected = read(wide)
    assert (dialect.encoding, again, rejected) == ("utf-16", rows, 0)


def test_comments_equal_names_and_an_empty_last_column(case, caplog):
    dialect, rows, rejected = read(case("comment.csv"))
    assert (dialect.names, dialect.skipped, dialect.padding) == (("a", "a_2", "b", "label"), 2, 1)
    assert (len(rows), rejected) == (60, 0)
    assert rows[1] == {"a": "1", "a_2": "2", "b": "1", "label": "p"}
    assert "2 lines above the header skipped: line 1 '# exported 2024', 2 '# units" in caplog.text
    assert "told apart: 'a_2' for 'a'; csv.names names them" in caplog.text


@pytest.mark.parametrize(
    ("name", "skipped", "count"),
    [("padded_title.csv", 1, 300), ("units_row.csv", 0, 301), ("header_repeated.csv", 0, 301)],
)
def test_the_header_is_found_whatever_else_there_is(case, name, skipped, count):
    dialect, rows, rejected = read(case(name))
    assert (dialect.header, dialect.names) == (True, ("a", "b", "label"))
    assert (dialect.skipped, len(rows), rejected) == (skipped, count, 0)


def test_a_comma_without_quotes_is_refused_by_its_lines(case):
    with pytest.raises(DataError, match=r"line 2: expected 2 cells, .*more than 2 in 120 of the"):
        read(case("unquoted_comma_all.csv"))


@pytest.mark.parametrize(("options", "gaps"), [({}, 0), ({"missing": ("-200",)}, 1)])
def test_missing_adds_to_what_usually_is(case, options, gaps):
    _, rows, _ = read(case("missing_adds.csv"), **options)
    assert rows[7] == {"date": "2020-01-08", "y": None}
    assert (rows[9]["y"] is None) == bool(gaps)
