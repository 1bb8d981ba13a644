"""The signatures of an exported model of a table: a row's columns in, a class or a number out."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from millrace.components.exporting import classifier
from millrace.components.exporting.comparison import Reference
from millrace.components.exporting.saved_model import SERIALISED, Endpoint, Outputs
from millrace.components.features import table, table_rows
from millrace.components.features.table_spec import TableSpec
from millrace.components.files import columns
from millrace.components.models.certainty import NOTHING, Calibration, Widths
from millrace.components.models.networks import as_taken
from millrace.serving.example import Decoded

PREDICTION = "prediction"


def endpoints(
    model: keras.Model, spec: TableSpec, calibration: Calibration = NOTHING
) -> dict[str, Endpoint]:
    """Each signature's function and its inputs, by name.

    `serving_default` takes one input per column, [batch]: float32, with NaN for a missing cell, or
    string, with "" for one. A classifier answers like all others; a regressor `prediction` float32
    [batch], and `regress`, which takes serialised Examples, `outputs` float32 [batch]. Where
    intervals were measured, `prediction_lower` and `prediction_upper` float32 [batch, levels] are
    beside it, of `certainty.LEVELS`: 80 and 95 %.

    Args:
        model: takes the inputs of `spec.layout`.
        spec: how columns become these, and the class names.
        calibration: what was measured of `model`.
    """
    inputs = tuple(
        tf.TensorSpec([None], tf.string if raw.dtype == "bytes" else tf.float32, name=raw.name)
        for raw in spec.raw
    )

    def seen(*columns: tf.Tensor) -> tf.Tensor | dict[str, tf.Tensor]:
        named = {raw.name: column for raw, column in zip(spec.raw, columns, strict=True)}
        return as_taken(table.preprocess(named, spec))

    def parse(examples: tf.Tensor) -> tuple[tf.Tensor, ...]:
        columns = table.parse(examples, spec)
        return tuple(columns[raw.name] for raw in spec.raw)

    if spec.problem == "classification":
        return classifier.endpoints(
            lambda *columns: classifier.probabilities(model, seen(*columns)),
            parse,
            inputs,
            spec.classes,
            calibration.threshold,
        )

    @tf.function(input_signature=inputs, autograph=False)
    def predicted(*columns: tf.Tensor) -> tf.Tensor:  # traced once for both
        return model(seen(*columns), training=False)[:, 0]

    def predict(*columns: tf.Tensor) -> Outputs:
        found = predicted(*columns)
        return {PREDICTION: found, **_interval(found, calibration)}

    def regress(examples: tf.Tensor) -> Outputs:
        return {"outputs": predicted(*parse(examples))}

    return {"serving_default": (predict, inputs), "regress": (regress, (SERIALISED,))}


def reference(
    model: keras.Model,
    spec: TableSpec,
    rows: Sequence[Decoded],
    calibration: Calibration = NOTHING,
) -> Reference:
    """What the signatures should answer to raw `rows`, by the inputs that training would see."""
    arrays = table_rows.inputs_of(columns.of_rows(rows, "the rows to check with"), spec)
    inputs = as_taken({name: tf.constant(array) for name, array in arrays.items()})
    if spec.problem == "classification":
        scores = classifier.probabilities(model, inputs)
        return classifier.reference(scores.numpy(), spec.classes, calibration.threshold)
    numbers: np.ndarray = model(inputs, training=False)[:, 0].numpy()
    return Reference({"serving_default/prediction": numbers, "regress/outputs": numbers})


def _interval(predicted: tf.Tensor, calibration: Calibration) -> Outputs:
    """Around predictions [batch]: lower and upper ends, each [batch, levels]."""
    widths = calibration.widths
    if not isinstance(widths, Widths):
        return {}
    half = tf.constant(widths.half, tf.float32)
    if widths.edges:
        edges = tf.constant(widths.edges, tf.float32)
        half = tf.gather(half, tf.searchsorted(edges, predicted, side="right"))
    middle = predicted[:, None]
    return {f"{PREDICTION}_lower": middle - half, f"{PREDICTION}_upper": middle + half}
