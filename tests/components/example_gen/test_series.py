"""From CSV files to records of series: the component, on files written for it and on real ones."""

import itertools
import json
import re
import zipfile

import numpy as np
import pandas as pd
import pytest
from etils.epath import Path

from millrace.components.artifacts import RawFiles
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError, OptionError
from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.series import series_example_gen
from millrace.components.files.tfrecord import read_records
from millrace.serving.example import decode
from tests.components.example_gen.conftest import spoil


@pytest.fixture
def ingest(tmp_path):
    def run(source, **options):
        path = source
        if isinstance(source, str):
            path = tmp_path / "in" / "data.csv"
            path.parent.mkdir(exist_ok=True)
            path.write_text(source)
        out = Path(tmp_path / f"out{len(list(tmp_path.iterdir()))}")
        out.mkdir()
        return series_example_gen(RawFiles(path), out, run_on=BeamOptions(), **options)

    return run


def records(examples, split):
    return [decode(raw) for file in examples.files(split) for raw in read_records(file)]


def days(count, value=lambda day: day):
    dates = np.datetime64("2020-01-01") + np.arange(count)
    return "date,y\n" + "".join(f"{date},{value(day)}\n" for day, date in enumerate(dates))


def test_a_record_is_a_series_in_a_split_with_its_times_and_values(ingest):
    examples = ingest(days(20))
    assert examples.counts == {"train": 1, "eval": 1, "test": 1}
    (train,), (test,) = records(examples, "train"), records(examples, "test")
    assert train["y"].tolist() == list(range(14))
    assert test["y"].tolist() == [17, 18, 19]
    assert test["time"].tolist() == [1577836800 + 86400 * day for day in (17, 18, 19)]
    assert test["series"] == [b""]
    assert test["fold"].tolist() == [1, 1, 1]
    assert train["fold"].tolist() == [0] * 14


@pytest.mark.parametrize(
    ("form", "step"),
    [
        *itertools.product(("%y/%m/%d", "%y-%m-%d", "%y.%m.%d"), ("D", "MS", "ME")),
        *itertools.product(("%d/%m/%y", "%d.%m.%y"), ("D", "ME")),
        ("%m/%d/%y", "D"),
    ],
)
def test_a_year_of_two_digits_is_first_or_last_as_the_rows_are_in_order(ingest, form, step):
    times = pd.date_range("2015-01-01", periods=50, freq=step)
    examples = ingest("date,y\n" + "".join(f"{time:{form}},{time.day}\n" for time in times))
    assert examples.summary["notes"]["frequency"] == step
    assert records(examples, "train")[0]["time"][0] == times[0].timestamp()


@pytest.mark.parametrize(
    ("weekdays", "expected"), [((0, 1), "at most 25.00% of cells"), ((0, 1, 4), "a fixed step")]
)
def test_days_of_which_most_are_missing_are_brought_to_weeks_as_advised(ingest, weekdays, expected):
    header, *lines = days(200).splitlines()
    rows = [line for place, line in enumerate(lines) if place % 7 in weekdays]
    source = "\n".join([header, *rows])
    with pytest.raises(DataError, match=expected) as error:
        ingest(source)
    step = re.search(r"resample=([\w-]+)", str(error.value))[1]
    assert step[0] == "W"
    notes = ingest(source, resample=step).summary["notes"]
    assert notes["missing"] == 0


@pytest.mark.parametrize(
    ("form", "eval_from", "test_from"),
    [
        ("%Y-%m-%d", "01.05.2020", "15.06.2020"),
        ("%Y-%m-%d", "05/20/2020", "06/01/2020"),
        ("%m/%d/%Y", "05/01/2020", "06/01/2020"),
        ("%d/%m/%Y", "01/05/2020", "01/06/2020"),
        ("%y/%m/%d", "20/05/01", "20/06/01"),
        ("%d.%m.%y", "01.05.20", "01.06.20"),
    ],
)
def test_the_dates_of_splits_are_read_as_those_of_the_rows_or_as_one_another(
    ingest, form, eval_from, test_from
):
    times = pd.date_range("2020-01-01", periods=200)
    source = "date,y\n" + "".join(f"{time:{form}},{time.day}\n" for time in times)
    examples = ingest(source, split_dates={"eval": eval_from, "test": test_from})
    (found,), (test,) = records(examples, "eval"), records(examples, "test")
    moments = np.array([found["time"][0], test["time"][0]]).astype("datetime64[s]")
    assert moments.astype("datetime64[M]").astype(str).tolist() == ["2020-05", "2020-06"]


