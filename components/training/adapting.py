"""Layers that look at the train split before the first epoch, as Keras's own have `adapt` for."""

import keras
import numpy as np

from millrace.components.models.table_layers import PiecewiseLinear
from millrace.components.training import dataset
from millrace.components.training.plan import TrainingPlan

_ROWS = 200_000  # enough for quantiles


def adapt(model: keras.Model, plan: TrainingPlan) -> None:
    """Adapt those layers of `model` that have to be."""
    layers = [each for each in model.layers if isinstance(each, PiecewiseLinear)]
    if not layers:
        return
    train, layout = plan.train, plan.spec.layout
    rows = dataset.evaluation(train.files, layout, plan.objective, train.count)
    some = rows.shard(-(-train.count // _ROWS), 0)
    given = [each["numeric"] if isinstance(each, dict) else each for each, _ in some]
    numbers = np.concatenate([each.numpy() for each in given])
    for layer in layers:
        layer.adapt(numbers)
