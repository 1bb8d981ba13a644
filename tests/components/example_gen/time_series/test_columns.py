"""Which column is the time and which is forecast, where nobody says."""

import pandas as pd
import pytest

from millrace.components.errors import DataError
from millrace.components.example_gen.csv.dialect import CsvFormat, settle
from millrace.components.example_gen.time_series import columns as columns_of_series
from millrace.components.example_gen.time_series.options import SeriesColumns

DIALECT = settle("x.csv", "a;b\n1;2\n", "utf-8", CsvFormat())
COMMA = settle("x.csv", "a,b\n1,2\n", "utf-8", CsvFormat())


def frame(**columns):
    return pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()})


def choose(table, **given):
    found = columns_of_series.choose(table, SeriesColumns(**given), "auto", COMMA)
    return found.time, found.targets, found.covariates


DAYS = ["2020-01-01", "2020-01-02", "2020-01-03"]


def test_the_time_is_the_column_of_times_and_the_target_the_last_of_numbers():
    table = frame(note=["x", "y", "z"], day=DAYS, a=["1", "5", "2"], b=["7", None, "9"])
    assert choose(table) == (("day",), ("b",), ())


def test_a_column_that_counts_the_rows_is_not_a_target_unless_it_is_the_only_one():
    assert choose(frame(day=DAYS, a=["3", "1", "4"], index=["0", "1", "2"]))[1] == ("a",)
    assert choose(frame(day=DAYS, a=["0", "1", "2"]))[1] == ("a",)


def test_a_date_that_comes_several_times_takes_the_hour_beside_it():
    table = frame(day=[DAYS[0]] * 3, hr=["0", "1", "2"], y=["5", "6", "5"])
    assert choose(table)[0] == ("day", "hr")
    assert choose(frame(day=DAYS, hr=["0", "0", "0"], y=["5", "6", "5"]))[0] == ("day",)


def test_the_time_may_be_spread_over_columns_or_be_a_number_called_so():
    parts = frame(No=["1", "2"], year=["2010"] * 2, month=["1"] * 2, day=["1", "2"], y=["5", "5"])
    assert choose(parts)[0] == ("year", "month", "day")
    assert choose(frame(timestamp=["1600000000", "1600000060"], y=["5", "6"]))[0] == ("timestamp",)


def test_a_star_takes_every_other_column_of_numbers():
    table = frame(day=DAYS, a=["1", "5", "2"], b=["7", "7", "9"], c=["x", "y", "z"])
    assert choose(table, covariates=("*",)) == (("day",), ("b",), ("a",))


def test_commas_are_decimal_points_where_they_do_not_part_the_cells():
    table = frame(y=["1,5", "2"])
    assert columns_of_series.numbers(table, "y", DIALECT)[0].tolist() == [1.5, 2.0]
    with pytest.raises(DataError, match=r"Column 'y': expected numbers\. Received: '1,5' in data"):
        columns_of_series.numbers(table, "y", COMMA)


def test_the_column_of_few_values_that_come_once_at_a_time_identifies_the_series():
    table = frame(
        day=[DAYS[0], DAYS[0], DAYS[1], DAYS[1]],
        kind=["a", "b", "b", "c"],
        shop=["x", "z", "x", "z"],
        open=["yes", "yes", "yes", "yes"],
        y=["1", "2", "3", "4"],
        note=["k", "l", "m", "n"],
    )
    chosen = SeriesColumns(time=("day",), targets=("y",))
    assert columns_of_series.telling_apart(table, chosen) == "shop"
    assert columns_of_series.telling_apart(table.drop(columns=["shop", "kind"]), chosen) == ""
    assert columns_of_series.telling_apart(table[::2], chosen) == ""
