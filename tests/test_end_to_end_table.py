"""From tables to answers over gRPC: the real command, the real server, a real socket."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from millrace.components.artifacts import Analysis, Evaluation, Examples, TrainedModel
from millrace.components.features import spec as specs
from millrace.components.files.tfrecord import read_records
from millrace.pipeline.pushed import write_model_config
from millrace.pipeline.root import Root
from millrace.serving.client import Client
from millrace.serving.example import decode
from millrace.serving.flags import Options
from millrace.serving.launch import launch
from millrace.serving.server import ModelServer
from tests.command import millrace
from tests.serving.conftest import free_port


def run(recipe, root, *more):
    done = millrace("run", recipe, "--root", root, "--json", *more)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


def outputs(told):
    return {step["step"]: Path(step["output"]) for step in told["steps"]}


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """The course's first lesson, once, and a server on its model."""
    root = tmp_path_factory.mktemp("line") / "root"
    told = run("line-fit", root)
    with (
        launch(root / "serving" / "line-fit", "line-fit") as server,
        Client(server.target) as client,
    ):
        yield told, client


def test_one_unit_learns_the_line_and_ten_gives_nineteen(line):
    told, client = line
    assert told["blessed"] is True
    answer = client.predict("line-fit", {"x": np.float32([10, -1])})["prediction"]
    assert answer.dtype == np.float32
    assert answer[0] == pytest.approx(19, abs=0.1)
    assert answer[1] == pytest.approx(-3, abs=0.1)


def test_all_six_points_are_trained_on_and_judged_by(line):
    told, _ = line
    assert Examples(outputs(told)["csv_example_gen"]).counts == {"train": 6}
    found = json.loads((outputs(told)["evaluator"] / "metrics.json").read_text())
    assert (found["split"], found["count"]) == ("train", 6)
    assert found["metrics"]["r2"] > 0.999
    assert found["mean_predictor"]["prediction"] == 2.0
    assert found["mean_predictor"]["splits"]["train"]["metrics"]["mae"] == 3.0
    (merit,) = found["merits"]
    assert merit.endswith("beats 11.6667, which the train split's mean 2 reaches on the same rows")


def test_a_line_that_fits_worse_does_not_replace_a_better_one_unless_that_is_allowed(line):
    told, _ = line
    root = Path(told["pushed"]).parents[2]
    worse = run("line-fit", root, "--set", "trainer.epochs=100")
    assert (worse["blessed"], worse["pushed"]) == (False, None)
    assert worse["baseline"] == told["metrics"]
    was, now = told["metrics"]["mae"], worse["metrics"]["mae"]
    objection = worse["reasons"][0]
    assert objection.startswith(f"mae: was {was:.6g}, now {now:.6g} on the same 6 rows; change ")
    allowed = objection.partition(" or allow the drop by ")[2]
    assert allowed.startswith("evaluator.change_at_most.mae=0.")

    again = run("line-fit", root, "--set", "trainer.epochs=100")
    (evaluator,) = [step for step in again["steps"] if step["step"] == "evaluator"]
    assert (evaluator["status"], again["reasons"]) == ("cached", worse["reasons"])

    accepted = run("line-fit", root, "--set", "trainer.epochs=100", "--set", allowed)
    assert accepted["blessed"] is True
    assert accepted["pushed"] not in (None, told["pushed"])


def test_regress_answers_records_as_predict_answers_columns(line):
    _, client = line
    rows = [{"x": np.float32([10])}, {"x": np.float32([4])}]
    results = client.regress("line-fit", rows, signature="regress")
    predicted = client.predict("line-fit", {"x": np.float32([10, 4])})["prediction"]
    assert np.abs(np.array(results) - predicted).max() == 0


