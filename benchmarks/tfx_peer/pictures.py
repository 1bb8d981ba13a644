"""The race's pictures in TFX: `python -m benchmarks.tfx_peer.pictures FOLDER ROOT`.

TFX loads this file once more, as the module file of its components.
"""

import pathlib
import sys
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft
import tf_keras
from tfx import v1 as tfx

from benchmarks.tfx_peer import pipeline

_SIDE, _CLASSES = 28, 10


def preprocessing_fn(inputs: dict[str, Any]) -> dict[str, Any]:
    """Each PNG as its grey values from 0 to 1."""

    def pixels(image: Any) -> Any:
        return tf.reshape(tf.io.decode_png(image[0], channels=1), [_SIDE * _SIDE])

    grey = tf.map_fn(pixels, inputs["image"], fn_output_signature=tf.uint8)
    flat = tf.reshape(tf.cast(grey, tf.float32) / 255, [-1, _SIDE * _SIDE])
    return {"pixels": flat, pipeline.LABEL: inputs[pipeline.LABEL]}


def run_fn(arguments: Any) -> None:
    """Train for one epoch."""
    pipeline.train(arguments, 64, "sparse_categorical_crossentropy", _network)


def _network(_: tft.TFTransformOutput) -> Any:
    """Two convolutions and a hidden layer."""
    layers = tf_keras.layers
    pixels = layers.Input(_SIDE * _SIDE, name="pixels")
    hidden = layers.Reshape((_SIDE, _SIDE, 1))(pixels)
    for filters in (64, 64):
        hidden = layers.MaxPool2D()(layers.Conv2D(filters, 3, activation="relu")(hidden))
    hidden = layers.Dense(128, activation="relu")(layers.Flatten()(hidden))
    scores = layers.Dense(_CLASSES, activation="softmax")(hidden)
    return tf_keras.Model({"pixels": pixels}, scores)


def main() -> None:
    """Run the pipeline on the TFRecord files in FOLDER."""
    folder, root = map(pathlib.Path, sys.argv[1:])
    examples = tfx.components.ImportExampleGen(
        input_base=str(folder), output_config=pipeline.splits()
    )
    pipeline.run(examples, __file__, root, "SparseCategoricalAccuracy", [])


if __name__ == "__main__":
    main()
