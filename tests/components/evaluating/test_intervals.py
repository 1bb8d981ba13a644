"""Intervals of figures hold the truth as often as they say, in simulations of known truth."""

import numpy as np
import pytest
from scipy import stats

from millrace.components.evaluating import classification_metrics, intervals, language_metrics
from millrace.components.evaluating.classification_tally import merge, tally
from millrace.components.evaluating.forecast_metrics import by_window, figures
from millrace.components.evaluating.regression_metrics import Residuals
from millrace.components.evaluating.regression_metrics import figures as regression_figures

TIMES = 120  # simulations: 95 % of them is 114, and 107 or fewer 1 time in 1,000


def answered(random, rows, classes=2):
    """Truths, and scores that are right in their probabilities."""
    logits = random.normal(0, 1.5, (rows, classes))
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (random.random((rows, 1)) > scores.cumsum(axis=1)).sum(axis=1)
    return truth.clip(0, classes - 1), scores.astype(np.float32)


def measured(random, rows, classes):
    counted = tally(*answered(random, rows, classes))
    found = classification_metrics.figures(counted, top_k=2)
    return found, intervals.of_classification(counted, found, 2)


@pytest.mark.parametrize("classes", [2, 4])
def test_a_classifiers_intervals_hold_the_truth(classes):
    expected, _ = measured(np.random.default_rng(9), 300_000, classes)
    del expected["expected_calibration_error"]  # of few rows, it is larger by itself
    held = dict.fromkeys(expected, 0)
    for seed in range(TIMES):
        _, found = measured(np.random.default_rng(seed), 250, classes)
        for name, value in expected.items():
            low, high = found[name]
            held[name] += low <= value <= high
    assert {name: held[name] for name in held if held[name] < 0.9 * TIMES} == {}
    assert set(held) >= {"accuracy", "loss", "balanced_accuracy", "macro_f1", "precision", "recall"}
    assert ("auc" in held) is (classes == 2)


def test_a_hundred_times_the_rows_make_it_a_tenth_as_wide():
    _, few = measured(np.random.default_rng(1), 400, 2)
    _, many = measured(np.random.default_rng(1), 40_000, 2)
    for name in few:
        low, high = np.ptp(many[name]), np.ptp(few[name])
        assert 0.05 < low / high < 0.2, name


def test_equal_rows_in_other_parts_have_equal_intervals():
    truth, scores = answered(np.random.default_rng(2), 400)
    whole, parts = tally(truth, scores), [tally(truth[i::3], scores[i::3]) for i in range(3)]
    found = classification_metrics.figures(whole, top_k=5)
    again = intervals.of_classification(merge(parts), found, 5)
    assert again == intervals.of_classification(whole, found, 5)


def test_a_classifier_without_a_mistake_may_make_some_of_other_rows():
    truth = np.arange(40) % 2
    counted = tally(truth, np.stack([1.0 - truth, truth], axis=1))
    found = classification_metrics.figures(counted, top_k=5)
    around = intervals.of_classification(counted, found, 5)
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "recall", "auc", "f1_score"):
        assert around[name][1] == 1.0
        assert 0.75 < around[name][0] < 0.97, name


def test_a_share_has_wilsons_interval():
    expected = stats.binomtest(45, 50).proportion_ci(0.95, method="wilson")
    assert intervals.wilson(45, 50) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert intervals.wilson(0, 9)[0] == 0.0
    assert intervals.wilson(9, 9)[1] == 1.0


def regression(random, rows):
    truth = random.normal(10, 3, rows).astype(np.float32)
    return truth, (truth + random.normal(0, 1, rows)).astype(np.float32)


