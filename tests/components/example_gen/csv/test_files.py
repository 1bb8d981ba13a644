"""Files as programs write them, read back cell by cell, or refused with what to do."""

import bz2
import csv
import gzip
import io
import json
import lzma
import re
import subprocess
import tempfile

import pytest
from etils.epath import Path
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.errors import DataError
from millrace.components.example_gen.csv import files, parsing
from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.csv.passes import CsvFiles


def read(file, **options):
    """The dialect of `file`, its rows of cells, and what was set aside."""
    root, listing = files.list_tables(Path(file))
    dialect = files.settle(root, listing, CsvFormat(**options))
    (span,) = files.cut(root, listing, dialect, 1)
    rows, rejected = [], []
    for block in CsvFiles(str(root), dialect).blocks(span):
        cells = parsing.strings(block, dialect, dialect.names)
        rows += [[cell or "" for cell in row.values()] for row in cells.table.to_pylist()]
        rejected += cells.rejected
    return dialect, rows, rejected


@pytest.fixture
def read_text(tmp_path):
    def run(text, name="t.csv", **options):
        (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
        return read(tmp_path / name, **options)

    return run


LETTERS = {
    "utf-8": ("aé日", ["Łódź", "東京", "Москва"]),
    "utf-8-sig": ("aé日", ["Łódź", "東京", "Москва"]),
    "utf-16": ("aé日", ["Łódź", "東京", "Москва"]),
    "cp1252": ("aé", ["Köln", "München", "Gießen"]),
}
FORMS = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from(",;\t|"),
        "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
        "lineterminator": st.sampled_from(["\n", "\r\n", "\r"]),
    }
)
PEOPLES = ["London", "it's", '5" disk', '"so"', "a,b", "a;b", "a|b", "a\tb", "x, y, and z", "# 1"]
PEOPLES += ["", " padded ", "sep=;", "2020-01-01", "1,5", "1.234,50", "007", 'say ""x""', "100%"]


@st.composite
def any_cells(draw, encoding):
    cell = st.text(LETTERS[encoding][0] + "b '#\",;\t|", max_size=6)
    width = draw(st.integers(1, 4))
    names = st.lists(cell.filter(str.strip), min_size=width, max_size=width, unique_by=str.strip)
    rows = st.lists(st.lists(cell, min_size=width, max_size=width), min_size=1, max_size=6)
    return [draw(names), *draw(rows)]


@st.composite
def cells_of_people(draw, encoding):
    numbers = st.one_of(st.integers(-99, 9999), st.floats(0, 99, width=16)).map(str)
    kinds = st.sampled_from([numbers, st.sampled_from(PEOPLES + LETTERS[encoding][1])])
    names = st.lists(st.sampled_from(["id", "Straße", "x y", '5"', "price (€)"]), unique=True)
    header = draw(names.filter(lambda each: len(each) > 1))
    columns = [draw(kinds) for _ in header]
    return [header] + [[draw(each) for each in columns] for _ in range(draw(st.integers(1, 8)))]


def write_and_read(table, written_in, form, **options):
    """The names, and the rows, of `table` as they are read again."""
    if form["lineterminator"] == "\r":
        form = form | {"quoting": csv.QUOTE_ALL}  # Python quotes no newline otherwise
    sink = io.StringIO(newline="")
    csv.writer(sink, **form).writerows(table)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "t.csv"
        file.write_bytes(sink.getvalue().encode(written_in))
        dialect, rows, rejected = read(file, **options)
    assert (dialect.delimiter, dialect.skipped, rejected) == (form["delimiter"], 0, [])
    return [*dialect.names], rows


def in_encodings(cells):
    return st.sampled_from(list(LETTERS)).flatmap(lambda e: st.tuples(st.just(e), cells(e)))


@given(in_encodings(any_cells), FORMS)
def test_any_cells_are_read_back_where_the_form_is_given(table, form):
    encoding, (names, *rows) = table
    given = {"header": True, "skip_rows": 0, "comment": "", "quoting": True}
    given |= {"delimiter": form["delimiter"], "default_missing": False}
    given |= {"encoding": encoding} if encoding == "cp1252" else {}
    found = write_and_read([names, *rows], encoding, form, **given)
    assert found == ([name.strip() for name in names], rows)


