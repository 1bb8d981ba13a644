"""Networks whose weights are computed rather than descended to, and what computes them."""

import dataclasses
from typing import Any

import keras
import numpy as np
from etils.epath import Path

from millrace.components.features.series_spec import SeriesSpec
from millrace.components.models.image_options import Patches
from millrace.components.models.series_options import Linear
from millrace.components.models.table_options import TableLinear, Trees
from millrace.components.models.text_options import Letters, Ngrams
from millrace.components.training.plan import TrainingPlan

_LEFT_OUT = "left_out.npz"


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """What a network answers on rows of the train split, each by weights learnt without it.

    Such answers judge a network as those on the validation split do.

    Attributes:
        answers: in the form of those on the validation split.
        truth: of the same rows, alike.
    """

    answers: np.ndarray
    truth: np.ndarray

    def write(self, folder: Path) -> None:
        """Keep it in `folder`."""
        with (folder / _LEFT_OUT).open("wb") as file:
            np.savez(file, **vars(self))

    @classmethod
    def read(cls, folder: Path) -> "LeftOut | None":
        """What was kept in `folder`, if anything was."""
        if not (folder / _LEFT_OUT).exists():
            return None
        with (folder / _LEFT_OUT).open("rb") as file, np.load(file) as found:
            return cls(found["answers"], found["truth"])


def solves(options: Any) -> bool:
    """Whether the weights of the network that `options` describe are computed."""
    return isinstance(options, Linear | TableLinear | Trees | Ngrams | Letters | Patches)


def solve(model: keras.Model, plan: TrainingPlan, folder: Path) -> None:
    """Give `model`, compiled, its weights, by the train split; settings by the validation split.

    What it answers without a row is left in `folder`, where that is known at no cost.
    """
    match plan.model, plan.spec:
        case Linear(), SeriesSpec():
            from millrace.components.training import ridge

            ridge.solve(model, plan, plan.model, plan.spec).write(folder)
        case TableLinear(), _:
            from millrace.components.training import linear

            linear.solve(model, plan)
        case Trees(), _:
            from millrace.components.training import trees

            trees.solve(model, plan, plan.model)
        case Ngrams() | Letters(), _:
            from millrace.components.training import ngrams

            ngrams.solve(model, plan, plan.model)
        case Patches(), _:
            from millrace.components.training import patches

            patches.solve(model, plan, plan.model)
        case _:
            raise TypeError(f"{plan.model.kind}: expected a network that `solves` names")
