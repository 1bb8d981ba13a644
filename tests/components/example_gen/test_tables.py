"""From CSV files to records: what is kept, what is set aside, and where each row goes."""

import io
import json
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as generated
from hypothesis import strategies as st

from millrace.components.artifacts import RawFiles
from millrace.components.beam import joining
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError, OptionError
from millrace.components.example_gen.csv import passes
from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.tables import csv_example_gen
from millrace.components.files.folders import files
from millrace.components.files.tfrecord import read_records
from millrace.serving import cores
from millrace.serving.example import encode
from tests.components.example_gen.conftest import files_of, records_of, spoil

TRAIN = {"splits": {"train": 1.0}}


@pytest.fixture
def ingest(folder, out):
    """Writes files, ingests them, and clears the place for the next time."""

    def run(files, **options):
        if isinstance(files, str | bytes):
            files = {"t.csv": files}
        root = folder({n: f.encode() if isinstance(f, str) else f for n, f in files.items()})
        out.rmtree()
        out.mkdir()
        return csv_example_gen(RawFiles(root), out, run_on=BeamOptions(), **options)

    return run


def rows_of(examples, split="train"):
    return [
        {name: value[0] if len(value) == 1 else value for name, value in row.items()}
        for row in records_of(examples)[split]
    ]


def rejections(examples):
    return [(item.source, item.position, item.reason) for item in examples.rejected()]


def unlabelled(examples):
    return listed(examples, "unlabelled")


def bad_cells(examples):
    return listed(examples, "bad_cells")


def listed(examples, kind):
    lines = (examples.path / f"{kind}.jsonl").read_text().splitlines()
    return [(item["source"], item["position"], item["reason"]) for item in map(json.loads, lines)]


def test_columns_become_features_of_their_types_and_missing_cells_are_absent(ingest):
    text = "n,colour,x,empty\n1,red,0.5,\n2,,,\n,blue ,1.5,\n2,NA,2.5,\n"
    examples = ingest(text, **TRAIN)
    assert rows_of(examples) == [
        {"n": 1, "x": 0.5, "colour": b"red"},
        {"x": 1.5, "colour": b"blue"},
        {"n": 2, "x": 2.5},
    ]
    kinds = {
        name: value.dtype
        for name, value in records_of(examples)["train"][0].items()
        if name != "colour"
    }
    assert kinds == {"n": np.int64, "x": np.float32}
    assert examples.summary["notes"]["label"] == "x"
    assert unlabelled(examples) == [("t.csv", "line 3", "no label 'x'")]
    assert examples.counts == {"train": 3}


def test_a_type_holds_for_the_whole_file_however_late_it_shows(ingest):
    lines = [f"{number},{number}" for number in range(3000)]
    late = ["2.5,x"] * 300
    examples = ingest("\n".join(["a,b", *lines, *late]) + "\n", shards=7, **TRAIN)
    kinds = {(type(row["a"]), type(row["b"])) for row in rows_of(examples)}
    assert kinds == {(np.float32, bytes)}
    assert sum(1 for _ in examples.files("train")) in (7, 8)


@settings(deadline=None, max_examples=12, suppress_health_check=list(HealthCheck))
@generated(
    rows=st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(-(2**60), 2**60)),
            st.one_of(st.none(), st.floats(width=32, allow_nan=False, allow_infinity=False)),
            st.text("xyz \n,'é", min_size=1, max_size=5).map(str.strip).filter(bool),
        ),
        min_size=2,
        max_size=20,
    )
)
def test_a_row_makes_the_record_that_the_codec_makes_of_it(ingest, rows):
    def cell(value):
        text = "" if value is None else str(value)
        return f'"{text}"' if {",", "\n"} & set(text) else text

    lines = ["n,x,text", "0,0.5,w", *(",".join(map(cell, row)) for row in rows)]
    examples = ingest("\n".join(lines) + "\n", **TRAIN)
    found = [record for file in examples.files("train") for record in read_records(file)]
    expected = [
        {"n": n, "x": None if x is None else np.float32([float(str(x))]), "text": text}
        for n, x, text in [(0, 0.5, "w"), *rows]
    ]
    assert found == [
        encode({name: value for name, value in row.items() if value is not None})
        for row in expected
    ]


