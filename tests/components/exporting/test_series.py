"""A forecaster's signatures: raw windows in, raw forecasts out, the same as in training."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from millrace.components.errors import DataError, ModelError
from millrace.components.exporting import saved_model, series
from millrace.components.exporting.comparison import largest_difference
from millrace.components.features import precision
from millrace.components.features.series_spec import Fill, SeriesSpec
from millrace.components.models.certainty import Calibration, ForecastWidths
from millrace.components.models.layer_options import Dense
from millrace.components.models.series import build
from millrace.components.models.series_options import ConvRnn
from millrace.components.training import calibration
from millrace.serving.example import decode, encode

SPEC = SeriesSpec(
    targets=("a",),
    known=("k",),
    lookback=6,
    horizon=2,
    frequency="h",
    offset=(3.0, 0.0),
    spread=(2.0, 1.0),
    naive_error=(1.0,),
)
ROWS = [
    decode(
        encode(
            {
                "window": np.arange(12, dtype=np.float32) + 10 * row,
                "known": np.ones(2, np.float32),
                "future": np.zeros(2, np.float32),
            }
        )
    )
    for row in range(3)
]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    model = build(Dense(units=(4,)), SPEC, units=2, activation="linear").inference
    folder = tmp_path_factory.mktemp("series") / "model"
    saved_model.write(series.endpoints(model, SPEC), folder)
    return model, tf.saved_model.load(str(folder))


def inputs(rows=ROWS):
    return {
        "window": tf.constant([row["window"].reshape(6, 2) for row in rows], tf.float32),
        "known": tf.constant([row["known"].reshape(2, 1) for row in rows], tf.float32),
    }


def test_serving_default_takes_windows_and_answers_as_the_path_of_training(exported):
    model, loaded = exported
    signature = loaded.signatures["serving_default"]
    assert {
        name: spec.shape.as_list() for name, spec in signature.structured_input_signature[1].items()
    } == {"window": [None, 6, 2], "known": [None, 2, 1]}
    found = signature(**inputs())["forecast"].numpy()
    expected = series.reference(model, SPEC, ROWS).numbers
    assert found.shape == (3, 2, 1)
    assert np.array_equal(found, expected["serving_default/forecast"])
    assert expected.keys() == {"serving_default/forecast", "examples/forecast"}


def test_a_window_may_be_served_with_gaps_which_the_graph_fills_as_training_does(tmp_path):
    spec = dataclasses.replace(SPEC, fill=Fill("linear", 1, (3.0, 0.0)))
    model = build(Dense(units=()), spec, units=2, activation="linear").inference
    saved_model.write(series.endpoints(model, spec), tmp_path / "model")
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    whole, start, within, end, nothing = (dict(ROWS[0]) for _ in range(5))
    for row, places in ((start, [0]), (within, [4, 6]), (end, [8, 10]), (nothing, range(0, 12, 2))):
        row["window"] = row["window"].copy()
        row["window"][list(places)] = np.nan
    rows = [whole, start, within, end, nothing]
    found = loaded.signatures["serving_default"](**inputs(rows))["forecast"].numpy()
    records = tf.constant([encode(row) for row in rows])
    parsed = loaded.signatures["examples"](inputs=records)["forecast"].numpy()
    expected = series.reference(model, spec, rows).numbers["serving_default/forecast"]
    assert np.array_equal(found, expected)
    assert np.array_equal(parsed, expected)
    filled = [dict(row) for row in rows]
    own = whole["window"].reshape(6, 2)
    line = own[:, 0].copy()
    for row, values in zip(
        filled,
        (line, [2, *line[1:]], line, [*line[:4], 6, 6], [3] * 6),
        strict=True,
    ):
        row["window"] = np.stack([values, own[:, 1]], 1).astype(np.float32).ravel()
    given = loaded.signatures["serving_default"](**inputs(filled))["forecast"].numpy()
    np.testing.assert_allclose(found, given, rtol=1e-6)
    assert len({float(value) for value in found[:, 0, 0]}) == 4  # within is as if it were whole


def test_examples_takes_the_records_that_transform_writes(exported):
    model, loaded = exported
    records = tf.constant([encode(row) for row in ROWS])
    found = loaded.signatures["examples"](inputs=records)["forecast"].numpy()
    assert np.array_equal(found, series.reference(model, SPEC, ROWS).numbers["examples/forecast"])


def test_an_empty_batch_is_answered_with_nothing():
    spec = dataclasses.replace(SPEC, known=(), offset=(0.0,), spread=(1.0,))
    options = ConvRnn(filters=2, units=(2,), dense=())
    model = build(options, spec, units=2, activation="linear").inference
    function, specs = series.endpoints(model, spec)["serving_default"]
    empty = function(tf.zeros([0, *specs[0].shape[1:]]))
    assert empty["forecast"].shape == (0, 2, 1)


def test_a_record_that_is_no_window_of_the_model_is_refused(exported):
    model, _ = exported
    with pytest.raises(
        DataError,
        match=r"feature 'window': expected 12 numbers\. Received: 5 values\. Give export the rec",
    ):
        series.reference(model, SPEC, [{"window": np.zeros(5, np.float32)}])


BASED = dataclasses.replace(SPEC, base=(6779547100.0, 2e9), horizon=2)


def test_a_model_with_a_base_takes_and_answers_float64_in_the_units_of_the_data(tmp_path):
    model = build(Dense(units=(4,)), BASED, units=2, activation="linear").inference
    saved_model.write(series.endpoints(model, BASED), tmp_path / "model")
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    window, known = (inputs()[name].numpy().astype(np.float64) for name in ("window", "known"))
    expected = model(inputs()).numpy().astype(np.float64) + 6779547100
    (found,) = loaded.signatures["serving_default"](
        window=tf.constant(window + np.array(BASED.base)), known=tf.constant(known + 2e9)
    ).values()
    assert found.dtype == tf.float64
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-4)

    rows = [
        {
            **row,
            "window/base": [precision.encoded(BASED.base)],
            "known/base": [precision.encoded([2e9])],
        }
        for row in ROWS
    ]
    (again,) = loaded.signatures["examples"](tf.constant([encode(row) for row in rows])).values()
    np.testing.assert_array_equal(again.numpy(), found.numpy())
    whole = [
        {"window": row["window"] + np.tile(BASED.base, 6), "known": row["known"] + 2e9}
        for row in ROWS
    ]
    (rounded,) = loaded.signatures["examples"](tf.constant([encode(row) for row in whole])).values()
    assert np.abs(rounded.numpy() - expected).max() < 1000  # float32 alone, 512 apart

    reference = series.reference(model, BASED, rows)
    found_by = {f"{name}/forecast": found.numpy() for name in ("serving_default", "examples")}
    assert largest_difference(found_by, reference, 1e-5) < 1e-5
    off = {name: array + 1 for name, array in found_by.items()}
    with pytest.raises(ModelError, match="expected the trained model's answers"):
        largest_difference(off, reference, 1e-5)


@pytest.mark.parametrize("base", [(), (1000.0, 0.0)], ids=["", "with a base"])
def test_a_forecast_has_intervals_by_how_restless_its_window_is(base, tmp_path):
    spec = dataclasses.replace(SPEC, base=base)
    model = build(Dense(units=(4,)), spec, units=2, activation="linear").inference
    widths = ForecastWidths((0.5,), (((1.0, 2.0),), ((2.0, 3.0),)))
    endpoints = series.endpoints(model, spec, Calibration("eval", 50, widths=widths))
    saved_model.write(endpoints, tmp_path / "model")
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    given = inputs(ROWS)
    window = given["window"].numpy()
    window[0, :, 0] = [1, 4, np.nan, 2, 2, 9]
    if base:
        given = {name: tf.cast(each, tf.float64) for name, each in given.items()}
        window = window + np.array([1000.0, 0.0])
    given["window"] = tf.constant(window)
    found = loaded.signatures["serving_default"](**given)
    middle = found["forecast"].numpy()[..., None]
    scale = calibration.variation_of(window, 1) + 0.5
    half = np.array(widths.share)[None] * scale[:, None, :, None]
    assert found["forecast_lower"].shape == (3, 2, 1, 2)
    for side, sign in (("lower", -1), ("upper", 1)):
        ends = found[f"forecast_{side}"].numpy()
        expected = np.broadcast_to(middle + sign * half, ends.shape)
        np.testing.assert_allclose(ends, expected, rtol=1e-5)
