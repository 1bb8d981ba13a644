"""Texts to predict, from any table that texts are trained on."""

import logging

import pytest
from etils.epath import Path

from millrace.components.artifacts import Rejected
from millrace.components.errors import DataError
from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.unlabelled_rows import texts
from millrace.components.example_gen.unlabelled_rows.source import TextSource

FILES = {
    "a.csv": 'id,note,label\n1,"good, very\ngood",x\n2,,y\n3,bad,x\n',
    "a.jsonl": '{"note": "good, very\\ngood"}\n{"other": 1}\n{"note": "bad"}\n',
    "a.json": '[{"note": "good, very\\ngood"}, {"note": null}, {"note": "bad"}]',
}
PLACES = {
    "a.csv": ["line 2", "line 4", "line 5"],
    "a.jsonl": ["line 1", "line 2", "line 3"],
    "a.json": ["member 1", "member 2", "member 3"],
}


@pytest.mark.parametrize("name", FILES)
def test_the_column_of_the_training_data_is_read_and_rows_without_a_text_are_set_aside(
    tmp_path, name
):
    (tmp_path / name).write_text(FILES[name])
    first, second, third = PLACES[name]
    assert list(texts.read(Path(tmp_path / name), TextSource(("note",)))) == [
        (first, b"good, very\ngood"),
        Rejected(name, "nothing in column 'note'", second),
        (third, b"bad"),
    ]


def test_without_an_origin_the_texts_are_the_column_called_so_or_the_longest(tmp_path):
    file = Path(tmp_path / "a.csv")
    file.write_text(FILES["a.csv"])
    assert next(texts.read(file, None)) == ("line 2", b"good, very\ngood")
    file.write_text("long,review\nxxxxxxxxx,y\n")
    assert next(texts.read(file, None)) == ("line 2", b"y")


def test_a_table_without_the_column_is_refused(tmp_path):
    file = Path(tmp_path / "a.csv")
    file.write_text(FILES["a.csv"])
    with pytest.raises(
        DataError, match=r"a column of texts called 'text'\. Received: 'id', 'note', 'label'\. N"
    ):
        next(texts.read(file, TextSource(("text",))))


def test_quotes_around_the_cells_of_a_single_column_are_no_text(tmp_path):
    file = Path(tmp_path / "a.csv")
    file.write_text('note\n"good, very"\n"so, so"\n')
    expected = [("line 2", b"good, very"), ("line 3", b"so, so")]
    assert list(texts.read(file, TextSource(("note",)))) == expected


@pytest.mark.parametrize("options", [{"skip_rows": 2}, {"comment": "2"}, {"delimiter": ";"}])
def test_lines_that_were_left_out_of_the_training_data_are_not_left_out_here(tmp_path, options):
    file = Path(tmp_path / "a.csv")
    file.write_text("id,note\n1,good\n2,bad\n")
    learnt = TextSource(("note",), CsvFormat(**options))
    assert list(texts.read(file, learnt)) == [("line 2", b"good"), ("line 3", b"bad")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1254"])
def test_a_file_is_in_utf_8_or_else_in_what_the_training_data_was_said_to_be_in(tmp_path, encoding):
    file = Path(tmp_path / "a.csv")
    file.write_bytes("id,note\n1,Muğla\n".encode(encoding))
    learnt = TextSource(("note",), CsvFormat(encoding="cp1254"))
    assert list(texts.read(file, learnt)) == [("line 2", "Muğla".encode())]


def test_a_table_without_names_has_those_of_the_training_data(tmp_path):
    file = Path(tmp_path / "a.csv")
    file.write_text("good,1,x\nbad,2,y\n")
    learnt = TextSource(("note",), names=("note", "id", "label"))
    assert list(texts.read(file, learnt)) == [("line 1", b"good"), ("line 2", b"bad")]


GIVEN = {
    "a.csv": "note,id\ngood,1\nbad,2\n",
    "b/c.txt": "good\n\nbad\n",
    "d": "DESC good\nENTY bad\n",
}
AS_ROWS = [("a.csv, line 2", b"good"), ("a.csv, line 3", b"bad")]
AS_LINES = [("b/c.txt, line 1", b"good"), ("b/c.txt, line 3", b"bad")]
AS_FILES = [("a.csv", GIVEN["a.csv"].encode()), ("b/c.txt", b"good\n\nbad\n")]
LABELLED = [("d, line 1", b"good"), ("d, line 2", b"bad")]
UNTOUCHED = [("d, line 1", b"DESC good"), ("d, line 2", b"ENTY bad")]


@pytest.mark.parametrize(
    ("source", "names", "expected"),
    [
        (TextSource(("note",)), GIVEN, AS_ROWS),
        (TextSource(("note",)), ["a.csv"], AS_ROWS),
        (None, ["a.csv"], AS_ROWS),
        (None, ["a.csv", "b/c.txt"], AS_FILES),
        (TextSource(form="classes"), ["a.csv", "b/c.txt"], AS_FILES),
        (TextSource(("text",), form="class_files"), GIVEN, [*AS_ROWS, *AS_LINES, *UNTOUCHED]),
        (TextSource(("text",), form="labelled_lines", classes=frozenset(["DESC", "ENTY"])), GIVEN,
         [*AS_ROWS, *AS_LINES, *LABELLED]),
        (TextSource(("text",), form="labelled_lines", classes=frozenset(["DESC"])), GIVEN,
         [*AS_ROWS, *AS_LINES, *UNTOUCHED]),
    ],
)  # fmt: skip
def test_a_folder_is_read_as_what_the_model_learnt_from(folder, source, names, expected):
    root = folder({name: GIVEN[name].encode() for name in names})
    found, ignored = texts.read_all(root, source)
    assert list(found) == expected
    used = {place.partition(",")[0] for place, _ in expected}
    assert ignored == sorted({*names} - used)


def test_a_file_of_any_name_is_a_table_where_it_has_the_columns_that_were_learnt(folder, caplog):
    caplog.set_level(logging.INFO, "millrace.components")
    root = folder({"table.txt": b"note\tid\ngood, very\t1\n", "note.txt": b"good, very\n"})
    source = TextSource(("note",))
    assert list(texts.read_all(root / "table.txt", source)[0]) == [
        ("table.txt, line 2", b"good, very")
    ]
    assert list(texts.read_all(root / "note.txt", source)[0]) == [("note.txt", b"good, very\n")]
    assert "note.txt has no column note: read as one text" in caplog.text


def test_labels_of_fasttext_are_left_out_wherever_they_stand(folder):
    root = folder({"x.txt": b"__label__a __label__b one two\n__label__b three\n"})
    source = TextSource(("text",), form="labelled_lines", classes=frozenset("b"))
    assert list(texts.read(root / "x.txt", source)) == [
        ("line 1", b"one two"),
        ("line 2", b"three"),
    ]
