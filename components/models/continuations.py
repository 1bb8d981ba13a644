"""What followed each run of tokens in the train split, and its part in what a network says.

Witten, Bell, "The zero-frequency problem: estimating the probabilities of novel events in adaptive
text compression" (1991), method C, from the longest known run down to every token alike.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

CONTINUATIONS = "continuations"  # the layer's name
_PADDING = 0


@keras.saving.register_keras_serializable(package="millrace")
class Continuations(keras.layers.Layer):
    """Mixes the scores of a network with how often each token followed the same run of tokens.

    A run is known by a number of base `tokens`, its last token the lowest digit; no token is 0, so
    no two runs have one number. Runs of one number are sorted and their continuations lie one
    after another. Nothing of it is trained.

    Attributes:
        order: tokens of the longest run, the one that follows included.
        tokens: ids, that of padding included.
        runs: how many have a continuation.
        pairs: how many continuations all have together.
        activation: what it ends in, that of the network: `softmax`, or `linear` for logits.
    """

    def __init__(
        self, order: int, tokens: int, runs: int, pairs: int, activation: str, **kwargs: Any
    ) -> None:
        super().__init__(**{**kwargs, "trainable": False, "dtype": "float32"})
        self.order, self.tokens, self.runs, self.pairs = order, tokens, runs, pairs
        self.activation = keras.activations.get(activation)

    def build(self, *_: Any) -> None:
        """Make room for the counts."""
        make = self.add_weight
        zeros = {"initializer": "zeros", "trainable": False}
        self.numbers = make(name="numbers", shape=(self.runs,), dtype="int64", **zeros)
        self.starts = make(name="starts", shape=(self.runs + 1,), dtype="int32", **zeros)
        self.following = make(name="following", shape=(self.pairs,), dtype="int32", **zeros)
        self.counts = make(name="counts", shape=(self.pairs,), dtype="float32", **zeros)
        self.every = make(name="every", shape=(self.tokens,), dtype="float32", **zeros)
        self.shares = make(name="shares", shape=(self.order,), dtype="float32", **zeros)

    def call(self, inputs: tuple[Any, Any]) -> Any:
        """Of ids int32 [batch, length] and scores [batch, length, tokens], the mixed scores."""
        ids, scores = inputs
        shape = tf.shape(scores)
        found = self.mixed(
            tf.reshape(histories(ids, self.order - 1), [-1, self.order - 1]),
            tf.reshape(scores, [-1, self.tokens]),
        )
        return tf.reshape(found, shape)

    def mixed(self, history: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
        """The mixed scores, float32 [rows, tokens].

        Args:
            history: the last `order - 1` ids, int32 [rows, order - 1], 0 before the first.
            scores: of the network, float32 [rows, tokens].
        """
        is_linear = self.activation is keras.activations.linear
        own = tf.nn.softmax(scores) if is_linear else scores
        counted, length = self.counted(history)
        share = tf.gather(tf.convert_to_tensor(self.shares), length)[:, None]
        found = share * counted + (1 - share) * own
        return tf.math.log(tf.maximum(found, 1e-30)) if is_linear else found

    def counted(self, history: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The probability of each token by the counts alone, and the tokens of the run they know.

        Args:
            history: as of `mixed`.

        Returns:
            float32 [rows, tokens], and int32 [rows], 0 to `order - 1`.
        """
        rows = tf.shape(history)[0]
        found = tf.tile(tf.convert_to_tensor(self.every)[None], [rows, 1])
        longest = tf.zeros([rows], tf.int32)
        numbers, starts = tf.convert_to_tensor(self.numbers), tf.convert_to_tensor(self.starts)
        number, base, known = tf.zeros([rows], tf.int64), 1, tf.ones([rows], tf.bool)
        for length in range(1, self.order):
            token = history[:, -length]
            number, base = number + tf.cast(token, tf.int64) * base, base * self.tokens
            place = tf.minimum(tf.searchsorted(numbers, number), self.runs - 1)
            known = known & (token != _PADDING) & (tf.gather(numbers, place) == number)
            start = tf.gather(starts, place)
            kinds = tf.where(known, tf.gather(starts, place + 1) - start, 0)
            seen = self._seen(start, kinds)
            total, new = tf.reduce_sum(seen, 1, keepdims=True), tf.cast(kinds[:, None], tf.float32)
            longer = (seen + new * found) / tf.maximum(total + new, 1.0)
            found = tf.where(known[:, None], longer, found)
            longest = tf.where(known, length, longest)
        return found, longest

    def _seen(self, start: tf.Tensor, kinds: tf.Tensor) -> tf.Tensor:
        """How often each token followed the run of each row, float32 [rows, tokens]."""
        rows = tf.shape(start)[0]
        row = tf.repeat(tf.range(rows), kinds)
        place = tf.range(tf.size(row)) + tf.repeat(start - tf.cumsum(kinds, exclusive=True), kinds)
        cells = tf.stack([row, tf.gather(tf.convert_to_tensor(self.following), place)], 1)
        counts = tf.gather(tf.convert_to_tensor(self.counts), place)
        return tf.scatter_nd(cells, counts, [rows, self.tokens])

    def compute_output_shape(self, shapes: Any) -> Any:
        """That of the scores."""
        return shapes[1]

    def get_config(self) -> dict[str, Any]:
        """What it is made of again."""
        sizes = {name: getattr(self, name) for name in ("order", "tokens", "runs", "pairs")}
        activation = keras.activations.serialize(self.activation)
        return {**super().get_config(), **sizes, "activation": activation}


def histories(ids: tf.Tensor, length: int) -> tf.Tensor:
    """The last `length` ids up to each, 0 before the first: int32 [batch, ids, length]."""
    padded = tf.pad(ids, [[0, 0], [length - 1, 0]])
    return tf.stack([padded[:, at : at + tf.shape(ids)[1]] for at in range(length)], axis=2)


def longest_order(tokens: int, wanted: int) -> int:
    """`wanted`, or less where a run's number would not fit 63 bits with the next token."""
    return max(2, min(wanted, int(63 / np.log2(tokens))))