def test_a_regressors_intervals_hold_the_truth():
    expected = {"mae": np.sqrt(2 / np.pi), "mse": 1.0, "rmse": 1.0, "r2": 1 - 1 / 9, "gain": 8 / 9}
    held = dict.fromkeys(expected, 0)
    for seed in range(TIMES):
        truth, prediction = regression(np.random.default_rng(seed), 120)
        found = regression_figures(Residuals.of(truth, prediction))
        around = intervals.of_regression(truth, prediction, 120, found, 10.0)
        for name, value in expected.items():
            held[name] += around[name][0] <= value <= around[name][1]
    assert {name: held[name] for name in held if held[name] < 0.9 * TIMES} == {}


def test_rows_drawn_of_more_have_the_interval_of_all():
    truth, prediction = regression(np.random.default_rng(3), 2000)
    found = regression_figures(Residuals.of(truth, prediction))
    of_these = intervals.of_regression(truth, prediction, 2000, found, 10.0)
    of_more = intervals.of_regression(truth, prediction, 200_000, found, 10.0)
    for name in found:
        assert np.ptp(of_these[name]) == pytest.approx(10 * np.ptp(of_more[name]), rel=1e-6)
    assert intervals.of_regression(truth[:1], prediction[:1], 1, found, 10.0) == {}


def test_forecasts_of_overlapping_windows_have_wider_intervals_that_hold_the_truth():
    steps, windows = 6, 240
    expected, held, naive = np.sqrt(2 / np.pi), 0, 0
    for seed in range(TIMES):
        noise = np.random.default_rng(seed).normal(0, 1, windows + steps)
        slow = np.sqrt(0.5) * noise
        slow[1:] += np.sqrt(0.5) * noise[:-1]
        actual = np.stack([slow[i : i + steps] for i in range(1, windows + 1)])[..., None]
        forecast = np.zeros_like(actual)
        found = figures(actual, forecast, [1.0])
        sums = by_window(actual, forecast, [1.0])
        columns, counts = ({name: each[i] for name, each in sums.items()} for i in (0, 1))
        times = np.arange(windows)
        low, high = intervals.of_forecasts(columns, counts, times, steps, found)["mae"]
        held += low <= expected <= high
        reach = 1.96 * np.abs(actual).std() / np.sqrt(actual.size)
        naive += found["mae"] - reach <= expected <= found["mae"] + reach
    assert held >= 0.88 * TIMES
    assert naive < 0.75 * TIMES  # as if each number told something new


def test_the_sums_of_windows_are_those_of_the_figures():
    random = np.random.default_rng(4)
    actual, forecast = random.normal(5, 3, (2, 20, 3, 2))
    actual[0, 1, 0] = np.nan
    actual[2, 0, 1] = 0.0
    found = figures(actual, forecast, [2.0, 3.0])
    for name, (sums, counts) in by_window(actual, forecast, [2.0, 3.0]).items():
        assert sums.sum() / counts.sum() == pytest.approx(found[name], rel=1e-12)


def test_few_times_have_no_interval():
    ones = {"mae": np.ones(4)}
    assert intervals.of_forecasts(ones, ones, np.arange(4), 1, {"mae": 1.0}) == {}
    ones = {"mae": np.ones(20)}
    assert intervals.of_forecasts(ones, ones, np.arange(20), 11, {"mae": 1.0}) == {}


def test_a_generators_intervals_hold_the_truth_where_texts_differ():
    held = 0
    for seed in range(TIMES):
        random = np.random.default_rng(seed)
        tokens = random.integers(5, 60, 80)
        loss = tokens * (2.0 + random.normal(0, 0.4, 80))
        outputs = {
            "loss": loss,
            "unigram": loss,
            "tokens": tokens,
            "correct": tokens // 3,
            "unknown": 0 * tokens,
        }
        rows = language_metrics.of_rows(outputs, (5 * tokens).tolist())
        sums = language_metrics.TextSums.total(rows)
        found = intervals.of_language(sums, language_metrics.figures(sums, 100))
        low, high = found["loss"]
        held += low <= 2.0 <= high
        assert found["perplexity"] == pytest.approx((np.exp(low), np.exp(high)))
    assert 0.9 * TIMES <= held < TIMES
