"""Any rows that Python writes come back equal, whatever the form and wherever it is cut."""

import csv
import io
import json

import pytest
from etils.epath import Path
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from millrace.components.errors import DataError
from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.texts import tables

# no zero bytes, of which a few make a file none of text; the reader refuses no other character
LETTERS = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]) | st.sampled_from(
    '\n\r\t,;|"'
)
TEXT = st.text(LETTERS, max_size=12)
ROWS = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=9)
NAMES = ("text", "label")
QUICK = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def read(file, form=None, shards=1, **options):
    table, listing = tables.find(file, form or CsvFormat(), **options)
    spans = tables.cut(table, listing, shards)
    return [item for span in spans for item in tables.read(table, span)]


@example(rows=[("", " \u3000")], delimiter=",")
@given(
    rows=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=9), delimiter=st.sampled_from(",;")
)
@QUICK
def test_a_csv_of_python_comes_back(tmp_path, rows, delimiter):
    file = Path(tmp_path / "a.csv")
    sink = io.StringIO(newline="")
    csv.writer(sink, quoting=csv.QUOTE_ALL, delimiter=delimiter).writerows([NAMES, *rows])
    file.write_bytes(sink.getvalue().encode())
    form = CsvFormat(delimiter=delimiter, header=True)
    filled = [[cell if cell.strip() else "" for cell in row] for row in rows]
    cells = [dict(zip(NAMES, row, strict=True)) for row in filled]
    assert [item.cells for item in read(file, form, encoding="utf-8")] == cells
    assert [item.cells for item in read(file, form, 5, encoding="utf-8")] == cells


@given(rows=ROWS, is_array=st.booleans())
@QUICK
def test_json_of_python_comes_back(tmp_path, rows, is_array):
    file = Path(tmp_path / "a.json")
    cells = [dict(zip(NAMES, row, strict=True)) for row in rows]
    lines = "\n".join(json.dumps(each, ensure_ascii=False) for each in cells)
    file.write_bytes((json.dumps(cells) if is_array else lines).encode())
    assert [item.cells for item in read(file, encoding="utf-8")] == cells


def test_bad_bytes_are_treated_in_their_rows_alone(tmp_path):
    file = Path(tmp_path / "a.csv")
    rows = "".join(f"caf\u00e9 {n},{n % 2}\r\n" for n in range(3)).encode()
    file.write_bytes(b"text,label\r\n\r\n" + rows + b'"caf\xe9\r\n4",0\r\nplain,1\r\n')
    *first, bad, last = read(file)
    assert [item.repaired for item in (*first, last)] == ["", "", "", ""]
    assert bad == ("line 6", {"text": "caf\u00e9\r\n4", "label": "0"}, "cp1252")
    assert last.place == "line 8"
    assert read(file, bad="replace")[3].cells == {"text": "caf\ufffd\r\n4", "label": "0"}
    rejected = [item for item in read(file, bad="reject") if isinstance(item.cells, str)]
    assert rejected == [("line 6", "byte 0xe9 is not of utf-8", "")]


def test_a_record_may_lack_cells_after_those_that_are_used(tmp_path):
    file = Path(tmp_path / "a.csv")
    file.write_text("text,label,note\na,x,1\nb,y\nc\n")
    table, listing = tables.find(file, CsvFormat())
    (span,) = tables.cut(table, listing, 1)
    assert sorted(tables.read(table, span, NAMES)) == [
        ("line 2", {"text": "a", "label": "x"}, ""),
        ("line 3", {"text": "b", "label": "y"}, ""),
        ("line 4", "expected 3 cells, received 1: c; a text that holds ',' needs quotes around it",
         ""),
    ]  # fmt: skip


@pytest.mark.parametrize("header", ["text,label", "text;label", "\ufefftext,label"])
def test_texts_with_a_delimiter_in_every_row_are_refused(tmp_path, header):
    mark = ";" if ";" in header else ","
    file = Path(tmp_path / "a.csv")
    file.write_text(header + "".join(f"\nGood{mark} really good{mark}1" for _ in range(9)))
    with pytest.raises(DataError, match=r"quotes"):
        read(file)


def test_files_of_other_columns_are_refused(tmp_path):
    Path(tmp_path / "train.csv").write_text("text,label\na,1\n")
    Path(tmp_path / "test.csv").write_text("label,text\n1,a\n")
    with pytest.raises(DataError, match=r"train\.csv: expected the columns of test\.csv: label, t"):
        tables.find(Path(tmp_path), CsvFormat())
