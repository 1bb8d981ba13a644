"""The step between rows, found and named as pandas does; where there is none, advice that works."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.errors import DataError, OptionError
from millrace.components.example_gen.time_series import grid, steps
from millrace.components.example_gen.time_series.grid import GridCounts


def times(*stamps, series="a"):
    index = pd.to_datetime(list(stamps), format="ISO8601").as_unit("us")
    return pd.Series(index, index=[series] * len(stamps))


def frequency(found):
    return steps.frequency(found, lambda series, time: f"{series or 'data'}.csv:{time.day}")


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        (("2020-01-01", "2020-01-02", "2020-01-04"), "D"),
        (("2020-01-01 00:00", "2020-01-01 01:00", "2020-01-01 04:00"), "h"),
        (("2020-01-01 00:00", "2020-01-01 00:15", "2020-01-01 00:30"), "15min"),
        (("2020-01-01", "2020-02-01", "2020-04-01"), "MS"),
        (("2020-01-31", "2020-02-29", "2020-03-31"), "ME"),
        (("2020-01-01", "2020-04-01", "2020-07-01"), "3MS"),
        (("1700-01-01", "1701-01-01", "1702-01-01"), "YS-JAN"),
        (("2020-01-04", "2020-01-11", "2020-01-18"), "7D"),
    ],
)
def test_the_step_from_row_to_row_is_found(stamps, expected):
    assert frequency(times(*stamps)) == expected


def test_weekdays_are_business_days():
    days = pd.date_range("2020-01-01", periods=30, freq="B")
    assert frequency(pd.Series(days, index=["a"] * 30)) == "B"


def test_steps_between_series_do_not_count():
    both = pd.concat([times("2020-01-01", "2020-01-02"), times("2020-01-01 05:00", series="b")])
    assert frequency(both) == "D"


@pytest.mark.parametrize(
    ("stamps", "message"),
    [
        (
            ("2020-01-01 00:00:00", "2020-01-01 00:01:00", "2020-01-01 00:02:01"),
            r"rows a fixed step apart\. Received: steps of 60 s \(1 times\), 61 s \(1 times\)\. "
            r"Bring them to one by series_example_gen\.resample=min\.",
        ),
        (("2020-01-01",), "expected two rows or more of a series. Received: 1 rows. Name"),
    ],
)
def test_irregular_times_are_refused(stamps, message):
    with pytest.raises(DataError, match=message):
        frequency(times(*stamps))


def test_an_unknown_step_is_refused():
    with pytest.raises(OptionError, match=r"expected a frequency such as .* Received: 'fortnight'"):
        steps.check_frequency("fortnight")
    assert steps.check_frequency("15min") == "15min"


@pytest.mark.parametrize(
    ("rule", "use"),
    [
        *(("M", "ME"), ("H", "h"), ("30T", "30min"), ("Q", "QE"), ("Y", "YE"), ("2H", "2h")),
        *(("A-DEC", "YE-DEC"), ("Q-MAR", "QE-MAR"), ("BM", "BME"), ("d", "D"), ("S", "s")),
        *(("hourly", "h"), ("15 minutes", "15min"), ("week", "W"), ("m", "ME, or min for minutes")),
    ],
)
def test_older_and_longer_names_of_steps_are_refused_with_the_one_in_use(rule, use):
    with pytest.raises(OptionError, match=rf"Received: '{rule}'\. Use {use}\.$"):
        steps.check_frequency(rule)
    first = use.split(",")[0]
    assert steps.check_frequency(first) == pd.tseries.frequencies.to_offset(first).freqstr


@pytest.mark.parametrize("rule", ["0.5us", "100ns", "-1h", "0D"])
def test_a_step_of_parts_of_a_microsecond_or_backwards_is_refused(rule):
    with pytest.raises(OptionError, match="option resample"):
        steps.check_frequency(rule)


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        (pd.date_range("2022-01-01", periods=20, freq="500ms"), "500ms"),
        (pd.date_range("2022-01-01", periods=20, freq="1250ms"), "1250ms"),
        (pd.date_range("2022-01-01 00:00:00.25", periods=20, freq="1s"), "1000ms"),
        (pd.date_range("2022-01-01", periods=20, freq="20us"), "20us"),
        (pd.date_range("2022-01-01", periods=20, freq="BME"), "BME"),
        (pd.date_range("2022-01-01", periods=20, freq="BMS"), "BMS"),
        (pd.date_range("2022-01-01", periods=20, freq="BQE"), "3BME"),
        (pd.date_range("2022-01-01", periods=20, freq="QE"), "3ME"),
        (pd.date_range("2022-01-01", periods=20, freq="YE"), "YE-DEC"),
        (pd.date_range("2022-01-01", periods=20, freq="28D"), "28D"),
        (pd.date_range("2022-01-01", periods=20, freq="W-WED"), "7D"),
        (pd.date_range("2022-01-01", periods=20, freq="12h"), "12h"),
        (pd.date_range("2022-01-03 16:00", periods=30, freq="B").delete([7, 20]), "B"),
        (pd.date_range("0001-01-01", periods=20, freq="YS", unit="us"), "YS-JAN"),
    ],
)
def test_every_row_lies_on_the_grid_of_its_step(stamps, expected):
    assert frequency(times(*stamps.astype(str))) == expected
    counts = GridCounts()
    rows = pd.DataFrame({"y": np.arange(len(stamps), dtype=float)}, index=stamps.as_unit("us"))
    found = grid.regular(rows, expected, None, counts)
    assert found["y"].dropna().tolist() == rows["y"].tolist()
    assert counts.added == len(found) - len(rows)


def test_quarters_of_series_that_begin_in_other_months_are_quarters():
    both = [
        times(*map(str, pd.date_range(first, periods=8, freq="3MS")), series=first)
        for first in ("2020-01-01", "2020-02-01")
    ]
    assert frequency(pd.concat(both)) == "3MS"


RANDOM = np.random.default_rng(3)


def jittered(start, count, step, most):
    index = pd.date_range(start, periods=count, freq=step)
    return index + pd.to_timedelta(RANDOM.integers(-most, most + 1, count), unit="s")


@pytest.mark.parametrize(
    ("stamps", "advised", "rows"),
    [
        (jittered("2020-01-01", 300, "10min", 20), "10min", 300),
        (jittered("2020-01-01 00:05", 300, "15min", 9), "15min", 300),
        (jittered("2020-01-01", 300, "h", 60), "1h", 300),
        (jittered("2020-01-01", 300, "1min", 8), "min", 300),
        (jittered("2020-01-01", 100, "D", 600), "D", 100),
        (pd.date_range("2010-01-15", periods=60, freq="MS") + pd.Timedelta("14D"), "MS", 60),
        (pd.date_range("2010-01-15", periods=60, freq="BME") - pd.Timedelta("1D"), "ME", 60),
        (
            pd.DatetimeIndex(
                [
                    day + pd.Timedelta(hours=h)
                    for day in pd.date_range("2020-01-01", periods=60)
                    for h in (8, 18)
                ]
            ),
            "12h",
            120,
        ),
        (
            pd.date_range("2020-01-01", periods=60, freq="W")
            + pd.to_timedelta(np.arange(60) % 3, unit="D"),
            "W-TUE",
            60,
        ),
    ],
)
def test_the_advised_step_takes_every_row_and_leaves_no_gap(stamps, advised, rows):
    series = times(*stamps.astype(str))
    with pytest.raises(DataError, match="rows a fixed step apart") as failed:
        frequency(series)
    step = str(failed.value).rsplit("resample=", 1)[1].rstrip(".")
    assert step.replace("1h", "h") == advised.replace("1h", "h")
    step = steps.check_frequency(step)
    counts = GridCounts()
    index = pd.DatetimeIndex(grid.snapped(series, step))
    found = grid.regular(pd.DataFrame({"y": 1.0}, index=index), step, "sum", counts)
    assert found["y"].sum() == len(stamps)
    assert len(found) <= rows
    assert counts.added == 0


@pytest.mark.parametrize(
    ("stamps", "advised"),
    [
        (
            [f"2020-{month:02}-{day:02}" for month in range(1, 13) for day in (1, 11, 21)],
            "2W-MON",
        ),
        (
            pd.Timestamp("2020-01-01")
            + pd.to_timedelta(150 * np.arange(500) + RANDOM.integers(5, 300, 500), unit="s"),
            "5min",
        ),
    ],
)
def test_the_advised_step_is_long_enough_to_leave_few_gaps(stamps, advised):
    series = times(*map(str, sorted(stamps)))
    with pytest.raises(DataError, match=rf"resample={advised}\.$"):
        frequency(series)
    index = pd.DatetimeIndex(grid.snapped(series, advised))
    found = grid.regular(pd.DataFrame({"y": 1.0}, index=index), advised, "mean", GridCounts())
    assert found["y"].isna().mean() < 0.25


def test_a_few_stray_rows_are_named_by_file_and_line():
    days = [*map(str, pd.date_range("2020-01-01", periods=60)), "2020-01-07 13:37:00"]
    with pytest.raises(
        DataError,
        match=r"; all but 1 of 61 rows are D apart: correct or remove 2020-01-07 13:37:00 "
        r"\(a\.csv:7\)\. Bring them to one by series_example_gen\.resample=D\.$",
    ):
        frequency(times(*sorted(days)))


@given(
    st.integers(1, 4_000_000_000),
    st.integers(0, 10**15),
    st.lists(st.booleans(), min_size=6, max_size=40),
)
def test_rows_any_whole_microseconds_apart_are_a_grid(length, start, present):
    """No row is lost or made up, whatever rows are missing between them."""
    places = np.array([0, 1, 2, *(3 + np.flatnonzero(present))], np.int64)
    moments = pd.DatetimeIndex((start + places * length).astype("datetime64[us]"))
    series = pd.Series(moments, index=[""] * len(moments))
    try:
        step = frequency(series)
    except DataError:  # another step is more frequent
        return
    counts = GridCounts()
    rows = pd.DataFrame({"y": places.astype(float)}, index=moments)
    found = grid.regular(rows, step, None, counts)
    assert found["y"].dropna().tolist() == places.tolist()
    assert len(found) == len(places) + counts.added


@pytest.mark.parametrize(
    ("step", "late", "moved"),
    [
        ("10min", [-5, 7, 0], [0, 0, 0]),
        ("10min", [-5, -7, -1], [0, 0, 0]),
        ("10min", [-5, 7, 151], [-5, 7, 151]),
        ("10min", [5, 7, 61], [5, 7, 61]),
        ("10min", [-5, 7, 149], [0, 0, 0]),
        ("D", [-60, 60, 0], [0, 0, 0]),
        ("D", [-60, -60, -50], [-60, -60, -50]),  # of the day that ends
        ("7min", [-5, 7, 0], [-5, 7, 0]),
        ("MS", [-5, 7, 0], [-5, 7, 0]),
    ],
)
def test_rows_next_to_the_times_of_a_grid_are_moved_there(step, late, moved):
    exact = pd.Series(pd.date_range("2020-01-01", periods=3, freq=step, unit="us"))
    found = grid.snapped(exact + pd.to_timedelta(late, unit="s"), step)
    assert ((found - exact).dt.total_seconds()).tolist() == moved