def write_table(file, rows, towns, seed):
    """Rows whose class follows from a measure and a town, a tenth of the cells missing."""
    random = np.random.default_rng(seed)
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened, delimiter=";")
        writer.writerow(["Height (m)", "rooms", "Town", "kind"])
        for number in range(rows):
            height, rooms, town = (
                random.uniform(1, 30),
                random.integers(1, 10),
                random.choice(towns),
            )
            kind = "tower" if height > 12 else "hut" if town == "Oslo" else "house"
            cells = [f"{height:.2f}".replace(".", ","), rooms, town]
            if number % 10 == 0:
                cells[number // 10 % 3] = "NA"
            writer.writerow([*cells, kind])


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A table of anybody's: numbers, a category, missing cells, a town that only the test has."""
    folder = tmp_path_factory.mktemp("mixed")
    write_table(folder / "train.csv", 600, ["Oslo", "Bergen", "Molde"], 1)
    write_table(folder / "test.csv", 150, ["Oslo", "Bergen", "Rome"], 2)
    root = tmp_path_factory.mktemp("root")
    settings = ["trainer.epochs=25", "trainer.learning_rate=0.01"]
    told = run(
        *("tabular", root, "--name", "kinds", "--data", folder),
        *(part for setting in settings for part in ("--set", setting)),
    )
    with launch(root / "serving" / "kinds", "kinds") as server, Client(server.target) as client:
        yield told, client


def columns_of(rows):
    """The model's inputs for raw records; a missing number is NaN, a missing text empty."""

    def numbers(name):
        return np.array([row[name][0] if name in row else np.nan for row in rows], np.float32)

    towns = np.array([row["Town"][0] if "Town" in row else b"" for row in rows], object)
    return {name: numbers(name) for name in ("Height (m)", "rooms")} | {"Town": towns}


@pytest.fixture(scope="module")
def asked(mixed):
    """The test split's raw records, what is asked about them, and what is answered."""
    told, client = mixed
    examples = Examples(outputs(told)["csv_example_gen"])
    rows = [decode(one) for file in examples.files("test") for one in read_records(file)]
    columns = columns_of(rows)
    return rows, columns, client.predict("kinds", columns)


def test_a_mixed_table_makes_a_blessed_model_by_choices_of_its_own(mixed):
    told, _ = mixed
    assert told["blessed"] is True
    assert told["metrics"]["accuracy"] > 0.8
    spec = json.loads((outputs(told)["analyze"] / "analysis.json").read_text())
    assert (spec["target"], spec["problem"]) == ("kind", "classification")
    assert spec["classes"] == ["house", "hut", "tower"]
    assert [number["indicator"] for number in spec["numbers"]] == [True, True]
    assert spec["discrete"][0]["vocabulary"] == ["Bergen", "Molde", "Oslo"]


def test_the_served_accuracy_is_the_evaluators(mixed, asked):
    told, _ = mixed
    rows, _, answers = asked
    truth = np.array([row["kind"][0] for row in rows])
    evaluated = Evaluation(outputs(told)["evaluator"]).metrics["accuracy"]
    assert float(np.mean(answers["class"] == truth)) == pytest.approx(evaluated, abs=1e-9)


def test_missing_cells_and_unseen_towns_are_answered_as_in_training(mixed, asked):
    from millrace.components.models import build

    told, client = mixed
    _, columns, answers = asked
    assert np.isnan(columns["Height (m)"]).any()
    assert {b"", b"Rome"} <= set(columns["Town"])
    assert np.isfinite(answers["scores"]).all()
    transformed = Examples(outputs(told)["transform"])
    inputs = [decode(one) for file in transformed.files("test") for one in read_records(file)]
    spec = specs.read(Analysis(outputs(told)["analyze"]).file)
    model = build.load(TrainedModel(outputs(told)["trainer"]).keras_file, spec)
    trained = model.predict(
        {
            "numeric": np.stack([each["numeric"] for each in inputs]),
            "categorical": np.stack([each["categorical"] for each in inputs]).astype(np.int32),
        },
        verbose=0,
    )
    assert float(np.abs(answers["scores"] - trained).max()) < 1e-6
    unseen = {"Height (m)": np.float32([25]), "rooms": np.float32([2]), "Town": [b"Nowhere"]}
    assert client.predict("kinds", unseen)["class"].tolist() == [b"tower"]


def test_rows_are_asked_by_columns_and_by_a_file_as_the_training_data_was(mixed, tmp_path):
    told, _ = mixed
    root = Path(told["pushed"]).parents[2]
    (tmp_path / "new.csv").write_text("Town;kind;Height (m)\nOslo;?;25,5\nOslo;hut;high\n")
    asked = ["Height (m)=25", "Town=Oslo", "--csv", tmp_path / "new.csv"]
    done = millrace("predict", "kinds", *asked, "--root", root, "--json")
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)["predictions"]
    assert [(one["input"], one["class"]) for one in answers] == [
        ("Height (m)=25, Town=Oslo", "tower"),
        ("line 2", "tower"),
    ]
    assert done.stderr == (
        "left out: new.csv, line 3: column 'Height (m)': expected a number within float32 with a "
        "decimal ',', received 'high'\n"
    )


