"""Rows to predict: read as the training data was, in whatever form they come."""

import numpy as np
import pytest

from millrace.components.artifacts import Examples, RawFiles, Rejected
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.tables import csv_example_gen
from millrace.components.example_gen.unlabelled_rows import source as sources
from millrace.components.example_gen.unlabelled_rows import tables
from tests.components.example_gen.conftest import records_of

TRAINING = (
    'sold;rooms;area;town;price\n01.02.2020;3;66,5;"Köln; West";1\n31.12.2020;2;44;Cork;2\n'
    "05.06.2020;;7,25;;3\n"
)
WANTED = {
    **{f"sold/{part}": False for part in ("year", "month", "day", "weekday")},
    **{"rooms": False, "area": False, "town": True},
}


def ingest(folder, out, text, **options) -> Examples:
    file = folder / "training.csv"
    file.write_text(text)
    return csv_example_gen(
        RawFiles(file), out, splits={"train": 1.0}, run_on=BeamOptions(), **options
    )


@pytest.fixture
def ingested(tmp_path, out) -> Examples:
    """The records of the training data."""
    return ingest(tmp_path, out, TRAINING)


@pytest.fixture
def read(tmp_path, ingested):
    def run(text, wanted=WANTED, source="learnt", name="new.csv"):
        file = RawFiles(tmp_path / name).path
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        learnt = sources.read(ingested) if source == "learnt" else None
        return [
            item if isinstance(item, Rejected) else (item[0], plain(item[1]))
            for item in tables.read(file, wanted, learnt)
        ]

    return run


def plain(features):
    return {name: value[0] for name, value in features.items()}


def test_the_training_data_itself_gives_the_records_that_it_made(read, ingested):
    expected = [
        {name: row[name][0] for name in WANTED if name in row}
        for row in records_of(ingested)["train"]
    ]
    assert [features for _, features in read(TRAINING)] == expected
    assert [line for line, _ in read(TRAINING)] == [2, 3, 4]


def test_columns_may_come_in_any_order_delimiter_and_encoding_and_the_label_is_ignored(read):
    text = "price\ttown\tarea\trooms\tsold\noops\tKöln\t66,5\t3\t01.02.2020\n"
    ((line, row),) = read(text.encode("utf-16"))
    assert line == 2
    assert (row["town"], row["area"], row["rooms"]) == ("Köln".encode(), 66.5, 3)
    assert [row[f"sold/{part}"] for part in ("year", "month", "day", "weekday")] == [2020, 2, 1, 5]


def test_a_whole_number_was_an_example_not_a_promise(read):
    assert read("rooms;town\n2,5;Cork\n")[0][1] == {"rooms": 2.5, "town": b"Cork"}


def test_a_row_that_cannot_be_read_is_set_aside_and_the_others_know_their_lines(read):
    found = read('sold;area;town\n2020-02-01;1;a\n01.02.2020;6x5;b\n;1;"c\nd"\n;unknown;e\n')
    assert found == [
        Rejected(
            "new.csv", "column 'sold': expected a date like %d.%m.%Y, received '2020-02-01'",
            "line 2",
        ),
        Rejected(
            "new.csv",
            "column 'area': expected a number within float32 with a decimal ',', received '6x5'",
            "line 3",
        ),
        (4, {"area": 1, "town": b"c\nd"}),
        (6, {"town": b"e"}),
    ]  # fmt: skip


def test_a_number_may_be_written_plainly_whatever_the_training_datas_were(read):
    assert read("area;town\n66.5;Cork\n66,5;Cork\n") == [
        (2, {"area": 66.5, "town": b"Cork"}),
        (3, {"area": 66.5, "town": b"Cork"}),
    ]


def test_without_a_header_the_columns_are_the_training_datas_with_or_without_the_label(read):
    whole = read("01.02.2020;3;66,5;Cork;9\n")
    assert whole == read("01.02.2020;3;66,5;Cork\n")
    assert (whole[0][0], whole[0][1]["town"]) == (1, b"Cork")


def test_without_an_origin_cells_are_read_as_what_is_wanted_of_them(read):
    text = "sold,rooms,town,id\n13/02/2020,3,7,a\n14/02/2020,x,8,b\n"
    second, first = read(text, source=None)
    assert first[1] == {
        "rooms": 3,
        "town": b"7",
        **{"sold/year": 2020, "sold/month": 2, "sold/day": 13, "sold/weekday": 3},
    }
    assert second.reason == "column 'rooms': expected a number within float32, received 'x'"


def test_a_table_of_other_columns_is_refused(read):
    with pytest.raises(DataError, match=r"expected columns that the model takes: .*rooms, area, t"):
        read("a,b\n1,2\n")


def test_a_file_without_a_row_has_none(read):
    assert read("rooms;area\n") == []


