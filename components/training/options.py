"""The nested options of `trainer`; no Keras, so that reading them is cheap.

Names and meanings are Keras's own where it has them.
"""

import dataclasses
from typing import Annotated, Literal

from pydantic import Field

from components.errors import OptionError

Optimizer = Literal["sgd", "rmsprop", "adam"]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
Epochs = Annotated[int, Field(ge=0)]


@dataclasses.dataclass(frozen=True)
class EarlyStopping:
    """Stop once `monitor` has not improved for a while.

    Attributes:
        patience: epochs without improvement; 0 never stops.
        min_delta: the least change that counts as improvement.
    """

    patience: Epochs = 0
    min_delta: Annotated[float, Field(ge=0)] = 0.0


@dataclasses.dataclass(frozen=True)
class ReduceOnPlateau:
    """Lower the learning rate once `monitor` has not improved for a while.

    Attributes:
        patience: epochs without improvement; 0 never lowers it.
        factor: by which the rate is multiplied.
        cooldown: epochs to wait after that.
        min_learning_rate: the rate is not lowered below it.
    """

    patience: Epochs = 0
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    cooldown: Epochs = 0
    min_learning_rate: Annotated[float, Field(ge=0)] = 0.0


@dataclasses.dataclass(frozen=True)
class Descent:
    """How weights follow their gradients; None leaves Keras's default.

    Raises:
        OptionError: an attribute does not belong to the optimizer.
    """

    optimizer: Optimizer = "adam"
    learning_rate: float | None = None
    momentum: float = 0.0
    nesterov: bool = False
    clipnorm: float | None = None

    def __post_init__(self) -> None:
        if self.momentum and self.optimizer == "adam":
            raise OptionError(
                "trainer.momentum: expected 0 with adam, which has its own. "
                f"Received: {self.momentum}. Use trainer.optimizer=sgd or rmsprop."
            )
        if self.nesterov and (self.optimizer != "sgd" or not self.momentum):
            raise OptionError(
                "trainer.nesterov: expected optimizer sgd with momentum above 0. "
                f"Received: {self.optimizer}, momentum {self.momentum}. "
                "Set trainer.optimizer=sgd and trainer.momentum=0.9."
            )


@dataclasses.dataclass(frozen=True)
class Watching:
    """When training stops, slows down or looks back.

    Attributes:
        stop_at: targets by metric; training stops once all are reached.
        monitor: the metric that the next three go by.
        early_stopping, reduce_on_plateau: as said there.
        keep: the epoch whose weights are kept.
        tensorboard: whether to write logs for TensorBoard.
    """

    stop_at: dict[str, float]
    monitor: str
    early_stopping: EarlyStopping
    reduce_on_plateau: ReduceOnPlateau
    keep: Literal["last", "best"]
    tensorboard: bool