@pytest.mark.parametrize(
    ("header", "form"),
    [("year,month,day,hour", "%Y,%m,%d,%H"), ("date,hour,minute", "%Y-%m-%d,%H,%M")],
)
def test_parts_of_a_time_are_numbers_with_a_zero_before_them_and_no_codes(
    ingest, caplog, header, form
):
    times = pd.date_range("2020-01-01", periods=100, freq="h")
    with caplog.at_level("WARNING"):
        examples = ingest(f"{header},y\n" + "".join(f"{t:{form}},{t.hour}\n" for t in times))
    assert examples.summary["notes"]["frequency"] == "h"
    assert "leading zeros" not in caplog.text


def test_a_column_of_numbers_with_many_strays_is_told_of_and_read_as_advised(ingest, caplog):
    source = days(100, lambda day: "bad" if day % 10 == 3 else day) + "2020-04-10,100\n"
    with caplog.at_level("WARNING"), pytest.raises(DataError, match="Target: expected a column"):
        ingest(source)
    assert "91 of 101 cells are numbers; line 5 of data.csv is 'bad': read as text" in caplog.text
    assert "csv.missing=bad names it" in caplog.text
    examples = ingest(source, csv=CsvFormat(missing=("bad",)))
    assert examples.summary["notes"]["missing"] == 10


def test_the_notes_say_what_was_chosen_and_changed(ingest):
    lines = days(20).splitlines()
    swapped = [lines[0], lines[2], lines[1], *lines[3:10], *lines[11:], lines[20]]
    notes = ingest("\n".join(swapped)).summary["notes"]
    assert json.loads(notes["targets"]) == ["y"]
    assert notes["frequency"] == "D"
    assert (notes["read"], notes["disorder"], notes["repeated"]) == (20, 1, 1)
    assert (notes["added"], notes["missing"], notes["trimmed"]) == (1, 1, 0)
    assert (notes["impute"], notes["impute_season"]) == ("linear", 7)
    assert (notes["rows_train"], notes["rows_eval"], notes["rows_test"]) == (14, 3, 3)


@pytest.mark.parametrize("impute", ["forward", "linear", "seasonal", "zero", "none"])
def test_nothing_is_made_up_whatever_is_to_fill_it(ingest, impute):
    lines = days(20).splitlines()
    kept = [line for day, line in enumerate(lines, start=-1) if day not in (0, 5, 13, 14)]
    examples = ingest("\n".join(kept), impute=impute, season=3)
    nan = np.nan
    train, evaluated = records(examples, "train")[0]["y"], records(examples, "eval")[0]["y"]
    np.testing.assert_array_equal(train, [1, 2, 3, 4, nan, *range(6, 13), nan])
    np.testing.assert_array_equal(evaluated, [nan, 15, 16])
    notes = examples.summary["notes"]
    assert (notes["missing"], notes["impute"], notes["impute_season"]) == (3, impute, 3)


@pytest.mark.parametrize("step", ["D", "W", "3D"])
def test_no_step_of_a_split_reaches_beyond_its_end(ingest, step):
    """A cut at noon, and series whose steps begin on other days."""
    rows = ["s,when,y"]
    cut, start = np.datetime64("2020-03-01T12", "h"), np.datetime64("2020-01-01T00", "h")
    for name, first in (("a", 0), ("b", 24), ("c", 48)):
        times = start + np.arange(first, 24 * 120)
        rows += [f"{name},{time},{int(time >= cut)}" for time in times]
    options = {"split_dates": {"test": str(cut)}, "resample": step, "aggregate": "max"}
    examples = ingest("\n".join(rows), series=("s",), targets=("y",), **options)
    train, test = records(examples, "train"), records(examples, "test")
    assert len(train) == len(test) == 3
    assert all(np.nanmax(each["y"]) == 0 for each in train)
    assert all(np.nanmin(each["y"]) == 1 for each in test)


def test_rows_at_the_ends_that_have_no_target_are_trimmed(ingest):
    text = days(20, lambda day: "" if day in (0, 1, 19) else day)
    examples = ingest(text)
    assert records(examples, "train")[0]["y"].tolist() == list(range(2, 14))
    assert records(examples, "test")[0]["y"].tolist() == [17, 18]
    assert examples.summary["notes"]["trimmed"] == 3


def test_several_series_are_cut_at_the_same_moments(ingest):
    rows = ["shop,date,sales"]
    for shop, first in (("a", 0), ("b", 10)):
        rows += [f"{shop},{np.datetime64('2020-01-01') + day},{day}" for day in range(first, 20)]
    examples = ingest("\n".join(rows), series=("shop",))
    assert [row["series"] for row in records(examples, "train")] == [[b"a"], [b"b"]]
    assert [row["sales"].tolist() for row in records(examples, "train")] == [
        list(range(14)),
        [10, 11, 12, 13],
    ]
    assert [row["sales"].tolist() for row in records(examples, "test")] == [[17, 18, 19]] * 2


