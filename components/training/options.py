"""The nested options of `trainer` and `rate_finder`; no Keras, so that reading them is cheap.

Names and meanings are Keras's own where it has them.
"""

import dataclasses
from typing import Literal

from millrace.components.errors import OptionError
from millrace.components.options.pieces import Piece
from millrace.components.options.ranges import NotNegative, Number, Positive, ShareBelowOne
from millrace.components.training.schedule_options import CONSTANT, Schedule
from millrace.components.user_code import calls

OptimizerName = Literal["sgd", "rmsprop", "adam", "adamw", "nadam", "adagrad"]
Precision = Literal["float32", "mixed_float16", "mixed_bfloat16"]

Strategy = Literal["none", "mirrored", "multi_worker"]

_CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")


@dataclasses.dataclass(frozen=True)
class Optimizer:
    """How the weights follow their gradients; none of an attribute is Keras's default.

    Attributes:
        kind: Keras's optimizer; another of its classes, or a class or function of your own that
            makes one, with arguments: `Adam(beta_1=0.8)`, `mine.training:Slow(ratio=2)`.
        momentum: of sgd and rmsprop.
        nesterov: of sgd.
        clipnorm: the largest norm of a weight's gradient.
        clipvalue: the largest value in a gradient, either way.
        global_clipnorm: the largest norm of all gradients together.
        weight_decay: the share of itself, times the rate, that a weight loses at each step.
    """

    kind: OptimizerName | Piece = "adam"
    momentum: ShareBelowOne = 0.0
    nesterov: bool = False
    clipnorm: Positive | None = None
    clipvalue: Positive | None = None
    global_clipnorm: Positive | None = None
    weight_decay: Positive | None = None

    @classmethod
    def of_piece(cls, text: str, current: "Optimizer | None") -> "Optimizer":
        """The optimizer that `text` names, set as `current` is where that is one."""
        return dataclasses.replace(current or cls(), kind=text)

    @property
    def named_rate(self) -> float | None:
        """The learning rate in the brackets of `kind`, if there is one."""
        rate = calls.parse(self.kind).named.get("learning_rate") if self.is_piece else None
        return float(rate) if isinstance(rate, int | float) else None

    @property
    def is_piece(self) -> bool:
        """Whether `kind` is none of the names that are listed."""
        return calls.is_call(self.kind)

    def check(self) -> None:
        """Refuse attributes that do not fit one another.

        Raises:
            OptionError: one does not belong to the optimizer, or two exclude each other.
        """
        if self.momentum and self.is_piece:
            raise OptionError(
                f"trainer.optimizer.momentum: expected 0 with {self.kind}. Received: "
                f"{self.momentum}. Write it into the brackets, if that takes one."
            )
        if self.momentum and self.kind not in ("sgd", "rmsprop"):
            raise OptionError(
                f"trainer.optimizer.momentum: expected 0 with {self.kind}, which has its own or "
                f"none. Received: {self.momentum}. Use trainer.optimizer=sgd or rmsprop."
            )
        if self.nesterov and (self.kind != "sgd" or not self.momentum):
            raise OptionError(
                "trainer.optimizer.nesterov: expected sgd with momentum above 0. "
                f"Received: {self.kind}, momentum {self.momentum}. "
                "Set trainer.optimizer=sgd and trainer.optimizer.momentum=0.9."
            )
        clips = {name: getattr(self, name) for name in _CLIPS if getattr(self, name)}
        if len(clips) > 1:
            raise OptionError(
                f"trainer.optimizer: expected one of {', '.join(clips)}. "
                f"Received: {', '.join(map(str, clips.values()))}. Keep one."
            )

    @property
    def clips(self) -> bool:
        """Whether gradients are clipped."""
        return any(getattr(self, name) for name in _CLIPS)

    @property
    def clips_in_brackets(self) -> bool:
        """Whether the arguments of `kind` say that gradients are clipped."""
        return self.is_piece and any(name in calls.parse(self.kind).named for name in _CLIPS)

    def without_clipping(self) -> "Optimizer":
        """The same, with gradients as they are."""
        return dataclasses.replace(self, clipnorm=None, clipvalue=None, global_clipnorm=None)


ADAM = Optimizer()


@dataclasses.dataclass(frozen=True)
class Descent:
    """How the weights follow their gradients, and how far.

    Attributes:
        optimizer: Keras's, and its settings.
        learning_rate: the first one; None leaves the optimizer's default.
        schedule: how the rate changes.
        precision: of the layers' arithmetic; weights are float32 throughout.
    """

    optimizer: Optimizer = ADAM
    learning_rate: float | None = None
    schedule: Schedule = CONSTANT
    precision: Precision = "float32"


@dataclasses.dataclass(frozen=True)
class EarlyStopping:
    """Stop once `monitor` has not improved for a while.

    Attributes:
        patience: epochs without improvement; 0 never stops. None: what suits the network of those
            that `auto` tries, else never.
        min_delta: the least change that counts as improvement.
    """

    patience: Number | None = None
    min_delta: NotNegative = 0.0


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
class Watching:
    """When training stops or looks back.

    Attributes:
        stop_at: targets by metric; training stops once all are reached.
        monitor: the metric that early stopping, a schedule by plateaus and `keep` go by.
        early_stopping: as said there.
        keep: the epoch whose weights are kept.
        tensorboard: whether to write logs for TensorBoard.
    """

    stop_at: dict[str, float]
    monitor: str
    early_stopping: EarlyStopping
    keep: Literal["last", "best"]
    tensorboard: bool
