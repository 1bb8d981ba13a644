"""Weights taken over from an earlier model, or refused."""

import keras
import numpy as np
import pytest

from millrace.components.errors import ModelError
from millrace.components.training import warm_start


def network(units=3, name="scores"):
    inputs = keras.Input((2,))
    hidden = keras.layers.BatchNormalization(name="norm")(inputs)
    return keras.Model(inputs, keras.layers.Dense(units, name=name)(hidden))


def test_weights_and_moving_averages_are_taken_over(tmp_path):
    earlier, new = network(), network()
    earlier.get_layer("norm").set_weights([np.full(2, n, np.float32) for n in range(4)])
    earlier.save(tmp_path / "model.keras")
    warm_start.take_weights(new, tmp_path / "model.keras")
    for found, expected in zip(new.get_weights(), earlier.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_another_shape_is_refused_by_layer_and_shape(tmp_path):
    network(units=4).save(tmp_path / "model.keras")
    with pytest.raises(ModelError) as caught:
        warm_start.take_weights(network(), tmp_path / "model.keras")
    assert str(caught.value) == (
        f"{tmp_path}/model.keras: expected the layers of the model to be trained. Received "
        "others: scores/bias (4,) there, (3,) here; scores/kernel (2, 4) there, (2, 3) here. Use "
        "the model, classes and image size it was trained with, or train without it."
    )


def test_another_layer_is_refused_by_name():
    found = warm_start.compare(
        warm_start.shapes(network()), warm_start.shapes(network(name="dense1"))
    )
    assert found == [
        "dense1/bias missing there, (3,) here",
        "dense1/kernel missing there, (2, 3) here",
        "scores/bias (3,) there, missing here",
        "scores/kernel (2, 3) there, missing here",
    ]


def test_a_network_within_a_network_has_its_weights_told_apart_by_number():
    inner = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(3), keras.layers.Dense(4)], name="inner"
    )
    inputs = keras.Input((2,))
    model = keras.Model(inputs, inner(inputs))
    assert warm_start.shapes(model) == {
        "inner/0 kernel": (2, 3),
        "inner/1 bias": (3,),
        "inner/2 kernel": (3, 4),
        "inner/3 bias": (4,),
    }