def test_each_file_may_be_a_series_of_its_own(ingest, tmp_path):
    folder = tmp_path / "shops"
    folder.mkdir()
    for name in ("north", "south"):
        (folder / f"{name}.csv").write_text(days(20))
    (folder / "LICENSE").write_text("free")
    found = records(ingest(folder, series_per_file=True), "test")
    assert [row["series"] for row in found] == [[b"north"], [b"south"]]


def kaggle(folder, test):
    """`train.csv` of 100 days of sales, and `test.csv` of the 20 days after them."""
    folder.mkdir()
    every = np.datetime64("2020-01-01") + np.arange(120)
    lines = [f"{date},{day % 7},{day % 2}\n" for day, date in enumerate(every)]
    (folder / "train.csv").write_text("date,sales,promo\n" + "".join(lines[:100]))
    rows = [line.split(",") for line in lines[100:]]
    if test == "lacking":
        head, rows = "date,promo\n", [[date, promo] for date, _, promo in rows]
    else:
        head, rows = "date,sales,promo\n", [[date, "", promo] for date, _, promo in rows]
    (folder / "test.csv").write_text(head + "".join(",".join(row) for row in rows))
    return folder


@pytest.mark.parametrize(
    ("test", "said", "read", "trimmed"),
    [
        ("lacking", "test.csv lacks 'sales', which train.csv has: ignored", 100, 0),
        ("blank", "the files of split test have no value of sales, and are no split", 120, 20),
    ],
)
def test_rows_to_be_forecast_in_a_file_called_test_are_no_split(
    ingest, tmp_path, caplog, test, said, read, trimmed
):
    notes = ingest(kaggle(tmp_path / "sales", test)).summary["notes"]
    assert [notes[f"rows_{split}"] for split in ("train", "eval", "test")] == [70, 15, 15]
    assert (notes["read"], notes["trimmed"]) == (read, trimmed)
    assert said in caplog.text


def test_blank_rows_at_the_end_take_no_share_of_the_splits(ingest):
    notes = ingest(days(40, lambda day: day if day < 20 else "")).summary["notes"]
    assert [notes[f"rows_{split}"] for split in ("train", "eval", "test")] == [14, 3, 3]
    assert (notes["read"], notes["trimmed"]) == (40, 20)


def test_a_row_a_year_with_its_months_is_refused_and_the_advice_works(
    ingest, tmp_path, monkeypatch
):
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    lines = [
        ";".join([str(1990 + year), *(str(12 * year + month) for month in range(12)), "0"])
        for year in range(20)
    ]
    table = "\n".join([";".join(["Year", *months, "Mean"]), *lines]) + "\n"
    with pytest.raises(
        DataError, match=r"expected a row for each time.*months of each 'Year'"
    ) as e:
        ingest(table)
    monkeypatch.chdir(tmp_path / "in")
    code = re.search(r"pandas\.read_csv.*index=False\)", str(e.value))[0]
    eval(code, {"pandas": pd})  # noqa: S307  # what a person would paste
    examples = ingest(tmp_path / "in" / "months.csv")
    assert examples.summary["notes"]["frequency"] == "MS"
    assert records(examples, "train")[0]["value"].tolist() == list(range(168))


def test_the_shards_do_not_change_the_records(ingest, monkeypatch):
    rows = [f"{s},{np.datetime64('2020-01-01') + d},{d}" for s in "abc" for d in range(20)]
    text = "\n".join(["s,date,y", *rows])
    one = records(ingest(text, series=("s",)), "train")
    monkeypatch.setattr("millrace.components.example_gen.time_series.records._SHARD_CELLS", 60)
    many = ingest(text, series=("s",))
    assert len(many.files("train")) == 3
    assert [row["series"] for row in records(many, "train")] == [row["series"] for row in one]


def test_dates_and_folds_are_options(ingest):
    examples = ingest(days(20), split_dates={"eval": "2020-01-11", "test": "2020-01-15"}, folds=2)
    assert records(examples, "train")[0]["y"].tolist() == list(range(10))
    assert records(examples, "test")[0]["fold"].tolist() == [1, 1, 1, 2, 2, 2]
    later = ingest(days(20), folds=3, fold=3, origin="sliding")
    assert records(later, "train")[0]["y"].tolist() == list(range(2, 16))
    assert records(later, "test")[0]["y"].tolist() == [19]


