"""Each figure against one counted by hand."""

import numpy as np
import pytest

from millrace.components.evaluating import forecast_metrics

ACTUAL = np.array([[[10.0], [0.0]], [[20.0], [-5.0]]])
FORECAST = np.array([[[8.0], [1.0]], [[25.0], [-5.0]]])


def test_figures_are_means_over_rows_steps_and_targets():
    found = forecast_metrics.figures(ACTUAL, FORECAST, (4.0,))
    assert found == pytest.approx(
        {
            "mae": (2 + 1 + 5 + 0) / 4,
            "mse": (4 + 1 + 25 + 0) / 4,
            "rmse": np.sqrt(7.5),
            "mape": 100 * (0.2 + 0.25 + 0) / 3,  # not of the 0
            "smape": 200 * (2 / 18 + 1 + 5 / 45 + 0) / 4,
            "mase": 0.5,
        }
    )


def test_mase_has_a_unit_per_target():
    off = np.array([[[2.0, 3.0]]])
    found = forecast_metrics.figures(np.zeros((1, 1, 2)), off, (4.0, 2.0))
    assert found["mase"] == (0.5 + 1.5) / 2


def test_what_the_values_do_not_allow_is_left_out():
    zeros = np.zeros((1, 1, 1))
    found = forecast_metrics.figures(zeros, zeros, (0.0,))
    assert found == {"mae": 0, "mse": 0, "rmse": 0, "smape": 0}


def test_steps_and_targets_have_figures_of_their_own():
    steps = forecast_metrics.by_step(ACTUAL, FORECAST, (1.0,))
    assert [step["mae"] for step in steps] == [3.5, 0.5]
    two = np.concatenate([ACTUAL, ACTUAL], axis=2)
    other = np.concatenate([FORECAST, ACTUAL], axis=2)
    targets = forecast_metrics.by_target(two, other, (1.0, 1.0), ("a", "b"))
    assert {name: found["mae"] for name, found in targets.items()} == {"a": 2.0, "b": 0.0}
