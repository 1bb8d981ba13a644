"""The end of a series, as a forecaster takes it, and the times that it forecasts."""

import numpy as np
import pandas as pd
import pytest

from millrace.components.artifacts import RawFiles, Rejected
from millrace.components.beam.options import BeamOptions
from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.series import series_example_gen
from millrace.components.example_gen.unlabelled_rows import series
from millrace.components.example_gen.unlabelled_rows import source as sources

START = np.datetime64("2020-03-01T00", "h")


def hours(count, *, first=0, column="y", known=None):
    rows = [f"when,{column}" + (",holiday" if known else "")]
    for hour in range(first, first + count):
        cells = [str(START + hour), str(hour)] + ([str(hour % 2)] if known else [])
        rows.append(",".join(cells))
    return "\n".join(rows) + "\n"


@pytest.fixture
def latest(tmp_path, out):
    """Learns how the first text is read, and reads the second so."""

    def run(learnt, new, horizon=2, **options):
        for name, text in (("learnt.csv", learnt), ("new.csv", new)):
            (tmp_path / name).write_text(text)
        examples = series_example_gen(
            RawFiles(tmp_path / "learnt.csv"), out, run_on=BeamOptions(), **options
        )
        file = RawFiles(tmp_path / "new.csv").path
        return list(series.read(file, sources.read(examples), horizon))

    return run


def test_the_rows_are_a_raw_record_and_the_forecast_has_the_times_after_them(latest):
    (found,) = latest(hours(48), hours(5, first=100))
    assert found.past["y"].tolist() == [100, 101, 102, 103, 104]
    assert (found.past["time"] - found.past["time"][0]).tolist() == [0, 3600, 7200, 10800, 14400]
    assert found.times == ["2020-03-05 09:00:00", "2020-03-05 10:00:00"]
    assert found.ahead == {}


def test_rows_without_a_target_say_what_is_known_ahead(latest):
    new = hours(4, known=True) + "2020-03-01T04,,7\n2020-03-01T05,,8\n"
    (found,) = latest(hours(48, known=True), new, targets=("y",), known=("holiday",))
    assert found.past["y"].tolist() == [0, 1, 2, 3]
    assert found.past["holiday"].tolist() == [0, 1, 0, 1]
    assert found.ahead["holiday"].tolist() == [7, 8]


def test_disorder_and_gaps_are_dealt_with_as_in_the_ingest(latest):
    lines = hours(5).splitlines()
    (found,) = latest(hours(48), "\n".join([lines[0], lines[5], lines[1], lines[3], lines[4]]))
    np.testing.assert_array_equal(found.past["y"], [0, np.nan, 2, 3, 4])


def test_what_is_known_ahead_is_aggregated_as_it_was_for_training(latest):
    new = hours(3, known=True) + "2020-03-01T03,,1\n2020-03-01T04,,5\n2020-03-01T05,,7\n"
    options = {"resample": "2h", "targets": ("y",), "known": ("holiday",)}
    (found,) = latest(hours(48, known=True), new, **options)
    assert found.past["y"].tolist() == [0.5, 2]
    assert found.past["holiday"].tolist() == [0.5, 0.5]
    np.testing.assert_array_equal(found.ahead["holiday"], [6, np.nan])


def test_a_day_that_may_be_a_month_is_what_it_was_in_the_training_data(latest):
    def days(first):
        dates = [np.datetime64("2020-01-01") + day for day in range(first, first + 20)]
        return "d,y\n" + "".join(f"{str(d)[8:]}/{str(d)[5:7]}/{str(d)[:4]},1\n" for d in dates)

    (found,) = latest(days(0), "d,y\n01/02/2020,1\n02/02/2020,3\n")
    assert found.times == ["2020-02-03", "2020-02-04"]
    assert found.past["time"][1] - found.past["time"][0] == 86400


def test_the_clock_of_a_zone_is_shown_with_its_offset(latest):
    (found,) = latest(hours(48), hours(2), zone="Europe/Berlin")
    assert found.past["time"][0] == 1583017200  # 23:00 UTC of the day before
    assert found.times == ["2020-03-01 02:00:00+01:00", "2020-03-01 03:00:00+01:00"]


def test_days_of_a_zone_are_made_of_both_hours_of_autumn(latest):
    def local(start, count):
        hours = pd.date_range(start, periods=count, freq="h", tz="Europe/Berlin")
        return "when,y\n" + "".join(f"{hour:%Y-%m-%d %H:%M},1\n" for hour in hours)

    options = {"resample": "D", "aggregate": "sum", "zone": "Europe/Berlin"}
    (found,) = latest(local("2020-01-01", 480), local("2020-10-24", 73), **options)
    assert found.past["y"].tolist() == [24, 25, 24]
    assert found.times == ["2020-10-27", "2020-10-28"]


