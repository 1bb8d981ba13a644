"""Which column is the time, which is forecast and which names the series, where nobody says."""

import numpy as np
import pytest

from millrace.components.errors import DataError
from millrace.components.example_gen.time_series import clock
from millrace.components.example_gen.time_series import columns as columns_of_series
from millrace.components.example_gen.time_series.options import SeriesColumns

DAYS = ["2020-01-01", "2020-01-02", "2020-01-03"]


@pytest.fixture
def choose(rows):
    """What is chosen of a table where `given` is."""

    def run(given=None, *, name="x.csv", wide=False, **columns):
        found, given = rows(name=name, **columns), given or SeriesColumns()
        time = columns_of_series.time_of(found, given)
        times = clock.read(found, time).times
        given = SeriesColumns(time, given.targets, given.covariates, given.known, given.series)
        series = given.series or columns_of_series.telling_apart(found, given, times)
        given = SeriesColumns(time, given.targets, given.covariates, given.known, series)
        return columns_of_series.values_of(found, given, times, wide=wide)

    return run


def test_the_time_is_the_column_of_times_and_the_target_the_first_of_numbers(choose):
    found = choose(note=["x", "y", "z"], day=DAYS, a=["1", "5", "2"], b=["7", None, "9"])
    assert (found.time, found.targets, found.covariates) == (("day",), ("a",), ())


@pytest.mark.parametrize(
    ("file", "names", "target"),
    [
        ("x.csv", ("price", "sales"), "sales"),
        ("x.csv", ("temperature", "visitors"), "visitors"),
        ("x.csv", ("open", "high", "low", "close", "volume"), "close"),
        ("x.csv", ("promo", "Daily Sales (EUR)"), "Daily Sales (EUR)"),
        ("airline-passengers.csv", ("crew", "Passengers"), "Passengers"),
        ("x.csv", ("humidity", "wind"), "humidity"),
        ("x.csv", ("sales", "demand"), "sales"),
        ("x.csv", ("a", "y"), "y"),
        ("x.csv", ("Day Of Week", "month", "promo_id", "rides"), "rides"),
    ],
)
def test_the_target_is_known_by_its_name_else_it_is_the_first_and_said(
    choose, caplog, file, names, target
):
    columns = {name: ["3", "1", str(4 + place)] for place, name in enumerate(names)}
    with caplog.at_level("INFO"):
        assert choose(name=file, day=DAYS, **columns).targets == (target,)
    (said,) = [message for message in caplog.messages if message.startswith("forecasting ")]
    assert said.startswith(f"forecasting {target!r}, ")
    assert "series_example_gen.targets names others" in said


@pytest.mark.parametrize(
    ("columns", "time"),
    [
        ({"Year": ["2001"] * 4, "Month": ["Jan", "Feb", "Mar", "Apr"]}, ("Year", "Month")),
        ({"quarter": ["Q1", "Q2", "Q3", "Q4"], "year": ["2001"] * 4}, ("year", "quarter")),
        ({"year": ["2001"] * 4, "week": ["1", "2", "3", "4"]}, ("year", "week")),
        ({"year": ["2001", "2002", "2003", "2004"], "week": ["1", "2", "3", "4"]}, ("year",)),
        ({"year": ["2001"] * 4, "quarter": ["101", "205", "309", "412"]}, ("year",)),
    ],
)
def test_a_year_that_repeats_has_its_month_quarter_or_week_beside_it(choose, columns, time):
    assert choose(**columns, sales=["3", "1", "4", "1"]).time == time


def test_a_day_that_is_the_same_in_all_rows_is_not_the_time(choose):
    created = ["2021-05-05"] * 3
    assert choose(created=created, date=DAYS, sales=["3", "1", "4"]).time == ("date",)
    assert choose(created=created[:1], sales=["3"]).time == ("created",)


