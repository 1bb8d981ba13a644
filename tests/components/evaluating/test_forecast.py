"""Forecasts scored beside baselines on the same rows, merged, written, and objected to."""

import csv
import dataclasses
import json

import numpy as np
import pytest
from etils.epath import Path
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.components.charts import style
from millrace.components.errors import ModelError
from millrace.components.evaluating import forecast, forecast_files, forecast_plots
from millrace.components.evaluating.forecast import ScoredForecast
from millrace.components.evaluating.forecast_rows import ForecastRows, WindowSpec
from millrace.components.evaluating.scoring import EvalConfig
from millrace.components.evaluating.simple_baselines import BaselineResults
from tests.components.asked import Asked, features_of, rows_of

MODEL = {
    "targets": ["y"],
    "covariates": [],
    "known": [],
    "calendar": ["hour"],
    "lookback": 4,
    "horizon": 2,
    "season": 3,
    "average": 2,
    "naive_error": [2.0],
    "frequency": "h",
}
SPEC = WindowSpec.of(MODEL)
CONFIG = EvalConfig("", (), 8, 2, must_beat=("naive", "moving_average"), model=MODEL)


def record(number, series="a", fold=1):
    own = number + np.arange(6, dtype=np.float32)
    window = np.stack([own[:4], np.zeros(4)], axis=1)
    return Asked(
        series,
        f"record {number}",
        {
            "window": window.astype(np.float32).ravel(),
            "future": own[4:],
            "series": [series.encode()],
            "time": np.array([3600 * number], np.int64),
            "fold": np.array([fold], np.int64),
        },
    )


def model(off):
    """A forecaster that is off by `off` from the truth at every step."""

    def predict(rows):
        future = np.stack([features["future"] for features in features_of(rows)])
        return {"forecast": (future + off).reshape(-1, 2, 1).astype(np.float32)}

    return predict


def score(rows, *offs, split="test"):
    return forecast.score_batch(split, rows_of(rows), [model(off) for off in offs], CONFIG)


def written(tmp_path, *parts, config=CONFIG):
    scored = ScoredForecast.merged(parts, config.mistakes)
    forecast_files.write(scored, tmp_path, ["eval", "test"], config)
    return json.loads((tmp_path / "metrics.json").read_text())


def test_the_model_and_the_baselines_are_compared_on_the_same_rows(tmp_path):
    found = written(tmp_path, score([record(n) for n in range(5)], 0.5))
    # of a line that rises by 1: naive is off by 1 and 2, its mean of two by 1.5 and 2.5, and the
    # value three before by 3 and 3
    assert found["metrics"] == {
        **{"mae": 0.5, "mse": 0.25, "rmse": 0.5, "mase": 0.25},
        **{name: pytest.approx(found["metrics"][name]) for name in ("mape", "smape")},
        **{"naive_mae": 1.5, "seasonal_naive_mae": 3.0, "moving_average_mae": 2.0},
    }
    assert (found["split"], found["count"], found["objections"]) == ("test", 5, [])
    assert found["merits"] == ["mae 0.5 beats naive's 1.5 and moving_average's 2 on the same rows"]
    assert [step["mae"] for step in found["steps"]] == [0.5, 0.5]
    assert found["baselines"]["naive"]["mase"] == 0.75


