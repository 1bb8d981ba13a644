"""The real command on a series: from a CSV to a blessed forecaster that is served."""

import csv
import json
import pathlib

import numpy as np
import pytest

from tests.command import millrace

QUICK = (
    "analyze.features.lookback=49",
    *("trainer.model=dense", "trainer.model.units=[]", "trainer.epochs=40"),
)
SETTINGS = ("series_example_gen.folds=2", *QUICK, "analyze.features.difference=season")


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


def test_a_backtest_trains_again_for_each_fold_and_pushes_nothing(run):
    root, _ = run
    options = [f"--set={each}" for each in (*QUICK, "series_example_gen.targets=load")]
    asked = ("forecaster", "--data", root.parent / "load.csv", "--root", root, "--folds", 2)
    done = millrace("backtest", *asked, *options, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    first, second = told["folds"]
    # Every row of the test period is judged, by windows that look back over the cut.
    assert (first["fold"], first["rows"], second["fold"], second["rows"]) == (1, 67, 2, 68)
    assert first["metrics"]["mae"] != second["metrics"]["mae"]
    # 900 hours: train is the first 630, and grows by the half of the test period that came first.
    assert (first["train_rows"], second["train_rows"]) == (630, 697)
    assert first["start"] < first["end"] < second["start"] < second["end"]
    assert told["mean"]["mae"] == pytest.approx(
        (first["metrics"]["mae"] + second["metrics"]["mae"]) / 2
    )
    assert sorted(told["deviation"]) == [
        *("constant_mae", "mae", "mase", "moving_average_mae", "naive_mae", "seasonal_naive_mae")
    ]
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
    assert reasons[:-1] == [*metrics["merits"], *metrics["warnings"]]
    found = metrics["metrics"]
    baselines = ("naive_mae", "seasonal_naive_mae", "moving_average_mae")
    assert found["mae"] < min(found[name] for name in baselines)
    assert found["mae"] < 2.0
    assert set(metrics["folds"]) == {"1", "2"}
    assert list((run[0] / "serving" / "forecaster").iterdir())


def test_the_choices_follow_from_the_data(run):
    spec = json.loads((artifact(run, "analyze") / "analysis.json").read_text())
    assert (spec["targets"], spec["known"]) == (["load"], ["holiday"])
    assert (spec["season"], spec["lookback"], spec["frequency"]) == (24, 49, "h")
    examples = json.loads((artifact(run, "series_example_gen") / "examples.json").read_text())
    assert (examples["notes"]["added"], examples["notes"]["missing"]) == (2, 4)
    assert spec["fill"] == {"impute": "linear", "season": 24, "level": spec["offset"]}


def test_the_served_model_answers_as_the_trained_one(run):
    described = json.loads((artifact(run, "export") / "model.json").read_text())
    assert described["check"]["largest_difference"] <= 1e-3
    inputs = described["signatures"]["serving_default"]["inputs"]
    assert inputs["window"]["shape"][1:] == [49, 3]
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
    assert head == ["window", "time", "forecast", "80 %", "95 %"]
    assert line[:2] == ["now.csv", "2024-03-03 12:00:00"]

    asked = ("infer", "forecaster", "--data", tmp_path / "now.csv", "--root", run[0], "--json")
    done = millrace(*asked)
    assert done.returncode == 0, done.stderr
    _, step = json.loads(done.stdout)["steps"]
    (answer,) = pathlib.Path(step["output"], "predictions.jsonl").read_text().splitlines()
    found = json.loads(answer)
    assert (found["filename"], found["times"]) == ("now.csv", ["2024-03-03 12:00:00"])
    assert f"{found['forecast'][0][0]:.9g}" == line[2]


def test_gaps_in_a_file_are_filled_by_the_served_model_from_their_past(run, tmp_path):
    """Asked about by `predict` and by `infer`; a row is missing, and the cells before the last."""
    loads = [100.0 + hour % 24 for hour in range(60)]
    line = [*loads[:20], (loads[19] + loads[21]) / 2, *loads[21:56], 110.0, 112.0, 114.0, 116.0]
    line[55] = 108.0

    def answer(name, cells):
        rows = [f"{np.datetime64('2024-03-01T00') + hour};{cell};0" for hour, cell in cells]
        text = "\n".join(["when;load;holiday", *rows, "2024-03-03T12;;1"])
        (tmp_path / name).write_text(text)
        asked = ("forecaster", "--root", run[0], "--json")
        done = millrace("predict", *asked, "--csv", tmp_path / name)
        assert done.returncode == 0, done.stderr
        (one,) = json.loads(done.stdout)["predictions"]
        done = millrace("infer", *asked, "--data", tmp_path / name)
        assert done.returncode == 0, done.stderr
        (*_, step) = json.loads(done.stdout)["steps"]
        many = pathlib.Path(step["output"], "predictions.jsonl").read_text()
        assert np.ravel(json.loads(many)["forecast"]) == pytest.approx(np.ravel(one["forecast"]))
        return one["forecast"][0]

    gaps = {20, 56, 57, 58}
    lacking = [(hour, "" if hour > 50 else cell) for hour, cell in enumerate(line) if hour in gaps]
    kept = [(hour, cell) for hour, cell in enumerate(line) if hour not in gaps]
    found = answer("gaps.csv", sorted([*kept, *lacking[1:]]))
    assert found == pytest.approx(answer("line.csv", list(enumerate(line))))
    assert found != pytest.approx(answer("last.csv", [*enumerate(line[:59]), (59, 130.0)]))


def _write_noise(file):
    """Dates, values and which of these are not in the file, 22 % of them."""
    rng = np.random.default_rng(3)
    values, lacks = rng.normal(10, 1, 3000), rng.random(3000) < 0.22
    lacks[-1] = False  # a row without a value at the end would be none
    dates = np.datetime64("2015-01-01") + np.arange(3000)
    cells = ["" if lack else f"{value:.4f}" for value, lack in zip(values, lacks, strict=True)]
    rows = [f"{date},{cell}" for date, cell in zip(dates, cells, strict=True)]
    file.write_text("\n".join(["date,y", *rows]))
    return dates, values, lacks


def test_noise_with_gaps_is_judged_by_what_was_observed_and_nothing_forecasts_it(tmp_path):
    """White noise: no forecast can be better than its mean."""
    dates, values, lacks = _write_noise(tmp_path / "noise.csv")
    options = ("difference=none", "lookback=14")
    settings = [f"--set=analyze.features.{option}" for option in options]
    settings += ["--set=trainer.epochs=30", "--set=trainer.learning_rate=0.003"]
    asked = ("run", "forecaster", "--data", tmp_path / "noise.csv", "--root", tmp_path / "root")
    done = millrace(*asked, *settings, "--to", "evaluator", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    steps = {step["step"]: step["output"] for step in json.loads(done.stdout)["steps"]}
    evaluation = pathlib.Path(steps["evaluator"])
    metrics = json.loads((evaluation / "metrics.json").read_text())
    known = ~lacks[2550:]
    best = float(np.abs(values[2550:][known] - values[:2100][~lacks[:2100]].mean()).mean())
    assert metrics["metrics"]["constant_mae"] == pytest.approx(best, abs=1e-3)
    assert metrics["metrics"]["mae"] == pytest.approx(best, abs=0.03)  # it was 0.1 better
    assert (metrics["judged"], metrics["unknown"], metrics["count"]) == (
        known.sum(),
        0,
        known.sum(),
    )
    beaten = metrics["metrics"]["mae"] < metrics["metrics"]["constant_mae"]
    assert (evaluation / "BLESSED").exists() == beaten
    reasons = json.loads((evaluation / "reasons.json").read_text())
    assert reasons[-1].endswith(f"{known.sum()} rows of split 'test', {known.sum()} known targets")
    with (evaluation / "forecasts.csv").open() as file:
        judged = [line["time"][:10] for line in csv.DictReader(file)]
    assert judged == [str(date) for date in dates[2550:][known]]
    notes = json.loads((pathlib.Path(steps["transform"]) / "examples.json").read_text())["notes"]
    assert notes["test: windows without a known target"] == lacks[2550:].sum()


def test_a_recipe_without_its_data_says_what_it_needs(tmp_path):
    done = millrace("run", "sunspots", "--root", tmp_path)
    assert done.returncode != 0
    assert "expected --data PATH, a CSV file of times and values" in done.stdout + done.stderr
