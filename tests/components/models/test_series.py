"""Forecasters: raw units in and out, scaling and differencing undone, saved and loaded."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from millrace.components.errors import OptionError
from millrace.components.features import baselines, series_fill
from millrace.components.features.series_spec import Fill, SeriesSpec
from millrace.components.models import series_layers
from millrace.components.models.layer_options import Dense
from millrace.components.models.networks import SCORES
from millrace.components.models.series import build
from millrace.components.models.series_options import (
    MODELS,
    ConvRnn,
    DifferencedMovingAverage,
    MovingAverage,
    Naive,
    SeasonalNaive,
    SeriesRnn,
)
from millrace.components.training.compiling import layers_in

SPEC = SeriesSpec(
    targets=("a", "b"),
    lookback=8,
    horizon=5,
    frequency="h",
    offset=(3.0, -4.0),
    spread=(2.0, 5.0),
    naive_error=(1.0, 1.0),
    season=3,
    average=4,
)
WINDOWS = np.random.default_rng(0).normal(100, 30, size=(4, 8, 2)).astype(np.float32)


def network(options, spec=SPEC):
    units = spec.horizon * len(spec.targets)
    return build(options, spec, units=units, activation="linear").inference


def ask(model, inputs=WINDOWS):
    return np.asarray(model(inputs, training=False))


@pytest.mark.parametrize(
    ("options", "weights"),
    [
        (Naive(), baselines.naive(8, 5)),
        (SeasonalNaive(), baselines.seasonal_naive(8, 5, 3)),
        (SeasonalNaive(season=7), baselines.seasonal_naive(8, 5, 7)),
        (MovingAverage(), baselines.moving_average(8, 5, 4)),
        (
            DifferencedMovingAverage(window=4, smoothing=3),
            baselines.differenced_moving_average(8, 5, 3, 4, 3),
        ),
    ],
)
def test_baselines_answer_as_their_maps_say_and_have_nothing_to_train(options, weights):
    model = network(options)
    np.testing.assert_allclose(ask(model), baselines.apply(weights, WINDOWS), rtol=1e-5)
    assert model.count_params() == 0


def test_naive_is_exact():
    expected = np.repeat(WINDOWS[:, -1:], 5, axis=1)
    assert np.array_equal(ask(network(Naive())), expected)


@pytest.mark.parametrize("scale", ["standard", "min_max", "none"])
@pytest.mark.parametrize("per_series", [False, True])
@pytest.mark.parametrize(("difference", "lag"), [("previous", 1), ("season", 3)])
def test_untrained_networks_of_changes_forecast_no_change(scale, per_series, difference, lag):
    spec = dataclasses.replace(SPEC, scale=scale, per_series=per_series, difference=difference)
    expected = baselines.apply(baselines.seasonal_naive(8, 5, lag), WINDOWS)
    np.testing.assert_allclose(ask(network(Dense(units=(4,)), spec)), expected, rtol=1e-4)


@pytest.mark.parametrize("lag", [1, 2, 3, 7])
def test_differences_are_undone_over_any_horizon(lag):
    series = np.random.default_rng(lag).normal(size=(2, 13, 2)).astype(np.float32)
    changes = series[:, 8:] - series[:, 8 - lag : 13 - lag]
    found = series_layers.Undifferenced(lag)([changes, series[:, :8]])
    np.testing.assert_allclose(np.asarray(found), series[:, 8:], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scale", ["standard", "min_max"])
def test_scaling_by_window_is_undone_even_of_a_constant_one(scale):
    windows = np.concatenate([WINDOWS, np.full((1, 8, 2), 7e6, np.float32)])
    scaled = series_layers.ScaledByWindow(2, scale)(windows)
    assert np.isfinite(np.asarray(scaled)).all()
    back = series_layers.UnscaledByWindow(2, scale)([scaled, windows])
    np.testing.assert_allclose(np.asarray(back), windows, rtol=1e-5)


def test_logarithms_go_on_as_a_straight_line_below_the_least_and_are_undone():
    window = np.array([[[-4.0], [0.0], [1.0], [2.0], [2.0 * np.e]]], np.float32)
    layer = series_layers.FromOwnUnits([2.0])
    logs = np.asarray(layer.logarithm(window))
    np.testing.assert_allclose(logs[0, :, 0], np.log(2) + np.array([-3, -1, -0.5, 0, 1]), rtol=1e-6)
    units = np.array([[[0.0], [1.0]]], np.float32)
    np.testing.assert_allclose(np.asarray(layer([logs, units])), window, rtol=1e-6, atol=1e-6)


def test_windows_of_another_size_look_alike_to_a_network_that_scales_each():
    spec = dataclasses.replace(SPEC, per_series=True)
    model = network(Dense(units=(4,)), spec)
    np.testing.assert_allclose(ask(model, WINDOWS * 1000), ask(model) * 1000, rtol=1e-3)


def test_the_calendar_is_points_on_circles():
    window = np.zeros((1, 3, 3), np.float32)
    window[0, :, 1] = [0, 6, 12]
    window[0, :, 2] = [0, 7 / 4, 7 / 2]
    found = np.asarray(series_layers.Cyclic([24.0, 7.0], skipped=1)(window))
    np.testing.assert_allclose(found[0], [[1, 1, 0, 0], [0, 0, -1, -1]], atol=1e-6)


def test_columns_known_ahead_are_an_input_of_their_own():
    spec = dataclasses.replace(
        SPEC, known=("k",), offset=(0.0,) * 3, spread=(1.0,) * 3, calendar=("hour",)
    )
    model = network(Dense(units=()), spec)
    window = np.zeros((1, 8, 4), np.float32)
    without = ask(model, {"window": window, "known": np.zeros((1, 5, 1), np.float32)})
    with_known = ask(model, {"window": window, "known": np.ones((1, 5, 1), np.float32)})
    assert without.shape == (1, 5, 2)
    assert not np.allclose(without, with_known)


@pytest.mark.parametrize(
    ("options", "kernels"),
    [
        (Dense(units=(), l2=0.5), 1),
        (SeriesRnn(units=(3,), l2=0.5), 2),
        (SeriesRnn(units=(3, 2), bidirectional=True, dense=(4,), l2=0.5), 6),
        (ConvRnn(filters=3, units=(2,), dense=(), l2=0.5), 3),
    ],
)
def test_a_penalty_is_on_the_kernel_of_every_layer(options, kernels):
    assert len(network(options).losses) == kernels


def test_an_activation_of_ones_own_is_behind_the_convolution():
    options = ConvRnn(filters=3, units=(2,), dense=(), activation="PReLU")
    names = [layer.name for layer in network(options).layers]
    assert names[names.index("conv") + 1] == "conv_activation"


@pytest.mark.parametrize(
    "options",
    [SeriesRnn(kernel_initializer="orthogonal"), ConvRnn(kernel_initializer="orthogonal")],
)
def test_an_initializer_is_that_of_every_kernel_but_the_last(options):
    *layers, last = [
        layer for layer in network(options).layers if hasattr(layer, "kernel_initializer")
    ]
    assert {type(layer.kernel_initializer).__name__ for layer in layers} == {"Orthogonal"}
    assert type(last.kernel_initializer).__name__ == "GlorotUniform"


@pytest.mark.parametrize(
    ("options", "layers"),
    [
        (Dense(units=(4,), dropout=0.1), ["scale", "flatten", "dense1", "dense1_dropout"]),
        (SeriesRnn(cell="simple", units=(3,)), ["scale", "rnn1"]),
        (
            SeriesRnn(cell="gru", units=(3, 2), bidirectional=True, dropout=0.2, dense=(4,)),
            ["scale", "rnn1", "rnn1_dropout", "rnn2", "rnn2_dropout", "dense1", "dense1_dropout"],
        ),
        (ConvRnn(filters=3, units=(3, 2), dense=(4,)), ["scale", "conv", "rnn1", "rnn2", "dense1"]),
    ],
)
def test_networks_are_what_their_options_say_and_load_as_they_were(options, layers, tmp_path):
    model = network(options)
    names = [layer.name for layer in model.layers]
    assert names == ["window", *layers, SCORES, "steps", "unscale"]
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert np.array_equal(ask(loaded), ask(model))


GAPS = dataclasses.replace(SPEC, fill=Fill("linear", 3, (3.0, -4.0)))
HOLES = np.random.default_rng(1).random((4, 8, 2)) < 0.3
FILLED = series_fill.filled(tf.constant(np.where(HOLES, np.nan, WINDOWS)), GAPS.fill).numpy()


@pytest.mark.parametrize("options", [Naive(), Dense(units=(4,)), SeriesRnn(units=(3,))])
@pytest.mark.parametrize("scaling", [{}, {"per_series": True}, {"difference": "previous"}])
def test_networks_fill_gaps_first_of_all_and_are_loaded_so(options, scaling, tmp_path):
    spec = dataclasses.replace(GAPS, **scaling)
    model = network(options, spec)
    _random_weights(model)
    windows = np.where(HOLES, np.nan, WINDOWS)
    found = ask(model, windows)
    assert np.array_equal(found, ask(model, FILLED))
    assert np.isfinite(found).all()
    assert not np.array_equal(found, ask(model, WINDOWS))
    model.save(tmp_path / "model.keras")
    assert np.array_equal(ask(keras.models.load_model(tmp_path / "model.keras"), windows), found)


def _random_weights(model):
    """The last layer of a network of changes starts from zeros, and forecasts alike whatever."""
    rng = np.random.default_rng(2)
    model.set_weights([rng.normal(size=each.shape) for each in model.get_weights()])


def test_gaps_in_what_is_known_ahead_are_filled_from_the_window_on():
    known = ("k", "l")
    level = (3.0, -4.0, 0.0, 0.0)
    spec = dataclasses.replace(
        SPEC, known=known, offset=level, spread=(1.0,) * 4, fill=Fill("linear", 1, level)
    )
    model = network(Dense(units=()), spec)
    window = np.zeros((1, 8, 4), np.float32)
    window[0, -1, 2:] = [2, 5]
    ahead = np.float32([[[np.nan, np.nan], [4, np.nan], [4, 7], [np.nan, 7], [0, 0]]])
    whole = np.float32([[[3, 5 + 2 / 3], [4, 5 + 4 / 3], [4, 7], [2, 7], [0, 0]]])
    found = ask(model, {"window": window, "known": ahead})
    np.testing.assert_allclose(found, ask(model, {"window": window, "known": whole}), rtol=1e-5)
    assert not np.allclose(found, ask(model, {"window": window, "known": whole + 1}))


@pytest.mark.parametrize("impute", ["forward", "linear", "seasonal", "zero"])
def test_a_network_of_16_bits_fills_as_one_of_32_does(impute):
    spec = dataclasses.replace(GAPS, fill=dataclasses.replace(GAPS.fill, impute=impute))
    with layers_in("mixed_bfloat16"):
        model = network(Naive(), spec)
    windows = np.where(HOLES, np.nan, WINDOWS).astype(np.float32)
    last = series_fill.filled(tf.constant(windows), spec.fill).numpy()[:, -1:]
    assert np.array_equal(ask(model, windows), np.repeat(last, 5, axis=1))


def test_the_trained_network_is_compiled_and_the_one_that_is_kept_is_not():
    networks = build(Dense(units=(4,)), SPEC, units=10, activation="linear")
    networks.training.compile(loss="mse")
    assert not networks.inference.compiled
    assert networks.training.layers == networks.inference.layers


def test_a_bidirectional_layer_gives_twice_its_units():
    model = network(SeriesRnn(units=(6,), bidirectional=True))
    assert model.get_layer("rnn1").output.shape == (None, 12)


def test_the_convolution_is_causal():
    model = network(ConvRnn(filters=2, kernel_size=3, units=(2,), dense=()))
    conv = keras.Model(model.input, model.get_layer("conv").output)
    later = WINDOWS.copy()
    later[:, 5:] += 50
    assert np.array_equal(ask(conv)[:, :5], ask(conv, later)[:, :5])


def test_every_kind_of_option_has_a_network():
    for kind in MODELS:
        options = kind(window=2) if kind is DifferencedMovingAverage else kind()
        assert ask(network(options)).shape == (4, 5, 2)


def test_a_baseline_that_the_window_does_not_allow_is_refused():
    with pytest.raises(OptionError, match=r"Model seasonal_naive: expected windows of 9 rows"):
        network(SeasonalNaive(season=9))
