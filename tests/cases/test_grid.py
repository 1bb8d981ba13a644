"""Small inputs of `../shared/cases`, and others of their kinds: how rows become a grid of times.

Every advice of a message is followed, and must work.
"""

import itertools
import logging
import re

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from etils.epath import Path

from millrace.components.analyze import analyze
from millrace.components.artifacts import RawFiles
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError, OptionError
from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.series import series_example_gen
from millrace.components.example_gen.unlabelled_rows import series as latest
from millrace.components.example_gen.unlabelled_rows import source as sources
from millrace.components.features import series_fill
from millrace.components.features import spec as specs
from millrace.components.features.series_spec import SeriesOptions
from millrace.components.files.tfrecord import read_records
from millrace.components.transform import transform
from millrace.serving.example import decode
from tests.components.example_gen.conftest import records_of


@pytest.fixture
def ingest(case, tmp_path):
    def run(source, **options):
        path = source
        if isinstance(source, str) and "\n" not in source:
            path = case(source)
        elif isinstance(source, str):
            path = tmp_path / "data.csv"
            path.write_text(source)
        out = Path(tmp_path / f"out{len(list(tmp_path.iterdir()))}")
        out.mkdir()
        return series_example_gen(RawFiles(Path(path)), out, run_on=BeamOptions(), **options)

    return run


def rows(examples):
    """All times and values of the one series, in order."""
    found = list(itertools.chain(*records_of(examples).values()))
    column = next(name for name in found[0] if name not in ("series", "time", "fold"))
    parts = [np.concatenate([row[name] for row in found]) for name in ("time", column)]
    return parts[0], parts[1]


def followed(message):
    """The options that a message says to set."""
    named = re.findall(r"series_example_gen\.([a-z_.]+)=([\w/:.+-]*[\w/])", str(message))
    return dict(named)


def written(stamps, form="%Y-%m-%d %H:%M:%S"):
    lines = [f"{stamp.strftime(form)},{place}" for place, stamp in enumerate(stamps)]
    return "\n".join(["when,y", *lines]) + "\n"


@pytest.mark.parametrize(
    ("name", "step", "length"),
    [("subsecond_loss.csv", "500ms", 500_000), ("step_1250ms.csv", "1250ms", 1_250_000)],
)
def test_fractions_of_a_second_are_kept(ingest, name, step, length):
    examples = ingest(name)
    times, values = rows(examples)
    assert len(times) == 200
    assert np.isfinite(values).all()
    assert set(np.diff(times).tolist()) == {length}
    assert times[0] == pd.Timestamp("2022-01-01").value // 1000
    notes = examples.summary["notes"]
    assert (notes["frequency"], notes["read"], notes["repeated"], notes["added"]) == (
        *(step, 200, 0, 0),
    )


