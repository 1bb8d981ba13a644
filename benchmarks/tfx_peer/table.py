"""The race's table in TFX: `python -m benchmarks.tfx_peer.table FOLDER ROOT`.

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

_NUMBERS = ("n0", "n1", "n2", "n3", "n4", "n5", "i0", "i1")
_TEXTS = ("c0", "c1", "c2")


def preprocessing_fn(inputs: dict[str, Any]) -> dict[str, Any]:
    """Numbers scaled to mean 0 and deviation 1, texts as their places in a vocabulary."""
    scaled = {name: tft.scale_to_z_score(tf.cast(inputs[name], tf.float32)) for name in _NUMBERS}
    places = {
        name: tft.compute_and_apply_vocabulary(inputs[name], num_oov_buckets=1, vocab_filename=name)
        for name in _TEXTS
    }
    # Features of one name, but of another content, may not be in raw and transformed records.
    named = {f"{name}_in": value for name, value in {**scaled, **places}.items()}
    return {**named, pipeline.LABEL: inputs[pipeline.LABEL]}


def run_fn(arguments: Any) -> None:
    """Train for one epoch."""
    pipeline.train(arguments, 256, "binary_crossentropy", _network)


def _network(transformed: tft.TFTransformOutput) -> Any:
    """Two hidden layers over the numbers and an embedding of each text."""
    layers = tf_keras.layers
    numbers = {f"{name}_in": layers.Input(1, name=f"{name}_in") for name in _NUMBERS}
    texts = {f"{name}_in": layers.Input(1, name=f"{name}_in", dtype="int64") for name in _TEXTS}
    vectors = [
        layers.Flatten()(
            layers.Embedding(transformed.vocabulary_size_by_name(name) + 1, 8)(texts[f"{name}_in"])
        )
        for name in _TEXTS
    ]
    hidden = layers.concatenate([*numbers.values(), *vectors])
    for units in (64, 32):
        hidden = layers.Dense(units, activation="relu")(hidden)
    return tf_keras.Model({**numbers, **texts}, layers.Dense(1, activation="sigmoid")(hidden))


def main() -> None:
    """Run the pipeline on the CSV files in FOLDER."""
    folder, root = map(pathlib.Path, sys.argv[1:])
    examples = tfx.components.CsvExampleGen(input_base=str(folder), output_config=pipeline.splits())
    pipeline.run(examples, __file__, root, "BinaryAccuracy", ["c0"])


if __name__ == "__main__":
    main()