def test_a_date_that_is_typed_becomes_its_parts(ingested):
    source = sources.read(ingested)
    assert tables.as_read({"sold": "31.12.2020", "rooms": "3"}, source) == {
        "sold/year": "2020",
        "sold/month": "12",
        "sold/day": "31",
        "sold/weekday": "3",
        "rooms": "3.0",
    }
    assert tables.as_read({"sold": "", "rooms": None}, source) == {}
    with pytest.raises(DataError, match=r"sold: expected a date like %d\.%m\.%Y\. Received: 'x'"):
        tables.as_read({"sold": "x"}, source)


def test_how_a_source_was_read_is_kept_beside_its_records(ingested, tmp_path):
    source = sources.read(ingested)
    assert source.dialect.names == ("sold", "rooms", "area", "town", "price")
    assert str(source.layout.readings["sold"]) == "date %d.%m.%Y"
    copy = Examples(tmp_path / "copy")
    copy.path.mkdir()
    assert sources.read(copy) is None
    sources.write(source, copy)
    assert sources.read(copy) == source


@pytest.mark.parametrize("dates", ["seconds", "text"])
def test_dates_become_what_the_ingest_made_of_them(tmp_path, out, dates):
    file = RawFiles(tmp_path / "t.csv").path
    file.write_text("sold,n\n2020-01-02,1\n2020-01-03,2\n")
    options = {"splits": {"train": 1.0}, "run_on": BeamOptions(), "dates": dates}
    examples = csv_example_gen(RawFiles(file), out, csv=CsvFormat(), **options)
    expected = records_of(examples)["train"][0]["sold"][0]
    ((_, features), _) = tables.read(file, {"sold": dates == "text"}, sources.read(examples))
    assert features["sold"][0] == (expected if dates == "text" else np.float32(expected))


@pytest.mark.parametrize(
    ("rows", "days"),
    [
        (("31. Januar 2020,1", "1. März 2020,2"), [1580428800, 1583020800]),
        (("31 janv. 2020,1", "1er mars 2020,2"), [1580428800, 1583020800]),
        (("31 de enero de 2020,1", "1 mar 2020,2"), [1580428800, 1583020800]),
    ],
)
def test_months_in_other_languages_are_dates_in_training_and_in_questions(
    tmp_path, out, rows, days
):
    file = RawFiles(tmp_path / "t.csv").path
    file.write_text("\n".join(["sold,n", *rows]) + "\n")
    options = {"splits": {"train": 1.0}, "run_on": BeamOptions(), "dates": "seconds"}
    source = sources.read(csv_example_gen(RawFiles(file), out, **options))
    assert [row["sold"][0] for row in records_of(Examples(out))["train"]] == days
    assert [row["sold"][0] for _, row in tables.read(file, {"sold": False}, source)] == days


def test_quotes_are_letters_where_they_were_in_the_training_data(tmp_path, out):
    (tmp_path / "own.csv").write_text('town,y\n"Cork",1\n"Oslo",2\n')
    given = {"csv": CsvFormat(quoting=False), "splits": {"train": 1.0}, "run_on": BeamOptions()}
    out.rmtree()
    out.mkdir()
    learnt = sources.read(csv_example_gen(RawFiles(tmp_path / "own.csv"), out, **given))
    (tmp_path / "new.csv").write_text('y,town\n1, "Oslo"\n')
    (row,) = tables.read(RawFiles(tmp_path / "new.csv").path, {"town": True}, learnt)
    assert plain(row[1]) == {"town": b'"Oslo"'}


@pytest.mark.parametrize("above", ["", "A note\n\n", "# a note\n# by hand\n", "sep=,\n"])
def test_what_was_above_or_between_the_training_datas_rows_is_not_looked_for(tmp_path, out, above):
    given = CsvFormat(skip_rows=1, comment="5", delimiter=";")
    examples = ingest(tmp_path, out, "a title\na;b\n1;2\n5;6\n3;4\n", csv=given)
    file = RawFiles(tmp_path / "new.csv").path
    file.write_text(f"{above}a,b\n5,6\n7,8\n")
    rows = tables.read(file, {"a": False, "b": False}, sources.read(examples))
    first = above.count("\n") + 2
    assert [(line, plain(row)) for line, row in rows] == [
        (first, {"a": 5, "b": 6}),
        (first + 1, {"a": 7, "b": 8}),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1254"])
def test_a_file_is_in_utf_8_or_else_in_what_the_training_data_was_in(tmp_path, out, encoding):
    examples = ingest(tmp_path, out, "a,b\n1,x\n2,y\n", csv=CsvFormat(encoding="cp1254"))
    file = RawFiles(tmp_path / "new.csv").path
    file.write_bytes("a,b\n1,Muğla\n".encode(encoding))
    ((_, row),) = tables.read(file, {"b": True}, sources.read(examples))
    assert row == {"b": ["Muğla".encode()]}
