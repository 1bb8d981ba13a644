"""A Keras layer that scores a text by the tf-idf weights of its tokens and of runs of them.

A text's features are sparse: those that it has, of hundreds of thousands. Each has an id: that of
its token, or for a run of two or three tokens `size` plus the place of its key among the layer's
sorted `keys`. A run that the layer has no key for, and what has no weight, counts as nothing.
Tokens may be bytes, whose runs of up to seven then end where a word does.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

NO_RUN = np.iinfo(np.int64).max  # a key that no run has, and the largest of all


@keras.saving.register_keras_serializable(package="millrace")
class ScoresOfNgrams(keras.layers.Layer):
    """Token ids, int32 [batch, length], to scores, float32 [batch, units].

    Its weights are set, by `know` and `assign`, not descended to.

    Args:
        size: how many token ids there are; 0 is padding.
        longest: tokens of the longest run.
        most: runs of two or more tokens that it can have keys for.
        units: scores of a text.
        activation: of the scores.
        border: a token that runs may begin or end with, but go no further; 0 is none.
    """

    def __init__(
        self,
        size: int,
        longest: int,
        most: int,
        units: int,
        activation: str,
        border: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.size, self.longest, self.most, self.units = size, longest, most, units
        self.border = border
        self.activation = keras.activations.get(activation)
        self.supports_jit = False  # the number of a text's features is known only as it runs
        self.keys: Any = None

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights, all zero: no run has a key, and no text a feature."""
        features = self.size + self.most
        fixed: dict[str, Any] = {"initializer": "zeros", "trainable": False}
        if self.most:
            self.keys = self.add_weight(shape=(self.most,), dtype="int64", name="keys", **fixed)
        self.idf = self.add_weight(shape=(features,), name="idf", **fixed)
        self.kernel = self.add_weight(
            shape=(features, self.units), initializer="zeros", name="kernel"
        )
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")

    def know(self, keys: np.ndarray, idf: np.ndarray) -> None:
        """Set what the features are.

        Args:
            keys: of runs, int64 [up to `most`], ascending.
            idf: of each token and then of each run, float [size + keys]; 0 for one that never
                counts.
        """
        unused = self.most - len(keys)
        if self.keys is not None:
            self.keys.assign(np.pad(keys, (0, unused), constant_values=NO_RUN))
        self.idf.assign(np.pad(idf, (0, unused)))

    def assign(self, kernel: np.ndarray, bias: np.ndarray) -> None:
        """Set the weights: float [known features, units] and [units]."""
        self.kernel.assign(np.pad(kernel, ((0, self.size + self.most - len(kernel)), (0, 0))))
        self.bias.assign(bias)

    def runs(self, tokens: tf.Tensor) -> list[tf.Tensor]:
        """The keys of the runs in each text, see `keys_of`."""
        return keys_of(tokens, self.size, self.longest, self.border)

    def features(self, tokens: tf.Tensor) -> tf.SparseTensor:
        """The weights of a text's features, [batch, size + most], each row of length 1."""
        ids = tf.sort(self._ids(tokens), axis=1)
        batch, width = tf.shape(ids)[0], tf.shape(ids)[1]
        before = tf.pad(ids[:, :-1], [[0, 0], [1, 0]], constant_values=-1)
        is_first = ids != before
        run = tf.cumsum(tf.cast(is_first, tf.int32), axis=1) - 1 + tf.range(batch)[:, None] * width
        ones = tf.ones([batch * width])
        counts = tf.math.unsorted_segment_sum(ones, tf.reshape(run, [-1]), batch * width)
        idf = tf.gather(self.idf, ids)
        found = tf.where(is_first & (idf > 0))
        counted = tf.gather(counts, tf.gather_nd(run, found))
        weights = (1 + tf.math.log(counted)) * tf.gather_nd(idf, found)
        rows = tf.cast(found[:, 0], tf.int32)
        squares = tf.math.unsorted_segment_sum(tf.square(weights), rows, batch)
        weights *= tf.math.rsqrt(tf.gather(squares, rows))
        columns = tf.cast(tf.gather_nd(ids, found), tf.int64)
        shape = tf.cast(tf.stack([batch, self.size + self.most]), tf.int64)
        return tf.SparseTensor(tf.stack([found[:, 0], columns], axis=1), weights, shape)

    def call(self, tokens: tf.Tensor) -> tf.Tensor:
        """The scores of each text."""
        kernel = tf.convert_to_tensor(self.kernel)
        sums = tf.sparse.sparse_dense_matmul(self.features(tokens), kernel)
        return self.activation(tf.ensure_shape(sums, [None, self.units]) + self.bias)

    def _ids(self, tokens: tf.Tensor) -> tf.Tensor:
        """The features in each text, int32 [batch, any]; 0 is none."""
        tokens = tf.cast(tokens, tf.int32)
        if self.keys is None:
            return tokens
        keys = tf.concat(self.runs(tokens), axis=1)
        places = tf.searchsorted(self.keys, tf.reshape(keys, [-1]))
        places = tf.reshape(tf.minimum(places, self.most - 1), tf.shape(keys))
        is_known = (keys > 0) & (tf.gather(tf.convert_to_tensor(self.keys), places) == keys)
        return tf.concat([tokens, tf.where(is_known, self.size + places, 0)], axis=1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, int]:
        """[batch, units]."""
        return input_shape[0], self.units

    def get_config(self) -> dict[str, Any]:
        """The arguments that make the layer again."""
        own = {name: getattr(self, name) for name in ("size", "longest", "most", "units", "border")}
        activation = keras.activations.serialize(self.activation)
        return {**super().get_config(), **own, "activation": activation}


def keys_of(tokens: tf.Tensor, size: int, longest: int, border: int = 0) -> list[tf.Tensor]:
    """The keys of a text's runs of 2, 3, ... `longest` tokens.

    Args:
        tokens: integers [batch, length].
        size: how many token ids there are, up to 2 million.
        longest: up to 3; of up to 256 ids up to 7.
        border: a token that no run has within it; 0 is none.

    Returns:
        int64 [batch, length - tokens of a run + 1]; 0 for a run with padding in it, or the border
        within it. A run's key is its ids as the digits of a number in base `size`.
    """
    ids = tf.cast(tokens, tf.int64)
    found, keys = [], ids
    for length in range(2, longest + 1):
        last = ids[:, length - 1 :]
        before = keys[:, : tf.shape(last)[1]]
        if border and length > 2:
            before = tf.where(ids[:, length - 2 : -1] != border, before, 0)
        keys = tf.where((before > 0) & (last > 0), before * size + last, 0)
        found.append(keys)
    return found
