"""Times in all their forms, and those that could mean two things."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from millrace.components.errors import DataError, OptionError
from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.time_series import clock


@pytest.fixture
def read(rows):
    """The times of a column, as text."""

    def run(*cells, name="when", form="", day_first="auto"):
        columns = {name: cells, "y": ["1"] * len(cells)}
        found = rows(csv=CsvFormat(day_first=day_first), **columns)
        return [str(time) for time in clock.read(found, [name], form).times]

    return run


@pytest.mark.parametrize(
    ("cells", "first"),
    [
        (("1949-01", "1949-02"), "1949-01-01 00:00:00"),
        (("2012-01-01 03:00:00", "2012-01-01 04:00:00"), "2012-01-01 03:00:00"),
        (("2020-05-01T00:00:00+02:00",), "2020-04-30 22:00:00"),
        (("31/12/2011", "01/12/2011"), "2011-12-31 00:00:00"),
        (("12/31/2011 11:15 PM",), "2011-12-31 23:15:00"),
        (("Dec 31, 2011",), "2011-12-31 00:00:00"),
        (("Jan 1958",), "1958-01-01 00:00:00"),
        (("20111231",), "2011-12-31 00:00:00"),
        (("Q3 2012", "Q4-2012"), "2012-07-01 00:00:00"),
        (("2020-W01", "2020-W02"), "2019-12-30 00:00:00"),
    ],
)
def test_usual_forms_are_found(read, cells, first):
    assert read(*cells)[0] == first


@pytest.mark.parametrize(
    ("cells", "first"),
    [
        (("201201", "201202"), "2012-01-01 00:00:00"),
        (("43831", "43832.5"), "2020-01-01 00:00:00"),
        (("1600000000", "1600000060"), "2020-09-13 12:26:40"),
    ],
)
def test_numbers_are_times_in_a_column_of_times(read, cells, first):
    assert read(*cells, name="date")[0] == first


@pytest.mark.parametrize(
    ("name", "cells", "first"),
    [
        ("ym", ("201201", "201202"), "2012-01-01 00:00:00"),
        ("Month", ("201201", "201202"), "2012-01-01 00:00:00"),
        ("Monat", ("01.2012", "12.2012"), "2012-01-01 00:00:00"),
        ("yearweek", ("202001", "202002"), "2019-12-30 00:00:00"),
        ("date", ("202001", "202053"), "2019-12-30 00:00:00"),
    ],
)
def test_numbers_are_months_or_weeks_in_a_column_called_so(read, name, cells, first):
    assert read(*cells, name=name)[0] == first


def test_months_are_known_by_their_names(rows):
    found = rows(Year=["2010", "2010", "2010"], Month=["Jan", "february", "Nil"])
    times = clock.read(found, ["Year", "Month"]).times
    assert [str(time) for time in times] == ["2010-01-01 00:00:00", "2010-02-01 00:00:00", "NaT"]
    found = rows(jahr=["2010"], monat=["März"], tag=["7"])
    assert str(clock.read(found, ["jahr", "monat", "tag"]).times[0]) == "2010-03-07 00:00:00"


@pytest.mark.parametrize(
    ("name", "cells", "expected"),
    [
        ("quarter", ("1", "4", "5"), ["2010-01-01", "2010-10-01", "NaT"]),
        ("qtr", ("Q1", "Q4", "x"), ["2010-01-01", "2010-10-01", "NaT"]),
        ("week", ("1", "52", "53"), ["2010-01-04", "2010-12-27", "NaT"]),
        ("KW", ("KW 01", "02", "0"), ["2010-01-04", "2010-01-11", "NaT"]),
    ],
)
def test_a_year_and_its_quarter_or_week_are_a_time(rows, name, cells, expected):
    found = rows(year=["2010", "2010.0", "2010"], **{name: cells})
    times = clock.read(found, ["year", name]).times
    assert [str(time).removesuffix(" 00:00:00") for time in times] == expected


def test_what_is_no_quarter_is_refused(rows):
    with pytest.raises(DataError, match=r"quarters from 1 to 4 or .*Received: 'spring'\. Name"):
        clock.read(rows(year=["2010"], quarter=["spring"]), ["year", "quarter"])


def test_the_whole_column_decides_between_day_and_month(read):
    assert read("01-02-2011", "13-02-2011") == ["2011-02-01 00:00:00", "2011-02-13 00:00:00"]
    assert read("01-02-2011", "01-13-2011") == ["2011-01-02 00:00:00", "2011-01-13 00:00:00"]


def test_a_column_that_reads_both_ways_is_refused_unless_the_order_is_given(read):
    with pytest.raises(DataError, match=r"'when': .*Set series_example_gen\.csv\.day_first to yes"):
        read("01-02-2011", "03-03-2011")
    assert read("01-02-2011", "03-03-2011", day_first="yes")[0] == "2011-02-01 00:00:00"
    assert read("01-02-2011", "03-03-2011", day_first="no")[0] == "2011-01-02 00:00:00"
    assert read("03-03-2011", "04-04-2011")[0] == "2011-03-03 00:00:00"


def test_a_given_form_is_taken_and_what_does_not_fit_it_has_no_time(read):
    assert read("2011 week", "x", form="%Y week") == ["2011-01-01 00:00:00", "NaT"]
    assert read("2012Q2", "oops", form="quarter") == ["2012-04-01 00:00:00", "NaT"]


@pytest.mark.parametrize("scale", [1, 10**3, 10**6, 10**9])
def test_unix_times_are_seconds_or_parts_of_them_by_their_size(read, scale):
    assert read(str(1_600_000_000 * scale), form="unix") == ["2020-09-13 12:26:40"]


def test_parts_of_a_time_are_put_together(rows):
    found = rows(year=["2010"], month=["2"], day=["3"], hour=["4"])
    times = clock.read(found, ["year", "month", "day", "hour"]).times
    assert str(times[0]) == "2010-02-03 04:00:00"
    assert str(clock.read(found, ["year"]).times[0]) == "2010-01-01 00:00:00"


def test_a_date_and_the_parts_within_the_day_are_put_together(rows):
    found = rows(dateday=["31-01-2011"], hour=["23"], min=["30"])
    times = clock.read(found, ["dateday", "hour", "min"]).times
    assert str(times[0]) == "2011-01-31 23:30:00"


@pytest.mark.parametrize(
    ("cells", "form", "hours"),
    [
        (["18:00:00", "06:30:00"], "clock", [18, 6.5]),
        (["18:00", "6:30"], "clock", [18, 6.5]),
        (["18.00.00", "06.30.00"], "clock", [18, 6.5]),
        (["18h00", "6h30"], "clock", [18, 6.5]),
        (["6:00 PM", "6:30 AM"], "clock", [18, 6.5]),
        (["6 p.m.", "12 a.m."], "clock", [18, 0]),
        (["12:15:30 pm", "12:15:30.5 am"], "clock", [12 + 15.5 / 60, 15.5 / 60 + 0.5 / 3600]),
        (["1800", "0630"], "hhmm", [18, 6.5]),
        (["1800", "0", "30"], "hhmm", [18, 0, 0.5]),
        (["180000", "63000"], "hhmmss", [18, 6.5]),
        (["18", "6"], "hour", [18, 6]),
        (["18.0", "6.0"], "hour", [18, 6]),
        (["0", "24"], "hour", [0, 24]),
        (["1", "24"], "1h", [0, 23]),
        (
            [*map(str, range(1, 25)), "240"] * 2 + ["1"] * 50,
            "1h",
            [*range(24), np.nan] * 2 + [0] * 50,
        ),
        (["1", "2", "48"], "30min", [0, 0.5, 23.5]),
        (["1", "2", "96"], "15min", [0, 0.25, 23.75]),
        ([str(period) for period in range(1, 289)], "5min", [part / 12 for part in range(288)]),
        ([str(part) for part in range(48)] * 30, "30min from 0", [p / 2 for p in range(48)] * 30),
        ([str(part) for part in range(96)], "15min from 0", [part / 4 for part in range(96)]),
        (["0", "30", "45"], "hhmm", [0, 0.5, 0.75]),
        (["0", "100", "200", "230"], "hhmm", [0, 1, 2, 2.5]),
        (["18:00", "25:00", "12:60"], "clock", [18, np.nan, np.nan]),
    ],
)
def test_times_of_day_stand_beside_a_date_in_many_forms(rows, cells, form, hours):
    found = rows(d=["2020-01-01"] * len(cells), t=cells)
    parsed = clock.read(found, ["d", "t"])
    since = (parsed.times - np.datetime64("2020-01-01")) / np.timedelta64(1, "h")
    np.testing.assert_allclose(since, hours, rtol=1e-12)
    assert parsed.within == form


@pytest.mark.parametrize(
    ("name", "cells", "is_one"),
    [
        ("Hour", ["1", "12", "24"], True),
        ("hour_ending", [*(str(1 + hour % 24) for hour in range(100)), "25"], True),
        ("SETTLEMENT_PERIOD", ["1", "48"], True),
        ("SP", ["1", "50"], True),
        ("SP", [str(part) for part in range(48)], True),
        ("quarter", ["1", "2", "4"], False),
        ("quarter", ["1", "96"], True),
        ("amount", ["1", "24"], False),
        ("hour", ["500", "9000"], False),
    ],
)
def test_numbers_are_times_of_day_in_a_column_called_so(name, cells, is_one):
    assert clock.looks_like_times_of_day(name, pa.array(cells)) == is_one


def counted(rows, zone, start, days, period, **more):
    """Parts of each day, counted from 1 on, with one more hour in autumn and one less in spring."""
    moments = pd.date_range(start, periods=days + 1, freq="D", tz=zone)
    steps = pd.date_range(moments[0], moments[-1], freq=period, inclusive="left")
    dates = steps.strftime("%Y-%m-%d")
    numbers = pd.Series(1, index=dates).groupby(level=0).cumsum()
    return rows(date=list(dates), sp=[str(number) for number in numbers]), steps.tz_convert(None)


@pytest.mark.parametrize("period", ["h", "30min", "15min"])
@pytest.mark.parametrize("start", ["2021-03-26", "2021-10-29"])
def test_parts_of_a_day_are_counted_through_the_hour_that_clocks_repeat_or_skip(
    rows, start, period
):
    found, moments = counted(rows, "Europe/London", start, 5, period)
    parsed = clock.read(found, ["date", "sp"], zone="Europe/London")
    assert parsed.has_offset
    assert parsed.times.tolist() == moments.tolist()


def test_parts_of_a_longer_day_need_the_zone_that_has_it(rows):
    found, _ = counted(rows, "Europe/London", "2021-10-29", 5, "30min")
    for zone in ("UTC", "America/New_York"):
        with pytest.raises(
            DataError,
            match=r"more on 2021-10-31, when .*Set series_example_gen\.zone=Europe/Berlin",
        ):
            clock.read(found, ["date", "sp"], zone=zone)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_an_hour_past_the_end_of_a_usual_day_is_no_time(rows, zone):
    hours = [*range(1, 25), 25]
    found = rows(d=["2020-01-05"] * 25, hour=[str(hour) for hour in hours])
    times = clock.read(found, ["d", "hour"], zone=zone).times
    assert times.isna().tolist() == [False] * 24 + [True]
    parts = rows(year=["2020"] * 25, month=["1"] * 25, day=["5"] * 25, hour=map(str, hours))
    times = clock.read(parts, ["year", "month", "day", "hour"], zone=zone).times
    assert times.isna().tolist() == [False] * 24 + [True]
    assert [str(times[0]), str(times[23])] == ["2020-01-05 00:00:00", "2020-01-05 23:00:00"]


def test_the_form_of_a_time_of_day_may_be_known_already(rows):
    found = rows(d=["2020-01-01"], t=["15"])
    times = clock.read(found, ["d", "t"], "", "hhmm").times
    assert str(times[0]) == "2020-01-01 00:15:00"


def test_what_is_no_time_of_day_is_refused(rows):
    with pytest.raises(DataError, match=r"'t': expected times of day such as .*Received: 'noon'"):
        clock.read(rows(d=["2020-01-01"], t=["noon"]), ["d", "t"])


def test_fractions_of_a_second_are_kept(read):
    assert read("2020-01-01T00:00:01.250") == ["2020-01-01 00:00:01.250000"]
    assert read("1577836800250", form="unix") == ["2020-01-01 00:00:00.250000"]


def test_parts_in_another_order_are_refused(rows):
    found = rows(month=["2"], year=["2010"], day=["1"])
    with pytest.raises((OptionError, DataError), match="Received: "):
        clock.read(found, ["month", "year"])
    with pytest.raises(OptionError, match="option time: expected one column, year, month, day"):
        clock.read(found, ["year", "day", "month"])


@pytest.mark.parametrize(
    ("cells", "form", "message"),
    [
        (("apple", "pear"), "", "expected times in a usual form. Received: 'apple', 'pear'. Name"),
        (("2011-01-01",), "%Y/%m", "expected times like '%Y/%m'. Received: '2011-01-01'"),
        (("2012-Q1", "2012-Q5"), "", r"'2012-Q5'\. .* such as %d\.%m\.%Y %H:%M, quarter or unix"),
    ],
)
def test_what_is_not_a_time_is_refused(read, cells, form, message):
    with pytest.raises(DataError, match=message):
        read(*cells, form=form)


def test_the_hour_that_comes_twice_and_the_one_that_does_not_come():
    times = pd.DatetimeIndex(["2024-10-27 02:30", "2024-10-27 02:30", "2024-03-31 02:30"])
    again = np.array([False, True, False])
    found = clock.to_utc(times, "Europe/Berlin", again)
    assert [str(time) for time in found] == [
        "2024-10-27 00:30:00",
        "2024-10-27 01:30:00",
        "2024-03-31 01:00:00",
    ]


def test_an_unknown_zone_is_refused():
    with pytest.raises(OptionError, match=r"name of the tz database\. Received: 'Mars/North'. Use"):
        clock.check_zone("Mars/North")
