"""A regressor's rows scored, merged and written, with a function in place of a model."""

import json

import numpy as np
import pytest
from etils.epath import Path

from components.errors import ModelError
from components.evaluating import regression
from components.inference import Row
from components.scoring import Key, Questions

ASKED = Questions("y", ("town",), 4, 3, settings={"target_mean": 2.0})


def rows(count=12, start=0):
    return [
        Row(
            "t.csv",
            f"record {number:02d}",
            {
                "x": np.float32([number]),
                "y": np.int64([2 * number]),
                "town": [b"Oslo" if number % 3 else b"Rome"],
            },
        )
        for number in range(start, start + count)
    ]


def doubled(asked):
    return {"prediction": np.array([2 * row.features["x"][0] for row in asked], np.float32)}


def off(asked):
    x = np.array([row.features["x"][0] for row in asked], np.float32)
    return {"prediction": 2 * x + np.where(x == 5, 4, 1).astype(np.float32)}


def score(asked, predicts, split="test"):
    return regression.score_batch(split, asked, predicts, ASKED)


def test_candidate_baseline_and_mean_are_held_against_the_same_rows(tmp_path):
    regression.write(score(rows(), [off, doubled]), Path(tmp_path), ["eval", "test"])
    found = json.loads((tmp_path / "metrics.json").read_text())
    assert (found["split"], found["count"], found["rejected"]) == ("test", 12, 0)
    assert found["metrics"] == {
        "mae": 15 / 12,
        "mse": 27 / 12,
        "rmse": np.sqrt(27 / 12),
        "r2": 1 - 27 / 572,
    }
    assert found["baseline"]["metrics"] == {"mae": 0.0, "mse": 0.0, "rmse": 0.0, "r2": 1.0}
    assert found["change"]["mae"] == 15 / 12
    mean = found["mean_predictor"]
    assert mean["prediction"] == 2.0
    assert mean["splits"]["test"]["metrics"]["mae"] == 112 / 12
    assert set(found["splits"]) == {"test"}


def test_slices_mistakes_and_plots_are_written(tmp_path):
    regression.write(score(rows(), [off]), Path(tmp_path), ["test"])
    slices = json.loads((tmp_path / "slices.json").read_text())
    assert [(each["value"], each["count"]) for each in slices] == [("Oslo", 8), ("Rome", 4)]
    assert slices[1]["metrics"]["mae"] == 1.0
    lines = [json.loads(line) for line in (tmp_path / "mistakes.jsonl").read_text().splitlines()]
    assert lines[0] == {
        "split": "test",
        "filename": "t.csv",
        "position": "record 05",
        "truth": 10.0,
        "prediction": 14.0,
        "residual": 4.0,
    }
    for name in ("predicted_vs_actual.png", "residuals.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_however_the_rows_are_cut_the_whole_is_the_same():
    whole = regression.merge([score(rows(), [off, doubled])], 3)
    parts = [score(rows()[start : start + 5], [off, doubled]) for start in (10, 0, 5)]
    assert regression.merge(parts, 3) == whole
    assert regression.merge([regression.merge(parts[:2], 3), parts[2]], 3) == whole
    assert [row.position for row in whole.worst] == ["record 05", "record 00", "record 01"]


def test_a_row_without_a_number_is_set_aside():
    odd = [Row("t.csv", "record 1", {"x": np.float32([1])}), *rows(1)]
    found = score(odd, [doubled])
    assert [(item.position, item.reason) for item in found.rejected] == [
        ("record 1", "no number 'y'")
    ]
    assert found.sums[Key("test", "candidate")].count == 1


def test_a_baseline_that_is_no_regressor_is_left_out(tmp_path):
    def classified(asked):
        return {"scores": np.zeros((len(asked), 2), np.float32)}

    regression.write(score(rows(), [off, classified]), Path(tmp_path), ["test"])
    assert json.loads((tmp_path / "metrics.json").read_text())["baseline"] is None


def test_a_candidate_that_is_no_regressor_is_refused():
    with pytest.raises(
        ModelError,
        match=r"expected an output `prediction` of numbers .*\. Received: {'scores': \[12, 2\]}",
    ):
        score(rows(), [lambda asked: {"scores": np.zeros((len(asked), 2), np.float32)}])


def test_the_metrics_that_thresholds_may_name():
    assert regression.names() == ["mae", "mse", "rmse", "r2"]
