"""The nested options of `trainer`; no Keras, so that reading them is cheap.

Names and meanings are Keras's own where it has them.
"""

import dataclasses
from typing import Annotated, Literal

from pydantic import Field

from millrace.components.errors import OptionError
from millrace.components.options.ranges import NotNegative, Number, Positive
from millrace.components.training.schedule_options import CONSTANT, Schedule

Optimizer = Literal["sgd", "rmsprop", "adam", "adamw", "nadam", "adagrad"]
Precision = Literal["float32", "mixed_float16", "mixed_bfloat16"]


_CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")


@dataclasses.dataclass(frozen=True)
class EarlyStopping:
    """Stop once `monitor` has not improved for a while.

    Attributes:
        patience: epochs without improvement; 0 never stops.
        min_delta: the least change that counts as improvement.
    """

    patience: Number = 0
    min_delta: NotNegative = 0.0


@dataclasses.dataclass(frozen=True)
class ReduceOnPlateau:
    """Lower the learning rate once `monitor` has not improved for a while.

    Attributes:
        patience: epochs without improvement; 0 never lowers it.
        factor: by which the rate is multiplied.
        cooldown: epochs to wait after that.
        min_learning_rate: the rate is not lowered below it.
    """

    patience: Number = 0
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    cooldown: Number = 0
    min_learning_rate: NotNegative = 0.0


@dataclasses.dataclass(frozen=True)
class FineTune:
    """A second stage for a pretrained network: its upper layers are trained as well.

    Attributes:
        epochs: of this stage, after those of the first; 0 leaves it out.
        from_layer: the first of the backbone's layers to be trained; empty is all of them.
        learning_rate: far below the first stage's, lest the pretrained weights are lost.
    """

    epochs: Number = 0
    from_layer: str = ""
    learning_rate: Positive = 1e-5


@dataclasses.dataclass(frozen=True)
class Descent:
    """How weights follow their gradients; None leaves Keras's default.

    Attributes:
        optimizer: Keras's.
        learning_rate: the first one.
        momentum: of sgd and rmsprop.
        nesterov: of sgd.
        clipnorm: the largest norm of one weight's gradient.
        clipvalue: the largest value in a gradient, either way.
        global_clipnorm: the largest norm of all the gradients together.
        weight_decay: the share of itself, times the rate, that a weight loses at each step.
        schedule: how the rate changes.
        precision: of the layers' arithmetic; weights are float32 throughout.

    Raises:
        OptionError: an attribute does not belong to the optimizer, or two exclude each other.
    """

    optimizer: Optimizer = "adam"
    learning_rate: float | None = None
    momentum: float = 0.0
    nesterov: bool = False
    clipnorm: float | None = None
    clipvalue: float | None = None
    global_clipnorm: float | None = None
    weight_decay: float | None = None
    schedule: Schedule = CONSTANT
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        self._check_momentum()
        clips = {name: getattr(self, name) for name in _CLIPS if getattr(self, name)}
        if len(clips) > 1:
            raise OptionError(
                f"trainer.{', trainer.'.join(clips)}: expected one of them. "
                f"Received: {', '.join(map(str, clips.values()))}. Keep one."
            )

    def _check_momentum(self) -> None:
        if self.momentum and self.optimizer not in ("sgd", "rmsprop"):
            raise OptionError(
                f"trainer.momentum: expected 0 with {self.optimizer}, which has its own or none. "
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
