"""What follows from sums over series: moments, seasons, errors of what needs no training."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.analysis import series_shape

DAY, HOUR, MONTH = 86400.0, 3600.0, 30.4 * 86400
NOISE = np.random.default_rng(3)


def shape(values, targets=1, period=DAY):
    array = np.asarray(values, np.float64)
    return series_shape.of(array if array.ndim == 2 else array[:, None], targets, period)


def wave(rows, season, noise=0.2, trend=0.0):
    time = np.arange(rows)
    return np.sin(2 * np.pi * time / season) + trend * time + noise * NOISE.normal(size=rows)


def test_moments_are_those_of_the_known_values():
    found = shape([[1, 9], [2, np.nan], [6, 9]])
    assert found.mean.tolist() == [3, 9]
    assert found.deviation.tolist() == [pytest.approx(np.sqrt(14 / 3)), 0]
    assert (found.least.tolist(), found.greatest.tolist()) == ([1, 9], [6, 9])


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30), st.integers(1, 29))
def test_moments_of_several_series_are_those_of_all_their_rows(values, cut):
    cut = min(cut, len(values) - 1)
    both = series_shape.merge([shape(values[:cut]), shape(values[cut:])])
    assert both.mean[0] == pytest.approx(np.mean(values), abs=1e-9)
    assert both.deviation[0] == pytest.approx(np.std(values), abs=1e-6)
    assert both.rows == len(values)


@pytest.mark.parametrize(
    ("rows", "season", "period", "found"),
    [
        (1000, 24, HOUR, 24),
        (1000, 7, DAY, 7),
        (1100, 365, DAY, 365),
        (200, 12, MONTH, 12),
        (1000, 132, MONTH, 132),
        (1000, 50, DAY, 50),
    ],
)
def test_a_season_is_found_by_autocorrelation(rows, season, period, found):
    assert series_shape.season(shape(wave(rows, season), period=period)) == pytest.approx(
        found, abs=0 if found in (7, 12, 24, 365) else 3
    )


def test_a_season_is_found_beside_a_trend_and_gaps():
    values = wave(600, 12, trend=0.5)
    values[::50] = np.nan
    assert series_shape.season(shape(values, period=MONTH)) == 12


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).normal(size=500),
        np.cumsum(np.random.default_rng(1).normal(size=80)),
        np.arange(100.0),
        np.full(50, 7.0),
        [1.0, 2.0],
    ],
    ids=["noise", "walk", "line", "constant", "short"],
)
def test_what_has_no_season_is_given_none(values):
    assert series_shape.season(shape(values)) == 1


def test_the_unit_of_mase_is_the_mean_change_over_a_season():
    found = shape([0, 1, 3, 6, 10])
    assert series_shape.naive_error(found, 1).tolist() == [2.5]
    assert series_shape.naive_error(found, 2).tolist() == [(3 + 5 + 7) / 3]


def test_changes_across_a_gap_do_not_count():
    assert series_shape.naive_error(shape([0, 1, np.nan, 6, 10]), 1).tolist() == [2.5]


CELLS = st.integers(-50, 50) | st.just(np.nan)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=12))
def test_changes_are_those_between_all_rows_of_which_both_are_known(rows):
    found = shape(rows, targets=2)
    for target, column in enumerate(zip(*rows, strict=True)):
        for lag in range(1, len(rows) + 2):
            changes = [abs(b - a) for a, b in zip(column, column[lag:], strict=False)]
            known = [change for change in changes if not np.isnan(change)]
            assert found.apart[target, lag] == sum(known)
            assert found.pairs[target, lag] == len(known)


def test_the_best_average_is_long_for_noise_and_short_for_a_walk():
    noise, walk = NOISE.normal(size=2000), np.cumsum(NOISE.normal(size=2000))
    assert series_shape.best_average(shape(noise), 60) == 55
    assert series_shape.best_average(shape(noise), 20) == 13
    assert series_shape.best_average(shape(walk), 60) == 2
    assert series_shape.best_average(shape([1.0, 2.0]), 1) == 1


def test_averages_of_series_with_gaps_are_of_what_is_known_among_their_rows():
    values = np.random.default_rng(5).normal(size=(900, 1))
    values[::3] = np.nan  # no average of more than two rows is whole
    assert series_shape.best_average(series_shape.of(values, 1, 60.0), 30) >= 13