def test_folds_series_and_the_last_blessed_model_have_figures_of_their_own(tmp_path):
    rows = [record(n, "ab"[n % 2], fold=1 + n // 2) for n in range(4)]
    found = written(tmp_path, score(rows, 0.5, 0.25), score(rows[:1], 0.5, 0.25, split="eval"))
    assert {fold: part["mae"] for fold, part in found["folds"].items()} == {"1": 0.5, "2": 0.5}
    assert found["baseline"]["metrics"]["mae"] == 0.25
    assert found["change"]["mae"] == 0.25
    assert found["splits"]["eval"]["count"] == 1
    slices = json.loads((tmp_path / "slices.json").read_text())
    assert [each["intervals"] for each in slices] == [{}] * 4  # two times are too few
    assert [(each["split"], each["feature"], each["value"], each["count"]) for each in slices] == [
        ("test", "series", "a", 2),
        ("test", "series", "b", 2),
        ("test", "fold", "1", 2),
        ("test", "fold", "2", 2),
    ]


@settings(max_examples=25)
@given(st.permutations(range(6)), st.integers(1, 5))
def test_any_partition_in_any_order_gives_the_same_rows(order, cut):
    rows = [record(n, "ab"[n % 2]) for n in range(6)]
    whole = ForecastRows.joined(score(rows, 0.3).parts)
    shuffled = [rows[n] for n in order]
    merged = ScoredForecast.merged([score(shuffled[:cut], 0.3), score(shuffled[cut:], 0.3)], 9)
    parts = ForecastRows.joined(merged.parts)
    assert parts.time.tolist() == whole.time.tolist()
    assert parts.series.tolist() == whole.series.tolist()
    assert forecast_files.metrics_of(parts, SPEC) == forecast_files.metrics_of(whole, SPEC)


GAPS = dataclasses.replace(
    CONFIG,
    model=MODEL | {"mean": [1.0], "fill": {"impute": "linear", "season": 1, "level": [1.0, 0.0]}},
)
GAPS_SPEC = WindowSpec.of(GAPS.model)


def with_gaps(number, window=(), future=(), **more):
    """A record that lacks the given cells of its window and its future."""
    found = record(number, **more)
    for name, places in (("window", [2 * place for place in window]), ("future", future)):
        values = found.features[name].copy()
        values[list(places)] = np.nan
        found.features[name] = values
    return found


def test_targets_that_are_not_known_judge_nobody_and_are_counted(tmp_path):
    rows = [with_gaps(0, future=[1]), with_gaps(1), with_gaps(2, future=[0])]
    truth = [np.float32([each + 4, each + 5]) for each in range(3)]

    def predict(asked):  # off by 0.5 where a target is known, and by far elsewhere
        known = [np.isfinite(each["future"]) for each in features_of(asked)]
        found = [np.where(k, t + 0.5, 1e6) for k, t in zip(known, truth, strict=True)]
        return {"forecast": np.stack(found).reshape(-1, 2, 1).astype(np.float32)}

    scored = forecast.score_batch("test", rows_of(rows), [predict], GAPS)
    found = written(tmp_path, scored)
    assert (found["count"], found["judged"], found["unknown"]) == (3, 4, 2)
    assert (found["splits"]["test"]["judged"], found["splits"]["test"]["unknown"]) == (4, 2)
    # naive is off by 1, 1, 2, 2; the mean of the train split, which is 1, by 3, 4, 5, 6
    assert found["metrics"] | {"mape": 0, "smape": 0} == {
        **{"mae": 0.5, "mse": 0.25, "rmse": 0.5, "mase": 0.25, "mape": 0, "smape": 0},
        **{"constant_mae": 4.5, "naive_mae": 1.5, "seasonal_naive_mae": 3.0},
        "moving_average_mae": 2.0,
    }
    assert [step["mae"] for step in found["steps"]] == [0.5, 0.5]
    lines = list(csv.DictReader((tmp_path / "forecasts.csv").read_text().splitlines()))
    assert [line["actual"] for line in lines] == ["4", "", "5", "6", "", "7"]
    worst = list(map(json.loads, (tmp_path / "mistakes.jsonl").read_text().splitlines()))
    assert (worst[0]["actual"], worst[0]["mae"]) == ([[4.0], [None]], 0.5)


def test_a_step_of_which_no_target_is_known_has_no_figures_and_is_not_drawn(tmp_path):
    rows = [with_gaps(number, future=[0]) for number in range(3)]
    ones = {"forecast": np.ones((3, 2, 1))}
    scored = forecast.score_batch("test", rows_of(rows), [lambda _: ones], GAPS)
    found = written(tmp_path, scored)
    assert [sorted(step)[:1] for step in found["steps"]] == [[], ["mae"]]
    (axes,) = forecast_plots.error_by_step(ForecastRows.joined(scored.parts)).axes
    assert axes.get_lines()[0].get_xdata().tolist() == [2]


def test_the_baselines_see_windows_filled_as_the_model_does():
    own = [0.0, np.nan, 2.0, np.nan]
    window = np.stack([own, np.zeros(4)], axis=1).astype(np.float32)
    rows = [record(0), record(1)]
    rows[1].features["window"] = window.ravel()
    (part,) = forecast.score_batch("test", rows_of(rows), [model(0.0)], GAPS).parts
    assert part.forecasts["naive"][1].tolist() == [[2], [2]]  # 0, 1, 2, 2
    assert part.forecasts["moving_average"][1].tolist() == [[2], [2]]
    assert part.forecasts["seasonal_naive"][1].tolist() == [[1], [2]]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.booleans(), min_size=8, max_size=8), st.floats(-1e6, 1e6))