def test_odd_records_are_set_aside_with_line_and_reason_and_none_is_lost(ingest):
    text = 'a,b\n1,2\n\n3\n4,5,6\n"x\ny",7\n8,9\n,\n'
    examples = ingest(text, max_rejected=1, **TRAIN)
    assert rejections(examples) == [
        ("t.csv", "line 4", "expected 2 cells, received 1: 3"),
        ("t.csv", "line 5", "expected 2 cells, received 3: 4,5,6"),
        ("t.csv", "line 9", "no value in any column"),
    ]
    assert [row["b"] for row in rows_of(examples)] == [2, 7, 9]
    assert examples.summary["notes"]["found"] == 6


def test_a_cell_that_is_not_of_the_given_type_is_missing_and_named(ingest):
    text = "a,b,c\n1,0.5,x\ntwo,1.5,y\n3,inf,z\n4,1e39,z\n"
    given = CsvFormat(types={"a": "int", "b": "float"})
    examples = ingest(text, csv=given, max_rejected=1, **TRAIN)
    assert bad_cells(examples) == [
        ("t.csv", "line 3", "column 'a': expected a whole number of 64 bits, received 'two'"),
        ("t.csv", "line 4", "column 'b': expected a number within float32, received 'inf'"),
        ("t.csv", "line 5", "column 'b': expected a number within float32, received '1e39'"),
    ]
    assert rows_of(examples) == [
        {"a": 1, "b": 0.5, "c": b"x"},
        {"b": 1.5, "c": b"y"},
        {"a": 3, "c": b"z"},
        {"a": 4, "c": b"z"},
    ]


def test_too_many_cells_of_another_type_than_the_given_one_are_refused(ingest):
    with pytest.raises(
        DataError,
        match=r"csv_example_gen, column 'a': expected a whole number of 64 bits\. Received: 1 of 2 "
        r"cells that are not, the first in t\.csv, line 3: 'two'\. .*_gen\.csv\.types\.a=text\.",
    ):
        ingest("a,b\n1,x\ntwo,y\n", csv=CsvFormat(types={"a": "int"}), **TRAIN)


def test_a_hexadecimal_cell_is_not_a_whole_number_beside_others_that_are(ingest):
    given = CsvFormat(types={"a": "int"})
    examples = ingest("a,b\n1,x\n0x10,y\n", csv=given, max_rejected=1, **TRAIN)
    assert bad_cells(examples) == [
        ("t.csv", "line 3", "column 'a': expected a whole number of 64 bits, received '0x10'")
    ]


@pytest.mark.parametrize(
    "data", [b"\x7fELF" + bytes(range(99)) * 9, b"\x89PNG\r\n" + bytes(range(256))]
)
def test_a_file_that_is_not_text_is_refused(ingest, data):
    with pytest.raises(DataError, match=r"t\.csv: expected a text file\. Received: one that begi"):
        ingest(data)


def test_utf_16_needs_no_byte_order_mark(ingest):
    assert rows_of(ingest("a;b\n1;é\n2;x\n".encode("utf-16-le"), **TRAIN))[0] == {
        "a": 1,
        "b": "é".encode(),
    }


def test_whole_numbers_of_a_column_called_zip_are_text_unless_they_are_asked_for(ingest, caplog):
    data = "zip,n\n10001,1\n60601,2\n"
    assert [row["zip"] for row in rows_of(ingest(data, **TRAIN))] == [b"10001", b"60601"]
    assert (
        "column 'zip': whole numbers that are codes by the column's name: read as text; "
        "csv.types.zip=number reads numbers"
    ) in caplog.messages
    numbers = rows_of(ingest(data, csv=CsvFormat(types={"zip": "number"}), **TRAIN))
    assert [row["zip"] for row in numbers] == [10001, 60601]


