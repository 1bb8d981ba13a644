"""A regressor's rows scored, merged and written, with a function in place of a model."""

import dataclasses
import json
from collections import Counter

import numpy as np
import pytest
from etils.epath import Path
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from millrace.components.errors import DataError, ModelError
from millrace.components.evaluating import regression, regression_files
from millrace.components.evaluating.regression import ScoredRegression
from millrace.components.evaluating.scoring import EvalConfig, Key
from tests.components.asked import Asked, features_of, rows_of

CONFIG = EvalConfig("y", ("town",), 4, 3, model={"target_mean": 2.0})


def rows(count=12, start=0):
    return [
        Asked(
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
    return {"prediction": np.array([2 * each["x"][0] for each in features_of(asked)], np.float32)}


def off(asked):
    x = np.array([each["x"][0] for each in features_of(asked)], np.float32)
    return {"prediction": 2 * x + np.where(x == 5, 4, 1).astype(np.float32)}


def score(asked, predicts, split="test", config=CONFIG):
    return regression.score_batch(split, rows_of(asked), predicts, config)


def write(scored, folder, must_beat=("constant",), config=CONFIG):
    """The content of `metrics.json` of an evaluation of two splits."""
    config = dataclasses.replace(config, must_beat=must_beat)
    regression_files.write(scored, Path(folder), ["eval", "test"], config)
    return json.loads((folder / "metrics.json").read_text())


def test_candidate_baseline_and_mean_are_compared_on_the_same_rows(tmp_path):
    found = write(score(rows(), [off, doubled]), tmp_path)
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
    assert (found["objections"], found["not_asked"]) == ([], [])
    # the labels 0, 2 ... 22 are off from 2 by 1, 0, 1 ... 10 times 2: 386 squares of 2 over 12 rows
    assert found["merits"] == [
        "mse 2.25 beats 128.667, which the train split's mean 2 reaches on the same rows"
    ]


def always(number):
    """A regressor with one answer for all rows."""
    return lambda asked: {"prediction": np.full(len(asked), number, np.float32)}


def test_the_mean_of_the_train_split_for_all_rows_is_objected_to(tmp_path):
    found = write(score(rows(), [always(2)]), tmp_path)
    assert found["merits"] == []
    assert found["objections"] == [
        "mse: expected less than 128.667, which the train split's mean 2 reaches on the same "
        "rows. Received: 128.667. Improve the model, or leave constant out of evaluator.must_beat"
    ]


def test_a_regressor_is_compared_with_the_mean_only_where_that_is_requested(tmp_path):
    found = write(score(rows(), [always(2)]), tmp_path, ("naive", "moving_average"))
    assert (found["objections"], found["merits"], found["not_asked"]) == ([], [], [])


def test_a_single_row_is_compared_with_the_mean(tmp_path):
    found = write(score(rows(1, start=5), [off]), tmp_path)
    assert found["merits"] == [
        "mse 16 beats 64, which the train split's mean 2 reaches on the same rows"
    ]


def test_labels_that_all_equal_the_mean_are_not_compared_with_it(tmp_path):
    found = write(score(rows(1, start=1), [off]), tmp_path)
    assert found["not_asked"] == [
        "constant: not asked, for all labels are equal to the train split's mean"
    ]
    assert (found["objections"], found["merits"]) == ([], [])


def test_a_model_that_knows_no_mean_is_not_compared_with_one(tmp_path):
    unknown = dataclasses.replace(CONFIG, model={})
    found = write(score(rows(), [always(2)], config=unknown), tmp_path, config=unknown)
    assert found["not_asked"] == ["constant: not asked, for model.json has no target_mean"]
    assert (found["objections"], found["mean_predictor"]) == ([], None)


def test_no_rows_at_all_are_written_as_such(tmp_path):
    found = write(ScoredRegression(), tmp_path)
    assert (found["count"], found["objections"], found["not_asked"]) == (0, [], [])


def test_slices_mistakes_and_plots_are_written(tmp_path):
    write(score(rows(), [off]), tmp_path)
    slices = json.loads((tmp_path / "slices.json").read_text())
    assert [(each["value"], each["count"]) for each in slices] == [("Oslo", 8), ("Rome", 4)]
    assert slices[1]["metrics"]["mae"] == 1.0
    assert slices[1]["intervals"]["mae"] == [1.0, 1.0]  # each of its rows is off by 1
    low, high = slices[0]["intervals"]["mae"]
    assert 0 <= low < slices[0]["metrics"]["mae"] == 11 / 8 < high
    assert list(slices[0]["intervals"]) == ["mae", "mse", "rmse", "r2"]
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
    lines = (tmp_path / "sample.csv").read_text().splitlines()
    assert (lines[0], len(lines), "10.0,14.0" in lines) == ("truth,prediction", 13, True)


def test_however_the_rows_are_cut_the_whole_is_the_same():
    whole = ScoredRegression.merged([score(rows(), [off, doubled])], 3)
    parts = [score(rows()[start : start + 5], [off, doubled]) for start in (10, 0, 5)]
    assert ScoredRegression.merged(parts, 3) == whole
    assert ScoredRegression.merged([ScoredRegression.merged(parts[:2], 3), parts[2]], 3) == whole
    assert [row.position for row in whole.worst] == ["record 05", "record 00", "record 01"]


def test_a_row_without_a_number_is_set_aside():
    odd = [Asked("t.csv", "record 1", {"x": np.float32([1])}), *rows(1)]
    found = score(odd, [doubled])
    assert [(item.position, item.reason) for item in found.rejected] == [
        ("record 1", "no number 'y'")
    ]
    assert found.sums[Key("test", "candidate")].count == 1


def test_a_baseline_that_is_not_a_regressor_is_left_out(tmp_path):
    def classified(asked):
        return {"scores": np.zeros((len(asked), 2), np.float32)}

    assert write(score(rows(), [off, classified]), tmp_path)["baseline"] is None


def test_a_candidate_that_is_not_a_regressor_is_refused():
    with pytest.raises(
        ModelError,
        match=r"expected an output `prediction` of numbers .*\. Received: {'scores': \[12, 2\]}",
    ):
        score(rows(), [lambda asked: {"scores": np.zeros((len(asked), 2), np.float32)}])


def test_the_metrics_that_thresholds_may_name():
    assert regression.metric_names(CONFIG) == ["mae", "mse", "rmse", "r2"]


def test_a_regressor_that_got_worse_is_a_drop_by_its_absolute_errors(tmp_path):
    found = write(score(rows(), [off, doubled]), tmp_path)["comparison"]
    # errors of 1 in eleven rows and of 4 in one, against none
    assert (found["metric"], found["was"], found["now"], found["rows"]) == ("mae", 0.0, 1.25, 12)
    errors = [1.0] * 11 + [4.0]
    expected = stats.ttest_1samp(errors, 0).confidence_interval(0.95)
    assert found["interval"] == pytest.approx([expected.low, expected.high])
    assert found["is_drop"]
    assert found["bound"] == "evaluator.change_at_most.mae=1.26"
    assert not write(score(rows(), [doubled, off]), tmp_path)["comparison"]["is_drop"]


def test_a_regressor_that_is_as_good_but_for_rounding_is_no_drop(tmp_path):
    def barely(asked):
        found = doubled(asked)["prediction"]
        return {"prediction": np.nextafter(found, np.float32(99))}

    found = write(score(rows(12, start=8), [barely, doubled]), tmp_path)["comparison"]
    assert found["interval"][0] > 0
    assert not found["is_drop"]


def refusing(asked):
    """A baseline that does not know the record 05."""
    if "record 05" in asked.positions:
        raise DataError("Feature 'x': expected one text.")
    return doubled(asked)


def test_a_baseline_that_does_not_answer_all_rows_is_not_compared(tmp_path):
    parts = [score(rows(5), [off, refusing]), score(rows(7, start=5), [off, refusing])]
    found = write(ScoredRegression.merged(parts, 3), tmp_path)
    assert (found["count"], found["rejected"]) == (12, 0)
    assert (found["baseline"], found["comparison"]) == (None, None)
    assert all(
        "baseline" not in part for part in json.loads((tmp_path / "slices.json").read_text())
    )


def labelled(*labels):
    return [
        Asked("t.csv", f"record {n}", {"x": np.float32([n]), "y": np.float32([label])})
        for n, label in enumerate(labels)
    ]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([3.5] * 40, "the label of every row is 3.5"),
        ([7], "the label of every row is 7"),
        ([0.0, -0.0], "the label of every row is 0"),
        (
            [1, 2],
            "a model that knows nothing gets all rows right 1 time in 4, and 95% confidence allows "
            "1 in 20",
        ),
        ([1, 2, 3], ""),
        ([5] * 8 + [6], ""),
    ],
)
def test_labels_that_are_all_the_same_or_very_few_cannot_judge(tmp_path, labels, said):
    config = dataclasses.replace(CONFIG, slices=())
    found = write(score(labelled(*labels), [off], config=config), tmp_path)
    assert found["cannot_judge"] == said


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=20), st.integers(0, 20))
def test_the_labels_kept_are_the_least_ones_however_the_rows_are_cut(labels, cut):
    config = dataclasses.replace(CONFIG, slices=())
    parts = [score(labelled(*part), [off], config=config) for part in (labels[:cut], labels[cut:])]
    counts = Counter(float(label) for label in labels)
    assert ScoredRegression.merged(parts, 3).labels == {"test": dict(sorted(counts.items())[:4])}
