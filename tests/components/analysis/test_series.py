"""Lookback, scale and season, settled from the records of the train split."""

import json

import numpy as np
import pytest
from etils.epath import Path

from millrace.components.analysis import series
from millrace.components.analysis.series import Roles
from millrace.components.artifacts import Examples
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.features.series_spec import SeriesOptions
from millrace.components.files.tfrecord import write_records
from millrace.serving.example import encode

LENGTHS = {"train": 400, "eval": 100, "test": 100}


@pytest.fixture
def examples(tmp_path):
    def write(notes, shards=1, lacking="", **lengths):
        found = Examples(Path(tmp_path / f"examples{shards}"))
        for split, rows in (LENGTHS | lengths).items():
            found.split_path(split).mkdir(parents=True)
            for shard in range(shards):
                names = [name for i, name in enumerate(("a", "b")) if i % shards == shard]
                records = [_record(name, split, rows, lacking) for name in names]
                write_records(found.shard(split, shard, shards), records)
        return found.write_summary(dict.fromkeys(LENGTHS, 2), (), notes)

    return write


def _record(name, split, rows, lacking):
    first = {"train": 0, "eval": 10_000, "test": 20_000}[split]
    time = np.arange(first, first + rows)
    values = (10 if name == "a" else 30) + np.sin(time * 2 * np.pi / 24)
    if lacking == split:
        values[slice(24, 72) if split == "train" else slice(None)] = np.nan
    nothing = np.full(rows, np.nan if split == "train" else 1.0)
    stamps = time.astype(np.int64) * 3600
    return encode(
        {"series": name, "time": stamps, "y": values, "x": np.full(rows, 5.0), "empty": nothing}
    )


NOTES = {"targets": '["y"]', "covariates": '["x"]', "known": "[]", "frequency": "h", "zone": "UTC"}


def settle(found, **options):
    out = found.path / "analysis"
    out.mkdir(exist_ok=True)
    return series.settle(found, SeriesOptions(**options), out, BeamOptions())


def test_the_spec_follows_from_the_train_split(examples):
    spec = settle(examples(NOTES))
    assert (spec.targets, spec.covariates, spec.frequency) == (("y",), ("x",), "h")
    assert (spec.season, spec.lookback, spec.horizon) == (24, 121, 1)
    assert spec.offset == pytest.approx((20, 5), abs=0.1)
    assert spec.spread[0] == pytest.approx(np.sqrt(100 + 0.5), rel=0.01)
    assert spec.spread[1] == 1.0  # a constant column
    assert spec.naive_error[0] == pytest.approx(0, abs=1e-6)


def test_the_shards_do_not_change_the_spec(examples):
    assert settle(examples(NOTES)) == settle(examples(NOTES, shards=2))


def test_what_is_given_is_taken(examples):
    spec = settle(
        examples(NOTES), lookback=9, horizon=3, season=6, average=4, scale="min_max", targets=("x",)
    )
    assert (spec.lookback, spec.horizon, spec.season, spec.average) == (9, 3, 6, 4)
    assert spec.targets == ("x",)
    assert (spec.offset[0], spec.spread[0]) == (5.0, 1.0)


@pytest.mark.parametrize(
    ("season", "rows", "difference", "lookback"),
    [
        (24, 240, "none", 73),
        (24, 160, "none", 49),
        (40, 160, "none", 42),
        (24, 90, "none", 27),
        (24, 40, "none", 12),
        (7, 80, "none", 24),
        (7, 300, "none", 99),
        (24, 40_000, "none", 385),
        (24, 60_000, "none", 241),
        (365, 1200, "none", 30),
        (365, 1700, "none", 367),
        (1, 255, "none", 30),
        (1, 8, "previous", 2),
        (12, 16, "season", 13),
    ],
)
def test_the_lookback_is_seasons_as_far_as_the_train_split_allows(
    season, rows, difference, lookback
):
    options = SeriesOptions(difference=difference)
    assert series.default_lookback(season, rows, options) == lookback


def test_the_lookback_is_fewer_seasons_where_many_series_have_windows():
    assert series.default_lookback(7, 800, SeriesOptions(), rows_of_all=76_923) == 260
    assert series.default_lookback(7, 800, SeriesOptions(), rows_of_all=76_924) == 71


def test_a_split_may_be_shorter_than_what_its_rows_look_back_at(examples):
    assert settle(examples(NOTES, test=1), lookback=30).lookback == 30


def test_a_split_too_short_for_a_window_is_refused(examples):
    with pytest.raises(
        DataError,
        match=r"Split 'test': expected 2 rows to forecast, and 30 before the first of them to look "
        r"back at\. Received: 1 rows at most, and 500 before them\. Lower analyze\.features\.look",
    ):
        settle(examples(NOTES, test=1), lookback=30, horizon=2)
    with pytest.raises(
        DataError, match=r"Split 'train': .* 390 before .*: 390 rows .*, and 0 befo"
    ):
        settle(examples(NOTES, shards=2, train=390), lookback=390)


def test_a_split_without_a_target_is_refused(examples):
    with pytest.raises(
        DataError, match=r"Split 'eval': expected a value of y\. Received: none in 1"
    ):
        settle(examples(NOTES, lacking="eval"))


@pytest.mark.parametrize("scale", ["standard", "min_max", "none"])
@pytest.mark.parametrize("impute", ["none", "linear"])
def test_a_column_without_a_value_to_learn_from_is_refused_by_its_name(examples, scale, impute):
    notes = NOTES | {"covariates": '["x", "empty"]', "impute": impute, "impute_season": 7}
    with pytest.raises(
        DataError, match=r"'train': expected values of every .*none of empty in 800 rows\. Leave"
    ):
        settle(examples(notes), scale=scale)


def test_gaps_are_filled_as_the_ingest_was_set_and_the_means_are_of_what_is_known(examples):
    notes = NOTES | {"impute": "seasonal", "impute_season": 7}
    spec = settle(examples(notes, lacking="train"))
    assert (spec.fill.impute, spec.fill.season) == ("seasonal", 7)
    assert spec.fill.level == pytest.approx((20, 5), abs=0.1)
    assert spec.mean == spec.fill.level[:1]
    assert settle(examples(NOTES, shards=2)).fill is None


@pytest.mark.parametrize("counts", [{"filled": 3, "trimmed": 0}, {"filled": 0, "trimmed": 2}])
def test_records_in_which_an_earlier_version_made_values_up_are_refused(examples, counts):
    with pytest.raises(
        DataError, match=r"records of an earlier version.*Run series_example_gen ag"
    ):
        settle(examples(NOTES | counts))
    assert settle(examples(NOTES | {"filled": 0, "trimmed": 0}, shards=2))


def test_records_that_do_not_say_their_columns_need_them_given():
    with pytest.raises(DataError, match=r"features\.targets: expected columns to forecast\. Rec"):
        series.roles_of({}, SeriesOptions())
    assert series.roles_of({}, SeriesOptions(targets=("y",))) == Roles(("y",), (), ())
    assert series.roles_of({"targets": json.dumps(["a,b"])}, SeriesOptions()).targets == ("a,b",)