def test_codes_can_be_kept_as_text(ingest):
    examples = ingest("zip,n\n007,1\n010,2\n", csv=CsvFormat(types={"zip": "text"}), **TRAIN)
    assert [row["zip"] for row in rows_of(examples)] == [b"007", b"010"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_byte_that_is_not_of_the_encoding_takes_its_row_along(ingest, end):
    data = b"a,b\nx,1\n\xe9,2\ny,3\nz,inf\n".replace(b"\n", end)
    examples = ingest(
        data, csv=CsvFormat(encoding="utf-8", types={"b": "float"}), max_rejected=1, **TRAIN
    )
    assert rejections(examples) == [("t.csv", "line 3", "byte 0xe9 is not of utf-8")]
    assert unlabelled(examples) == [
        ("t.csv", "line 5", "column 'b': expected a number within float32, received 'inf'"),
    ]
    assert [row["b"] for row in rows_of(examples)] == [1, 3]


def test_a_record_may_lack_cells_of_columns_that_are_left_out(ingest):
    text = "a,b,empty\n1,2\n3,4,\n5\n"
    examples = ingest(text, max_rejected=1, **TRAIN)
    assert rows_of(examples) == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    assert rejections(examples) == [("t.csv", "line 4", "expected 3 cells, received 1: 5")]
    filled = ingest(text, csv=CsvFormat(fill_short=True), label="a", **TRAIN)
    assert rows_of(filled) == [{"a": 1, "b": 2}, {"a": 3, "b": 4}, {"a": 5}]


@pytest.mark.parametrize(
    ("data", "options"),
    [
        ("﻿a;b\r\n1,5;é\r\n".encode(), {}),
        ("a;b\n1,5;é\n".encode("cp1252"), {"csv": CsvFormat(encoding="cp1252")}),
        ("a\tb\n1.5\té\n".encode("utf-16"), {}),
        ("1.5,é\n".encode(), {"csv": CsvFormat(header=False, names=("a", "b"))}),
        ("a;b\n1.005;é\n".encode(), {"csv": CsvFormat(thousands=".", types={"a": "int"})}),
    ],
)
def test_the_same_row_however_it_is_written(ingest, data, options):
    (row,) = rows_of(ingest(data, **TRAIN, **options))
    assert (float(row["a"]), row["b"]) == (1005.0 if b"1.005" in data else 1.5, "é".encode())


def test_dates_become_parts_seconds_or_stay_text(ingest):
    text = "when,n\n31/01/2012,1\n01/02/2012,2\n"
    parts = rows_of(ingest(text, **TRAIN))[1]
    assert parts == {"when/year": 2012, "when/month": 2, "when/day": 1, "when/weekday": 2, "n": 2}
    assert rows_of(ingest(text, dates="seconds", **TRAIN))[0] == {"when": 1327968000, "n": 1}
    assert rows_of(ingest(text, dates="text", **TRAIN))[0]["when"] == b"31/01/2012"


def test_files_in_splits_keep_them_and_eval_is_held_out_of_train(ingest):
    lines = "".join(f"{number}\n" for number in range(400))
    files = {"train/a.csv": "n\n" + lines, "test.csv": "n\n1\n2\n", "readme.md": "no data"}
    examples = ingest(files, eval_from_train=0.25)
    assert set(examples.counts) == {"train", "eval", "test"}
    assert examples.counts["test"] == 2
    assert 60 < examples.counts["eval"] < 140
    assert sum(examples.counts.values()) == 402
    assert examples.summary["notes"]["ignored"] == 1


def test_equal_rows_are_in_one_split_whatever_the_number_of_shards(ingest):
    text = "n\n" + "".join(f"{number % 97}\n" for number in range(600))
    one = ingest(text)
    splits = {
        split: {row["n"] for row in rows_of(one, split)} for split in ("train", "eval", "test")
    }
    assert sum(map(len, splits.values())) == 97
    counts, files = one.counts, files_of(one)
    assert ingest(text, shards=3).counts == counts
    assert files_of(ingest(text)) == files


def test_dropped_columns_are_gone(ingest):
    assert rows_of(ingest("a,b\n1,2\n", drop=("a",), **TRAIN)) == [{"b": 2}]


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        ({"a.md": "x"}, {}, r"source: expected a CSV, or a folder of them\. Received: a folder"),
        ({"t.csv": ""}, {}, r"t\.csv: expected a table, .* Received: an empty file\."),
        (
            {"t.csv": "a,b\n"},
            {},
            r"expected a table with values\. Received: none in the columns a, b",
        ),
        (
            {"t.csv": "a,b\n1,2\n", "u.csv": "a,c\n1,2\n"},
            {},
            r"u\.csv: expected the columns of t\.csv: a, b\. Received: a, c\. Give files of one",
        ),
        (
            {f"{name}.csv": f"{','.join('abcdefghijk')},{name}\n{'1,' * 11}1\n" for name in "xy"},
            {},
            r"y\.csv: expected the columns of x\.csv: …, k, x\. Received: …, k, y\. Give files",
        ),
        (
            {"train.csv": "a\n1\n", "more.csv": "a\n1\n"},
            {},
            r"expected either all files in splits or none\. Received: more\.csv beside",
        ),
        (
            {"t.csv": "a,b\n1,2\n3\n"},
            {},
            r"Received: 1 of 2 \(50\.00%\):\n  t\.csv, line 3: expected 2 cells, received 1: 3\n",
        ),
        (
            {"t.csv": "d,d/year\n01/01/2012,1\n"},
            {},
            r"expected features of distinct names\. Received: 'd/year' of the columns 'd' and",
        ),
        ({"t.csv": "a\n1\n"}, {"csv": CsvFormat(encoding="utf-9")}, r"Received: 'utf-9'\. Correct"),
    ],
)
def test_what_cannot_be_a_table_is_refused(ingest, files, options, message):
    with pytest.raises(DataError, match=message):
        ingest(files, **options)