def test_no_figure_depends_on_what_stands_for_an_unknown_target(lacks, made_up):
    rows = [with_gaps(n, future=[i for i in (0, 1) if lacks[2 * n + i]]) for n in range(4)]
    rows = [row for row in rows if np.isfinite(row.features["future"]).any()]
    if not rows:
        return
    answers = np.where(lacks, made_up, 7.0).reshape(4, 2, 1).astype(np.float32)
    kept = [n for n in range(4) if not (lacks[2 * n] and lacks[2 * n + 1])]

    def figures(forecasts):
        answers = {"forecast": forecasts[kept]}
        scored = forecast.score_batch("test", rows_of(rows), [lambda _: answers], GAPS)
        found = ForecastRows.joined(scored.parts)
        return forecast_files.metrics_of(found, GAPS_SPEC), forecast_files.known(found)

    assert figures(answers) == figures(np.full((4, 2, 1), 7.0, np.float32))
    assert figures(answers)[1] == {
        "judged": lacks.count(False),
        "unknown": 2 * len(kept) - lacks.count(False),
    }


def test_a_model_that_does_not_beat_its_baselines_is_objected_to(tmp_path):
    found = written(tmp_path, score([record(n) for n in range(3)], 1.5))
    assert found["merits"] == ["mae 1.5 beats moving_average's 2 on the same rows"]
    assert found["objections"] == [
        "mae: expected less than naive's 1.5 on the same rows. Received: 1.5. Improve the model, "
        "or leave naive out of evaluator.must_beat"
    ]


def test_what_must_be_beaten_is_an_option():
    metrics = {"mae": 2.0, "naive_mae": 1.0}
    assert forecast_files.against_baselines(metrics, ()) == BaselineResults()
    found = forecast_files.against_baselines(metrics, ("naive", "seasonal_naive"))
    assert found.objections == (
        "must_beat: expected a baseline that the windows allow. Received: 'seasonal_naive'. Look "
        "back further (analyze.features.lookback) or leave it out of evaluator.must_beat",
        "mae: expected less than naive's 1 on the same rows. Received: 2. Improve the model, "
        "or leave naive out of evaluator.must_beat",
    )


def test_every_baseline_that_is_scored_is_to_be_beaten_unless_some_are_named():
    metrics = {"mae": 1.0, "naive_mae": 2.0, "moving_average_mae": 3.0}
    found = forecast_files.against_baselines(metrics, None)
    assert found == BaselineResults(
        merits=("mae 1 beats naive's 2 and moving_average's 3 on the same rows",)
    )
    found = forecast_files.against_baselines(metrics | {"seasonal_naive_mae": 0.0}, None)
    assert found.objections == (
        "mae: expected no more than seasonal_naive's 0 on the same rows. Received: 1. Improve the "
        "model, or leave seasonal_naive out of evaluator.must_beat",
    )


def season(number):
    """A record of a series that repeats itself every three rows: 16, 17, 18."""
    found = record(number)
    own = (16 + (number + np.arange(6)) % 3).astype(np.float32)
    found.features["window"] = np.stack([own[:4], np.zeros(4, np.float32)], axis=1).ravel()
    found.features["future"] = own[4:]
    return found


@pytest.mark.parametrize(("off", "objected"), [(0.0, 0), (2.0**-19, 0), (2.0**-17, 1)])
def test_as_good_as_a_season_that_never_errs_is_enough_within_rounding(tmp_path, off, objected):
    found = written(
        tmp_path,
        score([season(n) for n in range(12)], off),
        config=dataclasses.replace(CONFIG, must_beat=None),
    )
    assert found["metrics"]["seasonal_naive_mae"] == 0.0
    assert (
        found["metrics"]["mae"] == off
    )  # float32 keeps 16 to 2 ** -19; the rounding is 17 / 2**22
    assert len(found["objections"]) == objected


def test_a_constant_series_is_not_objected_to_where_the_model_is_never_off(tmp_path):
    rows = [record(n) for n in range(5)]
    for row in rows:
        row.features["window"] = np.full(8, 7.5, np.float32)
        row.features["future"] = np.full(2, 7.5, np.float32)
    found = written(tmp_path, score(rows, 0.0), config=dataclasses.replace(CONFIG, must_beat=None))
    assert found["objections"] == []
    assert found["merits"] == [
        "mae 0 is as good as naive's 0 and seasonal_naive's 0 and moving_average's 0 on the same "
        "rows"
    ]


