"""The signatures of an exported image classifier: raw files in, named classes out.

All run `features.image`, then the network.
"""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from millrace.components.exporting import classifier
from millrace.components.exporting.comparison import Reference
from millrace.components.exporting.saved_model import Endpoint, at_least_one
from millrace.components.features import image_rows, record
from millrace.components.features.image_spec import ImageSpec
from millrace.components.files import columns
from millrace.components.models.certainty import NOTHING, Calibration
from millrace.serving.example import Decoded


def endpoints(
    model: keras.Model, spec: ImageSpec, calibration: Calibration = NOTHING
) -> dict[str, Endpoint]:
    """Each signature's function and its inputs; `serving_default` takes `image_bytes`.

    Args:
        model: takes uint8 [batch, height, width, channels].
        spec: how files become pixels, and the class names.
        calibration: what was measured of `model`.
    """

    def scores_of(files: tf.Tensor) -> tf.Tensor:
        pixels = at_least_one(image_rows.compiled(spec)(files))
        return classifier.probabilities(model, pixels)[: tf.size(files)]

    files = tf.TensorSpec([None], tf.string, name="image_bytes")
    return classifier.endpoints(scores_of, _parse, (files,), spec.classes, calibration.threshold)


def reference(
    model: keras.Model,
    spec: ImageSpec,
    rows: Sequence[Decoded],
    calibration: Calibration = NOTHING,
) -> Reference:
    """What the signatures should answer to raw `rows`, by the pixels that training would see."""
    files = image_rows.files(columns.of_rows(rows, ""))
    pixels = list(image_rows.pixels(files, spec))
    scores = classifier.probabilities(model, tf.constant(np.stack(pixels)))
    return classifier.reference(scores.numpy(), spec.classes, calibration.threshold)


def _parse(examples: tf.Tensor) -> tuple[tf.Tensor]:
    """The image files in serialised Examples, string [batch]."""
    feature = {record.ENCODED: tf.io.FixedLenFeature([], tf.string)}
    return (tf.io.parse_example(examples, feature)[record.ENCODED],)
