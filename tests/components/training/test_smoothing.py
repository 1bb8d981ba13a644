"""The weights of a window are those that exponential smoothing gives its rows."""

import numpy as np
import pytest

from millrace.components.training.smoothing import Smoothing, choices, weights


def test_with_a_moving_level_they_fall_off_as_in_simple_exponential_smoothing():
    found = weights(Smoothing(level=0.3), rows=60, horizon=2, season=1)
    rate = (np.sqrt(0.3**2 + 4 * 0.3) - 0.3) / 2  # Harvey (1989), 4.1.2
    np.testing.assert_allclose(found[0, ::-1][:20], rate * (1 - rate) ** np.arange(20), rtol=1e-5)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6)


def test_a_level_that_stays_is_the_mean():
    np.testing.assert_allclose(weights(Smoothing(0.0), 8, 1, 1), np.full((1, 8), 1 / 8), rtol=1e-6)


def test_a_straight_line_goes_on():
    found = weights(Smoothing(level=0.1, slope=0.0), rows=12, horizon=3, season=1)
    np.testing.assert_allclose(found @ (5 + 2 * np.arange(12)), [29, 31, 33], rtol=1e-6)


def test_a_season_upon_a_line_goes_on():
    values = np.tile([3.0, -1, 0, 7], 5) + np.arange(20)
    found = weights(Smoothing(level=0.1, slope=0.0, season=0.1), rows=17, horizon=3, season=4)
    np.testing.assert_allclose(found @ values[:17], values[17:], rtol=1e-5)


@pytest.mark.parametrize("smoothing", choices(16, 7), ids=str)
def test_a_step_of_the_whole_series_is_a_step_of_the_forecast(smoothing):
    np.testing.assert_allclose(weights(smoothing, 16, 2, 7).sum(axis=1), 1.0, rtol=1e-6)


def test_seasons_are_tried_only_where_a_window_has_more_than_one():
    assert {one.season for one in choices(rows=8, season=7)} == {None}
    assert {one.season for one in choices(rows=9, season=7)} == {None, 0.0, 0.01, 0.1, 0.5}
