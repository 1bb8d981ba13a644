"""The export itself: SavedModel, warm-up requests, a description, and the check of them all."""

import dataclasses
import itertools
import json
import logging
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import tensorflow as tf
from etils.epath import Path

from millrace.components.artifacts import Examples, Model, TrainedModel
from millrace.components.errors import DataError
from millrace.components.exporting import answers, comparison, kinds, saved_model, warm_up
from millrace.components.features import rows as features
from millrace.components.features.spec import Spec
from millrace.components.files.tfrecord import read_records
from millrace.components.models import certainty, keras_file
from millrace.components.models.build import load
from millrace.components.models.certainty import EVEN, LEVELS, NOTHING, Calibration
from millrace.serving.example import Decoded

logger = logging.getLogger("millrace.components.export")

_SAMPLED_FROM = ("eval", "test", "train")
_UNDESCRIBED = ("vocabulary", "counts")  # too long to read, and part of the graph


def write_model(
    trained: TrainedModel, spec: Spec, out: Model, warming: Sequence[Decoded]
) -> keras.Model:
    """Write the SavedModel, warm-up requests made of the rows `warming`, and the Keras file.

    Returns:
        The Keras model.
    """
    model = load(trained.keras_file, spec)
    calibration = certainty.read(trained.path)
    endpoints = kinds.endpoints(model, spec, calibration)
    signatures = saved_model.write(endpoints, out.saved_model, model)
    if warming:
        warm_up.write(out.saved_model, signatures, warming)
    keras_file.copy(trained.keras_file, out.keras_file)
    return model


def check(
    model: keras.Model,
    spec: Spec,
    rows: list[Decoded],
    out: Model,
    tolerance: float,
    calibration: Calibration = NOTHING,
) -> None:
    """Call the exported model in a fresh process; describe it and the outcome in `model.json`.

    Raises:
        ModelError: it cannot be loaded, or its answers differ from those of `model`.
    """
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(1) as beside:
        collected = beside.submit(answers.collect, out.saved_model, rows, Path(scratch))
        reference = kinds.reference(model, spec, rows, calibration)
        found = collected.result()
    worst = comparison.largest_difference(found, reference, tolerance)
    logger.info(
        "checked in a fresh process: %d rows, answers differ by at most %.2g", len(rows), worst
    )
    described = {
        **_described(spec),
        "task": spec.task,
        "label": spec.label,
        "parameters": model.count_params(),
        **_certainty(calibration),
        "signatures": json.loads(str(found["signatures"])),
        "check": {"rows": len(rows), "tolerance": tolerance, "largest_difference": worst},
        "versions": {"tensorflow": tf.__version__, "keras": keras.__version__},
    }
    (out.path / "model.json").write_text(json.dumps(described, indent=1, ensure_ascii=False))


def _certainty(calibration: Calibration) -> dict[str, Any]:
    """What the answers go by, as far as it is not in the network, and on what it was measured."""
    found: dict[str, Any] = {}
    if calibration.temperature != 1.0 or calibration.widths:
        found["calibrated_on"] = calibration.split
    if calibration.threshold != EVEN:
        found["threshold"] = calibration.threshold
    return found | ({"levels": LEVELS} if calibration.widths else {})


def _described(spec: Spec) -> dict[str, Any]:
    fields = dataclasses.asdict(spec)
    size = {"vocabulary_size": len(fields["vocabulary"])} if "vocabulary" in fields else {}
    return {name: value for name, value in fields.items() if name not in _UNDESCRIBED} | size


def take_sample(examples: Examples, spec: Spec, count: int) -> list[Decoded]:
    """The first `count` usable rows of the eval split, else of test, else of train.

    Raises:
        DataError: there is none.
    """
    splits = [split for split in _SAMPLED_FROM if examples.counts.get(split)]
    for split in splits or examples.splits:
        taken: list[Decoded] = []
        records = itertools.chain.from_iterable(map(read_records, examples.files(split)))
        while len(taken) < count and (batch := list(itertools.islice(records, count))):
            taken += features.usable(batch, spec)
        if taken:
            return taken[:count]
    raise DataError(
        f"{examples.path}: expected rows to check the exported model with. Received: none in "
        f"{', '.join(examples.splits) or 'no split'}. Give export the training examples."
    )
