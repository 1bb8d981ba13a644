"""The signatures of every classifier, whatever it classifies.

`serving_default` takes raw inputs; `classify` and `regress` take serialised
`tf.train.Example`s, as TensorFlow Serving's Classify and Regress send them.
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from millrace.components.exporting.comparison import Reference
from millrace.components.exporting.saved_model import SERIALISED, Endpoint, Outputs
from millrace.components.models.certainty import EVEN

Parsed = tuple[tf.Tensor, ...]


def endpoints(
    scores_of: Callable[..., tf.Tensor],
    parse: Callable[[tf.Tensor], Parsed],
    inputs: tuple[tf.TensorSpec, ...],
    classes: tuple[str, ...],
    threshold: float = EVEN,
) -> dict[str, Endpoint]:
    """Each signature's function and its inputs, by name.

    Args:
        scores_of: the probabilities, float32 [batch, classes], for raw inputs, one argument
            each; traced once for all signatures.
        parse: serialised Examples, string [batch], to the arguments of `scores_of`.
        inputs: of `serving_default`, in the order of the arguments.
        classes: their names.
        threshold: of two classes, the second is the answer from this probability on; of equal
            ones at 1/2 the first, as of more classes.

    Returns:
        serving_default: -> class string [batch], score float32 [batch], scores float32
            [batch, classes], classes string [batch, classes].
        classify: inputs -> classes string [batch, classes], scores float32 [batch, classes].
        regress: inputs -> outputs float32 [batch]: the probability of the second of two
            classes; of more classes, that of the likeliest.
    """
    scored = tf.function(scores_of, input_signature=inputs, autograph=False)

    def answer(scores: tf.Tensor) -> tf.Tensor:
        if len(classes) == 2 and threshold != EVEN:
            return tf.cast(scores[:, 1] >= threshold, tf.int64)
        return tf.argmax(scores, axis=1)

    def names(scores: tf.Tensor) -> tf.Tensor:
        return tf.tile(tf.constant([classes]), [tf.shape(scores)[0], 1])

    def predict(*raw: tf.Tensor) -> Outputs:
        scores = scored(*raw)
        return {
            "class": tf.gather(tf.constant(classes), chosen := answer(scores)),
            "score": tf.gather(scores, chosen, axis=1, batch_dims=1),
            "scores": scores,
            "classes": names(scores),
        }

    def classify(examples: tf.Tensor) -> Outputs:
        scores = scored(*parse(examples))
        return {"classes": names(scores), "scores": scores}

    def regress(examples: tf.Tensor) -> Outputs:
        scores = scored(*parse(examples))
        return {"outputs": scores[:, 1] if len(classes) == 2 else tf.reduce_max(scores, axis=1)}

    return {
        "serving_default": (predict, inputs),
        "classify": (classify, (SERIALISED,)),
        "regress": (regress, (SERIALISED,)),
    }


def probabilities(model: keras.Model, inputs: tf.Tensor | dict[str, tf.Tensor]) -> tf.Tensor:
    """The probability of every class, float32 [batch, classes], whatever `model` ends in.

    `model` returns probabilities or logits, [batch, classes], or [batch, 1] for the second of two.
    """
    raw = model(inputs, training=False)
    is_logits = model.layers[-1].activation is keras.activations.linear
    if raw.shape[-1] == 1:
        second = tf.sigmoid(raw) if is_logits else raw
        return tf.concat([1.0 - second, second], axis=1)
    return tf.nn.softmax(raw) if is_logits else raw


def reference(
    scores: np.ndarray, classes: tuple[str, ...], threshold: float = EVEN, tolerance: float = 1e-4
) -> Reference:
    """What the signatures should answer, by the trained model's `scores` [rows, classes].

    A row's class is compared only if its two highest scores are more than `tolerance` apart, or
    the second's is as far from the threshold.
    """
    if len(classes) == 2 and threshold != EVEN:
        chosen = (scores[:, 1] >= threshold).astype(np.int64)
        is_clear = 2 * np.abs(scores[:, 1] - threshold) > tolerance
    else:
        ranked = np.sort(scores, axis=1)
        chosen, is_clear = scores.argmax(axis=1), ranked[:, -1] - ranked[:, -2] > tolerance
    return Reference(
        numbers={
            "serving_default/scores": scores,
            "classify/scores": scores,
            "regress/outputs": scores[:, 1] if len(classes) == 2 else scores.max(axis=1),
        },
        texts={"serving_default/class": (np.array(classes)[chosen], is_clear)},
    )
