"""Weights in closed form equal scikit-learn's, and a forecaster of known weights is found again."""

import csv

import keras
import numpy as np
import pytest
from sklearn.linear_model import Ridge

from millrace.components.artifacts import Analysis, Examples
from millrace.components.errors import OptionError
from millrace.components.features import spec as specs
from millrace.components.features.series_spec import SeriesSpec
from millrace.components.files.tfrecord import write_records
from millrace.components.models.networks import SCORES
from millrace.components.models.series_options import Linear
from millrace.components.trainer import trainer
from millrace.components.training.ridge import STRENGTHS, Path, Rows, Sums, distances, medians
from millrace.serving.example import encode

RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(3, 2, (50, 4))
WANTED = FEATURES @ RANDOM.normal(size=(4, 2)) + RANDOM.normal(size=(50, 2))


def summed(features, wanted):
    """In two parts, as a split is read batch by batch."""
    sums = Sums.nothing(features.shape[1], wanted.shape[1])
    for part in (slice(0, 20), slice(20, None)):
        empty = np.empty(0, np.float32)
        sums.add(Rows(features[part], empty, empty, wanted[part]))
    return sums


def fitted(features, wanted, strength, scale):
    return Ridge(strength * scale).fit(features, wanted)


@pytest.mark.parametrize("strength", [1e-5, 1.0, 1e3])
def test_weights_equal_those_of_scikit_learn(strength):
    sums = summed(FEATURES, WANTED)
    first = Path(sums, 0, None)
    for output, path in enumerate([first, Path(sums, 1, first)]):
        weights, bias = path.weights(strength)
        expected = fitted(FEATURES, WANTED[:, output], strength, path.scale)
        np.testing.assert_allclose(weights, expected.coef_, rtol=1e-5, atol=1e-8)
        assert bias == pytest.approx(expected.intercept_, rel=1e-5)


def test_answers_are_moved_to_the_median_where_they_lie_off_beyond_chance():
    mostly_below = np.where(np.arange(100) < 66, -1.0, 5.0)
    by_chance = np.where(np.arange(100) < 65, -1.0, 5.0)
    known_of_few = np.where(np.arange(100) < 9, -1.0, np.nan)
    errors = np.stack([mostly_below, by_chance, known_of_few], axis=1)
    np.testing.assert_array_equal(medians(errors), [-1.0, 0.0, 0.0])


def test_an_output_learns_from_the_windows_that_know_it():
    wanted = WANTED.copy()
    wanted[::3, 1] = np.nan
    known = np.isfinite(wanted[:, 1])
    sums = summed(FEATURES, wanted)
    assert Path(sums, 0, None).is_whole
    path = Path(sums, 1, None)
    expected = fitted(FEATURES[known], wanted[known, 1], 0.1, path.scale)
    np.testing.assert_allclose(path.weights(0.1)[0], expected.coef_, rtol=1e-5)


def test_the_ridge_draws_towards_the_weights_that_it_is_given():
    prior = RANDOM.normal(size=(4, 2))
    wanted = WANTED.copy()
    wanted[:9, 0] = np.nan
    drawn, rest = summed(FEATURES, wanted).drawn(prior), summed(FEATURES, wanted - FEATURES @ prior)
    for output in (0, 1):
        found = Path(drawn, output, None).weights(0.1)
        expected = Path(rest, output, None).weights(0.1)
        np.testing.assert_allclose(found[0], expected[0], rtol=1e-8)
        assert found[1] == pytest.approx(expected[1])


def test_a_window_is_forecast_as_if_it_had_not_been_there():
    path = Path(summed(FEATURES, WANTED), 0, None)
    strength = 0.1
    ((found, share),) = path.answers(FEATURES, (strength,))
    left_out = WANTED[:, 0] - (WANTED[:, 0] - found) / (1 - share)
    for row in (0, 17):
        rest = np.arange(50) != row
        without = fitted(FEATURES[rest], WANTED[rest, 0], strength, path.scale)
        # The mean, which has no penalty, moves too: exact but for that of the features.
        assert left_out[row] == pytest.approx(without.predict(FEATURES[[row]])[0], abs=1e-6)


def test_rows_near_the_end_and_a_season_before_are_near():
    assert distances(8, 1, 1).tolist() == [8, 7, 6, 5, 4, 3, 2, 1]
    assert distances(8, 4, 1).tolist() == [1, 2, 3, 2, 1, 2, 2, 1]
    assert distances(8, 4, 3).tolist() == [1, 1, 1, 2, 1, 1, 1, 1]