def test_each_series_is_forecast_and_one_without_a_value_is_set_aside(latest):
    rows = [f"{s},{START + hour},{hour}" for s in "ab" for hour in range(48)]
    learnt = "\n".join(["shop,when,y", *rows])
    new = f"shop,when,y\nb,{START},5\nc,{START},\na,{START},7\n"
    found = latest(learnt, new, series=("shop",), targets=("y",))
    assert [item.past["y"].tolist() for item in (found[0], found[1])] == [[7], [5]]
    assert found[2] == Rejected("c", "no row with y")


def test_rows_off_the_grid_are_set_aside_with_the_step(latest):
    new = "when,y\n2020-03-01T00:00,1\n2020-03-01T00:30,2\n2020-03-01T01:00,3\n"
    assert latest(hours(48), new) == [Rejected("new.csv", "expected rows every h, received others")]


def test_a_series_with_a_stray_time_is_set_aside_with_the_line_of_it(latest):
    (found,) = latest(hours(48), hours(5) + "2920-01-01T00,1\n")
    assert isinstance(found, Rejected)
    assert "new.csv, line 7)" in found.reason
    assert "between 2020-03-01 04:00:00 and 2920-01-01 00:00:00" in found.reason


def test_a_series_that_lacks_more_than_training_allowed_is_set_aside(latest):
    assert latest(hours(48), hours(4) + "2020-03-01T07,1\n") == [
        Rejected(
            "new.csv",
            "expected at most 25.00% of cells that are missing, as training allowed by "
            "series_example_gen.max_filled, received 3 of 8",
        )
    ]


def test_a_series_that_lacks_as_much_as_training_allowed_is_forecast(latest):
    (found,) = latest(hours(48), hours(4) + "2020-03-01T07,1\n", max_filled=0.5)
    assert (len(found.past["y"]), int(np.isnan(found.past["y"]).sum())) == (8, 3)


def test_a_date_and_a_time_of_day_are_put_together_as_in_the_training_data(latest):
    def rows(first, count):
        quarters = [(place // 96, place % 96, place) for place in range(first, first + count)]
        cells = [f"2020-03-{1 + d:02},{q // 4 * 100 + q % 4 * 15},{row}" for d, q, row in quarters]
        return "\n".join(["date,time,load", *cells])

    (found,) = latest(rows(0, 192), rows(96, 2))  # 0 and 15, which may be hours by themselves
    assert (found.past["time"] - found.past["time"][0]).tolist() == [0, 900]
    assert found.times == ["2020-03-02 00:30:00", "2020-03-02 00:45:00"]


def test_the_series_of_one_file_are_those_that_the_training_data_had(latest):
    def rows(first, count):
        cells = [
            f"{START + 24 * day},{s},{i},{day}"
            for day in range(first, first + count)
            for s in "ab"
            for i in (1, 2)
        ]
        return "\n".join(["when,shop,item,sales", *cells])

    found = latest(rows(0, 20), rows(50, 2))
    assert [each.past["series"] for each in found] == [[b"a/1"], [b"a/2"], [b"b/1"], [b"b/2"]]
    assert found[3].past["sales"].tolist() == [50, 51]


def test_each_column_of_a_wide_file_is_forecast(latest):
    def rows(first):
        cells = [f"{START + hour},{3 * hour % 7},{hour % 5}" for hour in range(first, first + 20)]
        return "\n".join(["when,paris,rome", *cells])

    found = latest(rows(0), rows(100), wide=True)
    assert [each.past["series"] for each in found] == [[b"paris"], [b"rome"]]
    assert found[1].past["value"].tolist()[:3] == [0, 1, 2]


def test_numbers_are_read_as_the_training_data_was(latest):
    def rows(cells):
        days = [str(START + 24 * day)[:10] for day in range(len(cells))]
        return "when;y\n" + "".join(
            f"{day};{cell}\n" for day, cell in zip(days, cells, strict=True)
        )

    learnt = rows([f"{1 + day}.{day:03},50" for day in range(20)])
    (found,) = latest(learnt, rows(["1.234", "1.500,25", "-", "7"]))
    np.testing.assert_array_equal(found.past["y"], [1234, 1500.25, np.nan, 7])


@pytest.mark.parametrize(
    ("form", "first"),
    [("%m/%d/%Y", "03/01/2020"), ("%G-W%V-%u", "2020-W09-7"), ("%Y%m%d", "20200301")],
)
def test_times_are_read_as_the_training_data_was(latest, form, first):
    dates = [(START + 24 * day).astype(object) for day in range(40)]
    rows = [f"{date.strftime(form)},{row}" for row, date in enumerate(dates)]
    (found,) = latest("\n".join(["date,y", *rows]), "\n".join(["date,y", *rows[:2]]))
    assert rows[0].startswith(first)
    assert found.times == ["2020-03-03", "2020-03-04"]


@pytest.mark.parametrize("above", ["", "a note\n", "# a note\n# by hand\n"])
def test_skipped_lines_comments_and_the_delimiter_are_those_of_the_new_file(latest, above):
    learnt = "a title\nby hand\n" + hours(48).replace(",", ";")
    given = CsvFormat(skip_rows=2, delimiter=";", comment="2020-03-01 01")
    (found,) = latest(learnt, above + hours(3), csv=given)
    assert found.past["y"].tolist() == [0, 1, 2]
