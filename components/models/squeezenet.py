"""SqueezeNet 1.1 without its top, which keras.applications lacks, and its ImageNet weights.

Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and < 0.5 MB model
size" (2016); version 1.1 of its authors' repository. The weights are those of keras-squeezenet,
for pictures in blue, green, red less ImageNet's mean. Their names contain a `/`, which Keras 3
refuses in the name of a layer, so they are read with h5py, layer by layer.
"""

from collections.abc import Iterator

import h5py
import keras
import numpy as np
from etils.epath import Path

from millrace.components.errors import ModelError

_FIRES = {2: (16, 64), 3: (16, 64), 4: (32, 128), 5: (32, 128)} | {
    6: (48, 192),
    7: (48, 192),
    8: (64, 256),
    9: (64, 256),
}  # number -> filters of its squeeze, and of each of its two expansions
_POOLED_AFTER = (3, 5)
_FILE = "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"
_URL = f"https://github.com/rcmalli/keras-squeezenet/releases/download/v1.0/{_FILE}"
_SHA256 = "17154246284f555591549ac2c83e127abfbf4307dc4b0060fdaa2931d0fa38da"


def build(shape: tuple[int, int, int]) -> keras.Model:
    """The network with random weights: float32 [batch, *shape] to [batch, h, w, 512].

    Layers: `conv1`, `pool1`, `fire2` ... `fire9` (each of `fire2_squeeze1x1`,
    `fire2_expand1x1` and `fire2_expand3x3`), `pool3`, `pool5`.

    Raises:
        ValueError: the pictures are too small for the pooling.
    """
    inputs = keras.Input(shape)
    tensor = keras.layers.Conv2D(64, 3, strides=2, activation="relu", name="conv1")(inputs)
    tensor = keras.layers.MaxPooling2D(3, 2, name="pool1")(tensor)
    for number, (squeezed, expanded) in _FIRES.items():
        tensor = _fire(tensor, f"fire{number}", squeezed, expanded)
        if number in _POOLED_AFTER:
            tensor = keras.layers.MaxPooling2D(3, 2, name=f"pool{number}")(tensor)
    return keras.Model(inputs, tensor, name="squeezenet")


def download() -> str:
    """The path of the ImageNet weights, downloaded once and checked against their SHA-256."""
    return keras.utils.get_file(_FILE, _URL, file_hash=_SHA256, cache_subdir="models")


def load_weights(model: keras.Model, file: Path) -> None:
    """Load the weights in the HDF5 `file` into `model`: a kernel and a bias per layer.

    Raises:
        ModelError: the file lacks a layer, or its shapes differ.
        OSError: it is not an HDF5 file.
    """
    with h5py.File(file, "r") as found:
        for layer in model.layers:
            if layer.weights:
                layer.set_weights(_arrays(found, layer, file))


def _fire(tensor: keras.KerasTensor, name: str, squeezed: int, expanded: int) -> keras.KerasTensor:
    layers = keras.layers
    tensor = layers.Conv2D(squeezed, 1, activation="relu", name=f"{name}_squeeze1x1")(tensor)
    left = layers.Conv2D(expanded, 1, activation="relu", name=f"{name}_expand1x1")(tensor)
    right = layers.Conv2D(expanded, 3, padding="same", activation="relu", name=f"{name}_expand3x3")(
        tensor
    )
    return layers.Concatenate(name=name)([left, right])


def _arrays(found: h5py.File, layer: keras.Layer, file: Path) -> list[np.ndarray]:
    """The kernel and the bias of `layer`, in Keras's order."""
    place = layer.name.replace("_", "/")  # fire2_squeeze1x1 was fire2/squeeze1x1
    arrays = sorted(_datasets(found[place]), key=np.ndim, reverse=True) if place in found else []
    expected = [tuple(weight.shape) for weight in layer.weights]
    shapes = [array.shape for array in arrays]
    if shapes != expected:
        raise ModelError(
            f"{file}, {place}: expected a kernel and a bias of shapes {expected}. "
            f"Received: {shapes or 'no such layer'}. Use {_FILE} from {_URL}."
        )
    return arrays


def _datasets(group: h5py.Group) -> Iterator[np.ndarray]:
    for item in group.values():
        if isinstance(item, h5py.Dataset):
            yield item[()]
        else:
            yield from _datasets(item)