@given(in_encodings(cells_of_people), FORMS)
def test_a_table_as_people_have_it_is_read_back_in_whatever_form_it_is(table, form):
    encoding, (names, *rows) = table
    assert write_and_read([names, *rows], encoding, form) == (names, rows)


def test_a_return_alone_among_newlines_ends_a_record_and_lines_keep_their_numbers(read_text):
    _, rows, rejected = read_text("a,b\n1,2\n3,4\r5,6,7\n8,9\n10\n11,12\n" + "13,14\n" * 3)
    assert (
        rows == [["1", "2"], ["3", "4"], ["8", "9"], ["10", ""], ["11", "12"]] + [["13", "14"]] * 3
    )
    assert [(each.position, each.reason) for each in rejected] == [
        ("line 3", "expected 2 cells, received 3: 5,6,7")
    ]


def test_what_parts_no_header_parts_no_records(read_text):
    text = 'price,id,"note, short"\n5,NA,a|b\n9,x,"x, y"\n1,y,k: v; w: u\n3,z,a;b\n'
    assert read_text(text)[0].names == ("price", "id", "note, short")


@pytest.mark.parametrize(("options", "name"), [({}, "n"), ({"comment": ""}, "# n")])
def test_a_mark_before_the_first_name_is_part_of_it_where_nothing_is_a_comment(
    read_text, options, name
):
    assert read_text("# n,b\n1,2\n", **options)[0].names == (name, "b")


ROWS = [(n, f"town{n % 3}", n * 1.5, "yes" if n % 2 else "no") for n in range(1, 9)]
NAMES = ("nr", "town", "size", "label")


def joined(delimiter=",", end="\n", form="{}", names=True):
    rows = [NAMES, *ROWS] if names else ROWS
    return "".join(form.format(delimiter.join(map(str, row))) + end for row in rows)


@pytest.mark.parametrize("delimiter", ["^", "~", "\x01", "\x1f", ":"])
def test_a_rare_delimiter_is_found_where_it_parts_all_records(read_text, delimiter):
    dialect, rows, _ = read_text(joined(delimiter))
    assert (dialect.delimiter, dialect.names) == (delimiter, NAMES)
    assert rows[0] == ["1", "town1", "1.5", "yes"]


def test_two_delimiters_in_a_row_leave_columns_empty(read_text):
    assert read_text("1::7::5\n2::8::4\n")[1] == [["1", "", "7", "", "5"], ["2", "", "8", "", "4"]]


@pytest.mark.parametrize("text", ["at\n12:30\n12:45\n", "who: so\nhe: no\n", "12:30\n12:45\n"])
def test_a_colon_in_one_column_parts_nothing(read_text, text):
    assert len(read_text(text)[0].names) == 1


@pytest.mark.parametrize(
    ("data", "received"),
    [
        ("\ufeff\n<!-- made by x --><html></html>", r"html hold\. .*read_html"),
        ('<?xml version="1.0"?>\n<a><b c="1"/></a>', r"xml hold\. .*read_xml"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), r"\.gz hold\. .*compression='gzip'"),
        (bz2.compress(b"a,b\n1,2\n"), r"\.bz2 hold\. .*compression='bz2'"),
        (lzma.compress(b"a,b\n1,2\n"), r"\.xz hold\. .*compression='xz'"),
        (b"ARROW1\0\0", r"\.feather hold\. .*read_feather"),
        (b"PAR1\0\0", r"\.parquet hold\. .*read_parquet"),
        (b"PK\3\4 xl/workbook.xml", r"\.xlsx hold\. .*read_excel"),
        (b"PK\3\4 t.csv", r"\.zip hold\. .*compression='zip'"),
        (joined() + "\0" * 500, r"500 NUL characters .* tr -d '\\000' < old\.csv"),
        (b"SQLite format 3\0\x10\0\1\1\0\x40\x20\x20\0\0\0", "one that begins with b'SQLi'"),
        (joined(form='"{}"'), r"quotes around whole lines.*sed"),
        (
            joined(names=False).replace("town1", r'"a \"b\""'),
            r'line 1: .*Received: \\" for them.*sed',
        ),
    ],
)
def test_what_is_no_csv_is_refused_with_a_way_to_make_it_one(read_text, data, received):
    with pytest.raises(DataError, match=rf"t\.csv.*{received}"):
        read_text(data)


