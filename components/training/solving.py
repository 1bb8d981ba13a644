"""Networks whose weights are computed rather than descended to, and what computes them."""

from typing import Any

import keras

from millrace.components.models.table_options import Trees
from millrace.components.training.plan import TrainingPlan


def solves(options: Any) -> bool:
    """Whether the weights of the network that `options` describe are computed."""
    return isinstance(options, Trees)


def solve(model: keras.Model, plan: TrainingPlan) -> None:
    """Give `model`, compiled, its weights, by the train split; settings by the validation split."""
    match plan.model:
        case Trees():
            from millrace.components.training import trees

            trees.solve(model, plan, plan.model)
        case _:
            raise NotImplementedError(plan.model.kind)
