"""How often each token occurs in a row of ids: a layer."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from millrace.components.features.tokenization import PADDING, UNKNOWN


@keras.saving.register_keras_serializable(package="millrace")
class BagOfTokens(keras.layers.Layer):
    """Token ids, int32 [batch, length], to float32 [batch, size]; padding counts as nothing.

    `keras.layers.CategoryEncoding` counts padding like any other id. With `tf_idf` the layer
    has one weight for each id, not trained, which `weigh` sets.

    Args:
        size: how many ids there are.
        mode: `multi_hot`, `count` or `tf_idf`, the latter's rows of Euclidean length 1.
    """

    def __init__(self, size: int, mode: str = "multi_hot", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size, self.mode = size, mode
        self._idf: Any = None  # a variable, once built

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights."""
        if self.mode == "tf_idf":
            self._idf = self.add_weight(
                shape=(self.size,), initializer="ones", trainable=False, name="idf"
            )

    def weigh(self, idf: np.ndarray) -> None:
        """Set the weight of each id, float32 [size]; of `tf_idf` alone, once built."""
        self._idf.assign(idf)

    def call(self, tokens: tf.Tensor) -> tf.Tensor:
        """The bag of each row."""
        counts = tf.math.bincount(
            tokens,
            minlength=self.size,
            maxlength=self.size,
            dtype=tf.float32,
            axis=-1,
            binary_output=self.mode == "multi_hot",
        )
        counts = tf.ensure_shape(counts, [None, self.size])
        counts *= tf.constant([float(number != PADDING) for number in range(self.size)])
        return counts if self._idf is None else tf.math.l2_normalize(counts * self._idf, axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, int]:
        """[batch, size]."""
        return input_shape[0], self.size

    def get_config(self) -> dict[str, Any]:
        """What the layer is made again from."""
        return {**super().get_config(), "size": self.size, "mode": self.mode}


def inverse_frequencies(frequencies: Sequence[int], documents: int) -> np.ndarray:
    """Each id's weight, ln(1 + documents / (1 + frequency)), float32 [ids].

    Padding weighs nothing, an unknown token as much as others on average; both come first. As
    in `keras.layers.TextVectorization`.
    """
    known = np.log1p(documents / (1 + np.asarray(frequencies, np.float64)))
    weights = np.concatenate([np.zeros(UNKNOWN + 1), known]).astype(np.float32)
    weights[UNKNOWN] = known.mean()
    return weights
