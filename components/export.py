"""Export a trained model with its preprocessing, and prove that it answers as trained.

This module holds the options; the work is in `exporting`, which imports TensorFlow and is
imported when it runs.
"""

from typing import Annotated

from etils.epath import Path
from pydantic import Field

from millrace.components.artifacts import Analysis, Examples, Model, TrainedModel
from millrace.components.features import spec as specs
from millrace.components.models import certainty


def export(
    model: TrainedModel,
    analysis: Analysis,
    examples: Examples,
    out: Path,
    *,
    sample: Annotated[int, Field(ge=1, le=10_000)] = 64,
    warm_up: Annotated[int, Field(ge=0, le=300)] = 8,
    tolerance: Annotated[float, Field(gt=0)] = 1e-5,
) -> Model:
    """Write a servable model: raw input in, human-readable answers out.

    The SavedModel has the signature `serving_default` (image files, texts, windows, columns),
    others over serialised `tf.train.Example`s, and warm-up requests. It is loaded in a fresh
    process as a model server loads it, and its answers to raw rows are compared with those of
    the trained model to the transformed rows.

    Args:
        model: what `trainer` made.
        analysis: that it was trained with.
        examples: raw records, or the windows of series; the sample comes from eval, else test,
            else train.
        out: gets `Format-Serving/`, `Format-Keras/model.keras` and `model.json` (the spec,
            signatures, and the outcome of the comparison).
        sample: rows to compare.
        warm_up: rows to warm a server up with, a request of each signature per row; 0 writes
            none.
        tolerance: the largest accepted difference of a number; relative to the largest number
            if that is above 1 in size.

    Raises:
        ModelError: the exported model cannot be loaded, or answers differently.
        DataError: there is no row to check it with.
    """
    from millrace.components.exporting import exported  # TensorFlow

    spec = specs.read(analysis.file)
    rows = exported.take_sample(examples, spec, max(sample, warm_up))
    target = Model(out)
    network = exported.write_model(model, spec, target, rows[:warm_up])
    calibration = certainty.read(model.path)
    exported.check(network, spec, rows[:sample], target, tolerance, calibration)
    return target
