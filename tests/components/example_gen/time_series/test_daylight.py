"""Clocks with daylight saving are recognised by the hours that they show twice and skip."""

import numpy as np
import pandas as pd
import pytest

from millrace.components.errors import DataError
from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.time_series import clock, daylight
from millrace.components.example_gen.time_series.options import (
    ClockOptions,
    GridOptions,
    Limits,
    SeriesColumns,
    SeriesReading,
    SplitOptions,
)


def reading(zone="UTC", duplicates="error"):
    return SeriesReading(
        columns=SeriesColumns(),
        clock=ClockOptions(zone=zone),
        rows=GridOptions(duplicates=duplicates),
        cutting=SplitOptions({}, {}),
        limits=Limits(),
        csv=CsvFormat(),
    )


def shown(zone, start, periods, freq, series=""):
    """What the clocks of `zone` showed, as a file has it."""
    moments = pd.date_range(start, periods=periods, freq=freq, tz="UTC", unit="us")
    local = moments.tz_convert(zone).tz_localize(None)
    return pd.DataFrame({"series": series, "time": local})


@pytest.mark.parametrize("freq", ["h", "30min", "15min"])
@pytest.mark.parametrize(
    "zone",
    [
        *("Europe/Berlin", "America/New_York", "Europe/London", "Europe/Athens"),
        *("Australia/Sydney", "Pacific/Auckland", "America/Santiago"),
    ],
)
def test_the_zone_is_named_whose_clocks_show_the_repeated_hours_twice(zone, freq):
    table = shown(zone, "2021-01-01", 800 * 24 if freq == "h" else 20_000 * 2, freq)
    assert daylight.zones(table)[0] == zone
    with pytest.raises(DataError, match=rf"autumn hour .*\. Set series_example_gen\.zone={zone}, "):
        daylight.check_clock(table, reading())
    daylight.check_clock(table, reading(zone))
    daylight.check_clock(table, reading(duplicates="mean"))
    utc = clock.to_utc(pd.DatetimeIndex(table["time"]), zone, daylight.second_runs(table))
    assert len(set(np.diff(utc.to_numpy()))) == 1


def test_zones_that_change_alike_are_one_and_a_change_of_zone_elsewhere_none():
    table = shown("America/Chicago", "2021-01-01", 8000, "h")
    assert daylight.zones(table)[0] == "America/New_York"
    repeated = pd.concat([table, table.iloc[100:101]])
    assert daylight.zones(repeated) == []
    thrice = pd.concat([table, table.iloc[7300:7400]])
    assert daylight.zones(thrice) == []


def test_series_of_one_clock_are_judged_together():
    both = [shown("Europe/Berlin", "2022-10-01", 2000, "h", series=name) for name in "ab"]
    assert daylight.zones(pd.concat(both, ignore_index=True))[0] == "Europe/Berlin"


@pytest.mark.parametrize("order", ["in order", "interleaved", "newest first", "with gaps"])
def test_of_the_hour_shown_twice_the_file_says_which_came_first(order):
    table = shown("Europe/Berlin", "2022-10-29", 200, "15min").assign(y=range(200))
    if order == "interleaved":
        table = table.sort_values("time", kind="stable")
    if order == "newest first":
        table = table[::-1]
    if order == "with gaps":
        table = table.drop(index=[table.index[table["time"].duplicated(keep="last")][1]])
    table = table.reset_index(drop=True)
    again = daylight.second_runs(table)
    utc = clock.to_utc(pd.DatetimeIndex(table["time"]), "Europe/Berlin", again)
    places = (utc - pd.Timestamp("2022-10-29")) // pd.Timedelta("15min")
    assert places.tolist() == table["y"].tolist()


def test_a_wrong_zone_is_refused_with_the_one_that_fits():
    table = shown("Europe/Berlin", "2022-09-01", 24 * 100, "h")
    with pytest.raises(
        DataError,
        match=r"2022-10-30 02:00:00: this is the autumn hour of a clock with daylight saving "
        r"\(2022-10-30\), which those of Europe/London do not show twice\. Set "
        r"series_example_gen\.zone=Europe/Berlin, or another",
    ):
        daylight.check_clock(table, reading("Europe/London"))
    spring = shown("UTC", "2022-03-01", 24 * 60, "h")
    with pytest.raises(
        DataError,
        match=r"times that the clocks of Europe/Berlin show\. Received: 1 in hours that they skip "
        r"in spring, such as 2022-03-27 02:00:00\. Leave series_example_gen\.zone out, unless",
    ):
        daylight.check_clock(spring, reading("Europe/Berlin"))
    daylight.check_clock(spring, reading())


def test_the_autumn_hour_is_recognised_beside_one_made_up_for_spring():
    table = shown("Europe/Berlin", "2022-01-01", 24 * 330, "h")
    made_up = pd.DataFrame({"series": "", "time": [pd.Timestamp("2022-03-27 02:00")]})
    both = pd.concat([table, made_up], ignore_index=True)
    with pytest.raises(
        DataError,
        match=r"autumn hour of a clock with daylight saving \(2022-10-30\); but 2022-03-27 "
        r"02:00:00 is in the hour that it skips in spring\. Set "
        r"series_example_gen\.zone=Europe/Berlin and series_example_gen\.duplicates=last to merge",
    ):
        daylight.check_clock(both, reading())
    with pytest.raises(DataError, match=r"Correct these times, or set .*duplicates=last to merge"):
        daylight.check_clock(both, reading("Europe/Berlin"))
    daylight.check_clock(both, reading("Europe/Berlin", duplicates="last"))


@pytest.mark.parametrize("freq", ["h", "15min"])
def test_the_one_hour_missing_in_spring_is_named(freq):
    table = shown("Europe/Berlin", "2022-03-01", 4000, freq)
    assert daylight.spring_hint(table, freq) == (
        "no rows in the hour before 2022-03-27 03:00:00: this is the spring hour of a clock with "
        "daylight saving. Set series_example_gen.zone=Europe/Berlin, or another zone of these "
        "clocks."
    )
    assert not daylight.spring_hint(table.drop(index=50), freq)
    assert not daylight.spring_hint(shown("UTC", "2022-03-01", 100, freq), freq)
    assert not daylight.spring_hint(table, "D")


def test_several_times_missing_in_spring_are_no_hint_to_a_clock():
    table = shown("UTC", "2022-03-01", 24 * 60, "h")
    gap = table.drop(index=table.index[table["time"] == pd.Timestamp("2022-03-20 02:00")])
    assert not daylight.spring_hint(gap, "h")