@pytest.mark.parametrize("dates", ["seconds", "text"])
def test_a_date_beside_a_column_called_like_its_year_is_read_as_advised(ingest, dates):
    ingest({"t.csv": "d,d/year\n01/01/2012,1\n"}, dates=dates)


def test_a_column_to_drop_must_be_there(ingest):
    with pytest.raises(
        OptionError,
        match=r"^csv_example_gen, option drop: expected columns of the table: a\. Received: b\.",
    ):
        ingest("a\n1\n", drop=("b",))


def test_real_penguins_are_all_there(shared_data, out):
    source = RawFiles(shared_data / "penguins" / "penguins_processed.csv")
    examples = csv_example_gen(source, out, run_on=BeamOptions())
    assert sum(examples.counts.values()) == 334
    species = [row["species"] for split in examples.splits for row in rows_of(examples, split)]
    assert np.bincount(species).tolist() == [146, 68, 120]


def test_a_real_file_in_latin_1_with_dates_and_empty_columns_is_read_as_it_is(shared_data, out):
    examples = csv_example_gen(
        RawFiles(shared_data / "messy_csv"), out, run_on=BeamOptions(), **TRAIN
    )
    rows = rows_of(examples)
    assert (len(rows), examples.summary["rejected"]) == (310, 0)
    assert rows[0] == {
        **{"Date/year": 2012, "Date/month": 1, "Date/day": 1, "Date/weekday": 6},
        **{"Berri 1": 35, "Côte-Sainte-Catherine": 0, "Maisonneuve 1": 38, "Maisonneuve 2": 51},
        **{"du Parc": 26, "Pierre-Dupuy": 10, "Rachel1": 16},
    }
    assert examples.summary["notes"]["encoding"] == "cp1252"


def test_the_hours_of_real_bicycles_are_all_there(shared_data, out):
    examples = csv_example_gen(
        RawFiles(shared_data / "bike_sharing"), out, run_on=BeamOptions(), shards=4
    )
    assert sum(examples.counts.values()) == 17_379
    rows = [row for split in examples.splits for row in rows_of(examples, split)]
    assert sum(int(row["count"]) for row in rows) == 3_292_679


def test_rows_of_an_old_mac_have_lines_of_their_own(ingest):
    examples = ingest("n,x\r1,2\r3\r4,5\r", max_rejected=0.5, **TRAIN)
    assert rows_of(examples) == [{"n": 1, "x": 2}, {"n": 4, "x": 5}]
    assert rejections(examples) == [("t.csv", "line 3", "expected 2 cells, received 1: 3")]


def test_a_long_file_of_an_old_mac_is_read_whole(ingest):
    rows = "".join(f"{number},a\r" for number in range(40_000))
    assert ingest("n,x\r" + rows, **TRAIN).counts == {"train": 40_000}


def test_blanks_before_quotes_are_dropped_wherever_these_stand(ingest):
    rows = "".join(f"{number},a\n" for number in range(40_000))
    examples = ingest("n,x\n" + rows + '1, "b,\n c"\n2,"d"\n3\n', max_rejected=0.5, **TRAIN)
    assert [row["x"] for row in rows_of(examples)[-2:]] == [b"b,\n c", b"d"]
    assert rejections(examples) == [("t.csv", "line 40005", "expected 2 cells, received 1: 3")]


