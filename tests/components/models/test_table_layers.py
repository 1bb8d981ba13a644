"""Numbers in pieces, by hand. Trees are tested beside scikit-learn's, which grow them."""

import keras
import numpy as np

from millrace.components.models import table_layers
from millrace.components.models.table_layers import PiecewiseLinear


def adapted(columns, bins, dim=1):
    layer = PiecewiseLinear(bins, dim)
    layer.build((None, columns.shape[1]))
    layer.adapt(columns)
    return layer


def test_a_number_fills_the_bins_below_it_and_a_part_of_its_own():
    layer = adapted(np.float32([[0], [1], [4], [8], [16]]), bins=4, dim=4)
    (edges,) = layer.non_trainable_weights
    assert edges.numpy().tolist() == [[0, 1, 4, 8, 16]]
    kernel, bias = layer.trainable_weights
    kernel.assign(np.eye(4)[None])
    bias.assign(np.zeros((1, 4)))
    found = layer(np.float32([[-5], [0.5], [1], [6], [99]])).numpy()[:, 0]
    assert found.tolist() == [
        [0, 0, 0, 0],
        [0.5, 0, 0, 0],
        [1, 0, 0, 0],
        [1, 1, 0.5, 0],
        [1, 1, 1, 1],
    ]


def test_quantiles_that_are_equal_leave_bins_without_width_which_stay_empty():
    layer = adapted(np.float32([[0, 7], [0, 7], [0, 7], [1, 7]]), bins=3, dim=3)
    layer.trainable_weights[0].assign(np.tile(np.eye(3), (2, 1, 1)))
    layer.trainable_weights[1].assign(np.zeros((2, 3)))
    found = layer(np.float32([[0.5, 9]])).numpy()
    assert found.tolist() == [[[0.5, 0, 0], [0, 0, 0]]]


def test_the_bins_come_back_from_a_file(tmp_path):
    inputs = keras.Input((2,))
    layer = PiecewiseLinear(8, 3)
    model = keras.Model(inputs, layer(inputs))
    rows = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    layer.adapt(rows)
    model.save(tmp_path / "pieces.keras")
    loaded = keras.models.load_model(tmp_path / "pieces.keras")
    assert loaded(rows).numpy().tolist() == model(rows).numpy().tolist()


def test_a_number_at_a_threshold_goes_to_the_first_child_as_in_scikit_learn():
    layer = table_layers.BoostedTrees(1)
    layer.grow(
        table_layers.Forest(
            feature=np.zeros(3, np.int32),
            threshold=np.array([2.0, np.inf, np.inf], np.float32),
            subset=np.full(3, -1, np.int32),
            child=np.array([1, 1, 2], np.int32),
            value=np.array([0.0, 10.0, 20.0], np.float32),
            root=np.zeros(1, np.int32),
            members=np.zeros((0, 1), np.uint8),
            codes=np.zeros(0, np.int32),
            base=np.ones(1, np.float32),
            depth=np.array(1, np.int32),
        )
    )
    numbers = np.array([[2.0], [2.5]], np.float32)
    assert layer({"numeric": numbers}).numpy().tolist() == [[11.0], [21.0]]
