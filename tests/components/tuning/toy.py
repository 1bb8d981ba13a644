"""A component that trains nothing: its history follows from its options in a moment."""

import dataclasses
import os
import time
from typing import Annotated, Literal

import pydantic
from etils.epath import Path

from millrace.components.artifacts import Analysis, Examples, Hyperparameters, TrainedModel
from millrace.components.errors import OptionError
from millrace.components.tuning.hyperparameters import tunable


@dataclasses.dataclass(frozen=True)
class Small:
    kind: Literal["small"] = "small"
    width: int = 1


@dataclasses.dataclass(frozen=True)
class Large:
    kind: Literal["large"] = "large"
    widths: tuple[int, ...] = (8, 8)


SMALL = Small()


@tunable
def toy(
    examples: Examples,
    analysis: Analysis,
    warm_start: TrainedModel | None,
    out: Path,
    resume: Path,
    *,
    hyperparameters: Hyperparameters | None = None,
    rate: Annotated[float, pydantic.Field(gt=0)] = 0.1,
    epochs: int = 3,
    model: Annotated[Small | Large, pydantic.Field(discriminator="kind")] = SMALL,
    pause: float = 0.0,
    fail: bool = False,
) -> TrainedModel:
    """Each epoch's loss is (rate - 0.03)^2 + 1/epoch, as if `width` made no difference."""
    with (resume / "starts").open("a") as starts:
        starts.write("x")
    if fail or (isinstance(model, Small) and model.width == 13):
        raise OptionError("toy.model.width: expected luck. Received: 13. Take another.")
    if isinstance(model, Small) and model.width == 99:
        os._exit(9)
    rows = ["epoch,loss,val_loss"]
    for epoch in range(1, epochs + 1):
        time.sleep(pause)
        loss = (rate - 0.03) ** 2 + 1 / epoch
        rows.append(f"{epoch},{loss},{loss}")
        (out / "history.csv").write_text("\n".join(rows) + "\n")
    (out / "options").write_text(f"{rate} {epochs} {model} {warm_start}")
    return TrainedModel(out)
