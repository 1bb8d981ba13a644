"""Train a Keras model on transformed examples.

This module holds the options; the work is in `models` (networks) and `training` (objective,
input, callbacks, resumption), which import TensorFlow and are imported when it runs.
"""

import logging
from typing import Annotated, Literal

from etils.epath import Path
from pydantic import Field

from components.artifacts import Analysis, Examples, TrainedModel
from components.errors import DataError
from components.features import spec as specs
from components.models import sizes
from components.models.options import Augment, Cnn, Count, ImageModel
from components.training import objective as objectives
from components.training.options import (
    Descent,
    EarlyStopping,
    Optimizer,
    Positive,
    ReduceOnPlateau,
    Share,
    Watching,
)
from components.training.plan import Plan, Split

logger = logging.getLogger(__name__)

CNN = Cnn()
UNCHANGED = Augment()
NO_TARGETS: dict[str, float] = {}
NO_EARLY_STOPPING = EarlyStopping()
NO_PLATEAU = ReduceOnPlateau()


def trainer(
    examples: Examples,
    analysis: Analysis,
    warm_start: TrainedModel | None,
    out: Path,
    resume: Path,
    *,
    epochs: Count = 5,
    batch_size: Count = 32,
    seed: int = 42,
    deterministic: bool = False,
    model: ImageModel = CNN,
    augment: Augment = UNCHANGED,
    output: objectives.Output = "probabilities",
    loss: objectives.Loss = "auto",
    label_smoothing: Share = 0.0,
    class_weight: Literal["none", "balanced"] = "none",
    optimizer: Optimizer = "adam",
    learning_rate: Positive | None = None,
    momentum: Share = 0.0,
    nesterov: bool = False,
    clipnorm: Positive | None = None,
    top_k: Annotated[int, Field(ge=0)] = 0,
    shuffle_buffer: Count | None = None,
    validation: str = "eval",
    monitor: str = "val_loss",
    stop_at: dict[str, float] = NO_TARGETS,
    early_stopping: EarlyStopping = NO_EARLY_STOPPING,
    reduce_on_plateau: ReduceOnPlateau = NO_PLATEAU,
    keep: Literal["last", "best"] = "last",
    tensorboard: bool = False,
) -> TrainedModel:
    """Train a Keras model on the train split of transformed examples.

    Args:
        examples: transformed records.
        analysis: classes, size, channels and scale.
        warm_start: a model whose weights training starts from.
        out: gets `Format-Keras/model.keras` (without augmentation, taking uint8 pixels),
            `model.json` (layers and parameters), `history.csv` and TensorBoard's `logs/`.
        resume: survives a kill; training goes on there after the last whole epoch.
        epochs: passes over the train split, at most.
        batch_size: examples per step.
        seed: of the first weights, the order of examples, dropout and augmentation.
        deterministic: forbid TensorFlow every kernel whose sums may come out in another order;
            slower, and only needed for equal weights on a GPU.
        model: `dense` or `cnn`, and their own options.
        augment: random changes to training pictures.
        output: what the last layer gives; `logits` moves the softmax into the loss.
        loss: `auto` goes by the number of classes.
        label_smoothing: share of the target spread over all classes.
        class_weight: `balanced` lets each class weigh the same.
        optimizer: Keras's `sgd`, `rmsprop` or `adam`.
        learning_rate: none is the optimizer's own default.
        momentum: of sgd and rmsprop.
        nesterov: of sgd.
        clipnorm: the largest norm of a weight's gradient.
        top_k: adds the metric `top_<k>_accuracy`; 0 does not.
        shuffle_buffer: examples shuffled among one another; none is as many as fit 256 MiB.
        validation: split to evaluate after each epoch, where there is one of this name.
        monitor: the metric that the next options go by; without a validation split, the one
            of training stands in for a `val_` one.
        stop_at: targets by metric; stop once all are reached.
        early_stopping: stop once `monitor` has not improved for some epochs.
        reduce_on_plateau: lower the learning rate then.
        keep: the weights of the last epoch, or of the best by `monitor`.
        tensorboard: write logs for TensorBoard.

    Raises:
        DataError: the train split is empty.
        OptionError: an option does not fit another, the data or the size of the pictures.
        ModelError: the model of `warm_start` has other layers.
    """
    spec, counts = specs.read(analysis.file), examples.counts
    if not counts.get("train"):
        raise DataError(
            f"{examples.path}: expected examples in the train split. Received: {counts}. "
            "See what `transform` set aside."
        )
    has_validation = bool(counts.get(validation)) and validation != "train"
    plan = Plan(
        spec=spec,
        model=model,
        augment=augment,
        objective=objectives.settle(len(spec.classes), loss, output, label_smoothing),
        descent=Descent(optimizer, learning_rate, momentum, nesterov, clipnorm),
        watching=Watching(
            stop_at=stop_at,
            monitor=monitor if has_validation else monitor.removeprefix("val_"),
            early_stopping=early_stopping,
            reduce_on_plateau=reduce_on_plateau,
            keep=keep,
            tensorboard=tensorboard,
        ),
        train=_split(examples, "train"),
        validation=_split(examples, validation) if has_validation else None,
        warm_start=warm_start.keras_file if warm_start else None,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        deterministic=deterministic,
        buffer=shuffle_buffer,
        balanced=class_weight == "balanced",
        top_k=top_k,
    )
    if isinstance(model, Cnn):
        sizes.after_blocks(model, spec.height, spec.width)  # refused before TensorFlow starts

    from components.training.fitting import train  # TensorFlow

    logger.info(
        "training on %d examples, %s",
        plan.train.count,
        f"validating on {plan.validation.count}" if plan.validation else "without validation",
    )
    return train(plan, out, resume)


def _split(examples: Examples, split: str) -> Split:
    return Split(tuple(examples.files(split)), examples.counts[split])
