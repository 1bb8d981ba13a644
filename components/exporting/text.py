"""The signatures of an exported text classifier: sentences in, named classes out.

All run `features.text`, then the network.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf

from millrace.components.exporting import classifier
from millrace.components.exporting.comparison import Reference
from millrace.components.exporting.saved_model import Endpoint, at_least_one
from millrace.components.features import record, text, text_rows
from millrace.components.features.text_spec import TextSpec
from millrace.components.models.certainty import NOTHING, Calibration
from millrace.components.models.networks import as_taken
from millrace.serving.example import Decoded


def endpoints(
    model: keras.Model, spec: TextSpec, calibration: Calibration = NOTHING
) -> dict[str, Endpoint]:
    """Each signature's function and its inputs; `serving_default` takes `text`.

    Args:
        model: takes the inputs of the spec's layout, several as a dictionary by name.
        spec: how texts become ids, and the class names.
        calibration: what was measured of `model`.
    """

    def scores_of(texts: tf.Tensor) -> tf.Tensor:
        found = text.inputs(texts, spec)
        taken = as_taken({name: at_least_one(values) for name, values in found.items()})
        return classifier.probabilities(model, taken)[: tf.size(texts)]

    texts = tf.TensorSpec([None], tf.string, name=record.TEXT)
    return classifier.endpoints(scores_of, _parse, (texts,), spec.classes, calibration.threshold)


def reference(
    model: keras.Model,
    spec: TextSpec,
    rows: Sequence[Decoded],
    calibration: Calibration = NOTHING,
) -> Reference:
    """What the signatures should answer to raw `rows`, by the ids that training would see."""
    found = text_rows.inputs([record.text(row) or b"" for row in rows], spec)
    taken = as_taken({name: tf.constant(values) for name, values in found.items()})
    scores = classifier.probabilities(model, taken).numpy()
    return classifier.reference(scores, spec.classes, calibration.threshold)


def _parse(examples: tf.Tensor) -> tuple[tf.Tensor]:
    """The texts in serialised Examples, string [batch]."""
    feature = {record.TEXT: tf.io.FixedLenFeature([], tf.string)}
    return (tf.io.parse_example(examples, feature)[record.TEXT],)
