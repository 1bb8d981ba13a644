"""The real command on a series: from a CSV to a blessed forecaster that is served."""

import json
import pathlib

import numpy as np
import pytest

from tests.command import millrace

QUICK = ("trainer.model=dense", "trainer.model.units=[]", "trainer.epochs=40")
SETTINGS = ("series_example_gen.folds=2", *QUICK, "analyze.features.difference=previous")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("series")
    rows = ["when;load;holiday"]
    noise = np.random.default_rng(1).normal(size=900)
    for hour in range(900):
        time = np.datetime64("2024-01-01T00") + hour
        value = 100 + 30 * np.sin(hour * 2 * np.pi / 24) + noise[hour]
        rows.append(f"{time};{value:.3f};{hour // 24 % 7 // 5}")
    (folder / "load.csv").write_text("\n".join(rows[:500] + rows[502:]))
    options = [f"--set={each}" for each in SETTINGS]
    options.append("--set=series_example_gen.known=holiday")
    options.append('--set=analyze.features.calendar=["hour"]')
    data = ["--data", folder / "load.csv", "--root", folder / "root"]
    done = millrace("run", "forecaster", *data, *options, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "root", json.loads(done.stdout)


def test_a_backtest_trains_anew_for_each_fold_and_pushes_nothing(run):
    root, _ = run
    options = [f"--set={each}" for each in (*QUICK, "series_example_gen.targets=load")]
    asked = ("forecaster", "--data", root.parent / "load.csv", "--root", root, "--folds", 2)
    done = millrace("backtest", *asked, *options, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    first, second = told["folds"]
    assert (first["fold"], first["rows"], second["fold"], second["rows"]) == (1, 42, 2, 43)
    assert first["metrics"]["mae"] != second["metrics"]["mae"]
    # 900 hours: train is the first 630, and grows by the half of the test period that came first.
    assert (first["train_rows"], second["train_rows"]) == (630, 697)
    assert first["start"] < first["end"] < second["start"] < second["end"]
    assert told["mean"]["mae"] == pytest.approx(
        (first["metrics"]["mae"] + second["metrics"]["mae"]) / 2
    )
    assert sorted(told["deviation"]) == ["mae", "mase", "moving_average_mae", "naive_mae"]
    assert "seasonal_naive_mae" in first["metrics"]
    assert [path.name for path in (root / "serving").iterdir()] == ["forecaster"]


def test_only_a_series_can_be_backtested(tmp_path):
    done = millrace("backtest", "line-fit", "--root", tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(
        "millrace: Recipe line-fit: expected one of a series. Received: one of the kind table."
    )


def artifact(run, step):
    (found,) = [item for item in run[1]["steps"] if item["step"] == step]
    return pathlib.Path(found["output"])


def test_it_beats_its_baselines_and_is_pushed(run):
    metrics = json.loads((artifact(run, "evaluator") / "metrics.json").read_text())
    assert metrics["objections"] == []
    reasons = json.loads((artifact(run, "evaluator") / "reasons.json").read_text())
    assert reasons[:-1] == metrics["merits"]
    found = metrics["metrics"]
    rivals = ("naive_mae", "seasonal_naive_mae", "moving_average_mae")
    assert found["mae"] < min(found[name] for name in rivals)
    assert found["mae"] < 2.0
    assert set(metrics["folds"]) == {"1", "2"}
    assert list((run[0] / "serving" / "forecaster").iterdir())


def test_the_choices_follow_from_the_data(run):
    spec = json.loads((artifact(run, "analyze") / "analysis.json").read_text())
    assert (spec["targets"], spec["known"]) == (["load"], ["holiday"])
    assert (spec["season"], spec["lookback"], spec["frequency"]) == (24, 48, "h")
    examples = json.loads((artifact(run, "series_example_gen") / "examples.json").read_text())
    assert (examples["notes"]["added"], examples["notes"]["filled"]) == (2, 4)


def test_the_served_model_answers_as_the_trained_one(run):
    described = json.loads((artifact(run, "export") / "model.json").read_text())
    assert described["check"]["largest_difference"] <= 1e-3
    inputs = described["signatures"]["serving_default"]["inputs"]
    assert inputs["window"]["shape"][1:] == [48, 3]
    assert inputs["known"]["shape"][1:] == [1, 1]


def test_the_plots_and_the_forecasts_are_there(run):
    names = {path.name for path in artifact(run, "evaluator").iterdir()}
    assert {"forecast.png", "residuals.png", "error_by_step.png", "forecasts.csv"} <= names


def test_the_latest_rows_of_a_file_are_forecast_with_their_time(run, tmp_path):
    rows = [f"{np.datetime64('2024-03-01T00') + hour};{100 + hour % 24};0" for hour in range(60)]
    (tmp_path / "now.csv").write_text("\n".join(["when;load;holiday", *rows, "2024-03-03T12;;1"]))
    done = millrace("predict", "forecaster", "--csv", tmp_path / "now.csv", "--root", run[0])
    assert done.returncode == 0, done.stderr
    head, line = (text.split("\t") for text in done.stdout.splitlines())
    assert head == ["window", "time", "forecast"]
    assert line[:2] == ["now.csv", "2024-03-03 12:00:00"]

    asked = ("infer", "forecaster", "--data", tmp_path / "now.csv", "--root", run[0], "--json")
    done = millrace(*asked)
    assert done.returncode == 0, done.stderr
    _, step = json.loads(done.stdout)["steps"]
    (answer,) = pathlib.Path(step["output"], "predictions.jsonl").read_text().splitlines()
    found = json.loads(answer)
    assert (found["filename"], found["times"]) == ("now.csv", ["2024-03-03 12:00:00"])
    assert f"{found['forecast'][0][0]:.6g}" == line[2]


def test_a_recipe_without_its_data_says_what_it_needs(tmp_path):
    done = millrace("run", "sunspots", "--root", tmp_path)
    assert done.returncode != 0
    assert "expected --data PATH, a CSV file of times and values" in done.stdout + done.stderr