def test_where_no_column_is_of_times_the_fix_is_named(rows):
    counted = rows(t=["0.0", "0.5", "1.0"], y=["3", "1", "4"])
    with pytest.raises(
        DataError, match=r"If 't' counts seconds or rows, set .*time=t and .*=unix;"
    ):
        columns_of_series.time_of(counted, SeriesColumns())
    times = clock.read(counted, ["t"], "unix").times
    assert str(times[1] - times[0]) == "0 days 00:00:00.500000"
    turned = rows(id=["D1", "D2", "D3"], V1=["3", "1", "4"], V2=["1", "5", "9"], V3=["2", "6", "5"])
    with pytest.raises(DataError, match=r"If each row is a series, turn the table: .*wide=true\.$"):
        columns_of_series.time_of(turned, SeriesColumns())


def test_neither_an_index_nor_a_constant_is_a_target_unless_it_is_the_only_one(choose):
    assert choose(day=DAYS, index=["0", "1", "2"], a=["3", "1", "4"]).targets == ("a",)
    assert choose(day=DAYS, store=["7", "7", "7"], a=["3", "1", "4"]).targets == ("a",)
    assert choose(day=DAYS, a=["0", "1", "2"]).targets == ("a",)


def test_what_later_rows_lack_is_to_be_forecast(choose):
    days = [str(np.datetime64("2020-01-01") + day) for day in range(10)]
    known = [str(day % 2) for day in range(10)]
    past = [str(3 * day % 7) for day in range(7)] + [None] * 3
    assert choose(day=days, discount=known, rides=past).targets == ("rides",)
    short = [*past[:-3], "1", "2", None]
    assert choose(day=days, discount=known, rides=short).targets == ("discount",)


def test_a_date_that_comes_several_times_takes_the_hour_beside_it(choose):
    found = choose(day=[DAYS[0]] * 3, hr=["0", "1", "2"], y=["5", "6", "5"])
    assert found.time == ("day", "hr")
    assert choose(day=DAYS, hr=["0", "0", "0"], y=["5", "6", "5"]).time == ("day",)


