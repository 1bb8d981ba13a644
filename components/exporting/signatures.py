"""The signatures of an exported image classifier: raw files in, named classes out.

`serving_default` takes image files; `classify` and `regress` take serialised
`tf.train.Example`s with `image/encoded`, as TensorFlow Serving's Classify and Regress send
them. All three run `features.image`, then the network.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

from components.features import image, record
from components.features.spec import ImageSpec

Outputs = dict[str, tf.Tensor]
Endpoint = tuple[Callable[[tf.Tensor], Outputs], tf.TensorSpec]

METHODS = {
    "classify": "tensorflow/serving/classify",
    "regress": "tensorflow/serving/regress",
}


def endpoints(model: keras.Model, spec: ImageSpec) -> dict[str, Endpoint]:
    """Each signature's function and its input, string [batch], by name.

    Args:
        model: takes uint8 [batch, height, width, channels]; gives probabilities or logits,
            [batch, classes], or [batch, 1] for the second of two classes.
        spec: how files become pixels, and the class names.

    Returns:
        serving_default: image_bytes -> class string [batch], score float32 [batch], scores
            float32 [batch, classes], classes string [batch, classes].
        classify: inputs -> classes string [batch, classes], scores float32 [batch, classes].
        regress: inputs -> outputs float32 [batch]: the probability of the second of two
            classes; of more classes, that of the likeliest.
    """

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def scores_of(files: tf.Tensor) -> tf.Tensor:  # traced once for all three
        return probabilities(model, _at_least_one(image.preprocess(files, spec)))[: tf.size(files)]

    def predict(image_bytes: tf.Tensor) -> Outputs:
        scores = scores_of(image_bytes)
        best = tf.gather(tf.constant(spec.classes), tf.argmax(scores, axis=1))
        return {
            "class": best,
            "score": tf.reduce_max(scores, axis=1),
            "scores": scores,
            "classes": _names(scores, spec),
        }

    def classify(inputs: tf.Tensor) -> Outputs:
        scores = scores_of(_files(inputs))
        return {"classes": _names(scores, spec), "scores": scores}

    def regress(inputs: tf.Tensor) -> Outputs:
        scores = scores_of(_files(inputs))
        is_binary = len(spec.classes) == 2
        return {"outputs": scores[:, 1] if is_binary else tf.reduce_max(scores, axis=1)}

    examples = tf.TensorSpec([None], tf.string, name="inputs")
    return {
        "serving_default": (predict, tf.TensorSpec([None], tf.string, name="image_bytes")),
        "classify": (classify, examples),
        "regress": (regress, examples),
    }


def probabilities(model: keras.Model, pixels: tf.Tensor) -> tf.Tensor:
    """The probability of every class, float32 [batch, classes], whatever `model` ends in."""
    raw = model(pixels, training=False)
    is_logits = model.layers[-1].activation is keras.activations.linear
    if raw.shape[-1] == 1:
        second = tf.sigmoid(raw) if is_logits else raw
        return tf.concat([1.0 - second, second], axis=1)
    return tf.nn.softmax(raw) if is_logits else raw


def _at_least_one(pixels: tf.Tensor) -> tf.Tensor:
    """`pixels` [batch, height, width, channels], or one black picture if there is none.

    TensorFlow 2.21's fused convolution gets the depth of an empty batch wrong.
    """
    black = tf.zeros([1, *pixels.shape[1:]], pixels.dtype)
    return tf.cond(tf.shape(pixels)[0] > 0, lambda: pixels, lambda: black)


def _files(examples: tf.Tensor) -> tf.Tensor:
    """The image files in serialised Examples, string [batch]."""
    feature = {record.ENCODED: tf.io.FixedLenFeature([], tf.string)}
    return tf.io.parse_example(examples, feature)[record.ENCODED]


def _names(scores: tf.Tensor, spec: ImageSpec) -> tf.Tensor:
    """The class names, string [batch, classes], once per row of `scores`."""
    return tf.tile(tf.constant([spec.classes]), [tf.shape(scores)[0], 1])
