"""The export itself: SavedModel, warm-up requests, a description, and the check of them all."""

import dataclasses
import itertools
import json
import logging
import tempfile
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf
from etils.epath import Path

from components.artifacts import Examples, Model, TrainedModel
from components.errors import DataError
from components.exporting import answers, comparison, saved_model, signatures
from components.features import record
from components.features.decoding import decode_rows
from components.features.spec import ImageSpec
from components.tfrecord import read_records
from serving.example import Decoded, decode

logger = logging.getLogger("components.export")

_SAMPLED_FROM = ("eval", "test", "train")


@dataclasses.dataclass(frozen=True)
class Sample:
    """Some raw rows, and the pixels that training would see.

    Attributes:
        pixels: uint8 [rows, height, width, channels].
    """

    rows: list[Decoded]
    pixels: np.ndarray

    @property
    def files(self) -> list[bytes]:
        """The rows' image files."""
        return [bytes(row[record.ENCODED][0]) for row in self.rows]


def write_model(trained: TrainedModel, spec: ImageSpec, out: Model) -> keras.Model:
    """Write the SavedModel and the Keras file; returns the Keras model."""
    model = keras.models.load_model(trained.keras_file, compile=False)
    saved_model.write(signatures.endpoints(model, spec), out.saved_model)
    out.keras_file.parent.mkdir(parents=True)
    trained.keras_file.copy(out.keras_file)
    return model


def check(
    model: keras.Model, spec: ImageSpec, sample: Sample, out: Model, tolerance: float
) -> None:
    """Ask the exported model in a fresh process; describe it and the outcome in `model.json`.

    Raises:
        ModelError: it cannot be loaded, or its answers are not those of `model`.
    """
    expected = signatures.probabilities(model, tf.constant(sample.pixels)).numpy()
    with tempfile.TemporaryDirectory() as scratch:
        found = answers.ask(out.saved_model, sample.files, Path(scratch))
    worst = comparison.largest_difference(found, expected, spec.classes, tolerance)
    logger.info(
        "asked again in a fresh process: %d rows, scores differ by at most %.2g",
        *(len(sample.rows), worst),
    )
    described = {
        **dataclasses.asdict(spec),
        "parameters": model.count_params(),
        "signatures": json.loads(str(found["signatures"])),
        "check": {"rows": len(sample.rows), "tolerance": tolerance, "largest_difference": worst},
        "versions": {"tensorflow": tf.__version__, "keras": keras.__version__},
    }
    (out.path / "model.json").write_text(json.dumps(described, indent=1, ensure_ascii=False))


def take_sample(examples: Examples, spec: ImageSpec, count: int) -> Sample:
    """The first `count` decodable rows of the eval split, else of test, else of train.

    Raises:
        DataError: there is none.
    """
    splits = [split for split in _SAMPLED_FROM if examples.counts.get(split)]
    for split in splits or examples.splits:
        rows = ((row,) for row in _rows(examples, split))
        pairs = (
            (row, pixels)
            for (row,), pixels in decode_rows(rows, spec)
            if isinstance(pixels, np.ndarray)
        )
        taken = list(itertools.islice(pairs, count))
        if taken:
            return Sample([row for row, _ in taken], np.stack([pixels for _, pixels in taken]))
    raise DataError(
        f"{examples.path}: expected images to ask the exported model about. Received: none in "
        f"{', '.join(examples.splits) or 'no split'}. Give export the examples of the training."
    )


def _rows(examples: Examples, split: str) -> Iterator[Decoded]:
    for file in examples.files(split):
        for raw in read_records(file):
            yield decode(raw)
