"""Windows: how many, where they begin and end, what they leave out; and the calendar."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.errors import DataError
from millrace.components.features import series
from millrace.components.features.series_spec import Fill, SeriesSpec

SPEC = SeriesSpec(
    targets=("load",),
    covariates=("wind",),
    known=("holiday",),
    lookback=3,
    horizon=2,
    frequency="h",
    offset=(0.0,) * 3,
    spread=(1.0,) * 3,
    naive_error=(1.0,),
)
ONE = dataclasses.replace(SPEC, covariates=(), known=(), offset=(0.0,), spread=(1.0,))
FILLED = dataclasses.replace(ONE, fill=Fill("linear", 1, (0.0,)))
HOUR = 3600


def column(rows):
    return np.arange(rows, dtype=np.float32)[:, None]


@given(st.integers(0, 80), st.integers(1, 12), st.integers(1, 6), st.integers(1, 9))
def test_windows_are_all_the_whole_slices_and_no_other(rows, lookback, horizon, stride):
    spec = dataclasses.replace(ONE, lookback=lookback, horizon=horizon, stride=stride)
    found = series.cut(column(rows), spec)
    size = lookback + horizon
    starts = [start for start in range(0, rows, stride) if start + size <= rows]
    assert len(starts) == max(0, (rows - size) // stride + 1)
    assert found.window[..., 0].tolist() == [list(range(s, s + lookback)) for s in starts]
    assert found.future[..., 0].tolist() == [list(range(s + lookback, s + size)) for s in starts]
    assert found.first.tolist() == [s + lookback for s in starts]


@given(st.lists(st.booleans(), min_size=5, max_size=40))
def test_a_window_without_a_target_is_left_out_and_one_that_lacks_a_cell_if_nothing_fills_it(
    missing,
):
    values = np.where(missing, np.nan, np.arange(len(missing)))[:, None].astype(np.float32)
    starts = range(len(missing) - 4)
    known = [s for s in starts if not all(missing[s + 3 : s + 5])]
    whole = [s for s in known if not any(missing[s : s + 3])]
    found, filled = series.cut(values, ONE), series.cut(values, FILLED)
    assert (found.first - 3).tolist() == whole
    assert not np.isnan(found.window).any()
    assert (found.unknown, found.lacking) == (len(starts) - len(known), len(known) - len(whole))
    assert (filled.first - 3).tolist() == known
    assert (filled.unknown, filled.lacking) == (len(starts) - len(known), 0)


def test_what_is_missing_is_not_a_number_in_window_and_future():
    found = series.cut(np.float32([[1], [np.nan], [3], [np.nan], [5]]), FILLED)
    np.testing.assert_array_equal(found.window[0, :, 0], [1, np.nan, 3])
    np.testing.assert_array_equal(found.future[0, :, 0], [np.nan, 5])


@given(
    st.integers(0, 40), st.integers(0, 30), st.integers(1, 9), st.integers(1, 5), st.integers(1, 4)
)
def test_rows_before_are_looked_back_at_and_never_forecast(rows, before, lookback, horizon, stride):
    spec = dataclasses.replace(ONE, lookback=lookback, horizon=horizon, stride=stride)
    found = series.cut(column(before + rows), spec, before)
    first = max(before, lookback)
    assert found.first.tolist() == list(range(first, before + rows - horizon + 1, stride))
    assert found.window[:, -1, 0].tolist() == [row - 1 for row in found.first]
    assert len(found.first) == series.count(before + rows, lookback, horizon, stride, before)


def test_targets_covariates_and_known_columns_go_where_they_belong():
    values = np.stack([np.arange(6), 10 + np.arange(6), 20 + np.arange(6)], 1).astype(np.float32)
    found = series.cut(values, SPEC)
    assert found.window[1].tolist() == [[1, 11, 21], [2, 12, 22], [3, 13, 23]]
    assert found.future[1].tolist() == [[4], [5]]
    assert found.known[1].tolist() == [[24], [25]]


def test_a_series_shorter_than_a_window_gives_none():
    found = series.cut(column(4), ONE)
    assert found.window.shape == (0, 3, 1)
    assert found.future.shape == (0, 2, 1)


def test_the_calendar_reads_the_clock_of_its_zone():
    noon = 1_704_110_400  # Monday 2024-01-01 12:00 UTC
    times = np.array([noon, noon + 13 * HOUR], np.int64)
    parts = ("hour", "weekday", "month")
    assert series.calendar(times, parts).tolist() == [[12, 0, 1], [1, 1, 1]]
    assert series.calendar(times, ("hour",), "Asia/Tokyo").tolist() == [[21], [10]]
    old = np.array([-6_974_726_400], np.int64)  # Tuesday 1748-12-24 00:00 UTC
    assert series.calendar(old, parts).tolist() == [[0, 1, 12]]


def test_a_record_gives_its_columns_in_the_order_of_the_spec_and_then_the_calendar():
    row = {
        "time": np.array([0, HOUR], np.int64),
        "wind": np.array([5, 6], np.float32),
        "holiday": np.array([0, 1], np.float32),
        "load": np.array([1, 2], np.float32),
    }
    spec = dataclasses.replace(SPEC, calendar=("hour",))
    assert series.values(row, spec).tolist() == [[1, 5, 0, 0], [2, 6, 1, 1]]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"load": np.zeros(2, np.float32)}, "expected the int64 feature 'time'. Received: load"),
        (
            {"time": np.zeros(2, np.int64), "load": np.zeros(3, np.float32)},
            r"column 'load': expected 2 numbers, one per time\. Received: 3 values\. Ingest",
        ),
        ({"time": np.zeros(2, np.int64)}, "column 'load': .* Received: no such feature"),
    ],
)
def test_a_record_of_another_form_is_refused(row, message):
    with pytest.raises(DataError, match=message):
        series.values(row, ONE)


ROW = {"time": np.arange(5, dtype=np.int64) * HOUR, "load": np.float32([0, 1, 2, np.nan, 4])}


def test_the_latest_window_keeps_its_gap_for_the_model_to_fill():
    found = series.latest(ROW, {}, FILLED)
    np.testing.assert_array_equal(found["window"], [2, np.nan, 4])
    with pytest.raises(DataError, match=r"^expected 3 rows up to the last one, received a missing"):
        series.latest(ROW, {}, ONE)
    with pytest.raises(DataError, match="expected 9 rows up to the last one, received 5 rows"):
        series.latest(ROW, {}, dataclasses.replace(FILLED, lookback=9))


def test_a_row_ahead_without_anything_known_is_asked_for():
    spec = dataclasses.replace(SPEC, covariates=(), known=("holiday", "event"))
    row = {**ROW, "load": np.ones(5), "holiday": np.ones(5), "event": np.ones(5)}
    row = {
        name: value.astype(np.int64 if name == "time" else np.float32)
        for name, value in row.items()
    }
    ahead = {"holiday": np.float32([1, np.nan]), "event": np.float32([np.nan, np.nan])}
    filled = dataclasses.replace(spec, fill=Fill("linear", 1, (0.0,) * 3))
    with pytest.raises(DataError, match=r"in the 2 rows after the last one, received 1 such rows"):
        series.latest(row, ahead, filled)
    ahead["event"][1] = 1
    np.testing.assert_array_equal(
        series.latest(row, ahead, filled)["known"], [1, np.nan, np.nan, 1]
    )
    with pytest.raises(DataError, match="received 0 such rows"):
        series.latest(row, ahead, spec)
