"""Find a learning rate for a network and its data: train at rates that climb, and look.

This module holds the options; the work is in `training.sweep`, which imports TensorFlow.
"""

import logging
import math
from typing import Annotated, Literal

from etils.epath import Path
from pydantic import Field

from millrace.components.artifacts import Analysis, Examples, LearningRate
from millrace.components.errors import OptionError
from millrace.components.features import spec as specs
from millrace.components.models.auto_options import Auto
from millrace.components.models.image_options import Augment, Cnn
from millrace.components.models.options import AnyModel, check_augment, check_fits
from millrace.components.options.ranges import Count, Positive, Seed
from millrace.components.training import objective as objectives
from millrace.components.training.options import (
    ADAM,
    Descent,
    EarlyStopping,
    Optimizer,
    Precision,
    Watching,
)
from millrace.components.training.plan import Split, TrainingPlan

logger = logging.getLogger(__name__)

CNN = Cnn()
UNCHANGED = Augment()


def rate_finder(
    examples: Examples,
    analysis: Analysis,
    out: Path,
    *,
    start: Positive = 1e-8,
    end: Positive = 10.0,
    per_decade: Annotated[int, Field(ge=4)] = 20,
    each: Literal["step", "epoch"] = "step",
    batch_size: Count = 32,
    seed: Seed = 42,
    model: AnyModel = CNN,
    augment: Augment = UNCHANGED,
    output: objectives.Output = "probabilities",
    loss: objectives.Loss = objectives.AUTO,
    optimizer: Optimizer = ADAM,
    precision: Precision = "float32",
    shuffle_buffer: Count | None = None,
) -> LearningRate:
    """Train at rates `start` * 10 ^ (point / `per_decade`) and take a tenth of the best.

    The best is the rate at which the smoothed loss is lowest before it comes apart. The options
    from `batch_size` on mean what they mean to `trainer`, and should be the same.

    Args:
        examples: transformed records.
        analysis: how they were preprocessed.
        out: gets `rate.json`, `sweep.csv` and `sweep.png`, loss against rate on a log axis.
        start: the first rate.
        end: the last one, unless the loss comes apart before it.
        per_decade: rates per tenfold rise.
        each: whether each rate is tried on one batch or on all of them.
        batch_size: examples per step.
        seed: of the first weights, the order of examples, dropout and augmentation.
        model: a network for the data's kind, and its own options.
        augment: random changes to training pictures; `mixup` and `cutmix` change their labels too.
        output: what the last layer gives.
        loss: Keras's, and label smoothing; `auto` goes by the task and the number of classes.
        optimizer: Keras's, and its momentum, gradient clipping and weight decay.
        precision: of the layers' arithmetic.
        shuffle_buffer: examples shuffled among one another; none is as many as fit 256 MiB.

    Raises:
        DataError: the train split is empty.
        OptionError: an option does not fit another or the data.
        ModelError: the loss never fell.
    """
    spec, train = specs.read(analysis.file), Split.to_train_on(examples)
    check_fits(model, spec)
    check_augment(augment, spec)
    if isinstance(model, Auto):
        raise OptionError(
            "rate_finder.model: expected one network. Received: auto, whose networks have rates "
            "of their own. Name one by trainer.model, or leave the rate finder out."
        )
    if end <= start:
        raise OptionError(
            f"rate_finder.end: expected a rate above rate_finder.start. Received: {end} and "
            f"{start}. Raise the one or lower the other."
        )
    steps = -(-train.count // batch_size) if each == "epoch" else 1

    from millrace.components.training import rates, sweep  # TensorFlow

    points = rates.point_count(start, end, per_decade)
    plan = TrainingPlan(
        spec=spec,
        model=model,
        augment=augment,
        objective=objectives.of(spec, loss, output, mixed=augment.mixes),
        descent=Descent(optimizer, start, precision=precision),
        watching=Watching({}, "loss", EarlyStopping(), "last", tensorboard=False),
        train=train,
        validation=None,
        warm_start=None,
        epochs=math.ceil(points * steps * batch_size / train.count) + 1,
        batch_size=batch_size,
        seed=seed,
        deterministic=False,
        buffer=shuffle_buffer,
        balanced=False,
        top_k=0,
    )
    logger.info("%d rates from %g to %g, %d steps each", points, start, end, steps)
    return sweep.find(plan, sweep.Sweep(start, points, per_decade, steps), out)