@pytest.mark.parametrize(
    ("name", "cells", "is_it"),
    [
        ("Time", ["00:00:00", "08:00:00", "16:00:00"], True),
        ("at", ["12:00 AM", "8:00 AM", "4:00 PM"], True),
        ("Time", ["0000", "0800", "1600"], True),
        ("Time", ["15", "45", "1630"], True),
        ("Hour", ["0", "8", "16"], True),
        ("price", ["0", "8", "16"], False),
        ("Time", ["a", "b", "c"], False),
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_date_that_repeats_takes_the_time_of_day_beside_it(choose, name, cells, is_it, is_first):
    columns = {name: cells * 2, "day": [DAYS[0]] * 3 + [DAYS[1]] * 3}
    if not is_first:
        columns = dict(reversed(columns.items()))
    found = choose(SeriesColumns(targets=("load",)), **columns, load=["3", "1", "4", "1", "5", "9"])
    assert found.time == (("day", name) if is_it else ("day",))


def test_the_time_may_be_spread_over_columns_or_be_a_number_called_so(choose):
    parts = {"No": ["1", "2"], "year": ["2010"] * 2, "month": ["1"] * 2, "day": ["1", "2"]}
    assert choose(**parts, y=["5", "5"]).time == ("year", "month", "day")
    assert choose(timestamp=["1600000000", "1600000060"], y=["5", "6"]).time == ("timestamp",)


def test_a_star_takes_every_other_column_of_numbers(choose):
    table = {"day": DAYS, "a": ["1", "5", "2"], "b": ["7", "7", "9"], "c": ["x", "y", "z"]}
    found = choose(SeriesColumns(covariates=("*",)), **table)
    assert (found.targets, found.covariates) == (("a",), ("b",))


def test_each_column_of_a_wide_file_is_a_series(choose):
    table = {"day": DAYS, "n": ["1", "2", "3"], "a": ["1", "5", "2"], "b": ["7", "7", "9"]}
    found = choose(wide=True, **table)
    assert (found.targets, found.wide) == (("value",), ("a", "b"))
    assert choose(SeriesColumns(targets=("b",)), wide=True, **table).wide == ("b",)
    with pytest.raises(DataError, match="Target: expected a column of numbers beside the time"):
        choose(wide=True, day=DAYS, note=["x", "y", "z"])


def handed_over(shared, labels="ab"):
    """Twenty days of the first label, then twenty of the second, `shared` of them of both."""
    days = [str(np.datetime64("2020-01-01") + day) for day in range(40 - shared)]
    both = [(day, labels[0]) for day in days[:20]] + [(day, labels[1]) for day in days[-20:]]
    stamps, stores = zip(*both, strict=True)
    return {"day": stamps, "store": stores, "y": [f"{row * 7 % 11}.5" for row in range(40)]}


def test_a_series_may_end_while_another_begins(choose, caplog):
    assert choose(**handed_over(3)).series == ("store",)
    assert choose(**handed_over(3, labels="12")).series == ()  # numbers may be measurements
    assert not [message for message in caplog.messages if "ends before" in message]
    assert choose(**handed_over(0)).series == ()
    assert "'store' has 2 values, each of which ends before the next begins" in caplog.text
    assert choose(SeriesColumns(series=("store",)), **handed_over(0)).series == ("store",)


def panel(**labels):
    """Rows of every day for each of the labels, all with a number of their own."""
    keys = list(zip(*labels.values(), strict=True))
    columns = {"day": [day for day in DAYS for _ in keys]}
    for place, name in enumerate(labels):
        columns[name] = [key[place] for _ in DAYS for key in keys]
    return columns | {"y": [f"{row * 7 % 11}.5" for row in range(len(columns["day"]))]}


@pytest.mark.parametrize(
    ("labels", "series"),
    [
        ({"store": ["north", "south"]}, ("store",)),
        ({"id": ["1", "2", "3"]}, ("id",)),
        ({"store": ["1", "1", "2", "2"], "item": ["a", "b", "a", "b"]}, ("store", "item")),
        ({"open": ["yes", "yes"], "store": ["a", "b"]}, ("store",)),
        ({"lat": ["50.1", "60.5"]}, ()),
    ],
)
def test_rows_of_one_time_are_told_apart_by_one_label_or_two(choose, caplog, labels, series):
    with caplog.at_level("INFO"):
        assert choose(**panel(**labels)).series == series
    count = len(next(iter(labels.values())))
    names = " and ".join(map(repr, series))
    said = f"{count} series by {names}; series_example_gen.series names another column"
    assert (said in caplog.messages) == bool(series)


def test_series_may_begin_later_than_others(choose):
    table = panel(store=["a", "b", "c"])
    later = {name: cells[:2] + cells[3:] for name, cells in table.items()}
    assert choose(**later).series == ("store",)


def test_a_time_that_comes_twice_once_tells_nothing_apart(choose):
    days = [str(np.datetime64("2020-01-01") + day) for day in (*range(10), 9)]
    kinds = ["a"] * 10 + ["b"]
    assert choose(day=days, kind=kinds, y=[str(n * n % 7) for n in range(11)]).series == ()


def test_the_hour_that_clocks_show_twice_hides_no_series(choose):
    start = np.datetime64("2020-10-20T00", "h")
    hours = [str(start + hour) + ":00" for hour in (*range(123), 122, *range(123, 200))]
    numbers = [f"{row * 13 % 97}.5" for row in range(2 * len(hours))]
    stores = ["a"] * len(hours) + ["b"] * len(hours)
    assert choose(day=hours * 2, store=stores, y=numbers).series == ("store",)


def test_what_is_constant_in_each_series_is_not_forecast(choose):
    table = panel(store=["a", "b"], size=["7", "9"])
    table["rides"] = table.pop("y")
    assert choose(**table).targets == ("rides",)


def test_what_is_neither_apart_nor_a_label_names_no_series(choose):
    table = panel(store=["a", "b"])
    assert choose(**{name: cells for name, cells in table.items() if name != "store"}).series == ()
    assert choose(**table | {"store": ["a"] * 6}).series == ()
    assert choose(**table | {"store": [f"note {n}" for n in range(6)]}).series == ()


def test_the_name_of_a_series_joins_its_labels(rows):
    found = rows(store=[" a", "b"], item=["1", None])
    assert columns_of_series.names_of(found, ("store", "item")).tolist() == ["a/1", "b/"]