def learn(folder, options, values, **settings):
    """The network, and its history, for windows of `values` [rows, channels]; the last row's
    first channel is what is forecast.
    """
    spec = SeriesSpec(
        **{
            "targets": ("y",),
            "lookback": 8,
            "horizon": 1,
            "frequency": "D",
            "offset": (5.0,) * values.shape[1],
            "spread": (2.0,) * values.shape[1],
            "naive_error": (1.0,),
            "least": (float(values[:, 0].min()),),
            "season": 4,
            **settings,
        }
    )
    examples, analysis = Examples(folder / "examples"), Analysis(folder / "analysis")
    for each in (analysis.path, folder / "out", folder / "resume"):
        each.mkdir(parents=True)
    specs.write(spec, analysis.file)
    ahead, targets, first = spec.horizon, len(spec.targets), values.shape[1] - len(spec.known)
    records = []
    for at in range(len(values) - 7 - ahead):
        window, future = values[at : at + 8], values[at + 8 : at + 8 + ahead]
        record = {"window": window.ravel(), "future": future[:, :targets].ravel()}
        if spec.known:
            record["known"] = future[:, first:].ravel()
        records.append(encode(record))
    split = {"train": records[:-20], "eval": records[-20:]}
    for name, part in split.items():
        examples.split_path(name).mkdir(parents=True)
        write_records(examples.shard(name, 0, 1), part)
    examples.write_summary({name: len(part) for name, part in split.items()})
    trained = trainer(examples, analysis, None, folder / "out", folder / "resume", model=options)
    with trained.history_file.open() as text:
        (row,) = csv.DictReader(text)
    return keras.saving.load_model(str(trained.keras_file)), row


def noisy(rows=150, channels=1):
    season = np.tile([3.0, 0, -2, -1], rows // 4 + 1)[:rows, None]
    return (20 + season + RANDOM.normal(size=(rows, channels))).astype(np.float32)


def test_a_forecaster_gets_the_weights_of_scikit_learns_ridge(tmp_path):
    values = noisy()
    model, _ = learn(tmp_path, Linear(own_level=False), values)
    windows = np.lib.stride_tricks.sliding_window_view((values[:, 0] - 5) / 2, 9)[:-20]
    near = np.sqrt(distances(8, 4, 1))
    features, wanted = (windows[:, :8] / near).astype(np.float64), windows[:, 8].astype(np.float64)
    centred = features - features.mean(axis=0)
    scale = np.square(centred).sum() / 8
    found = model.get_layer(SCORES).kernel.numpy()[:, 0] * near
    expected = [Ridge(each * scale).fit(features, wanted).coef_ for each in STRENGTHS]
    assert min(np.abs(found - each).max() for each in expected) < 1e-5


def test_a_series_that_goes_on_is_forecast_exactly(tmp_path):
    values = np.exp(0.01 * np.arange(120) + np.tile([0.3, 0, -0.2, 0.1], 30)).astype(np.float32)
    model, row = learn(tmp_path, Linear(log=True, towards="smoothing"), values[:, None])
    grown = (values[20:28] * 100)[None, :, None]  # at another level
    assert model.predict(grown, verbose=0)[0, 0, 0] == pytest.approx(values[28] * 100, rel=2e-3)
    assert float(row["val_mae"]) < 2e-3 * values.mean()


@pytest.mark.parametrize("towards", ["last", "season", "smoothing"])
@pytest.mark.parametrize("per_series", [False, True])
def test_no_way_of_drawing_is_worse_than_the_mean(tmp_path, towards, per_series):
    values = noisy(channels=2)
    options = Linear(rows=6, towards=towards)
    _, row = learn(tmp_path, options, values, covariates=("x",), per_series=per_series)
    assert float(row["val_mae"]) < 0.8 * np.abs(values[-20:, 0] - values[:, 0].mean()).mean()


@pytest.mark.parametrize("towards", ["last", "season", "smoothing"])
def test_several_targets_are_forecast_several_rows_ahead_by_what_is_known(tmp_path, towards):
    known = RANDOM.integers(0, 2, 150)
    season = np.tile([3.0, 0, -2, -1], 38)[:150]
    columns = [20 + season + 5 * known, 50 - 3 * season, known]
    values = np.stack(columns, axis=1).astype(np.float32)
    settings = {"targets": ("y", "z"), "known": ("holiday",), "horizon": 3}
    model, row = learn(tmp_path, Linear(towards=towards), values, naive_error=(1, 1), **settings)
    assert model.output_shape == (None, 3, 2)
    assert float(row["val_mae"]) < 0.05


def test_logarithms_of_what_is_not_positive_are_refused(tmp_path):
    with pytest.raises(OptionError, match=r"trainer\.model\.log: expected targets that are posit"):
        learn(tmp_path, Linear(log=True), noisy() - 25)


def test_more_rows_than_a_window_has_are_refused(tmp_path):
    with pytest.raises(OptionError, match=r"rows: expected at most the 8 rows .* Received: 9"):
        learn(tmp_path, Linear(rows=9), noisy())
