"""Keras layers over the columns of a table: boosted trees, and numbers in pieces.

A network sees `numeric`, float32 [batch, numbers], and `categorical`, int32 [batch, inputs], whose
ids share one range (`features.table_spec`).
"""

import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Forest:
    """Trees, their nodes one after another; a node's number is its place among those of all trees.

    Attributes:
        feature: int32 [nodes], the column that a node asks for; categories come before numbers.
        threshold: float32 [nodes]; a number of at most this goes to the first child.
        subset: int32 [nodes], the row of `members` that a node of a category asks, and -1.
        child: int32 [nodes], the first child, after which comes the second; a leaf is its own.
        value: float32 [nodes], what a leaf adds.
        root: int32 [rounds * outputs], where each tree begins, the outputs of a round together.
        members: uint8 [subsets, codes], 1 where a code goes to the second child.
        codes: int32 [ids], by which the trees know a category's id.
        base: float32 [outputs], what all trees add to.
        depth: int32 [], steps from a root to its farthest leaf.
    """

    feature: np.ndarray
    threshold: np.ndarray
    subset: np.ndarray
    child: np.ndarray
    value: np.ndarray
    root: np.ndarray
    members: np.ndarray
    codes: np.ndarray
    base: np.ndarray
    depth: np.ndarray


@keras.saving.register_keras_serializable(package="millrace")
class PiecewiseLinear(keras.layers.Layer):
    """Numbers, float32 [batch, numbers], to a vector for each, float32 [batch, numbers, dim].

    A number fills the bins below it, one a quantile wide each, and the one in which it lies up to
    where it lies; a linear layer of its own makes the vector of that. Source: Gorishniy et al., "On
    Embeddings for Numerical Features in Tabular Deep Learning", 2022.

    Args:
        bins: for each number; fewer where quantiles are equal.
        dim: of a vector.
    """

    def __init__(self, bins: int, dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bins, self.dim = bins, dim
        self._edges: Any = None  # variables, once built
        self._kernel: Any = None
        self._bias: Any = None

    def build(self, input_shape: tuple[int | None, int]) -> None:
        """Make the weights: bins without width, until `adapt` has set them."""
        numbers = input_shape[1]
        self._edges = self.add_weight(
            shape=(numbers, self.bins + 1), initializer="zeros", trainable=False, name="edges"
        )
        limit = self.bins**-0.5
        self._kernel = self.add_weight(
            shape=(numbers, self.bins, self.dim),
            initializer=keras.initializers.RandomUniform(-limit, limit),
            name="kernel",
        )
        self._bias = self.add_weight(shape=(numbers, self.dim), initializer="zeros", name="bias")

    def adapt(self, numbers: np.ndarray) -> None:
        """Lay the bins between the quantiles of `numbers` [rows, numbers], once built."""
        edges = np.empty((numbers.shape[1], self.bins + 1), np.float32)
        for place, column in enumerate(numbers.T):
            found = np.unique(np.quantile(column, np.linspace(0, 1, self.bins + 1)))
            edges[place] = found[-1]
            edges[place, : len(found)] = found
        self._edges.assign(edges)

    def call(self, numbers: tf.Tensor) -> tf.Tensor:
        """The vectors of each row."""
        edges = tf.cast(self._edges, numbers.dtype)
        width = edges[:, 1:] - edges[:, :-1]
        part = tf.math.divide_no_nan(numbers[:, :, None] - edges[:, :-1], width)
        filled = tf.clip_by_value(part, 0.0, 1.0)
        return tf.einsum("rnb,nbd->rnd", filled, self._kernel) + self._bias

    def compute_output_shape(self, input_shape: tuple[int | None, int]) -> tuple[int | None, ...]:
        """[batch, numbers, dim]."""
        return *input_shape, self.dim

    def get_config(self) -> dict[str, Any]:
        """The arguments that make the layer again."""
        return {**super().get_config(), "bins": self.bins, "dim": self.dim}


@keras.saving.register_keras_serializable(package="millrace")
class BoostedTrees(keras.layers.Layer):
    """Numbers and ids of categories to the sums of trees' answers, float32 [batch, outputs].

    A row walks all trees at once, a step down in each at a time. The trees are no weights, as
    nothing descends to them and how many there are is not known before: `grow` sets them, and the
    file of the network holds them under the names of `Forest`.

    Args:
        outputs: numbers per row.
    """

    def __init__(self, outputs: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.outputs = outputs
        self.forest = Forest(
            feature=np.zeros(1, np.int32),
            threshold=np.zeros(1, np.float32),
            subset=np.full(1, -1, np.int32),
            child=np.zeros(1, np.int32),
            value=np.zeros(1, np.float32),
            root=np.zeros(outputs, np.int32),
            members=np.zeros((0, 1), np.uint8),
            codes=np.zeros(0, np.int32),
            base=np.zeros(outputs, np.float32),
            depth=np.zeros((), np.int32),
        )

    def build(self, input_shape: Any) -> None:
        """There are no weights to make."""

    def grow(self, forest: Forest) -> None:
        """Take `forest` in place of the trees before; the network must not have run yet."""
        self.forest = forest

    def call(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        """The sum of each row's leaves."""
        forest = self.forest
        rows = tf.shape(next(iter(inputs.values())))[0]
        place = tf.tile(tf.constant(forest.root)[None, :], [rows, 1])
        row = self._row(inputs) if forest.depth else None
        for _ in range(int(forest.depth)):
            place = self._below(row, place)
        leaves = tf.gather(tf.constant(forest.value), place)
        rounds = len(forest.root) // self.outputs
        summed = tf.reduce_sum(tf.reshape(leaves, [-1, rounds, self.outputs]), axis=1)
        return summed + tf.constant(forest.base)

    def _row(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        """What the trees ask, float32 [batch, columns]: codes of categories, then numbers."""
        columns = []
        if "categorical" in inputs:
            codes = tf.gather(tf.constant(self.forest.codes), inputs["categorical"])
            columns.append(tf.cast(codes, tf.float32))
        if "numeric" in inputs:
            columns.append(inputs["numeric"])
        return tf.concat(columns, axis=1)

    def _below(self, row: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
        """The nodes under those at `place`, int32 [batch, trees]."""
        forest = self.forest
        asked = tf.gather(row, tf.gather(tf.constant(forest.feature), place), batch_dims=1)
        second = tf.cast(asked > tf.gather(tf.constant(forest.threshold), place), tf.int32)
        if len(forest.members):
            subset = tf.gather(tf.constant(forest.subset), place)
            width = forest.members.shape[1]
            code = tf.clip_by_value(tf.cast(asked, tf.int32), 0, width - 1)
            member = tf.maximum(subset, 0) * width + code
            among = tf.gather(tf.constant(forest.members.ravel()), member)
            second = tf.where(subset < 0, second, tf.cast(among, tf.int32))
        return tf.gather(tf.constant(forest.child), place) + second

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, int]:
        """[batch, outputs]."""
        return next(iter(input_shape.values()))[0], self.outputs

    def save_own_variables(self, store: Any) -> None:
        """Write the trees."""
        for name, array in vars(self.forest).items():
            store[name] = array

    def load_own_variables(self, store: Any) -> None:
        """Read the trees."""
        self.forest = Forest(
            **{each.name: np.asarray(store[each.name]) for each in dataclasses.fields(Forest)}
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments that make the layer again."""
        return {**super().get_config(), "outputs": self.outputs}