def test_days_of_a_zone_stay_days_where_clocks_change(ingest):
    dates = np.datetime64("2024-03-21") + np.arange(20)
    text = "date,y\n" + "".join(f"{date},1\n" for date in dates)
    times = records(ingest(text, zone="Europe/Berlin"), "train")[0]["time"]
    assert sorted(set(np.diff(times).tolist())) == [82800, 86400]


def test_the_hour_that_clocks_show_twice_is_two_hours(ingest):
    local = [*range(3), *range(2, 24)]  # 2020-10-25 in Berlin has 25 hours
    rows = [f"2020-10-25 {hour:02d}:00,{place}" for place, hour in enumerate(local)]
    examples = ingest("\n".join(["when,y", *rows]), zone="Europe/Berlin", splits={"train": 1.0})
    (train,) = records(examples, "train")
    assert train["y"].tolist() == list(range(25))
    assert set(np.diff(train["time"]).tolist()) == {3600}


def test_the_days_to_which_hours_are_brought_have_23_and_25_of_them(ingest):
    hours = pd.date_range("2020-03-25", "2020-10-31", freq="h", tz="Europe/Berlin")[:-1]
    rows = [f"{hour:%Y-%m-%d %H:%M},1" for hour in hours]
    text = "\n".join(["when,y", *rows])
    with pytest.raises(DataError, match=r"autumn hour .*Set series_example_gen\.zone=Europe/B"):
        ingest(text, resample="D")
    options = {"resample": "D", "aggregate": "sum", "zone": "Europe/Berlin", "splits": {"train": 1}}
    examples = ingest(text, **options)
    (train,) = records(examples, "train")
    assert train["y"].tolist() == [24] * 4 + [23] + [24] * 209 + [25] + [24] * 5
    assert examples.summary["notes"]["repeated"] == 0


def test_hours_from_1_to_25_are_those_of_the_day_in_its_zone(ingest):
    hours = pd.date_range("2020-10-20", periods=400, freq="h", tz="Europe/Berlin")
    numbers = pd.Series(1, index=hours).groupby(hours.strftime("%Y-%m-%d")).cumsum()
    rows = [f"{hour:%Y-%m-%d},{number},{number}" for hour, number in numbers.items()]
    text = "\n".join(["Date,Hour,load", *rows])
    with pytest.raises(
        DataError, match=r"2020-10-25, .*Set series_example_gen\.zone=Europe/Berlin"
    ):
        ingest(text)
    examples = ingest(text, zone="Europe/Berlin", splits={"train": 1})
    (train,) = records(examples, "train")
    assert train["time"].tolist() == [1603144800 + 3600 * hour for hour in range(400)]
    daily = ingest(text, zone="Europe/Berlin", splits={"train": 1}, resample="D", aggregate="max")
    assert records(daily, "train")[0]["load"].tolist()[:7] == [24, 24, 24, 24, 24, 25, 24]


def test_an_hour_made_up_for_spring_gives_way_to_the_next(ingest):
    hours = pd.date_range("2020-03-25", "2020-10-31", freq="h", tz="Europe/Berlin")
    rows = [f"{hour:%Y-%m-%d %H:%M},{place}" for place, hour in enumerate(hours)]
    rows.insert(98, "2020-03-29 02:00,999")
    text = "\n".join(["when,y", *rows])
    examples = ingest(text, zone="Europe/Berlin", duplicates="last", splits={"train": 1})
    assert records(examples, "train")[0]["y"].tolist() == list(range(len(hours)))


def test_a_few_cells_that_are_not_numbers_are_missing_and_reported(ingest):
    text = days(200, lambda day: {5: "oops", 9: "inf"}.get(day, day))
    examples = ingest(text, max_rejected=0.01)
    lines = (examples.path / "bad_cells.jsonl").read_text().splitlines()
    assert [tuple(json.loads(line).values()) for line in lines] == [
        ("data.csv", "column 'y': expected a number, received 'oops'; taken as missing", "line 7"),
        ("data.csv", "column 'y': expected a number, received 'inf'; taken as missing", "line 11"),
    ]
    assert list(examples.rejected()) == []
    found = records(examples, "train")[0]["y"][4:11]
    np.testing.assert_array_equal(found, [4, np.nan, 6, 7, 8, np.nan, 10])
    with pytest.raises(
        DataError, match=r"line 7: expected numbers in column 'y'\. Received: 'oops'"
    ):
        ingest(text, max_rejected=0.004)