@pytest.mark.parametrize(("step", "count"), [("20ms", 50), ("1500ms", 90), ("250us", 60)])
def test_other_steps_below_or_beside_a_second_lose_no_row(ingest, step, count):
    stamps = pd.date_range("2021-03-01 10:00:00.125", periods=count, freq=step)
    times, values = rows(ingest(written(stamps, "%Y-%m-%dT%H:%M:%S.%f")))
    assert values.tolist() == list(range(count))
    assert times.tolist() == [stamp.value // 1000 for stamp in stamps]


def test_rows_below_a_second_are_brought_to_whole_ones(ingest):
    times, values = rows(ingest("subsecond_loss.csv", resample="s", aggregate="sum"))
    assert len(times) == 100
    assert times[1] - times[0] == 1
    assert np.isfinite(values).all()
    halves, _ = rows(ingest("subsecond_loss.csv", resample="2500ms"))
    assert set(np.diff(halves).tolist()) == {2_500_000}


def test_a_forecast_goes_on_from_the_fraction_that_it_ends_with(ingest, tmp_path):
    stamps = pd.date_range("2022-01-01", periods=60, freq="1250ms")
    examples = ingest(written(stamps, "%Y-%m-%d %H:%M:%S.%f"))
    (found,) = latest.read(Path(tmp_path / "data.csv"), sources.read(examples), 2)
    assert found.past["time"].tolist() == [stamp.value // 1000 for stamp in stamps]
    assert found.times == ["2022-01-01 00:01:15", "2022-01-01 00:01:16.250000"]


def test_the_autumn_hour_is_recognised_and_the_zone_that_is_named_keeps_every_row(ingest):
    with pytest.raises(DataError, match="this is the autumn hour of a clock with dayl") as failed:
        ingest("dst_naive.csv")
    assert followed(failed.value) == {"zone": "Europe/Berlin"}
    examples = ingest("dst_naive.csv", **followed(failed.value))
    times, values = rows(examples)
    assert len(times) == 1440
    assert np.isfinite(values).all()
    assert set(np.diff(times).tolist()) == {3600}
    assert examples.summary["notes"]["repeated"] == 0
    with pytest.raises(DataError, match="those of Asia/Tokyo do not show twice") as wrong:
        ingest("dst_naive.csv", zone="Asia/Tokyo")
    assert followed(wrong.value) == {"zone": "Europe/Berlin"}


@pytest.mark.parametrize(
    ("zone", "freq", "order"),
    [
        ("America/New_York", "30min", "in order"),
        ("Europe/London", "15min", "interleaved"),
        ("Australia/Sydney", "h", "newest first"),
    ],
)
def test_other_clocks_over_years_lose_no_row_either(ingest, zone, freq, order):
    moments = pd.date_range("2021-01-01", "2022-12-31", freq=freq, tz="UTC", unit="us")
    table = pd.DataFrame({"when": moments.tz_convert(zone).tz_localize(None)})
    table["y"] = np.arange(len(table))
    if order == "interleaved":
        table = table.sort_values("when", kind="stable")
    text = (table[::-1] if order == "newest first" else table).to_csv(index=False)
    with pytest.raises(DataError, match="autumn hour") as failed:
        ingest(text)
    times, values = rows(ingest(text, **followed(failed.value)))
    assert values.tolist() == list(range(len(table)))
    assert times.tolist() == [moment.value // 10**9 for moment in moments.as_unit("ns")]


def test_the_hour_missing_in_spring_is_named(ingest, caplog):
    moments = pd.date_range("2023-03-01", periods=1000, freq="h", tz="UTC")
    text = written(moments.tz_convert("America/New_York").tz_localize(None))
    with caplog.at_level(logging.WARNING):
        assert ingest(text).summary["notes"]["added"] == 1
    (hint,) = [line for line in caplog.messages if "spring hour" in line]
    assert followed(hint) == {"zone": "America/New_York"}
    assert ingest(text, **followed(hint)).summary["notes"]["added"] == 0


@pytest.mark.parametrize("name", ["grid.csv", "grid_typo.csv"])
def test_a_stray_year_is_named_by_its_line(ingest, name):
    line = {"grid.csv": 5, "grid_typo.csv": 502}[name]
    with pytest.raises(DataError, match=rf"expected a grid of at most .*{name}, line {line}\)"):
        ingest(name)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("2020-01-01,a,1\n2020-01-02,a,2\n2020-01-03,a,3\n2020-01-01,b,1\n9999-01-01,b,2\n", 6),
        ("0001-01-01,a,0\n2020-01-01,a,1\n2020-01-02,a,2\n2020-01-03,a,3\n2020-01-04,a,3\n", 2),
        (
            "2020-01-01,a,1\n2020-01-01T00:00:00.001,a,1\n2020-01-01T00:00:00.002,a,2\n"
            "2024-01-01,a,2\n",
            5,
        ),
    ],
)
def test_other_strays_are_named_before_their_grid_is_built(ingest, text, place):
    with pytest.raises(DataError, match=rf"data\.csv, line {place}\)"):
        ingest("when,s,y\n" + text, series=("s",), targets=("y",))


def bank_month_ends():
    """The last trading day of each month, some of them before a holiday."""
    days = pd.date_range("2008-01-01", periods=160, freq="BME")
    return days - pd.to_timedelta(((days.month == 5) & (days.day == 31)).astype(int), unit="D")


@pytest.mark.parametrize(
    ("stamps", "step", "count"),
    [
        (pd.date_range("2008-01-01", periods=160, freq="BME"), "BME", 160),
        (pd.date_range("2008-01-01", periods=160, freq="ME"), "ME", 160),
        (pd.date_range("2008-01-01", periods=160, freq="BMS"), "BMS", 160),
        (pd.date_range("2008-01-01", periods=160, freq="QS"), "3MS", 160),
        (pd.date_range("2008-01-01", periods=160, freq="12h"), "12h", 160),
        (pd.date_range("2008-01-01", periods=160, freq="28D"), "28D", 160),
        (pd.date_range("2008-01-02", periods=160, freq="7D"), "7D", 160),
        (pd.date_range("2008-01-01", periods=160, freq="B").delete([30, 31]), "B", 160),
    ],
)
def test_months_quarters_weeks_and_business_days_keep_every_row(ingest, stamps, step, count):
    examples = ingest(written(stamps))
    _, values = rows(examples)
    assert examples.summary["notes"]["frequency"] == step
    assert values[np.isfinite(values)].tolist() == list(range(len(stamps)))
    assert len(values) == count


@pytest.mark.parametrize(
    ("stamps", "step"),
    [
        (bank_month_ends(), "ME"),
        (
            pd.date_range("2020-01-01", periods=400, freq="10min")
            + pd.to_timedelta(np.random.default_rng(5).integers(-20, 20, 400), unit="s"),
            "10min",
        ),
        (pd.date_range("2020-01-01", periods=60, freq="MS") + pd.Timedelta("14D"), "MS"),
        (pd.date_range("2020-01-01", periods=40, freq="QS") + pd.Timedelta("9D"), "QS"),
        (
            pd.DatetimeIndex(
                np.sort(
                    np.concatenate(
                        [
                            pd.date_range(f"2020-01-01 {hour}", periods=90, freq="D")
                            for hour in ("07:30", "19:00")
                        ]
                    )
                )
            ),
            "12h",
        ),
    ],
)
def test_the_advised_step_is_the_usual_one_and_keeps_every_row(ingest, stamps, step):
    text = written(stamps)
    with pytest.raises(DataError, match="expected rows a fixed step apart") as failed:
        ingest(text)
    assert followed(failed.value) == {"resample": step}
    examples = ingest(text, **followed(failed.value))
    _, values = rows(examples)
    assert values.tolist() == list(range(len(stamps)))
    assert examples.summary["notes"]["merged"] == examples.summary["notes"]["added"] == 0


def test_a_stray_row_is_named_and_the_advised_step_takes_it(ingest):
    days = [*pd.date_range("2020-01-01", periods=100), pd.Timestamp("2020-02-03 13:37")]
    with pytest.raises(
        DataError, match=r"remove 2020-02-03 13:37:00 \(.*data\.csv, line 102\)"
    ) as one:
        ingest(written(days))
    _, values = rows(ingest(written(days), **followed(one.value)))
    assert len(values) == 100


def test_years_are_a_grid_of_years(ingest):
    text = "year,y\n" + "".join(f"{year},{year}\n" for year in range(1900, 2020))
    examples = ingest(text, time=("year",))
    assert examples.summary["notes"]["frequency"] == "YS-JAN"
    assert rows(examples)[1].tolist() == list(range(1900, 2020))


@pytest.mark.parametrize(
    ("dates", "cut"),
    [
        ({"eval": "2019-01-01", "test": "2020-01-01"}, ("2019-01-01", "2020-01-01")),
        ({"eval": "1 Jan 2019", "test": "Jan 1, 2020"}, ("2019-01-01", "2020-01-01")),
        ({"eval": "2019-02", "test": "2020"}, ("2019-02-01", "2020-01-01")),
        ({"eval": "13.02.2019", "test": "2020/01/15"}, ("2019-02-13", "2020-01-15")),
        ({"eval": "2019-01-01 12:00", "test": "2020-01-01T00:00Z"}, ("2019-01-02", "2020-01-01")),
    ],
)
def test_split_dates_are_read_as_a_person_writes_them(ingest, dates, cut):
    stamps = pd.date_range("2018-01-01", "2020-12-31")
    examples = ingest(written(stamps, "%Y-%m-%d"), split_dates=dates)
    notes = examples.summary["notes"]
    first, second = (stamps.get_loc(day) for day in cut)
    assert [notes[f"rows_{split}"] for split in ("train", "eval", "test")] == [
        *(first, second - first, len(stamps) - second),
    ]


@pytest.mark.parametrize("date", ["01.02.2019", "3/4/2019", "now", "soon", ""])
def test_a_split_date_that_can_be_read_in_two_ways_or_none_is_refused(ingest, date):
    text = written(pd.date_range("2018-01-01", "2020-12-31"), "%Y-%m-%d")
    with pytest.raises(OptionError, match=rf"option split_dates: .* Received: '{date}'\. Write"):
        ingest(text, split_dates={"test": date})


def test_a_split_date_has_the_order_of_the_data(ingest):
    text = written(pd.date_range("2018-01-01", "2020-12-31"), "%d.%m.%Y")
    notes = ingest(text, split_dates={"test": "01.02.2019"}).summary["notes"]
    assert notes["rows_train"] == 365 + 31


def test_rows_before_the_date_of_train_are_counted(ingest, caplog):
    caplog.set_level("INFO")
    text = written(pd.date_range("2020-01-01", periods=200), "%Y-%m-%d")
    dates = {"train": "2020-01-10", "eval": "2020-05-01", "test": "2020-06-01"}
    notes = ingest(text, split_dates=dates).summary["notes"]
    assert [notes[f"rows_{split}"] for split in ("train", "eval", "test")] == [112, 31, 48]
    assert (notes["read"], notes["outside"]) == (200, 9)
    assert "9 rows lie outside of all splits" in caplog.text


def test_a_split_begins_with_the_day_of_the_zone(ingest):
    local = pd.date_range("2023-05-01", periods=24 * 30, freq="h")
    examples = ingest(written(local), zone="Europe/Berlin", split_dates={"test": "2023-05-21"})
    assert examples.summary["notes"]["rows_train"] == 20 * 24


@pytest.mark.parametrize("options", [{}, {"resample": "6h", "aggregate": "sum"}])
def test_every_row_read_is_accounted_for(ingest, options):
    stamps = pd.date_range("2020-01-01", periods=200, freq="h").delete([20, 30, 31])
    lines = written(stamps).splitlines()
    lines = [*lines, lines[5], "oops,3", "2020-01-09 08:00:00,"]
    lines[1] = lines[1].split(",")[0] + ","
    examples = ingest("\n".join(lines), **options, max_rejected=0.1, duplicates="first")
    notes = examples.summary["notes"]
    kept = sum(notes[f"rows_{split}"] for split in ("train", "eval", "test"))
    merged = notes.get("merged", 0)
    assert kept == notes["read"] - notes["repeated"] - merged + notes["added"] - notes["trimmed"]
    assert notes["read"] == len(lines) - 2
    assert len(list(examples.rejected())) == 1


def test_a_value_that_stands_for_a_missing_one_is_named_and_may_be_made_missing(ingest, caplog):
    with caplog.at_level(logging.WARNING):
        ingest("sentinel.csv")
    (hint,) = [line for line in caplog.messages if "csv.missing" in line]
    assert followed(hint) == {"csv.missing": "-200"}
    examples = ingest("sentinel.csv", csv=CsvFormat(missing=("-200",)))
    _, values = rows(examples)
    assert np.nanmin(values) > 0


def test_without_the_stand_in_the_season_is_a_week(ingest, folder):
    examples = ingest("sentinel.csv", csv=CsvFormat(missing=("-200",)))
    analysis = analyze(examples, folder("analysis"), run_on=BeamOptions(), features=SeriesOptions())
    assert specs.read(analysis.file).season == 7


@pytest.mark.parametrize(("value", "text"), [(-999, "-999"), (999.9, "999.9"), (99999, "99999")])
def test_other_stand_ins_are_named_in_files_of_several_columns(ingest, caplog, value, text):
    lines = [
        f"{day:%Y-%m-%d},{value if place % 17 == 3 else 50 + 9 * (place % 7)},{place % 11}"
        for place, day in enumerate(pd.date_range("2020-01-01", periods=200))
    ]
    with caplog.at_level(logging.WARNING):
        ingest("\n".join(["day,temp,wind", *lines]), targets=("temp",), covariates=("wind",))
    (hint,) = [line for line in caplog.messages if "csv.missing" in line]
    assert followed(hint) == {"csv.missing": text}
    assert hint.startswith(
        f"column 'temp': {text} stands in 12 rows, all others between 50 and 104"
    )


def test_of_white_noise_with_gaps_no_window_says_more_than_the_mean(ingest, folder):
    """Even the best fit to all inputs is no better on the test split: nothing looks ahead."""
    examples = ingest("noise.csv")
    options = SeriesOptions(difference="none", lookback=14)
    analysis = analyze(examples, folder("analysis"), run_on=BeamOptions(), features=options)
    windows = transform(examples, analysis, folder("windows"), run_on=BeamOptions())
    fill = specs.read(analysis.file).fill
    parts = {}
    for split in ("train", "test"):
        found = [decode(raw) for file in windows.files(split) for raw in read_records(file)]
        raw = np.stack([row["window"] for row in found])[:, :, None]
        future = np.concatenate([row["future"] for row in found]).astype(np.float64)
        assert np.isfinite(future).all()  # only what was observed is judged
        filled = series_fill.filled(tf.constant(raw), fill).numpy()[..., 0]
        parts[split] = np.column_stack([filled, np.isnan(raw[..., 0]), np.ones(len(raw))]), future
    (inputs, truth), (asked, expected) = parts["train"], parts["test"]
    assert len(expected) == 348
    weights = np.linalg.lstsq(inputs, truth, rcond=None)[0]
    assert np.abs(expected - truth.mean()).mean() == pytest.approx(0.797, abs=1e-3)
    assert np.abs(expected - asked @ weights).mean() == pytest.approx(0.80, abs=0.02)
