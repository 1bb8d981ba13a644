"""Forecasters in Keras: from windows in a series' own units to the rows that follow, in the same.

A network fills missing cells, scales, takes differences and encodes the calendar in layers of its
own, and undoes scale and differences in its answer, so a saved `.keras` file and a served model
take the data as they are. Internally it forecasts the change from the last row, or from a season
before, if the spec says so.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras

from millrace.components.features.series_spec import SeriesSpec
from millrace.components.models import series_layers as layers
from millrace.components.models.layer_options import Dense
from millrace.components.models.networks import (
    SCORES,
    Networks,
    as_taken,
    chained,
    fully_connected,
    penalty,
    scores,
)
from millrace.components.models.series_options import (
    ConvRnn,
    DifferencedMovingAverage,
    MovingAverage,
    Naive,
    SeasonalNaive,
    SeriesModel,
    SeriesRnn,
)

_PERIODS = {"hour": 24.0, "weekday": 7.0, "month": 12.0}
_CELLS: dict[str, Callable[..., keras.Layer]] = {
    "simple": keras.layers.SimpleRNN,
    "lstm": keras.layers.LSTM,
    "gru": keras.layers.GRU,
}


def build(options: SeriesModel, spec: SeriesSpec, *, units: int, activation: str) -> Networks:
    """The network that `options` describe, from [batch, lookback, channels] to
    [batch, horizon, targets].

    Args:
        options: of the network.
        spec: of the windows.
        units: of its last layer with weights: horizon * targets.
        activation: of that layer.

    Raises:
        OptionError: the windows are too short for a baseline's season or average.
    """
    inputs = {
        column.name: keras.Input(column.shape, dtype=column.dtype, name=column.name)
        for column in spec.layout.inputs
    }
    window, *ahead = filled(inputs, spec).values()
    match options:
        case Dense() | SeriesRnn() | ConvRnn():
            known = ahead[0] if ahead else None
            forecast = _trained(options, spec, window, known, units, activation)
        case _:
            forecast = _baseline(options, spec)(window)
    return Networks(
        training=keras.Model(as_taken(inputs), forecast, name=options.kind),
        inference=keras.Model(as_taken(inputs), forecast, name=options.kind),
    )


def filled(inputs: Mapping[str, keras.KerasTensor], spec: SeriesSpec) -> dict[str, Any]:
    """A network's `inputs` by name, their missing cells filled.

    The result of a user's preprocessing was filled before it.
    """
    found = dict(inputs)
    if spec.fill is None:
        return found
    columns, window = len(spec.columns), spec.layout.inputs[0].name
    if spec.hook is None:
        layer = layers.Filled(**dataclasses.asdict(spec.fill), dtype="float32", name="fill")
        found[window] = layer(inputs[window])
    if spec.known:
        fill = spec.fill.of_columns(columns - len(spec.known), columns)
        settings = {**dataclasses.asdict(fill), "first": len(spec.seen) - len(spec.known)}
        layer = layers.FilledAhead(**settings, dtype="float32", name="fill_known")
        found["known"] = layer([inputs["known"], found[window]])
    return found


def behind_filled(model: keras.Model, spec: SeriesSpec) -> keras.Model:
    """`model`, which takes only complete windows, behind layers that fill missing cells."""
    inputs = {each.name: keras.Input(each.shape[1:], name=each.name) for each in model.inputs}
    return keras.Model(as_taken(inputs), model(as_taken(filled(inputs, spec))), name=model.name)


def _baseline(
    options: Naive | SeasonalNaive | MovingAverage | DifferencedMovingAverage, spec: SeriesSpec
) -> keras.Layer:
    settings: dict[str, int] = {}
    match options:
        case SeasonalNaive():
            settings = {"season": options.season or spec.season}
        case MovingAverage():
            settings = {"window": options.window or spec.average}
        case DifferencedMovingAverage():
            season = options.season or spec.season
            more = {"window": options.window, "smoothing": options.smoothing}
            settings = {"season": season, **more}
    return layers.Baseline(
        options.kind, spec.horizon, len(spec.targets), settings, name=SCORES, dtype="float32"
    )


def _trained(
    options: Dense | SeriesRnn | ConvRnn,
    spec: SeriesSpec,
    window: keras.KerasTensor,
    known: keras.KerasTensor | None,
    units: int,
    activation: str,
) -> keras.KerasTensor:
    scaled = _scaling(spec)(window)
    rows = scaled
    if spec.lag:
        rows = layers.Differenced(spec.lag, len(spec.targets), name="difference")(scaled)
    if spec.calendar:
        periods = [_PERIODS[name] for name in spec.calendar]
        clock = layers.Cyclic(periods, spec.lag, name="calendar")(window)
        rows = keras.layers.Concatenate(name="rows")([rows, clock])
    hidden = chained(_hidden_before_known(options), rows)
    if known is not None:
        ahead = _scaled_ahead(spec, known)
        hidden = keras.layers.Concatenate(name="with_known")([hidden, ahead])
    widths = options.units if isinstance(options, Dense) else options.dense
    hidden = chained(fully_connected(options, widths), hidden)
    steps = scores(options, units, activation, kernel_initializer=_last(spec))(hidden)
    shape = (spec.horizon, len(spec.targets))
    forecast = keras.layers.Reshape(shape, name="steps")(steps)
    if spec.lag:
        forecast = layers.Undifferenced(spec.lag, name="undifference")([forecast, scaled])
    return _unscaled(spec, forecast, window)


def _last(spec: SeriesSpec) -> str:
    """A network of changes starts from no change: the naive forecast."""
    return "zeros" if spec.lag else "glorot_uniform"


def _scaling(spec: SeriesSpec) -> keras.Layer:
    if spec.per_series and spec.scale != "none":
        return layers.ScaledByWindow(len(spec.seen), spec.scale, name="scale")
    return layers.Scaled(spec.offset, spec.spread, name="scale")


def _unscaled(
    spec: SeriesSpec, forecast: keras.KerasTensor, window: keras.KerasTensor
) -> keras.KerasTensor:
    if spec.per_series and spec.scale != "none":
        back = layers.UnscaledByWindow(len(spec.seen), spec.scale, name="unscale", dtype="float32")
        return back([forecast, window])
    count = len(spec.targets)
    offset, spread = spec.offset[:count], spec.spread[:count]
    return layers.Unscaled(offset, spread, name="unscale", dtype="float32")(forecast)


def _scaled_ahead(spec: SeriesSpec, known: keras.KerasTensor) -> keras.KerasTensor:
    """The columns known ahead, by the train split's moments, [batch, horizon * known]."""
    first = len(spec.seen) - len(spec.known)
    scale = layers.Scaled(spec.offset[first:], spec.spread[first:], name="scale_known")
    return keras.layers.Flatten(name="flatten_known")(scale(known))


def _hidden_before_known(options: Dense | SeriesRnn | ConvRnn) -> Iterator[keras.Layer]:
    if isinstance(options, Dense):
        yield keras.layers.Flatten(name="flatten")
        return
    if isinstance(options, ConvRnn):
        yield keras.layers.Conv1D(
            options.filters,
            options.kernel_size,
            strides=options.strides,
            padding="causal",
            activation=options.activation,
            kernel_initializer=options.kernel_initializer,
            kernel_regularizer=penalty(options),
            name="conv",
        )
    for number, width in enumerate(options.units, start=1):
        yield _recurrent(options, number, width)
        if options.dropout:
            yield keras.layers.Dropout(options.dropout, name=f"rnn{number}_dropout")


def _recurrent(options: SeriesRnn | ConvRnn, number: int, width: int) -> keras.Layer:
    """The layer `rnn<number>`; all but the last return a row for each row."""
    name = f"rnn{number}"
    layer = _CELLS[options.cell](
        width,
        return_sequences=number < len(options.units),
        kernel_initializer=options.kernel_initializer,
        kernel_regularizer=penalty(options),
        name="cell" if options.bidirectional else name,
    )
    return keras.layers.Bidirectional(layer, name=name) if options.bidirectional else layer
