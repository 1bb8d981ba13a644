"""The signatures of an exported forecaster: windows in the data's own units in, forecasts out."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from millrace.components.errors import DataError
from millrace.components.exporting.comparison import Reference
from millrace.components.exporting.saved_model import SERIALISED, Endpoint, Outputs, at_least_one
from millrace.components.features import precision, series_hook
from millrace.components.features.layout import LayoutColumn
from millrace.components.features.series_spec import SeriesSpec
from millrace.components.models.certainty import NOTHING, Calibration, ForecastWidths
from millrace.components.models.networks import as_taken
from millrace.serving.example import Decoded

FORECAST = "forecast"


def endpoints(
    model: keras.Model, spec: SeriesSpec, calibration: Calibration = NOTHING
) -> dict[str, Endpoint]:
    """Each signature's function and its inputs, by name.

    Args:
        model: takes the inputs of `spec.layout`, float32 [batch, lookback, channels] and perhaps
            [batch, horizon, known]; returns float32 [batch, horizon, targets].
        spec: of the windows; its hook is put in front of the model.
        calibration: what was measured of `model`.

    Returns:
        serving_default: window (and known, if columns are known ahead) -> forecast float32
            [batch, horizon, targets]. All are float64 where the spec has a base. Where intervals
            were measured, `forecast_lower` and `forecast_upper` [batch, horizon, targets, levels]
            are beside it, of `certainty.LEVELS`: 80 and 95 %.
        examples: inputs, serialised Examples with the features `window` (and `known`), the
            form in which windows are written -> the same. What is to be added to a feature may
            stand beside it, see `features.precision`.
    """
    columns = spec.served_inputs
    dtype = tf.float64 if spec.base else tf.float32
    specs = tuple(tf.TensorSpec([None, *each.shape], dtype, name=each.name) for each in columns)

    @tf.function(input_signature=specs, autograph=False)
    def forecast_of(*inputs: tf.Tensor) -> Outputs:  # traced once for both
        given = zip(columns, inputs, strict=True)
        window, *ahead = (_less_base(at_least_one(rows), each.name, spec) for each, rows in given)
        seen = [series_hook.prepared(window, spec), *ahead]
        count = tf.shape(inputs[0])[0]
        forecast = _forecast(model, spec.layout.inputs, seen)[:count]
        if spec.base:
            forecast = tf.cast(forecast, dtype) + spec.bases["future"]
        return {FORECAST: forecast, **_interval(forecast, window[:count], calibration)}

    def predict(*inputs: tf.Tensor) -> Outputs:
        return forecast_of(*inputs)

    def examples(inputs: tf.Tensor) -> Outputs:
        return forecast_of(*_parsed(inputs, spec))

    return {"serving_default": (predict, specs), "examples": (examples, (SERIALISED,))}


def _interval(forecast: tf.Tensor, window: tf.Tensor, calibration: Calibration) -> Outputs:
    """Around forecasts [batch, horizon, targets]: lower and upper ends, with an axis of levels."""
    widths = calibration.widths
    if not isinstance(widths, ForecastWidths):
        return {}
    scale = variation(window, len(widths.floor)) + tf.constant(widths.floor, tf.float32)
    share = tf.constant(widths.share, tf.float32)
    half = tf.cast(share * scale[:, None, :, None], forecast.dtype)
    middle = forecast[..., None]
    return {f"{FORECAST}_lower": middle - half, f"{FORECAST}_upper": middle + half}


def variation(window: tf.Tensor, targets: int) -> tf.Tensor:
    """The mean absolute change from row to row of each target, float32 [batch, targets].

    Of what is known; 0 where no two neighbours are. The same as `calibration.variation_of`.
    """
    own = window[:, :, :targets]
    steps = tf.abs(own[:, 1:] - own[:, :-1])
    known = tf.math.is_finite(steps)
    total = tf.reduce_sum(tf.where(known, steps, 0.0), axis=1)
    counts = tf.reduce_sum(tf.cast(known, tf.float32), axis=1)
    return total / tf.maximum(counts, 1.0)


def _less_base(rows: tf.Tensor, name: str, spec: SeriesSpec) -> tf.Tensor:
    """The input `name` as records have it, float32 [batch, rows, channels]."""
    return tf.cast(rows - spec.bases[name], tf.float32) if spec.base else rows


def _parsed(examples: tf.Tensor, spec: SeriesSpec) -> list[tf.Tensor]:
    """The inputs in serialised Examples, each with the base that is beside it."""
    columns = spec.served_inputs
    features = {each.name: tf.io.FixedLenFeature(each.shape, tf.float32) for each in columns}
    if not spec.base:
        parsed = tf.io.parse_example(examples, features)
        return [parsed[each.name] for each in columns]
    for each in columns:
        zeros = precision.encoded([0.0] * each.shape[-1])
        features[precision.feature(each.name)] = tf.io.FixedLenFeature([], tf.string, zeros)
    parsed = tf.io.parse_example(examples, features)
    return [
        tf.cast(parsed[each.name], tf.float64)
        + tf.io.decode_raw(parsed[precision.feature(each.name)], tf.float64)[:, None]
        for each in columns
    ]


def reference(
    model: keras.Model,
    spec: SeriesSpec,
    rows: Sequence[Decoded],
    calibration: Calibration = NOTHING,
) -> Reference:
    """What the signatures should answer to records of windows, as training sees them.

    Raises:
        DataError: a record is not a window of the model's.
    """
    columns = spec.layout.inputs
    inputs = [tf.constant(np.stack([_value(row, each) for row in rows])) for each in columns]
    forecast = _forecast(model, columns, inputs).numpy()
    base = np.array(spec.bases["future"]) if spec.base else 0.0
    names = [f"{name}/{FORECAST}" for name in ("serving_default", "examples")]
    return Reference(dict.fromkeys(names, forecast), base=base)


def _forecast(
    model: keras.Model, columns: Sequence[LayoutColumn], inputs: Sequence[tf.Tensor]
) -> tf.Tensor:
    named = {each.name: tensor for each, tensor in zip(columns, inputs, strict=True)}
    return model(as_taken(named), training=False)


def _value(row: Decoded, column: LayoutColumn) -> np.ndarray:
    value = row.get(column.name)
    if isinstance(value, np.ndarray) and value.size * 4 == column.bytes:
        return value.astype(np.float32).reshape(column.shape)
    received = "none" if value is None else f"{len(value)} values"
    raise DataError(
        f"Record of a window, feature {column.name!r}: expected {column.bytes // 4} numbers. "
        f"Received: {received}. Give export the records that `transform` wrote."
    )