def test_windows_that_share_their_steps_count_as_one_in_whether_they_can_judge(
    tmp_path,
):
    # two steps are forecast: of eight windows of one series in a row, four do not overlap
    found = written(tmp_path, score([record(n) for n in range(8)], 0.5))
    assert found["cannot_judge"] == (
        "a model that knows nothing is nearer than the naive forecast in each of 4 windows that do "
        "not overlap 1 time in 16, and 95% confidence allows 1 in 20"
    )
    assert written(tmp_path, score([record(n) for n in range(9)], 0.5))["cannot_judge"] == ""
    two = [record(n, series) for n in range(5) for series in "ab"]
    assert written(tmp_path, score(two, 0.5))["cannot_judge"] == ""


def test_one_window_cannot_judge(tmp_path):
    assert "1 time in 2," in written(tmp_path, score([record(0)], 0.5))["cannot_judge"]


def test_windows_further_apart_than_they_forecast_do_not_overlap():
    assert [
        WindowSpec.of(MODEL | {"horizon": 5, "stride": stride}).overlap for stride in (1, 2, 5, 9)
    ] == [5, 3, 1, 1]


def test_a_forecaster_that_got_worse_is_a_drop(tmp_path):
    found = written(tmp_path, score([record(n) for n in range(20)], 0.5, 0.25))["comparison"]
    assert (found["metric"], found["was"], found["now"], found["rows"]) == ("mae", 0.25, 0.5, 20)
    assert found["is_drop"]
    assert found["said"] == (
        "mae: was 0.25, now 0.5 on the same 20 rows; change 0.25, 95% interval 0.25 to 0.25"
    )
    assert not written(tmp_path, score([record(n) for n in range(20)], 0.25, 0.5))["comparison"][
        "is_drop"
    ]


def test_targets_that_are_not_known_count_in_no_change(tmp_path):
    rows = [with_gaps(n, future=[n % 2] if n % 3 else []) for n in range(20)]

    def off(by):
        def predict(asked):
            known = np.stack([each["future"] for each in features_of(asked)])
            answers = np.where(np.isfinite(known), known + by, 1e6)
            return {"forecast": answers.reshape(-1, 2, 1).astype(np.float32)}

        return predict

    scored = forecast.score_batch("test", rows_of(rows), [off(0.5), off(0.25)], GAPS)
    found = written(tmp_path, scored)["comparison"]
    assert found["said"] == (
        "mae: was 0.25, now 0.5 on the same 20 rows; change 0.25, 95% interval 0.25 to 0.25"
    )
    assert found["is_drop"]


def test_the_mean_of_the_train_split_is_a_baseline_where_the_model_says_it():
    found = forecast_files.against_baselines({"mae": 2.0, "constant_mae": 1.5}, ("constant",))
    assert found.objections == (
        "mae: expected less than constant's 1.5 on the same rows. Received: 2. Improve the model, "
        "or leave constant out of evaluator.must_beat",
    )
    found = forecast_files.against_baselines({"mae": 2.0}, ("constant",))
    said = "constant: not asked, the model does not tell the train split's mean"
    assert found == BaselineResults(not_asked=(said,))


def test_one_step_ahead_is_drawn_as_a_bar_for_each_model_and_more_as_lines():
    rows = ForecastRows.joined(score([record(n) for n in range(5)], 0.5).parts)
    (lines,) = forecast_plots.error_by_step(rows).axes
    assert {line.get_label(): line.get_ydata().tolist() for line in lines.get_lines()} == {
        "this model": [0.5, 0.5],
        "naive": [1.0, 2.0],
        "moving average": [1.5, 2.5],
        "seasonal naive": [3.0, 3.0],
    }
    first = dataclasses.replace(
        rows,
        actual=rows.actual[:, :1],
        forecasts={name: found[:, :1] for name, found in rows.forecasts.items()},
    )
    (bars,) = forecast_plots.error_by_step(first).axes
    names = [label.get_text() for label in bars.get_yticklabels()]
    assert dict(zip(names, (bar.get_width() for bar in bars.patches), strict=True)) == {
        "this model": 0.5,
        "naive": 1.0,
        "moving average": 1.5,
        "seasonal naive": 3.0,
    }


def test_the_last_forecasts_of_several_steps_are_shown_whole_and_do_not_overlap():
    rows = ForecastRows.joined(score([record(n) for n in range(70)], 0.5).parts)
    whole, near = forecast_plots.forecast(rows, SPEC).axes
    assert [line.get_label() for line in whole.get_lines()] == ["actual", "naive", "this model"]
    paths = [line for line in near.get_lines() if line.get_color() == style.MODEL]
    hours = [line.get_xdata().astype("datetime64[h]").astype(int).tolist() for line in paths]
    assert hours == [[69, 70], [67, 68], [65, 66], [63, 64], [61, 62]]
    assert paths[0].get_ydata().tolist() == [69 + 4 + 0.5, 69 + 5 + 0.5]


