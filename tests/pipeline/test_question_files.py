"""Questions in files of rows, asked as the model's training data was read."""

import gzip
import io
from types import SimpleNamespace

import pytest

from millrace.components.artifacts import Examples, RawFiles, Rejected
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.example_gen.series import series_example_gen
from millrace.components.example_gen.tables import csv_example_gen
from millrace.components.example_gen.unlabelled_rows import source as sources
from millrace.components.example_gen.unlabelled_rows.source import TextSource
from millrace.components.features import spec as specs
from millrace.pipeline import origin, question_files, questions
from millrace.pipeline.dag import Dag, Source
from millrace.pipeline.errors import UsageError
from millrace.pipeline.origin import UNKNOWN, Origin
from millrace.serving.signature import Signature, TensorInfo
from tests.pipeline import toys


def asked_by(**inputs):
    tensors = {alias: TensorInfo(alias, *tensor) for alias, tensor in inputs.items()}
    return Signature("serving_default", "tensorflow/serving/predict", tensors, {}, {}, None)


NUMBER, STRING = ("float32", (None,)), ("string", (None,))
ROOMS = asked_by(**{"rooms": NUMBER, "town": STRING, "sold/year": NUMBER})
WINDOWS = asked_by(window=("float32", (None, 3, 3)), known=("float32", (None, 2, 1)))


@pytest.fixture
def table(tmp_path):
    """The origin of a model of a table with a date."""
    (tmp_path / "t.csv").write_text(
        "sold,rooms,town,price\n31.12.2020,3,Cork,1\n01.01.2021,2,a,2\n"
    )
    out = Examples(tmp_path / "examples").path
    out.mkdir()
    source = RawFiles(tmp_path / "t.csv")
    return Origin(sources.read(csv_example_gen(source, out, run_on=BeamOptions())))


@pytest.fixture
def hourly(toy, tmp_path):
    """A pushed model of a series, and the origin that the store knows."""
    rows = [f"2020-01-0{1 + hour // 24}T{hour % 24:02d},{hour},{hour % 2}" for hour in range(72)]
    (tmp_path / "h.csv").write_text("\n".join(["when,y,k", *rows]))
    dag = Dag("toy")
    source = Source(str(tmp_path / "h.csv"))
    options = {"targets": ("y",), "known": ("k",)}
    examples = dag.step(series_example_gen, source=source, **options)
    model = dag.step(toys.exported, analysis=dag.step(toys.analysed, examples=examples))
    dag.step(
        toys.push,
        step_name="pusher",
        model=model,
        evaluation=dag.step(toys.judge, model=model, baseline=None),
        serving=str(toy.root.serving),
        version=1,
    )
    toy.carry_out(dag)
    return origin.find(toy.store, "toy")


def test_the_origin_of_a_pushed_model_is_found_in_the_store(toy, hourly):
    assert hourly.source.reading.columns.known == ("k",)
    assert (hourly.source.step, hourly.spec.horizon) == ("h", 2)
    assert origin.find(toy.store, "another") is UNKNOWN


def test_a_model_of_steps_of_ones_own_has_no_origin(toy):
    dag = toy.dag()
    model, evaluation = dag.steps["train"], dag.steps["judge"]
    serving = str(toy.root.serving)
    pushing = {"model": model, "evaluation": evaluation, "serving": serving, "version": 1}
    dag.step(toys.push, step_name="pusher", **pushing)
    toy.carry_out(dag)
    assert origin.find(toy.store, "toy") is UNKNOWN


def test_a_table_is_asked_about_row_by_row_with_its_dates_expanded(tmp_path, table):
    file = tmp_path / "new.csv"
    file.write_text("price;sold;rooms\n1;05.06.2022;4\n2;oops;4\n")
    bad, row = question_files.from_csv(file, table, ROOMS)
    assert question_files.described(bad).startswith(
        "new.csv, line 3: column 'sold': expected a date"
    )
    assert row.name == "line 2"
    assert {name: value[0] for name, value in row.features.items()} == {
        "sold/year": 2022,
        "rooms": 4,
    }


def test_a_typed_date_is_expanded_too(table):
    (row,) = question_files.from_rows([{"sold": "05.06.2022", "rooms": 3}], table)
    assert (row.features["sold/year"], row.features["rooms"]) == ("2022", "3")
    assert row.name == "sold=05.06.2022, rooms=3"
    with pytest.raises(UsageError, match=r"predict: sold: expected a date like %d\.%m\.%Y\. R"):
        question_files.from_rows([{"sold": 2022}], table)
    assert question_files.from_rows([], table) == []


def test_standard_input_is_a_file_called_minus(table, monkeypatch):
    stdin = SimpleNamespace(buffer=io.BytesIO(b"rooms\n4\n"))
    monkeypatch.setattr("sys.stdin", stdin)
    (row,) = question_files.from_csv(questions.STDIN, table, ROOMS)
    assert row.features["rooms"].tolist() == [4]


def test_texts_are_the_column_that_the_model_learnt_from(tmp_path):
    file = tmp_path / "new.csv"
    file.write_text("id,note\n1,so good\n2,\n")
    first, second = question_files.from_csv(
        file, Origin(TextSource(("note",))), asked_by(text=STRING)
    )
    assert (first.name, first.features) == ("line 2: so good", {"text": [b"so good"]})
    assert second == Rejected("new.csv", "nothing in column 'note'", "line 3")