def run_advice(error, folder):
    """Do what `error` advises: a call of pandas, or a command in a shell."""
    if "pandas." in str(error):
        exec("import pandas; " + re.search(r"pandas\..*\)", str(error))[0])  # noqa: S102
        return folder / "table.csv"
    command = re.search(r"such as by (.* > new.csv)", str(error))[1].replace("old.txt", "old.csv")
    subprocess.run(["/bin/sh", "-c", command], check=True, cwd=folder)
    return folder / "new.csv"


FIXED = "".join("{:<6}{:<8}{:<6}{}\n".format(*row) for row in [NAMES, *ROWS])


@pytest.mark.parametrize(
    "data",
    [
        FIXED,
        FIXED.replace("town", "a town").replace("a town ", "town   "),
        gzip.compress(joined().encode()),
        joined(form='"{}"'),
        joined() + "\0" * 500,
        joined().replace("\n", "\r", 6),
        json.dumps([dict(zip(NAMES, row, strict=True)) for row in ROWS]),
        "".join(json.dumps(dict(zip(NAMES, row, strict=True))) + "\n" for row in ROWS),
        "<?xml version='1.0'?><t>" + "".join(
            f"<r><nr>{a}</nr><town>{b}</town><size>{c}</size><label>{d}</label></r>"
            for a, b, c, d in ROWS) + "</t>",
    ],
    ids=["spaces", "fixed", "gz", "quoted", "nul", "ends", "json", "json lines", "xml"],
)  # fmt: skip
def test_what_is_advised_makes_a_table_that_is_read(read_text, tmp_path, monkeypatch, data):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as refused:
        read_text(data, "old.csv")
    dialect, rows, rejected = read(run_advice(refused.value, tmp_path))
    assert (dialect.names, rejected) == (NAMES, [])
    shown = [tuple(cell.removeprefix("a ") for cell in row) for row in rows]
    assert shown == [tuple(map(str, row)) for row in ROWS]


def test_quotes_after_backslashes_are_read_once_they_are_doubled(read_text, tmp_path):
    with pytest.raises(DataError) as refused:
        read_text('a,b\n1,"so \\"x, y\\" it is"\n2,z\n', "old.csv")
    assert read(run_advice(refused.value, tmp_path))[1] == [["1", 'so "x, y" it is'], ["2", "z"]]


def test_a_mark_of_byte_order_within_a_file_is_no_part_of_a_cell(read_text):
    assert read_text("\ufeffa,b\n1,x\n\ufeffa,b\n2,y\n")[1] == [["1", "x"], ["a", "b"], ["2", "y"]]


@pytest.mark.parametrize(
    ("shards", "rows", "sizes"),
    [
        (0, 4, [16]),  # one of at least 16 bytes
        (0, 16, [32, 32]),
        (0, 64, [32] * 8),
        (0, 192, [64] * 12),  # more than eight: of 64 bytes at most
        (3, 8, [12, 12, 8]),
    ],
)
def test_a_table_is_cut_in_eight_unless_these_are_small_or_large(
    shards, rows, sizes, tmp_path, monkeypatch
):
    monkeypatch.setattr(files, "_SHARD_BYTES", (32, 64))
    (tmp_path / "t.csv").write_bytes(b"a,b\n" * rows)
    given = CsvFormat(header=False)
    root, listing = files.list_tables(Path(tmp_path / "t.csv"))
    spans = files.cut(root, listing, files.settle(root, listing, given), shards)
    assert [span.stop - span.start for span in spans] == sizes
