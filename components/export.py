"""Export a trained model with its preprocessing, and prove that it answers as trained.

This module holds the options; the work is in `exporting`, which imports TensorFlow and is
imported when it runs.
"""

from typing import Annotated

from etils.epath import Path
from pydantic import Field

from millrace.components.artifacts import Analysis, Examples, Model, TrainedModel
from millrace.components.features import spec as specs


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
    """Write a servable model: raw input in, answers in a person's terms out.

    The SavedModel has the signatures `serving_default` (image files, texts, windows, columns),
    those over serialised `tf.train.Example`s, and warm-up requests. It is loaded again in a
    fresh process as a model server loads it, and its answers to raw rows are compared with
    the trained model's to the transformed ones.

    Args:
        model: what `trainer` made.
        analysis: what it was trained by.
        examples: raw records, of series their windows; the sample comes from eval, else test,
            else train.
        out: gets `Format-Serving/`, `Format-Keras/model.keras` and `model.json` (the spec,
            signatures, and the outcome of the comparison).
        sample: rows to compare.
        warm_up: rows to warm a server up with, a request of each signature per row; 0 leaves
            the file out.
        tolerance: the largest difference of a number that is let pass; of numbers above 1 in
            size, relative to the largest.

    Raises:
        ModelError: the exported model cannot be loaded, or answers otherwise.
        DataError: there is no row to ask about.
    """
    from millrace.components.exporting import exported  # TensorFlow

    spec = specs.read(analysis.file)
    rows = exported.take_sample(examples, spec, max(sample, warm_up))
    target = Model(out)
    network = exported.write_model(model, spec, target, rows[:warm_up])
    exported.check(network, spec, rows[:sample], target, tolerance)
    return target
