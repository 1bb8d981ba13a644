"""What a model is made of: its layers, their output shapes and parameters, to read and to print."""

import json
import math

import keras
from etils.epath import Path


def write(model: keras.Model, file: Path) -> None:
    """Write `layers` (name, type, output shape, parameters) and the totals as JSON."""
    file.write_text(json.dumps(describe(model), indent=1))


def describe(model: keras.Model) -> dict[str, object]:
    """The layers of `model` and its parameters, as plain JSON types; None is the batch."""
    return {
        "name": model.name,
        "layers": [
            {
                "name": layer.name,
                "type": type(layer).__name__,
                "output_shape": list(_shape(layer)),
                "parameters": layer.count_params(),
            }
            for layer in model.layers
        ],
        "parameters": model.count_params(),
        "trainable_parameters": sum(math.prod(weight.shape) for weight in model.trainable_weights),
    }


def sizes(model: keras.Model) -> str:
    """How large `model` is, on a line."""
    return f"{len(model.layers)} layers, {model.count_params():,} parameters"


def table(model: keras.Model) -> str:
    """A line per layer: name, type, output shape, parameters; the total below."""
    rows = [
        (layer.name, type(layer).__name__, str(_shape(layer)[1:]), layer.count_params())
        for layer in model.layers
    ]
    lines = [f"{name:24} {kind:20} {shape:18} {count:>12,}" for name, kind, shape, count in rows]
    return "\n".join([*lines, f"{'total':64} {model.count_params():>12,}"])


def _shape(layer: keras.Layer) -> tuple[int | None, ...]:
    """The shape of a layer's output, of its first where it has several."""
    return tuple(keras.tree.flatten(layer.output)[0].shape)
