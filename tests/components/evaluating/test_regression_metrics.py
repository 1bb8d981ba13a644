"""Exact sums of errors, and the figures that follow."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from millrace.components.evaluating.regression_metrics import NAMES, Residuals, figures

NUMBERS = st.floats(-1e6, 1e6, width=32)
PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=30)


def of(pairs):
    array = np.array(pairs, np.float32).reshape(-1, 2)
    return Residuals.of(array[:, 0], array[:, 1])


def test_the_figures_of_three_rows():
    assert figures(of([(1, 2), (2, 2), (6, 4)])) == {
        "mae": 1.0,
        "mse": 5 / 3,
        "rmse": np.sqrt(5 / 3),
        "r2": 1 - 5 / 14,
    }


def test_a_constant_truth_has_no_share_of_its_variance_explained():
    assert list(figures(of([(2, 1), (2, 3)]))) == ["mae", "mse", "rmse"]


@given(PAIRS, st.integers(0, 30))
def test_parts_sum_to_the_whole_exactly(pairs, cut):
    assert of(pairs[:cut]) + of(pairs[cut:]) == of(pairs)
    assert of(pairs[::-1]) == of(pairs)
    assert of(pairs) + Residuals() == of(pairs)


@given(PAIRS.filter(lambda pairs: len({truth for truth, _ in pairs}) > 1))
def test_the_figures_are_scikit_learns(pairs):
    truth, prediction = np.array(pairs, np.float32).astype(np.float64).T
    found = figures(of(pairs))
    assert list(found) == list(NAMES)
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(truth, prediction), rel=1e-6)
    assert found["mse"] == pytest.approx(metrics.mean_squared_error(truth, prediction), rel=1e-6)
    deviations = float(np.square(truth - truth.mean()).sum())
    if deviations > 1e-3:
        expected = metrics.r2_score(truth, prediction)
        assert found["r2"] == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_an_error_beyond_float32_stays_finite():
    assert figures(of([(-3e38, 3e38), (0, 0)]))["mae"] == pytest.approx(1.7e38, rel=0.01)
