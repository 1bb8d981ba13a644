"""Keras's loss, optimizer and metrics for what the options ask."""

import dataclasses
from typing import Any

import keras

from components.training.objective import Objective
from components.training.options import Descent

_OPTIMIZERS = {
    "sgd": keras.optimizers.SGD,
    "rmsprop": keras.optimizers.RMSprop,
    "adam": keras.optimizers.Adam,
}


_STEPS_AT_ONCE = 16


def compile_model(
    model: keras.Model, objective: Objective, descent: Descent, top_k: int, steps: int
) -> None:
    """Compile `model` for epochs of `steps`; metrics are named as Keras names them."""
    model.compile(
        optimizer=_optimizer(descent),
        loss=_loss(objective),
        metrics=_metrics(objective, top_k),
        steps_per_execution=steps_at_once(steps),
    )


def steps_at_once(steps: int) -> int:
    """How many of an epoch's `steps` to run without coming back to Python, at most 16.

    It divides `steps`: else the last run of an epoch would take batches of the next one.
    """
    return next(count for count in range(_STEPS_AT_ONCE, 0, -1) if steps % count == 0)


def _optimizer(descent: Descent) -> keras.Optimizer:
    settings: dict[str, Any] = {
        name: value
        for name, value in dataclasses.asdict(descent).items()
        if name != "optimizer" and value
    }
    return _OPTIMIZERS[descent.optimizer](**settings)


def _loss(objective: Objective) -> keras.Loss:
    losses = keras.losses
    logits, smoothing = objective.logits, objective.label_smoothing
    if objective.is_binary:
        return losses.BinaryCrossentropy(from_logits=logits, label_smoothing=smoothing)
    if objective.is_one_hot:
        return losses.CategoricalCrossentropy(from_logits=logits, label_smoothing=smoothing)
    return losses.SparseCategoricalCrossentropy(from_logits=logits)


def _metrics(objective: Objective, top_k: int) -> list[keras.Metric]:
    metrics = keras.metrics
    if objective.is_binary:
        threshold = 0.0 if objective.logits else 0.5
        found = [metrics.BinaryAccuracy(name="accuracy", threshold=threshold)]
    elif objective.is_one_hot:
        found = [metrics.CategoricalAccuracy(name="accuracy")]
    else:
        found = [metrics.SparseCategoricalAccuracy(name="accuracy")]
    if top_k:
        among = (
            metrics.TopKCategoricalAccuracy
            if objective.is_one_hot
            else metrics.SparseTopKCategoricalAccuracy
        )
        found.append(among(top_k, name=f"top_{top_k}_accuracy"))
    return found
