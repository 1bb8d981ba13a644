"""Disorder, repeats, gaps and missing cells, each handled as configured and counted."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.errors import DataError
from millrace.components.example_gen.time_series import grid
from millrace.components.example_gen.time_series.grid import GridCounts


def table(*rows):
    frame = pd.DataFrame(rows, columns=["series", "time", "y"])
    return frame.assign(time=pd.to_datetime(frame["time"]), y=frame["y"].astype(float))


def values(*cells, start="2020-01-01", freq="D"):
    index = pd.date_range(start, periods=len(cells), freq=freq)
    return pd.DataFrame({"y": np.array(cells, float)}, index=index)


def test_rows_are_ordered_within_their_series_and_disorder_is_counted():
    counts = GridCounts()
    found = grid.ordered(
        table(("b", "2020-01-02", 2), ("a", "2020-01-03", 3), ("b", "2020-01-01", 1)),
        "error",
        counts,
    )
    assert found["y"].tolist() == [3, 1, 2]
    assert (counts.rows, counts.disorder, counts.repeated) == (3, 1, 0)


@pytest.mark.parametrize(
    ("duplicates", "left"), [("first", 1.0), ("last", 5.0), ("mean", 3.0), ("sum", 6.0)]
)
def test_repeated_times_become_one_row_as_configured_and_are_counted(duplicates, left):
    counts = GridCounts()
    rows = (("a", "2020-01-01", 1), ("a", "2020-01-01", 5), ("a", "2020-01-02", 9))
    found = grid.ordered(table(*rows), duplicates, counts)
    assert found["y"].tolist() == [left, 9]
    assert counts.repeated == 1


def test_equal_rows_are_one_and_others_of_the_same_time_an_error():
    counts = GridCounts()
    same = ("a", "2020-01-01", 1)
    assert len(grid.ordered(table(same, same), "error", counts)) == 1
    assert counts.repeated == 1
    with pytest.raises(
        DataError,
        match=r"Time: expected each time once per series\. Received: 1 repeated ones with other "
        r"values, such as 2020-01-01 00:00:00 of series 'a'\. Name the column",
    ):
        grid.ordered(table(same, ("a", "2020-01-01", 2)), "error", counts)


def test_times_without_a_row_get_one_without_a_value():
    counts = GridCounts()
    found = grid.regular(values(1, 2, 4).iloc[[0, 2]], "D", None, counts)
    assert np.isnan(found["y"].tolist()[1])
    assert counts.added == 1


@pytest.mark.parametrize(
    ("aggregate", "expected"), [("mean", [1.5, 3.5]), ("sum", [3, 7]), ("last", [2, 4])]
)
def test_rows_are_brought_to_a_longer_step(aggregate, expected):
    counts = GridCounts()
    half_days = values(1, 2, 3, 4, freq="12h")
    assert grid.regular(half_days, "D", aggregate, counts)["y"].tolist() == expected


def test_an_empty_bin_is_missing_even_from_a_sum():
    counts = GridCounts()
    found = grid.regular(values(1, 2, 3).iloc[[0, 2]], "D", "sum", counts)
    assert found["y"].isna().tolist() == [False, True, False]
    assert counts.added == 1


@pytest.mark.parametrize(
    ("first", "last", "missing"),
    [(0, 24 * 20, []), (5, 24 * 20, [0]), (0, 24 * 20 - 5, [-1]), (1, 24 * 20 - 23, [0, -1])],
)
def test_a_day_that_rows_begin_or_end_within_is_missing(first, last, missing):
    counts = GridCounts()
    found = grid.regular(values(*range(480), freq="h").iloc[first:last], "D", "sum", counts)["y"]
    assert found.index[found.isna()].tolist() == [found.index[place] for place in missing]
    assert counts.partial == len(missing)
    assert found.iloc[1] == sum(range(24, 48))


def test_days_of_a_shop_that_closes_at_night_are_whole_and_of_few_nothing_is_said():
    hours = values(*range(480), freq="h")
    shop = hours[(hours.index.hour >= 8) & (hours.index.hour < 20)]
    counts = GridCounts()
    assert not grid.regular(shop, "D", "sum", counts)["y"].isna().any()
    assert not grid.regular(hours.iloc[:70], "D", "sum", counts)["y"].isna().any()
    assert counts.partial == 0


@pytest.mark.parametrize(
    ("step", "time", "last"),
    [
        ("D", "2020-01-01", "2020-01-01T23:59:59"),
        ("MS", "2020-02-01", "2020-02-29T23:59:59"),
        ("15min", "2020-01-01T10:15", "2020-01-01T10:29:59"),
        ("ME", "2020-01-31", "2020-01-31T23:59:59"),
        ("W", "2020-01-05", "2020-01-05T23:59:59"),
    ],
)
def test_a_step_lasts_to_its_last_second(step, time, last):
    index = pd.DatetimeIndex([time], freq=step)
    (found,) = grid.last_moments(index, step)
    assert found == pd.Timestamp(last)
    rows = pd.DataFrame({"y": [1.0]}, index=pd.DatetimeIndex([last]))
    assert rows.resample(step).sum().index.tolist() == index.tolist()


def test_a_series_goes_from_its_first_to_its_last_target_and_keeps_its_gaps():
    counts = GridCounts()
    rows = values(np.nan, 3, np.nan, 5, np.nan, np.nan).assign(x=[1, 2, np.nan, 4, 5, 6])
    found = grid.trimmed(rows, ["y"], counts)
    np.testing.assert_array_equal(found["y"], [3, np.nan, 5])
    np.testing.assert_array_equal(found["x"], [2, np.nan, 4])
    assert (counts.missing, counts.trimmed) == (2, 3)


def test_a_series_without_a_target_is_trimmed_altogether():
    counts = GridCounts()
    assert grid.trimmed(values(np.nan, np.nan), ["y"], counts).empty
    assert (counts.missing, counts.trimmed) == (0, 2)


@given(st.lists(st.none() | st.integers(-9, 9), min_size=1, max_size=30))
def test_nothing_that_is_there_is_lost_or_changed_and_nothing_made_up(cells):
    counts = GridCounts()
    raw = values(*[np.nan if cell is None else cell for cell in cells])
    found = grid.trimmed(raw, ["y"], counts)
    assert found["y"].dropna().equals(raw["y"].dropna())
    assert counts.missing == int(found["y"].isna().sum())
    assert len(found) + counts.trimmed == len(cells)


@pytest.mark.parametrize(
    ("step", "rows"),
    [("h", 24), ("15min", 96), ("D", 7), ("7D", 52), ("MS", 12), ("3MS", 4)],
)
def test_a_step_suggests_a_season(step, rows):
    assert grid.season_of(step) == rows
