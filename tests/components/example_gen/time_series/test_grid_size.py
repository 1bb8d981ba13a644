"""The rows of a grid are counted before they are built, and what makes them too many is named."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.example_gen.time_series import grid_size


def table(*rows):
    frame = pd.DataFrame(rows, columns=["series", "time"])
    times = pd.to_datetime(frame["time"], format="ISO8601").astype("datetime64[s]")
    return frame.assign(time=times, y=0.0)


@given(
    st.integers(0, 3_000),
    st.sampled_from(["s", "7s", "15min", "h", "D", "7D"]),
    st.datetimes(pd.Timestamp("1900-01-01"), pd.Timestamp("2200-01-01")),
)
def test_a_grid_of_fixed_steps_has_the_rows_that_were_counted(count, step, first):
    built = pd.date_range(pd.Timestamp(first).floor("s"), periods=count + 1, freq=step)
    assert grid_size.rows(built[0], built[-1], step) == count + 1


@pytest.mark.parametrize(("step", "rows"), [("MS", 1201), ("YS-JAN", 101), ("W-SUN", 5219)])
def test_calendar_steps_count_by_their_mean_length(step, rows):
    counted = grid_size.rows(pd.Timestamp("1900-01-01"), pd.Timestamp("2000-01-01"), step)
    assert counted == pytest.approx(rows, rel=0.01)


def test_a_grid_may_have_a_million_cells_whatever_it_is_made_of():
    assert not grid_size.excess(table(("a", "2020-01-01"), ("a", "2020-01-13 03:16:15")), "s")
    assert grid_size.excess(table(("a", "2020-01-01"), ("a", "2020-01-13 03:16:16")), "s") == (
        "expected a grid of at most 1,048,576 rows, one every s, of 2 rows read. Received: times "
        "from "
        "2020-01-01 00:00:00 to 2020-01-13 03:16:16, 1,048,577 rows"
    )


def test_series_that_lie_far_apart_count_by_the_time_between_them():
    two = table(("a", "1970-01-01"), ("a", "1970-01-02"), ("b", "2030-01-01"), ("b", "2030-01-02"))
    assert "31,559,041 rows" in grid_size.excess(two, "min")
    assert not grid_size.excess(two, "D")


def test_the_grids_of_all_series_count_together():
    rows = [(f"s{i}", day) for i in range(400) for day in ("1990-01-01", "2000-01-01")]
    assert "1,461,200 rows" in grid_size.excess(table(*rows), "D")


@pytest.mark.parametrize(
    ("stamps", "stray", "neighbor"),
    [
        (["2020-01-01", "2020-01-02", "2204-01-01"], "2204-01-01", "2020-01-02"),
        (["1020-01-02", "2020-01-02", "2020-01-03"], "1020-01-02", "2020-01-02"),
    ],
)
def test_the_stray_row_is_the_one_with_fewer_on_its_side(stamps, stray, neighbor):
    gap = grid_size.widest_gap(table(("b", "2020-01-01"), *(("c", day) for day in stamps)), "D")
    assert (gap.series, gap.stray, gap.neighbor) == (
        *("c", pd.Timestamp(stray)),
        pd.Timestamp(neighbor),
    )
    assert gap.rows == abs((pd.Timestamp(stray) - pd.Timestamp(neighbor)).days) - 1


def test_single_rows_have_no_gap():
    assert grid_size.widest_gap(table(("a", "2020-01-01"), ("b", "2021-01-01")), "D") is None