def test_what_is_not_a_readable_file_is_set_aside_and_counted(ingest, folder):
    aside = spoil(folder({}), ".csv")
    examples = ingest("n\n1\n2\n", **TRAIN, max_rejected=0.5)
    assert examples.counts == {"train": 2}
    assert list(examples.rejected()) == aside
    assert examples.summary["notes"]["found"] == 4
    with pytest.raises(
        DataError, match=r"expected at most 1\.00% .* 2 of 4 \(50\.00%\):\n  caf\\xe9"
    ):
        ingest("n\n1\n2\n", **TRAIN)


def test_an_archive_is_read_as_the_folder_in_it(ingest):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("iris/train.csv", "a,label\n1,x\n2,y\n")
        archive.writestr("iris/test.csv", "a,label\n3,x\n")
    examples = ingest({"iris.zip": packed.getvalue()})
    assert examples.counts == {"train": 2, "test": 1}
    assert rows_of(examples, "test") == [{"a": 3, "label": b"x"}]


def test_found_is_written_rejected_ignored_and_unlabelled_whatever_lies_between_the_rows(ingest):
    text = "# by hand\n\na,label\n1,x\n\n# 2,y\n3,y,z\n4\n5,\n,x\n6,NA\n\n7,y\n,\n8,x\n# end\n9,y"
    examples = ingest({"t.csv": text, "note.md": "x"}, max_rejected=0.5, **TRAIN)
    assert [row["a"] for row in rows_of(examples) if "a" in row] == [1, 7, 8, 9]
    assert [place for _, place, _ in rejections(examples)] == ["line 7", "line 8", "line 14"]
    assert [place for _, place, _ in unlabelled(examples)] == ["line 9", "line 11"]
    notes = examples.summary["notes"]
    assert (examples.summary["counts"], notes["ignored"], notes["found"]) == ({"train": 5}, 1, 11)


@pytest.mark.parametrize(
    ("options", "cells"),
    [
        ({}, [b"a", None, None, b"b"]),
        ({"default_missing": False}, [b"a", b"NA", b"?", b"b"]),
        ({"default_missing": False, "missing": ("?",)}, [b"a", b"NA", None, b"b"]),
        ({"missing": ("a",)}, [None, None, None, b"b"]),
    ],
)
def test_only_the_cells_that_are_named_are_missing_where_the_usual_ones_are_not(
    ingest, options, cells
):
    text = "x,y\na,1\nNA,2\n?,3\nb,4\n"
    rows = rows_of(ingest(text, csv=CsvFormat(**options), label="y", **TRAIN))
    assert [row.get("x") for row in rows] == cells


def test_a_note_below_the_table_makes_no_column_of_numbers_text(ingest):
    rows = "".join(f"{n},{n % 2},x\n" for n in range(20))
    text = f"a,b,label\n{rows}\nCopyright 2024\nAll rights reserved\nMade by me\n"
    examples = ingest(text, max_rejected=0.2, **TRAIN)
    assert rows_of(examples)[3] == {"a": 3, "b": 1, "label": b"x"}
    assert [place for _, place, _ in rejections(examples)] == ["line 23", "line 24", "line 25"]


def test_a_line_of_dashes_below_the_header_is_set_aside(ingest):
    rows = "".join(f"| {n} | x |\n" for n in range(20))
    examples = ingest(f"| a | label |\n|--:|---|\n{rows}", max_rejected=0.1, **TRAIN)
    assert rejections(examples) == [("t.csv", "line 2", "a line between rows, of dashes")]
    assert len(rows_of(examples)) == 20


def test_other_processes_join_in_writing_a_large_table_at_once_to_the_same_bytes(
    ingest, out, monkeypatch
):
    waits = []
    work_through = joining.work_through

    def record(folder, work, count, after, **more):
        waits.append(after)
        work_through(folder, work, count, after, **more)

    monkeypatch.setattr(joining, "work_through", record)
    monkeypatch.setattr(cores, "available", lambda: 2)
    text = "a,b\n" + "".join(f"{n},{n % 7}\n" for n in range(500))
    found = []
    for large in (2**27, len(text) // 2):
        monkeypatch.setattr(passes, "_LARGE", large)
        ingest(text, shards=4)
        found.append({file: path.read_bytes() for file, path in files(out)})
    assert waits == [1.0, 1.0, 1.0, 0.0]  # to gather and to write, twice
    assert found[0] == found[1]
    assert len(found[0]) > 12