PAST = "when,y,k\n2020-02-01T00,5,0\n2020-02-01T01,6,1\n2020-02-01T02,7,0\n"
AHEAD = "2020-02-01T03,,1\n2020-02-01T04,,0\n"


@pytest.mark.parametrize("option", ["--csv", "--window"])
def test_a_series_is_asked_about_its_last_rows_with_clock_and_times(tmp_path, hourly, option):
    file = tmp_path / "latest.csv"
    file.write_text(PAST + AHEAD)
    if option == "--csv":
        (found,) = question_files.from_csv(file, hourly, WINDOWS)
    else:
        (found,) = question_files.of_window(str(file), hourly, WINDOWS)
    assert found.features["window"].tolist() == [5, 0, 0, 6, 1, 1, 7, 0, 2]
    assert found.features["known"].tolist() == [1, 0]
    assert found.times == ("2020-02-01 03:00:00", "2020-02-01 04:00:00")
    assert found.name == "latest.csv"


@pytest.mark.parametrize(
    "written",
    [
        ("sep=;\r\n" + (PAST + AHEAD).replace(",", ";")).encode("utf-16"),
        ("Load of the plant\nmade on Monday\n\n" + PAST + AHEAD).encode(),
        ("# made on Monday\n" + (PAST + AHEAD).replace(",", "\t")).encode("utf-16-le"),
    ],
    ids=["sep in UTF-16", "prose", "comments without a BOM"],
)
def test_a_file_of_a_series_is_known_by_its_columns_however_written(tmp_path, hourly, written):
    file = tmp_path / "latest.csv"
    file.write_bytes(written)
    (found,) = question_files.of_window(str(file), hourly, WINDOWS)
    assert found.features["window"].tolist() == [5, 0, 0, 6, 1, 1, 7, 0, 2]
    file.write_text("5,0,0\n6,1,1\n7,0,2\n")
    (bare,) = question_files.of_window(str(file), hourly, WINDOWS)
    assert bare.features["window"].tolist() == found.features["window"].tolist()


def test_typed_numbers_are_a_window_as_they_are(hourly):
    signature = asked_by(window=("float32", (None, 3, 1)))
    (found,) = question_files.of_window("1,2,3", hourly, signature)
    assert found.features["window"].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            PAST,
            r"latest\.csv: expected what the model can be asked about\. Received: latest",
        ),
        (PAST, r"expected k in the 2 rows after the last one, received 0 such rows"),
        ("\n".join(PAST.splitlines()[:3]), r"expected 3 rows up to the last one, received 2 rows"),
        ("when,y,k\n", r"expected rows below the header\. Received: none"),
        (
            "when,y\n2020-02-01T00,5\n",
            r"latest\.csv: Columns: expected 'k'\. Received: 'when', 'y'",
        ),
    ],
)
def test_too_little_of_a_series_is_refused_with_the_reason(tmp_path, hourly, text, message):
    file = tmp_path / "latest.csv"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"^--csv .*" + message):
        question_files.from_csv(file, hourly, WINDOWS)


def test_what_is_asked_without_rows_or_by_another_way_is_refused(tmp_path, table):
    file = tmp_path / "new.csv"
    file.write_text("rooms\n")
    with pytest.raises(UsageError, match=r"--csv .*new\.csv: expected rows below .*Received: none"):
        question_files.from_csv(file, table, ROOMS)
    with pytest.raises(UsageError, match=r"takes: image_bytes\. Received: --csv\. Ask by --image"):
        question_files.from_csv(file, UNKNOWN, asked_by(image_bytes=STRING))
    with pytest.raises(UsageError, match=r"--csv: expected a forecaster that a run under --root"):
        question_files.from_csv(file, UNKNOWN, WINDOWS)
    with pytest.raises(UsageError, match=r"--csv .*: expected a file\. Received: a folder, not"):
        question_files.from_csv(tmp_path, table, ROOMS)


def test_a_spec_is_read_only_where_it_is_still_on_disk(toy, hourly):
    with toy.store.session() as session:
        record = next(toy.store.outputs(session, "toy", "analysed"))
        file = specs.Path(record.uri) / "analysis.json"
    file.parent.rmtree()
    assert origin.find(toy.store, "toy").spec is None


def test_a_gzipped_table_cut_short_is_named(table, tmp_path):
    file = tmp_path / "asked.csv.gz"
    file.write_bytes(gzip.compress(b"sold,rooms,town\n31.12.2020,3,Cork\n" * 9)[:-20])
    with pytest.raises(UsageError, match=r"asked\.csv\.gz: expected a gzipped file.*ended before"):
        question_files.from_csv(file, table, ROOMS)


def test_a_gzipped_series_cut_short_is_named(hourly, tmp_path):
    file = tmp_path / "asked.csv.gz"
    file.write_bytes(gzip.compress(b"when,y,k\n2020-01-01T01,1,1\n" * 9)[:-20])
    with pytest.raises(UsageError, match=r"asked\.csv\.gz: expected a gzipped file.*ended before"):
        question_files.from_csv(file, hourly, WINDOWS)


def test_a_damaged_spec_is_refused(toy, hourly):
    with toy.store.session() as session:
        record = next(toy.store.outputs(session, "toy", "analysed"))
    (specs.Path(record.uri) / "analysis.json").write_text("{")
    with pytest.raises(DataError, match=r"analysis\.json has 1 bytes instead of .*verify --repair"):
        origin.find(toy.store, "toy")
