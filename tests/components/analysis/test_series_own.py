"""The columns that a person's own function makes of windows are scaled by the train split."""

import numpy as np
import pytest
from etils.epath import Path

from millrace.components.analysis import series
from millrace.components.artifacts import Examples
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.features.series_spec import SeriesOptions
from millrace.components.files.tfrecord import write_records
from millrace.serving.example import encode

OWN = "tests.components.features.own_hooks"
NOTES = {"targets": '["load"]', "covariates": '["wind"]', "known": "[]", "frequency": "h"}
WIND = {"a": [1.0, 2, 4, 8, 16], "b": [3.0, 3, 3, 3, 9]}


@pytest.fixture
def settled(tmp_path):
    def settle(name, shards=1, wind=WIND, **options):
        found = Examples(Path(tmp_path / f"examples{shards}"))
        for split in ("train", "eval"):
            found.split_path(split).mkdir(parents=True)
            for shard in range(shards):
                names = [each for i, each in enumerate(sorted(wind)) if i % shards == shard]
                records = [_record(each, wind[each]) for each in names]
                write_records(found.shard(split, shard, shards), records)
        found.write_summary({"train": 2, "eval": 2}, (), NOTES)
        chosen = SeriesOptions(preprocess=f"{OWN}:{name}", lookback=2, season=1, **options)
        return series.settle(found, chosen, Path(tmp_path), BeamOptions())

    return settle


def _record(name, wind):
    times = np.arange(5, dtype=np.int64) * 3600
    return encode({"series": name, "time": times, "load": np.arange(5.0), "wind": np.array(wind)})


def test_offset_and_spread_are_of_what_is_made_of_the_windows(settled):
    spec = settled("mean_wind")
    assert spec.made == ("log_load", "wind")
    assert spec.covariates == ("wind",)
    so_far = [1, 1.5, 2, 3, 4, 6, 3, 3, 3, 3, 3, 3]  # of windows of 2 rows, 3 of each series
    logs = np.log1p([0, 1, 1, 2, 2, 3] * 2)
    assert spec.offset == pytest.approx((2.0, logs.mean(), np.mean(so_far)))
    assert spec.spread == pytest.approx((np.sqrt(2), logs.std(), np.std(so_far)))


def test_extremes_are_of_what_is_made_too(settled):
    spec = settled("mean_wind", scale="min_max")
    assert spec.offset == pytest.approx((0, 0, 1))
    assert spec.spread == pytest.approx((4, np.log(4), 5))


def test_the_shards_do_not_change_the_scale_by_a_bit(settled):
    rng = np.random.default_rng(1)
    wind = {name: rng.lognormal(size=5).tolist() for name in "abcdefg"}
    whole = settled("mean_wind", wind=wind)
    assert whole == settled("mean_wind", shards=2, wind=wind) == settled("mean_wind", 3, wind)


def test_infinities_are_refused_by_the_column_that_has_them(settled):
    with pytest.raises(DataError) as caught:
        settled("inverse_wind", wind={"a": [1.0, 0, 4, 8, 16]})
    assert str(caught.value) == (
        f"analyze.features.preprocess: expected {OWN}:inverse_wind to make finite numbers of the "
        "train split's windows. Received: NaN or infinity in inverse. Guard it, such as by "
        "tf.math.divide_no_nan or tf.math.log1p."
    )


def test_windows_that_all_lack_a_value_are_refused(settled):
    with pytest.raises(
        DataError, match=r"expected windows of 3 rows .*none with a known target and"
    ):
        settled("mean_wind", wind={"a": [1.0, np.nan, 4, np.nan, 16]})
