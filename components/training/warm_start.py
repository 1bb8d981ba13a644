"""Weights of an earlier model given to a new one, layer by layer, by their names."""

from collections.abc import Iterator

import keras
from etils.epath import Path

from millrace.components.errors import ModelError

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
    """The shape of every weight of `model`.

    A layer that is itself a network has many weights of one name: they bear their number too.
    """
    return {
        f"{layer.name}/{name}": shape
        for layer in model.layers
        for name, shape in _numbered([(each.name, tuple(each.shape)) for each in layer.weights])
    }


def _numbered(
    weights: list[tuple[str, tuple[int, ...]]],
) -> Iterator[tuple[str, tuple[int, ...]]]:
    names = [name for name, _ in weights]
    for number, (name, shape) in enumerate(weights):
        yield name if names.count(name) == 1 else f"{number} {name}", shape


def compare(earlier: Shapes, new: Shapes) -> list[str]:
    """What differs, in words, in the order of the names."""
    return [
        f"{name} {_described(earlier.get(name))} there, {_described(new.get(name))} here"
        for name in sorted(earlier.keys() | new.keys())
        if earlier.get(name) != new.get(name)
    ]


def _described(shape: tuple[int, ...] | None) -> str:
    return "missing" if shape is None else str(shape)
