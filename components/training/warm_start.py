"""Weights of an earlier model given to a new one, layer by layer, by their names."""

import keras
from etils.epath import Path

from components.errors import ModelError

Shapes = dict[str, tuple[int, ...]]  # by `layer/weight`


def take_weights(model: keras.Model, file: Path) -> None:
    """Give `model` the weights of the Keras model in `file`.

    Raises:
        ModelError: the two differ in a weight's name or shape; says where.
    """
    earlier = keras.models.load_model(file, compile=False)
    differences = compare(shapes(earlier), shapes(model))
    if differences:
        raise ModelError(
            f"{file}: expected the layers of the model to be trained. Received others: "
            f"{'; '.join(differences[:5])}. Use the model, classes and image size it was "
            "trained with, or train without it."
        )
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(earlier.get_layer(layer.name).get_weights())


def shapes(model: keras.Model) -> Shapes:
    """The shape of every weight of `model`."""
    return {
        f"{layer.name}/{weight.name}": tuple(weight.shape)
        for layer in model.layers
        for weight in layer.weights
    }


def compare(earlier: Shapes, new: Shapes) -> list[str]:
    """What differs, in words, in the order of the names."""
    return [
        f"{name} {_described(earlier.get(name))} there, {_described(new.get(name))} here"
        for name in sorted(earlier.keys() | new.keys())
        if earlier.get(name) != new.get(name)
    ]


def _described(shape: tuple[int, ...] | None) -> str:
    return "missing" if shape is None else str(shape)
