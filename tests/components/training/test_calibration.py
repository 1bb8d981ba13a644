"""What the eval split says of confidence: plain functions first, then a training."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.components.models import certainty
from millrace.components.models.certainty import NOTHING, Calibration, ForecastWidths, Widths
from millrace.components.models.layer_options import Dense
from millrace.components.trainer import trainer
from millrace.components.training import calibration
from tests.components import transformed

RANDOM = np.random.default_rng


def drawn(logits, seed=1):
    """A class for each row, drawn by its logits."""
    powers = np.exp(logits)
    cumulative = np.cumsum(powers / powers.sum(axis=1, keepdims=True), axis=1)
    return (RANDOM(seed).random((len(logits), 1)) > cumulative).sum(axis=1)


@pytest.mark.parametrize("planted", [0.5, 2.0])
def test_a_planted_temperature_is_found(planted):
    logits = RANDOM(0).normal(0, 1.5, (4000, 4))
    found = calibration.of_scores(drawn(logits), logits * planted)
    assert found == pytest.approx(planted, rel=0.08)


def test_what_is_calibrated_stays_as_it_is():
    logits = RANDOM(0).normal(0, 1.5, (4000, 4))
    assert calibration.of_scores(drawn(logits), logits) == 1.0


def test_quantiles_are_those_of_one_row_more():
    assert calibration.quantiles(np.arange(1.0, 100.0)) == [80.0, 95.0]
    assert calibration.quantiles(np.arange(1.0, 21.0)) == [17.0, 20.0]


@settings(deadline=None, max_examples=20)
@given(rows=st.integers(20, 400))
def test_intervals_of_equal_rows_hold_as_many_as_they_say(rows):
    """Exact in the mean over calibration sets: here over 400 of them, within 3 points."""
    random = RANDOM(rows)
    hits = np.zeros(2)
    for _ in range(400):
        half = calibration.quantiles(np.abs(random.standard_normal(rows)))
        hits += [np.mean(np.abs(random.standard_normal(100)) <= each) for each in half]
    low, high = hits / 400
    assert 0.79 <= low <= 0.80 + 1 / rows + 0.01
    assert 0.945 <= high <= 0.95 + 1 / rows + 0.01


def test_larger_predictions_have_intervals_of_their_own():
    predicted = RANDOM(0).uniform(0, 100, 4000)
    truth = predicted * (1 + 0.1 * RANDOM(1).standard_normal(4000))
    widths = calibration.of_predictions(predicted, truth)
    assert len(widths.edges) == 7
    assert len(widths.half) == 8
    narrow, wide = widths.half[0][0], widths.half[-1][0]
    assert 8 < wide / narrow < 30
    bins = np.searchsorted(widths.edges, predicted, side="right")
    inside = np.abs(predicted - truth)[:, None] <= np.array(widths.half)[bins]
    np.testing.assert_allclose(inside.mean(axis=0), certainty.LEVELS, atol=0.005)


def test_predictions_that_are_one_number_have_one_width():
    truth = RANDOM(1).standard_normal(900)
    widths = calibration.of_predictions(np.full(900, 3.0), truth)
    assert widths.edges == ()
    assert widths.half == (tuple(calibration.quantiles(np.abs(3 - truth))),)


def test_a_restless_window_has_a_wider_interval_and_unknown_values_do_not_count():
    variation = np.repeat([[1.0], [4.0]], 50, axis=0)
    off = variation[:, :, None].transpose(0, 2, 1) + 1
    truth = np.concatenate([off, 2 * off], axis=1)
    truth[0, 1] = np.nan
    found = calibration.of_forecasts(np.zeros((100, 2, 1)), truth, variation, np.array([1.0]))
    assert found == ForecastWidths((1.0,), (((1.0, 1.0),), ((2.0, 2.0),)))
    truth[:81, 1] = np.nan
    none = calibration.of_forecasts(np.zeros((100, 2, 1)), truth, variation, np.array([1.0]))
    assert none is None


def test_the_variation_of_a_window_is_that_of_neighbours_that_are_known():
    window = np.array([[[0.0, 9], [2, 9], [np.nan, 9], [5, 9], [4, 9]], [[np.nan, 0]] * 5])
    assert calibration.variation_of(window, 1).tolist() == [[1.5], [0.0]]


@pytest.mark.parametrize(
    "found",
    [
        Calibration("eval", 60, 1.5, before={"loss": 1.0}, after={"loss": 0.5}),
        Calibration("eval", 60, widths=Widths((1.0,), ((0.5, 1.0), (2.0, 3.0)))),
        Calibration("eval", 60, widths=ForecastWidths((1.0,), (((0.5, 1.0),),))),
    ],
    ids=["temperature", "regression", "forecast"],
)
def test_what_was_measured_is_read_as_it_was_written(found, tmp_path):
    found.write(tmp_path)
    assert certainty.read(tmp_path) == found


def trained(folder, **options):
    """An overconfident network: every fifth label lies."""
    data = transformed.write(folder, train=60, evaluated=options.pop("evaluated", 60), wrong=5)
    if options.get("validation") == "test":
        (folder / "examples" / "Split-eval").rename(folder / "examples" / "Split-test")
        data[0].write_summary({"train": 60, "test": 60})
    out = folder / "out"
    out.mkdir()
    (folder / "resume").mkdir()
    made = trainer(
        *data,
        None,
        out,
        folder / "resume",
        model=Dense(units=(32,)),
        epochs=60,
        learning_rate=0.03,
        **options,
    )
    return made, data


def loss_on_eval(made, data):
    model = keras.models.load_model(made.keras_file)
    pixels, labels = zip(*transformed.pictures(60, 3, (6, 6, 1), 1), strict=True)
    wrong = [transformed._said(label, number, 3, 5) for number, label in enumerate(labels)]
    scores = model.predict(np.stack(pixels), verbose=0).astype(np.float64)
    return -np.log(scores[np.arange(60), wrong].clip(1e-7)).mean()


def test_a_training_that_is_too_sure_of_itself_is_calibrated_on_eval(tmp_path):
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    cool, data = trained(tmp_path / "without", calibrate=False)
    warm, _ = trained(tmp_path / "with")
    found = certainty.read(warm.path)
    assert found.temperature > 1.3
    assert (found.split, found.rows) == ("eval", 60)
    assert found.before["loss"] == pytest.approx(loss_on_eval(cool, data), rel=1e-3)
    assert found.after["loss"] == pytest.approx(loss_on_eval(warm, data), rel=1e-3)
    assert found.after["loss"] < 0.9 * found.before["loss"]
    assert (warm.path / "calibration.png").exists()
    assert warm.history_file.read_text() == cool.history_file.read_text()
    assert certainty.read(cool.path) == NOTHING


@pytest.mark.parametrize(
    "options", [{"validation": "test"}, {"evaluated": 49}], ids=["test", "few"]
)
def test_the_test_split_and_few_rows_calibrate_nothing(options, tmp_path):
    made, _ = trained(tmp_path, **options)
    assert certainty.read(made.path) == NOTHING
