"""Keras layers over a text's tokens: how often each occurs, and the average of their vectors."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from millrace.components.features.tokenization import PADDING, UNKNOWN


@keras.saving.register_keras_serializable(package="millrace")
class BagOfTokens(keras.layers.Layer):
    """Token ids, int32 [batch, length], to float32 [batch, size]; padding counts as nothing.

    `keras.layers.CategoryEncoding` counts padding like any other id. With `tf_idf` the layer has
    one untrained weight per id, which `weigh` sets.

    Args:
        size: how many ids there are.
        mode: `multi_hot`, `count` or `tf_idf`, whose rows have Euclidean length 1.
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
        """Set the weight of each id, float32 [size]; only for `tf_idf`, once built."""
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
        """The arguments that make the layer again."""
        return {**super().get_config(), "size": self.size, "mode": self.mode}


@keras.saving.register_keras_serializable(package="millrace")
class AverageOfTokens(keras.layers.Layer):
    """float32 [batch, tokens, width] to [batch, width]: the mean over all but padding.

    Like `keras.layers.GlobalAveragePooling1D`, but that divides zero by zero if a row is all
    padding; here the mean of an empty text is zero.
    """

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(
        self, inputs: keras.KerasTensor, mask: keras.KerasTensor | None = None
    ) -> keras.KerasTensor:
        """The mean of each row."""
        if mask is None:
            return keras.ops.mean(inputs, axis=1)
        weights = keras.ops.expand_dims(keras.ops.cast(mask, inputs.dtype), -1)
        total = keras.ops.sum(inputs * weights, axis=1)
        return total / keras.ops.maximum(keras.ops.sum(weights, axis=1), 1)

    def compute_mask(
        self, inputs: keras.KerasTensor, mask: keras.KerasTensor | None = None
    ) -> None:
        """None: no token axis is left to mask."""

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """[batch, width]."""
        return input_shape[0], input_shape[2]


def inverse_frequencies(frequencies: Sequence[int], documents: int) -> np.ndarray:
    """Each id's weight, ln(1 + documents / (1 + frequency)), float32 [ids].

    Padding weighs nothing, an unknown token the average of the others; both come first. As in
    `keras.layers.TextVectorization`.
    """
    known = np.log1p(documents / (1 + np.asarray(frequencies, np.float64)))
    weights = np.concatenate([np.zeros(UNKNOWN + 1), known]).astype(np.float32)
    weights[UNKNOWN] = known.mean()
    return weights
