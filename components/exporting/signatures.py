"""What an exported model's signatures are made of, and what they are held against."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

Outputs = dict[str, tf.Tensor]
# A function, and its inputs in order; the names of the specs are those of the signature.
Endpoint = tuple[Callable[..., Outputs], tuple[tf.TensorSpec, ...]]

METHODS = {
    "classify": "tensorflow/serving/classify",
    "regress": "tensorflow/serving/regress",
}
"""The methods of signatures that are not asked by Predict, by their names."""

SERIALISED = tf.TensorSpec([None], tf.string, name="inputs")


@dataclasses.dataclass(frozen=True)
class Reference:
    """What the trained model answers on the path of training, by `signature/output`.

    Attributes:
        numbers: arrays [rows, ...].
        texts: arrays [rows, ...] of text, and where each may be compared, bool alike: not where
            two answers are as good as each other.
    """

    numbers: Mapping[str, np.ndarray]
    texts: Mapping[str, tuple[np.ndarray, np.ndarray]] = dataclasses.field(default_factory=dict)