def test_a_time_that_is_none_among_many_is_set_aside_and_shown(ingest, caplog):
    with caplog.at_level("WARNING"):
        examples = ingest(days(200).replace("2020-01-09,", "soon,"))
    assert "rejected data.csv, line 10: no time that can be read: 'soon'" in caplog.messages
    (item,) = examples.rejected()
    assert (item.position, item.reason) == ("line 10", "no time that can be read: 'soon'")
    np.testing.assert_array_equal(records(examples, "train")[0]["y"][7:10], [7, np.nan, 9])


@pytest.mark.parametrize("scale", [1, 1000])
def test_large_whole_numbers_in_a_column_called_like_a_time_are_unix_time(ingest, scale):
    rows = [f"{(1577836800 + 3600 * hour) * scale},{hour}" for hour in range(40)]
    found = records(ingest("\n".join(["timestamp,y", *rows])), "train")[0]
    assert found["time"][:2].tolist() == [1577836800, 1577840400]


@pytest.mark.parametrize("name", ["series", "time", "fold"])
def test_a_value_may_not_bear_the_name_of_what_a_record_has_of_its_own(ingest, name):
    with pytest.raises(DataError, match=rf"^Columns: expected values under .*Received: '{name}'"):
        ingest(days(20).replace("date,y", f"date,{name}"))


def test_a_row_of_too_many_cells_is_named_by_its_line(ingest):
    with pytest.raises(DataError, match=r"line 6: expected 2 cells, received 3: 2020-01-05,4,5\n"):
        ingest(days(20).replace("2020-01-05,4", "2020-01-05,4,5"))


def test_encodings_delimiters_and_decimal_commas_are_found(ingest, tmp_path):
    file = tmp_path / "bikes.csv"
    lines = ["Datum;Zähler", *(f"{day:02d}/01/2012;{day},5" for day in range(1, 21))]
    file.write_bytes("\r\n".join(lines).encode("latin-1"))
    examples = ingest(file)
    assert records(examples, "train")[0]["Zähler"].tolist()[:2] == [1.5, 2.5]


def test_bike_sharing_combines_date_and_hour_and_fills_hours_without_a_ride(ingest, shared_data):
    notes = ingest(shared_data / "bike_sharing").summary["notes"]
    assert json.loads(notes["time"]) == ["dateday", "hour"]
    assert json.loads(notes["targets"]) == ["count"]
    assert (notes["read"], notes["added"], notes["frequency"]) == (17379, 165, "h")


def test_daily_temperatures_lack_two_days(ingest, shared_data):
    notes = ingest(shared_data / "daily_min_temperatures").summary["notes"]
    assert (notes["read"], notes["added"], notes["missing"]) == (3650, 2, 2)


def test_beijing_spreads_its_time_over_four_columns_and_lacks_values(ingest, shared_data):
    notes = ingest(shared_data / "beijing_pm25", targets=("pm2.5",)).summary["notes"]
    assert json.loads(notes["time"]) == ["year", "month", "day", "hour"]
    assert notes["missing"] + notes["trimmed"] == 2067


def test_real_steps_are_found(ingest, shared_data):
    steps = {
        name: ingest(shared_data / name).summary["notes"]["frequency"]
        for name in ("sunspots", "airline_passengers", "ett", "weather_2012")
    }
    assert steps == {"sunspots": "ME", "airline_passengers": "MS", "ett": "h", "weather_2012": "h"}


@pytest.mark.parametrize(
    ("text", "options", "error", "message"),
    [
        (
            "date,wind\n2020-01-01,NW\n2020-01-02,SE\n",
            {"targets": ("wind",)},
            DataError,
            r"data\.csv, line 2: expected numbers in column 'wind'\. Received: 'NW' \(2 such "
            r"cells\)\. "
            r"A category of 2 values cannot be forecast or averaged; choose among no other column",
        ),
        (
            days(20, lambda day: "abc" if day == 4 else day),
            {"targets": ("y",)},
            DataError,
            r"line 6: .*Received: 'abc' \(1 such cells\)\. Correct it, name it as "
            r"missing by series_example_gen\.csv\.missing",
        ),
        ("a,b\nx,1\ny,2\n", {}, DataError, "Time: expected a column whose cells are all times"),
        ("t,b\nBST 5,1\nBST 6,2\n", {}, DataError, r"Received: 't' \(such as 'BST 5'\), 'b'\. "),
        ("date,b\n2020-01-01,x\n2020-01-02,y\n", {}, DataError, "Target: expected a column of num"),
        (days(20), {"targets": ("z",)}, DataError, "Columns: expected 'z'. Received: 'date', 'y'"),
        (
            days(20),
            {"targets": ("y",), "known": ("y",)},
            OptionError,
            "expected each column in one part. Received: 'y' in several. Name it once",
        ),
        (
            days(20, lambda day: "" if day % 2 else day),
            {},
            DataError,
            r"at most 25\.00% of cells that were missing\. Received: 9 of 19 .* raise "
            r"series_example_gen\.max_filled",
        ),
        (
            "date,y\n" + "".join(f"2020-01-{day:02d},1\n" for day in range(1, 20)) + "x,1\n",
            {"time": ("date",), "time_format": "%Y-%m-%d"},
            DataError,
            r"at most 1\.00% of the rows to be unusable\. Received: 1 of 20 \(5\.00%\):\n"
            r"  data\.csv, line 21: no time that can be read: 'x'\n",
        ),
        (days(20), {"split_dates": {"test": "soon"}}, OptionError, "a date such as .*'soon'"),
        (days(20), {"zone": "Nowhere"}, OptionError, "option zone: expected a name of the tz"),
        ("date,y\n", {}, DataError, "expected rows below the header. Received: none. Fill"),
        ("", {}, DataError, "expected a table, one record a line. Received: an empty file"),
    ],
)
def test_what_cannot_be_used_is_refused_with_what_to_do(ingest, text, options, error, message):
    with pytest.raises(error, match=message):
        ingest(text, **options)


