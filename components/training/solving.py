"""Networks whose weights are computed rather than descended to, and what computes them."""

from typing import Any

import keras

from millrace.components.features.series_spec import SeriesSpec
from millrace.components.models.series_options import Linear
from millrace.components.models.table_options import TableLinear, Trees
from millrace.components.models.text_options import Ngrams
from millrace.components.training.plan import TrainingPlan


def solves(options: Any) -> bool:
    """Whether the weights of the network that `options` describe are computed."""
    return isinstance(options, Linear | TableLinear | Trees | Ngrams)


def solve(model: keras.Model, plan: TrainingPlan) -> None:
    """Give `model`, compiled, its weights, by the train split; settings by the validation split."""
    match plan.model, plan.spec:
        case Linear(), SeriesSpec():
            from millrace.components.training import ridge

            ridge.solve(model, plan, plan.model, plan.spec)
        case TableLinear(), _:
            from millrace.components.training import linear

            linear.solve(model, plan)
        case Trees(), _:
            from millrace.components.training import trees

            trees.solve(model, plan, plan.model)
        case Ngrams(), _:
            from millrace.components.training import ngrams

            ngrams.solve(model, plan, plan.model)
        case _:
            raise NotImplementedError(plan.model.kind)
