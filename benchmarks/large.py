"""A Keras model with a large graph and many weights, and its versions on a model server's disk.

Untrained, since trained weights change neither the time of a load nor its memory.
"""

import pathlib

import numpy as np

from millrace.serving.client import Client

SIDE = 224


def export(name: str, folder: pathlib.Path) -> None:
    """Write the network `name` of `keras.applications` as a SavedModel that takes `image`."""
    import keras
    import tensorflow as tf

    network = getattr(keras.applications, name)(weights=None)
    archive = keras.export.ExportArchive()  # it tracks what its endpoint uses
    archive.add_endpoint(
        "serving_default",
        lambda image: {"scores": network(image)},
        [tf.TensorSpec([None, SIDE, SIDE, 3], tf.float32, name="image")],
    )
    archive.write_out(str(folder), verbose=False)


def image() -> dict[str, np.ndarray]:
    """One row for the model."""
    return {"image": np.zeros((1, SIDE, SIDE, 3), np.float32)}


def push(model: pathlib.Path, base: pathlib.Path, version: int) -> None:
    """Make `model` the version `version` below `base`, and remove the previous one."""
    base.mkdir(exist_ok=True)
    (base / str(version)).symlink_to(model)
    (base / str(version - 1)).unlink(missing_ok=True)


def size(folder: pathlib.Path) -> float:
    """The size of its files, MiB."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 2**20


def is_alone(client: Client, model: str, version: int) -> bool:
    """Whether `version` is served and no other is left."""
    states = {one.version: one.state for one in client.status(model)}
    return states.pop(version, "") == "AVAILABLE" and set(states.values()) <= {"END"}
