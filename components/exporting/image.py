"""The signatures of an exported image classifier: raw files in, named classes out.

All run `features.image`, then the network.
"""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from millrace.components.exporting import classifier
from millrace.components.exporting.signatures import Endpoint, Reference
from millrace.components.features import image, record
from millrace.components.features.decoding import decode_rows
from millrace.components.features.image_spec import ImageSpec
from millrace.serving.example import Decoded


def endpoints(model: keras.Model, spec: ImageSpec) -> dict[str, Endpoint]:
    """Each signature's function and its inputs; `serving_default` takes `image_bytes`.

    Args:
        model: takes uint8 [batch, height, width, channels].
        spec: how files become pixels, and the class names.
    """

    def scores_of(files: tf.Tensor) -> tf.Tensor:
        pixels = _at_least_one(image.preprocess(files, spec))
        return classifier.probabilities(model, pixels)[: tf.size(files)]

    files = tf.TensorSpec([None], tf.string, name="image_bytes")
    return classifier.endpoints(scores_of, _parse, (files,), spec.classes)


def reference(model: keras.Model, spec: ImageSpec, rows: Sequence[Decoded]) -> Reference:
    """What is to be answered for raw `rows`, by the pixels that training would see."""
    pixels = [found for _, found in decode_rows(((row,) for row in rows), spec)]
    scores = classifier.probabilities(model, tf.constant(np.stack(pixels)))
    return classifier.reference(scores.numpy(), spec.classes)


def _at_least_one(pixels: tf.Tensor) -> tf.Tensor:
    """`pixels` [batch, height, width, channels], or one black picture if there is none.

    TensorFlow 2.21's fused convolution gets the depth of an empty batch wrong.
    """
    black = tf.zeros([1, *pixels.shape[1:]], pixels.dtype)
    return tf.cond(tf.shape(pixels)[0] > 0, lambda: pixels, lambda: black)


def _parse(examples: tf.Tensor) -> tuple[tf.Tensor]:
    """The image files in serialised Examples, string [batch]."""
    feature = {record.ENCODED: tf.io.FixedLenFeature([], tf.string)}
    return (tf.io.parse_example(examples, feature)[record.ENCODED],)
