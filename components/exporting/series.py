"""The signatures of an exported forecaster: windows in the data's own units in, forecasts out."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from millrace.components.errors import DataError
from millrace.components.exporting.comparison import Reference
from millrace.components.exporting.saved_model import SERIALISED, Endpoint, Outputs, at_least_one
from millrace.components.features import series_hook
from millrace.components.features.layout import LayoutColumn
from millrace.components.features.series_spec import SeriesSpec
from millrace.components.models.networks import as_taken
from millrace.serving.example import Decoded

FORECAST = "forecast"


def endpoints(model: keras.Model, spec: SeriesSpec) -> dict[str, Endpoint]:
    """Each signature's function and its inputs, by name.

    Args:
        model: takes the inputs of `spec.layout`, float32 [batch, lookback, channels] and perhaps
            [batch, horizon, known]; returns float32 [batch, horizon, targets].
        spec: of the windows; its hook is put in front of the model.

    Returns:
        serving_default: window (and known, if columns are known ahead) -> forecast float32
            [batch, horizon, targets].
        examples: inputs, serialised Examples with the features `window` (and `known`), the
            form in which windows are written -> the same.
    """
    columns = spec.served_inputs
    specs = tuple(
        tf.TensorSpec([None, *each.shape], tf.float32, name=each.name) for each in columns
    )

    @tf.function(input_signature=specs)
    def forecast_of(*inputs: tf.Tensor) -> tf.Tensor:  # traced once for both
        window, *ahead = (at_least_one(tensor) for tensor in inputs)
        seen = [series_hook.prepared(window, spec), *ahead]
        return _forecast(model, spec.layout.inputs, seen)[: tf.shape(inputs[0])[0]]

    def predict(*inputs: tf.Tensor) -> Outputs:
        return {FORECAST: forecast_of(*inputs)}

    def examples(inputs: tf.Tensor) -> Outputs:
        features = {each.name: tf.io.FixedLenFeature(each.shape, tf.float32) for each in columns}
        parsed = tf.io.parse_example(inputs, features)
        return {FORECAST: forecast_of(*(parsed[each.name] for each in columns))}

    return {"serving_default": (predict, specs), "examples": (examples, (SERIALISED,))}


def reference(model: keras.Model, spec: SeriesSpec, rows: Sequence[Decoded]) -> Reference:
    """What the signatures should answer to records of windows, as training sees them.

    Raises:
        DataError: a record is not a window of the model's.
    """
    columns = spec.layout.inputs
    inputs = [tf.constant(np.stack([_value(row, each) for row in rows])) for each in columns]
    forecast = _forecast(model, columns, inputs).numpy()
    return Reference({f"{name}/{FORECAST}": forecast for name in ("serving_default", "examples")})


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
