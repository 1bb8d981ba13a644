"""Files as programs write them, read back cell by cell, or refused with what to do."""

import csv
import io
import tempfile

import pytest
from etils.epath import Path
from hypothesis import given
from hypothesis import strategies as st

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