def test_infer_reads_a_table_as_the_training_data_was(mixed, tmp_path):
    told, _ = mixed
    root = Path(told["pushed"]).parents[2]
    rows = "Oslo;?;25,5\nOslo;hut;high\nNowhere;;25\n"
    (tmp_path / "new.csv").write_text(f"Town;kind;Height (m)\n{rows}")
    asked = ("infer", "kinds", "--data", tmp_path / "new.csv", "--root", root, "--json")
    done = millrace(*asked, "--set", "unlabelled_example_gen.max_rejected=0.5")
    assert done.returncode == 0, done.stderr
    _, step = json.loads(done.stdout)["steps"]
    lines = Path(step["output"], "predictions.jsonl").read_text().splitlines()
    found = [(line["filename"], line["class"]) for line in map(json.loads, lines)]
    assert found == [("new.csv, line 2", "tower"), ("new.csv, line 4", "tower")]


def ask_and_log(root, log, columns):
    """Serve the model with a log of its requests, and ask it."""
    port = free_port()
    config = write_model_config(Root(root), ["kinds"], log)
    server = ModelServer(Options(port=port, model_config_file=str(config)))
    assert server.start()
    with Client(f"127.0.0.1:{port}") as client:
        for start in range(0, len(columns["Town"]), 10):
            part = {name: values[start : start + 10] for name, values in columns.items()}
            client.predict("kinds", part)
    server.stop()


def skew(root, log):
    done = millrace("skew", "kinds", "--log", log, "--root", root, "--json", "--fail-on-anomaly")
    told = json.loads(done.stdout)
    values = {one["feature"]: one["value"] for one in told["distances"]}
    return done.returncode, {(one["feature"], one["kind"]) for one in told["anomalies"]}, values


def test_requests_like_the_training_data_show_no_skew_and_others_do(mixed, tmp_path):
    """The train split's own rows asked again; then the same rows in feet, from elsewhere."""
    told, _ = mixed
    root = Path(told["pushed"]).parents[2]
    examples = Examples(outputs(told)["csv_example_gen"])
    rows = [decode(one) for file in examples.files("train") for one in read_records(file)]
    columns = columns_of(rows)
    ask_and_log(root, tmp_path / "alike", columns)
    assert skew(root, tmp_path / "alike") == (
        0,
        set(),
        {"Height (m)": 0.0, "Town": 0.0, "rooms": 0.0},
    )
    columns["Height (m)"] = columns["Height (m)"] * np.float32(3.28)
    columns["Town"] = np.where(columns["Town"] == b"Oslo", b"Rome", columns["Town"]).astype(object)
    ask_and_log(root, tmp_path / "shifted", columns)
    status, anomalies, values = skew(root, tmp_path / "shifted")
    assert status == 3
    assert anomalies == {
        ("Height (m)", "COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH"),
        ("Town", "COMPARATOR_L_INFTY_HIGH"),
        ("Town", "ENUM_TYPE_UNEXPECTED_STRING_VALUES"),
    }
    assert values["rooms"] == 0.0
