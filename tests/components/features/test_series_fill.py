"""Missing cells of a window, filled from its other cells alone, by each method."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.components.features import series_fill
from millrace.components.features.series_spec import Fill

NAN = np.nan
WAYS = ("forward", "linear", "seasonal", "zero")
LEVEL = 50.0
CELLS = st.lists(st.none() | st.integers(-9, 9), min_size=1, max_size=40)


def fill_of(impute, season=2, columns=1):
    return Fill(impute, season, (LEVEL,) * columns)


def filled(cells, impute, season=2):
    window = tf.constant(np.array(cells, np.float32)[None, :, None])
    return series_fill.filled(window, fill_of(impute, season)).numpy()[0, :, 0].tolist()


@pytest.mark.parametrize(
    ("impute", "expected"),
    [
        ("forward", [1, 1, 1, 4, 4, 4]),
        ("linear", [1, 1, 2.5, 4, 4, 4]),
        ("seasonal", [1, 1, 2.5, 4, 4, 4]),
        ("zero", [0, 1, 0, 4, 0, 0]),
    ],
)
def test_gaps_at_the_start_within_and_at_the_end_are_filled_by_each_method(impute, expected):
    assert filled([NAN, 1, NAN, 4, NAN, NAN], impute) == expected


def test_the_value_a_season_before_fills_as_often_as_it_takes_and_a_line_what_it_leaves():
    assert filled([5, 1, NAN, 4, NAN, NAN], "seasonal") == [5, 1, 5, 4, 5, 4]
    assert filled([NAN, 1, NAN, 4], "seasonal") == [1, 1, 2.5, 4]


@pytest.mark.parametrize("impute", ["forward", "linear", "seasonal"])
def test_a_window_without_any_value_gets_the_level_of_its_column(impute):
    assert filled([NAN] * 4, impute) == [LEVEL] * 4


@pytest.mark.parametrize("season", [1, 3, 7, 40])
def test_a_season_longer_than_the_window_or_as_short_as_a_row_is_no_harm(season):
    assert filled([NAN, 2, NAN, NAN], "seasonal", season) == [2, 2, 2, 2]


def _by_hand(cells, impute, season):
    """The same, cell by cell."""
    values = [NAN if cell is None else float(cell) for cell in cells]
    if impute == "zero":
        return [0.0 if np.isnan(value) else value for value in values]
    if impute == "seasonal":
        for place in range(season, len(values)):
            if np.isnan(values[place]):
                values[place] = values[place - season]
    known = [place for place, value in enumerate(values) if not np.isnan(value)]
    if not known:
        return [LEVEL] * len(values)
    if impute == "forward":
        before = [max((k for k in known if k <= i), default=known[0]) for i in range(len(values))]
        return [values[place] for place in before]
    return np.interp(range(len(values)), known, [values[place] for place in known]).tolist()


@settings(max_examples=150, deadline=None)
@given(CELLS, st.sampled_from(WAYS), st.integers(1, 9))
def test_every_cell_is_what_counting_by_hand_gives_and_a_known_one_stays(cells, impute, season):
    given_cells = [NAN if cell is None else cell for cell in cells]
    found = filled(given_cells, impute, season)
    assert found == pytest.approx(_by_hand(cells, impute, season), abs=1e-5)
    assert [a for a, b in zip(found, cells, strict=True) if b is not None] == [
        cell for cell in cells if cell is not None
    ]
    assert filled(found, impute, season) == found


def test_each_window_and_column_is_filled_by_itself_and_the_calendar_stays():
    window = np.float32([[[1, NAN, 7], [NAN, 5, NAN]], [[NAN, NAN, 8], [NAN, 6, 9]]])
    fill = dataclasses.replace(fill_of("linear"), level=(10.0, 20.0))
    found = series_fill.filled(tf.constant(window), fill).numpy()
    assert found[..., :2].tolist() == [[[1, 5], [1, 5]], [[10, 6], [10, 6]]]
    np.testing.assert_array_equal(found[..., 2], window[..., 2])


def test_what_is_known_ahead_goes_on_from_the_window():
    window = tf.constant(np.float32([[[0, 3], [0, NAN]]]))  # the known column is the second
    ahead = tf.constant(np.float32([[[NAN], [9], [NAN]]]))
    found = series_fill.filled_ahead(window, ahead, fill_of("linear"), 1).numpy()
    assert found[0, :, 0].tolist() == [7, 9, 9]
