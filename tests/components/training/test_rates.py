"""Which rates are tried, and which one is taken: arithmetic alone."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.training import rates


def test_rates_climb_tenfold_in_as_many_points_as_a_decade_has():
    assert rates.rate_at(0, 1e-8, 20) == 1e-8
    assert rates.rate_at(20, 1e-8, 20) == pytest.approx(1e-7)
    assert rates.rate_at(10, 1e-3, 20) == pytest.approx(math.sqrt(10) * 1e-3)
    assert rates.point_count(1e-8, 1e-3, 20) == 101
    assert rates.point_count(0.01, 10, 4) == 13


def test_each_loss_is_smoothed_with_its_neighbours_and_fewer_at_the_ends():
    losses = np.array([4.0, 2.0, 6.0, 0.0])
    assert rates.smooth(losses, 1).tolist() == [3, 4, 8 / 3, 3]
    assert rates.smooth(losses, 0).tolist() == losses.tolist()


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=40), st.integers(0, 50))
def test_smoothing_keeps_the_number_of_points_and_their_range(losses, reach):
    found = rates.smooth(np.array(losses), reach)
    assert len(found) == len(losses)
    assert min(losses) - 1e-9 <= found.min() <= found.max() <= max(losses) + 1e-9


@given(st.floats(-3, 3), st.integers(0, 3))
def test_a_centred_mean_leaves_a_minimum_where_it_is(centre, reach):
    places = np.round(np.linspace(-4, 4, 161), 10)
    smoothed = rates.smooth(np.abs(places - centre), reach)
    assert abs(places[np.argmin(smoothed)] - centre) <= 0.05


def test_a_decade_below_the_lowest_loss_is_taken():
    picked = rates.pick(np.array([1e-4, 1e-3, 1e-2, 1e-1]), np.array([3.0, 2.0, 1.0, 4.0]))
    assert picked == rates.Pick(rate=1e-3, lowest_at=1e-2, still_falling=False)


def test_a_loss_that_still_falls_is_said_and_one_that_never_fell_gives_nothing():
    tried = np.array([1e-4, 1e-3, 1e-2])
    assert rates.pick(tried, np.array([3.0, 2.0, 1.0])).still_falling
    assert rates.pick(tried, np.array([1.0, 2.0, 3.0])) is None


@pytest.mark.parametrize(
    ("loss", "expected"), [(math.nan, True), (math.inf, True), (4.1, True), (3.9, False)]
)
def test_a_loss_has_come_apart_if_it_is_no_number_or_four_times_the_lowest(loss, expected):
    assert rates.has_diverged(loss, 1.0) is expected
