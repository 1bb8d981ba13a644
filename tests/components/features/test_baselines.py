"""Each baseline against forecasts counted by hand, and the windows that are too short for it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.errors import OptionError
from millrace.components.features import baselines

WINDOW = np.array([[[1.0], [2.0], [4.0], [7.0], [11.0], [16.0]]], np.float32)


def forecast(weights):
    return baselines.apply(weights, WINDOW)[0, :, 0].tolist()


def test_naive_is_the_last_value_for_every_step():
    assert forecast(baselines.naive(6, 3)) == [16, 16, 16]


def test_seasonal_naive_is_the_value_a_season_before_and_repeats_the_last_season():
    assert forecast(baselines.seasonal_naive(6, 5, 2)) == [11, 16, 11, 16, 11]
    assert forecast(baselines.seasonal_naive(6, 2, 6)) == [1, 2]


def test_moving_average_is_the_mean_of_the_last_values():
    assert forecast(baselines.moving_average(6, 2, 4)) == [9.5, 9.5]


def test_differenced_moving_average_adds_the_mean_change_to_the_smoothed_season_before():
    # changes over 3 rows: 7-1, 11-2, 16-4; the last two average to 10.5
    assert forecast(baselines.differenced_moving_average(6, 1, 3, 2, 1)) == [7 + 10.5]
    # the value 3 rows before the first step is 7, around it 4, 7, 11
    assert forecast(baselines.differenced_moving_average(6, 1, 3, 2, 3)) == pytest.approx(
        [22 / 3 + 10.5]
    )


@given(st.integers(1, 12), st.integers(0, 20), st.integers(1, 30))
def test_a_periodic_series_is_forecast_exactly_by_seasonal_naive(season, more, horizon):
    lookback = season + more
    values = np.arange(lookback + horizon) % season
    weights = baselines.seasonal_naive(lookback, horizon, season)
    assert (weights @ values[:lookback]).tolist() == values[lookback:].tolist()


@given(st.integers(2, 8), st.integers(1, 8), st.integers(1, 5), st.integers(1, 9))
def test_every_map_keeps_a_constant_series(season, window, horizon, smoothing):
    maps = [
        baselines.moving_average(20, horizon, window),
        baselines.differenced_moving_average(20, horizon, season, window, smoothing),
    ]
    for weights in maps:
        assert (weights @ np.full(20, 3.0)).tolist() == pytest.approx([3.0] * horizon)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: baselines.seasonal_naive(6, 1, 7),
            r"Model seasonal_naive: expected windows of 7 rows or more, for a season of 7 rows\. "
            r"Received: 6\. Set analyze\.features\.lookback=7 or more\.",
        ),
        (lambda: baselines.moving_average(6, 1, 9), "for the 9 that are averaged. Received: 6"),
        (
            lambda: baselines.differenced_moving_average(6, 1, 4, 3, 1),
            "expected windows of 7 rows or more, for a season of 4 rows and the 3 changes",
        ),
    ],
)
def test_a_window_that_is_too_short_is_refused(make, message):
    with pytest.raises(OptionError, match=message):
        make()
