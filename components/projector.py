"""Embeddings of a trained model for TensorBoard's projector.

`tensorboard --logdir FOLDER` shows them, where FOLDER is the step's output. This module holds
the options; the work is in `projecting`, which imports TensorFlow and is imported when it runs.
"""

import logging
from typing import Annotated

from etils.epath import Path
from pydantic import Field

from millrace.components.artifacts import Analysis, Examples, Projection, TrainedModel
from millrace.components.errors import DataError
from millrace.components.features import spec as specs

logger = logging.getLogger(__name__)


def projector(
    model: TrainedModel,
    analysis: Analysis,
    examples: Examples,
    out: Path,
    *,
    split: str = "eval",
    points: Annotated[int, Field(ge=2, le=100_000)] = 2_000,
) -> Projection:
    """Write a model's vectors of tokens and examples, as points to look at.

    Each embedding of tokens is a set of points, labelled by the tokens. So are a classifier's
    examples, as the last layer but one represents them, labelled by their classes; images have
    thumbnails.

    Args:
        model: what `trainer` made.
        analysis: that it was trained with.
        examples: transformed records.
        out: gets `projector_config.pbtxt`, and the files that this names.
        split: of the examples to show; if it is empty, train.
        points: the most tokens or examples; the most frequent tokens come first.

    Raises:
        DataError: the model has neither embeddings of tokens nor classes.
    """
    spec = specs.read(analysis.file)

    from millrace.components.models.build import load  # TensorFlow
    from millrace.components.projecting import files
    from millrace.components.projecting import points as pointing

    network = load(model.keras_file, spec)
    found = list(pointing.embeddings(network, spec, points))
    if spec.task == "classification":
        shown = split if examples.counts.get(split) else "train"
        found.append(pointing.activations(network, spec, examples, shown, points))
    if not found:
        raise DataError(
            f"{model.path}: expected embeddings of tokens, or a classifier. Received: a network "
            f"for {spec.kind} with neither. Leave projector out."
        )
    files.write(found, out)
    for each in found:
        logger.info("%s: %d points of %d dimensions", each.name, *each.vectors.shape)
    return Projection(out)
