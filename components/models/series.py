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

from millrace.components.errors import OptionError
from millrace.components.features.series_spec import SeriesSpec
from millrace.components.models import series_layers as layers
from millrace.components.models.layer_options import Dense
from millrace.components.models.layer_pieces import activated, initializer, within
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
    Linear,
    MovingAverage,
    Naive,
    SeasonalNaive,
    SeriesModel,
    SeriesRnn,
)
from millrace.serving.errors import few

_PERIODS = {"hour": 24.0, "weekday": 7.0, "month": 12.0}
_COVARIATE_ROWS = 24  # at most, of which a linear network sees covariates
OWN_UNITS, FROM_OWN_UNITS = "own_units", "from_own_units"  # layers of a linear network
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
        OptionError: the windows are too short for a baseline's season or average, or a linear
            network's rows or logarithms cannot be had.
    """
    inputs = {
        column.name: keras.Input(column.shape, dtype=column.dtype, name=column.name)
        for column in spec.layout.inputs
    }
    window, *ahead = filled(inputs, spec).values()
    match options:
        case Linear():
            forecast = _linear(options, spec, window, ahead[0] if ahead else None, units)
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


def _linear(
    options: Linear,
    spec: SeriesSpec,
    window: keras.KerasTensor,
    known: keras.KerasTensor | None,
    outputs: int,
) -> keras.KerasTensor:
    """One layer with weights, `SCORES`, of features [batch, features].

    Of these, the first are the targets in the last rows, row by row; the very last row is left out
    where it is what the others are counted from. The covariates' last rows follow, then the
    calendar of the last row, then the columns known ahead.
    """
    targets, rows = len(spec.targets), options.rows or spec.lookback
    if rows > spec.lookback:
        raise OptionError(
            f"trainer.model.rows: expected at most the {spec.lookback} rows of a window. "
            f"Received: {rows}. Lower it, or raise analyze.features.lookback."
        )
    least = _least(spec) if options.log else ()
    offset, spread = spec.offset[:targets], spec.spread[:targets]
    if options.log:
        offset, spread = (0.0,) * targets, (1.0,) * targets
    scale = spec.scale if spec.per_series and spec.scale != "none" else ""
    units = layers.OwnUnits(
        offset, spread, options.own_level, scale, least=least, name=OWN_UNITS, dtype="float32"
    )(window)
    values = layers.InOwnUnits(least, name="in_own_units", dtype="float32")([window, units])
    last = spec.lookback - 1 if options.own_level else spec.lookback
    parts = [_rows(values, spec.lookback - rows, last, "target")]
    if len(spec.seen) > targets:
        moments = spec.offset[targets:], spec.spread[targets:]
        others = layers.Scaled(*moments, first=targets, name="scale", dtype="float32")(window)
        first = spec.lookback - min(rows, _COVARIATE_ROWS)
        parts.append(_rows(others, first, spec.lookback, "covariate"))
    if spec.calendar:
        clock = layers.Cyclic([_PERIODS[name] for name in spec.calendar], name="calendar")(window)
        parts.append(_rows(clock, spec.lookback - 1, spec.lookback, "calendar"))
    if known is not None:
        parts.append(_scaled_ahead(spec, known))
    features = keras.layers.Concatenate(name="features")(parts) if len(parts) > 1 else parts[0]
    last_layer = keras.layers.Dense(
        outputs, kernel_initializer="zeros", name=SCORES, dtype="float32"
    )
    forecast = keras.layers.Reshape((spec.horizon, targets), name="steps")(last_layer(features))
    return layers.FromOwnUnits(least, name=FROM_OWN_UNITS, dtype="float32")([forecast, units])


def _least(spec: SeriesSpec) -> tuple[float, ...]:
    """From where on a target has a logarithm: half of the least in the train split."""
    if not spec.has_logarithms:
        raise OptionError(
            "trainer.model.log: expected targets that are positive throughout the train split. "
            f"Received: {few(spec.targets)}, of which one is not. Set it to false."
        )
    return tuple(each / 2 for each in spec.least)


def _rows(values: keras.KerasTensor, first: int, last: int, name: str) -> keras.KerasTensor:
    """The rows from `first` up to, not including, `last`, flat."""
    cut = (first, values.shape[1] - last)
    rows = keras.layers.Cropping1D(cut, name=f"{name}_rows")(values)
    return keras.layers.Flatten(name=f"{name}s")(rows)


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
            activation=within(options),
            kernel_initializer=initializer(options),
            kernel_regularizer=penalty(options),
            name="conv",
        )
        if within(options) is None:
            yield activated(options.activation, "conv")
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
        kernel_initializer=initializer(options),
        kernel_regularizer=penalty(options),
        name="cell" if options.bidirectional else name,
    )
    return keras.layers.Bidirectional(layer, name=name) if options.bidirectional else layer