def test_steps_longer_than_those_between_rows_leave_no_gap_to_report(ingest):
    with pytest.raises(DataError, match=r"none in test of .* W-SUN apart.* widest gap: none\.$"):
        ingest(days(60, lambda day: day if day < 20 or 40 <= day < 50 else ""), resample="W")


def test_a_folder_without_csv_and_files_of_other_columns_are_refused(ingest, tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "notes.md").write_text("x")
    with pytest.raises(
        DataError, match=r"expected a CSV, or a folder of them\. Received: a folder wi"
    ):
        ingest(folder)
    (folder / "a.csv").write_text(days(20))
    (folder / "b.csv").write_text("date,z\n2020-01-01,1\n")
    with pytest.raises(DataError, match=r"b\.csv: expected the columns of a\.csv: date, y\. Rec"):
        ingest(folder)


def test_a_wrong_encoding_is_refused(ingest, tmp_path):
    file = tmp_path / "x.csv"
    file.write_bytes("date,y\n2020-01-01,é\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"x\.csv, line 2: byte 0xe9 is not of utf-8"):
        ingest(file, csv=CsvFormat(encoding="utf-8"))


def test_quarters_are_a_grid_of_quarters(ingest):
    rows = "".join(f"{2000 + row // 4}-Q{row % 4 + 1},{row}\n" for row in range(40))
    examples = ingest("when,y\n" + rows)
    (train,) = records(examples, "train")
    assert train["y"].tolist() == list(range(28))
    stamps = [np.datetime64(int(time), "s") for time in train["time"][:2]]
    assert [str(stamp)[:10] for stamp in stamps] == ["2000-01-01", "2000-04-01"]
    assert json.loads((examples.path / "source.json").read_text())["step"] == "3MS"


def test_spaces_before_quotes_and_lines_of_old_macs_are_read(ingest):
    dates = np.datetime64("2020-01-01") + np.arange(5000)
    text = "date, y\r" + "".join(f"{date}, {row}\r" for row, date in enumerate(dates))
    (train,) = records(ingest(text), "train")
    assert train["y"].tolist() == list(range(3500))


def test_the_column_that_tells_rows_of_a_time_apart_identifies_the_series(ingest, caplog):
    rows = [f"2020-01-{day:02},{shop},{day}{shop}" for day in range(1, 9) for shop in (1, 2)]
    text = "\n".join(["date,shop no,y", *rows])
    with caplog.at_level("INFO"):
        examples = ingest(text)
    said = "2 series by 'shop no'; series_example_gen.series names another column"
    assert said in caplog.messages
    assert [row["series"] for row in records(examples, "train")] == [[b"1"], [b"2"]]
    caplog.clear()
    assert ingest(text, series=("shop no",)).counts["train"] == 2
    assert said not in caplog.messages


def test_where_each_time_may_be_two_the_option_that_is_named_says_which(ingest):
    dates = [f"{1 + row % 12:02}/{1 + row // 12:02}/2020,{row}" for row in range(144)]
    text = "\n".join(["date,y", *dates])
    with pytest.raises(DataError, match=r"Set series_example_gen\.csv\.day_first to yes or no"):
        ingest(text)
    options = {"resample": "D", "max_filled": 0.9}
    (train,) = records(ingest(text, csv=CsvFormat(day_first="yes"), **options), "train")
    assert train["y"][:3].tolist() == [0, 1, 2]
    (train,) = records(ingest(text, csv=CsvFormat(day_first="no"), **options), "train")
    assert train["y"][:3].tolist() == [0, 12, 24]


def test_what_others_could_be_meant_is_said_and_can_be_set(ingest, caplog):
    rows = [f"{np.datetime64('2020-01-01') + day},{day % 7}.5,{day % 5}.5" for day in range(20)]
    text = "\n".join(["date,north,south", *rows])
    with caplog.at_level("INFO"):
        ingest(text)
    assert (
        "forecasting 'north', the first of 2 columns of numbers (north, south); "
        "series_example_gen.targets names others, series_example_gen.wide=true makes a series of "
        "each" in caplog.messages
    )
    assert json.loads(ingest(text, targets=("south",)).summary["notes"]["targets"]) == ["south"]
    assert ingest(text, wide=True).counts["train"] == 2


def test_types_in_a_persons_hand_are_taken(ingest):
    text = "\n".join(
        ["date,a,b", *(f"2020{1 + d // 28:02}{1 + d % 28:02},{d},{d}" for d in range(56))]
    )
    types = {"a": "text", "date": "date:%Y%m%d"}
    notes = ingest(text, csv=CsvFormat(types=types)).summary["notes"]
    assert json.loads(notes["targets"]) == ["b"]
    with pytest.raises(DataError, match="Time: expected a column whose cells are all times"):
        ingest(text, csv=CsvFormat(types={"date": "int"}))


def test_words_for_a_missing_value_count_as_such_and_others_are_named_and_shown(ingest, caplog):
    text = days(100, lambda day: "-" if day in (3, 5, 7) else "closed" if day == 50 else day)
    examples = ingest(text)
    assert examples.summary["notes"]["missing"] == 4
    said = "line 52: column 'y': expected a number, received 'closed'; taken as missing"
    assert sum(message.endswith(said) for message in caplog.messages) == 1


def write(folder, **files):
    folder.mkdir()
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


def days_of(first, last, value=lambda day: day):
    lines = days(last, value).splitlines()
    return "\n".join([lines[0], *lines[first + 1 :]]) + "\n"


def test_files_named_like_splits_are_those(ingest, tmp_path):
    files = {"train": days_of(0, 12), "valid": days_of(12, 15), "test": days_of(15, 20)}
    examples = ingest(write(tmp_path / "split", **files))
    assert [len(records(examples, name)[0]["y"]) for name in ("train", "eval", "test")] == [
        12,
        3,
        5,
    ]


def test_without_a_file_of_eval_it_is_the_end_of_train(ingest, tmp_path, caplog):
    with caplog.at_level("INFO"):
        examples = ingest(write(tmp_path / "two", train=days_of(0, 85), test=days_of(85, 100)))
    assert records(examples, "train")[0]["y"].tolist() == list(range(70))
    assert records(examples, "eval")[0]["y"].tolist() == list(range(70, 85))
    assert records(examples, "test")[0]["y"].tolist() == list(range(85, 100))
    said = "the files hold no split eval: it is the last 18% of train, from 2020-03-11T00:00:00"
    assert said in caplog.messages


def test_a_day_in_the_files_of_two_splits_is_of_the_later_and_said(ingest, tmp_path, caplog):
    later = days_of(12, 20, lambda day: -day)
    examples = ingest(write(tmp_path / "both", test=later, train=days_of(0, 14)))
    assert records(examples, "test")[0]["y"].tolist() == list(range(-12, -20, -1))
    assert records(examples, "eval")[0]["y"].tolist() == [10, 11]
    assert caplog.messages[0] == (
        "2 times, such as 2020-01-13 00:00:00, stand in the files of two splits: taken from those "
        "of test"
    )


def test_files_that_cover_the_same_time_are_no_splits_and_that_is_said(ingest, tmp_path, caplog):
    whole = days(100).splitlines()
    files = {
        "train": "\n".join([whole[0], *whole[1::2]]),
        "test": "\n".join([whole[0], *whole[2::2]]),
    }
    examples = ingest(write(tmp_path / "random", **files))
    assert records(examples, "train")[0]["y"].tolist() == list(range(70))
    assert caplog.messages[0] == (
        "98% of the rows in files named like split train lie after 2020-01-02 00:00:00, where the "
        "next split begins: time is cut by series_example_gen.splits instead"
    )


def test_files_that_are_series_of_their_own_are_no_splits(ingest, tmp_path):
    examples = ingest(write(tmp_path / "own", train=days(20), test=days(20)), series_per_file=True)
    assert [row["series"] for row in records(examples, "eval")] == [[b"test"], [b"train"]]


def test_each_column_of_a_wide_file_is_a_series_of_its_name(ingest):
    rows = [f"{np.datetime64('2020-01-01') + day},{3 * day},{day % 7}" for day in range(20)]
    examples = ingest("\n".join(["date,paris,rome", *rows]), wide=True)
    train = records(examples, "train")
    assert [row["series"] for row in train] == [[b"paris"], [b"rome"]]
    assert [row["value"].tolist()[:3] for row in train] == [[0, 3, 6], [0, 1, 2]]


def test_a_wide_file_may_have_several_rows_of_a_time(ingest):
    dates = np.datetime64("2020-01-01") + np.arange(20)
    rows = [f"{date},{r},{n % 5},{n % 3}" for n, date in enumerate(dates) for r in "ab"]
    train = records(ingest("\n".join(["date,region,x,y", *rows]), wide=True), "train")
    assert [row["series"] for row in train] == [[b"a/x"], [b"a/y"], [b"b/x"], [b"b/y"]]


def test_two_columns_may_identify_a_series(ingest):
    rows = [
        f"{np.datetime64('2020-01-01') + day},{shop},{item},{10 * day + shop}"
        for day in range(20)
        for shop in (1, 2)
        for item in "ab"
    ]
    text = "\n".join(["date,shop,item,y", *rows])
    names = [[b"1/a"], [b"1/b"], [b"2/a"], [b"2/b"]]
    assert [row["series"] for row in records(ingest(text), "train")] == names
    named = ingest(text, series=("item", "shop"))
    assert records(named, "train")[1]["series"] == [b"a/2"]


def test_a_total_at_the_end_and_a_blank_line_are_set_aside_or_no_matter(ingest):
    examples = ingest(days(120) + "\nTotal,5555\n")
    assert [item.position for item in examples.rejected()] == ["line 123"]
    assert examples.summary["notes"]["read"] == 120


def test_a_stray_year_is_named_before_its_grid_is_built(ingest):
    rows = [f'2024-01-01 00:{minute:02d},"{minute}"' for minute in range(60)]
    rows.insert(40, '"2204-01-01 09:00","5\n"')
    with pytest.raises(DataError) as error:
        ingest("when,y\n\n" + "\n".join(rows) + "\n")
    assert "94,670,461 rows. 94,670,400" in str(error.value).replace("; ", ". ")
    assert "between 2024-01-01 00:59:00 and 2204-01-01 09:00:00 (" in str(error.value)
    assert "data.csv, line 43). Correct that time, or set series_example_gen.resample" in str(
        error.value
    )


def test_a_gap_that_fills_too_much_is_named_as_well(ingest):
    lines = days(40).splitlines()
    with pytest.raises(
        DataError, match=r"12 rows are missing between .* 00:00:00 \(data\.csv, line 23\)\."
    ):
        ingest("\n".join([*lines[:22], *lines[34:]]), splits={"train": 0.9, "test": 0.1})


@pytest.mark.parametrize(
    ("option", "received"),
    [
        ({"resample": "0s"}, "longer than nothing"),
        ({"resample": "-1h"}, "longer than nothing"),
        ({"resample": "-1MS"}, "longer than nothing"),
        ({"resample": "100ns"}, "whole microseconds"),
        ({"resample": "0.5us"}, "whole microseconds"),
        ({"time_format": "%Q"}, "time_format: expected strptime's directives"),
        ({"time_format": "%"}, "time_format: expected strptime's directives"),
    ],
)
def test_steps_and_forms_that_cannot_be_are_refused(ingest, option, received):
    with pytest.raises(OptionError, match=received):
        ingest(days(20), **option)


def test_what_is_not_a_readable_file_is_set_aside_and_counted(ingest, tmp_path, caplog):
    path = tmp_path / "in"
    path.mkdir()
    aside = spoil(path, ".csv")
    (path / "one.csv").write_text(days(20))
    with caplog.at_level("WARNING"):
        examples = ingest(path, max_rejected=0.1)
    assert list(examples.rejected()) == aside
    assert r"rejected caf\xe9.csv: its name is not UTF-8: rename it" in caplog.text
    with pytest.raises(DataError, match=r"rows to be unusable\. Received: 2 of 22"):
        ingest(path, max_rejected=0.05)


def test_an_archive_is_read_as_the_folder_in_it(ingest, tmp_path):
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        archive.writestr("data.csv", days(20))
    (train,) = records(ingest(Path(tmp_path / "data.zip")), "train")
    assert train["y"].tolist() == list(range(14))