def test_of_one_step_the_last_rows_are_shown_from_near_by():
    rows = ForecastRows.joined(score([record(n) for n in range(70)], 0.5).parts)
    first = dataclasses.replace(
        rows,
        actual=rows.actual[:, :1],
        forecasts={name: found[:, :1] for name, found in rows.forecasts.items()},
    )
    whole, near = forecast_plots.forecast(first, dataclasses.replace(SPEC, horizon=1)).axes
    assert [len(axes.get_lines()[0].get_xdata()) for axes in (whole, near)] == [70, 60]


def test_forecasts_are_written_line_by_line(tmp_path):
    written(tmp_path, score([record(1), record(0)], 0.5))
    lines = list(csv.DictReader((tmp_path / "forecasts.csv").read_text().splitlines()))
    assert len(lines) == 4
    assert lines[0] == {
        "time": "1970-01-01T00:00:00Z",
        "series": "a",
        "fold": "1",
        "target": "y",
        "step": "1",
        "actual": "4",
        "forecast": "4.5",
        "naive": "3",
        "seasonal_naive": "1",
        "moving_average": "2.5",
    }
    assert {path.name for path in tmp_path.glob("*.png")} == {
        "error_by_step.png",
        "forecast.png",
        "residuals.png",
    }
    worst = list(map(json.loads, (tmp_path / "mistakes.jsonl").read_text().splitlines()))
    assert [(each["time"], each["mae"]) for each in worst] == [
        ("1970-01-01T00:00:00Z", 0.5),
        ("1970-01-01T01:00:00Z", 0.5),
    ]


def test_the_ends_of_intervals_are_written_beside_the_forecasts(tmp_path):
    rows = score([record(0)], 0.5).parts[0]
    ends = np.stack([rows.actual - 1, rows.actual - 2], axis=-1)
    rows = dataclasses.replace(rows, lower=ends, upper=ends + 4)
    forecast_files._write_forecasts(Path(tmp_path) / "forecasts.csv", rows, SPEC)
    line, *_ = csv.DictReader((tmp_path / "forecasts.csv").read_text().splitlines())
    assert {name: line[name] for name in line if "_at_" in name} == {
        "lower_at_80": str(int(line["actual"]) - 1),
        "upper_at_80": str(int(line["actual"]) + 3),
        "lower_at_95": str(int(line["actual"]) - 2),
        "upper_at_95": str(int(line["actual"]) + 2),
    }


def test_rows_of_another_size_are_set_aside(tmp_path):
    short = record(7)
    short.features["window"] = short.features["window"][:3]
    scored = score([record(0), short], 0.5)
    assert [item.reason for item in scored.rejected] == [
        "its window or its future is not of the model's size"
    ]
    assert written(tmp_path, scored)["rejected"] == 1


def test_no_rows_at_all_are_written_as_such(tmp_path):
    forecast_files.write(ScoredForecast.merged([], 3), tmp_path, ["test"], CONFIG)
    found = json.loads((tmp_path / "metrics.json").read_text())
    assert (found["count"], found["metrics"], found["objections"]) == (0, {}, [])


def test_a_window_shorter_than_a_season_has_no_seasonal_naive():
    assert set(forecast.maps(WindowSpec.of(MODEL | {"season": 5}))) == {"naive", "moving_average"}


def test_an_answer_of_another_shape_is_refused():
    other = {"x": np.zeros((1, 2))}
    with pytest.raises(ModelError, match=r"an output `forecast` \[1, 2, 1\]\. Received: \{'x': "):
        forecast.score_batch("test", rows_of([record(0)]), [lambda _: other], CONFIG)


def test_a_last_blessed_model_that_forecasts_something_else_is_not_compared(tmp_path):
    other = [model(0.5), lambda rows: {"forecast": np.zeros((len(rows), 9, 1), np.float32)}]
    scored = forecast.score_batch("test", rows_of([record(0)]), other, CONFIG)
    assert written(tmp_path, scored)["baseline"] is None


def test_the_names_are_those_that_thresholds_may_use():
    assert forecast.metric_names(CONFIG) == [
        *("mae", "mse", "rmse", "mape", "smape", "mase"),
        *("constant_mae", "naive_mae", "seasonal_naive_mae", "moving_average_mae"),
    ]
