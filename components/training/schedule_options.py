"""How the learning rate changes while training goes on; no Keras, so that reading it is cheap.

Everything is counted in epochs, parts of one included. A rate follows from the step alone, or from
what the callback that lowers it has seen, which is backed up; so a training resumed after a kill
goes on at the rate at which it was broken off.
"""

import dataclasses
from typing import Annotated, Literal

from pydantic import Field

from millrace.components.errors import OptionError
from millrace.components.options.pieces import Piece
from millrace.components.options.ranges import Count, NotNegative, Number, Positive, Share

Factor = Annotated[float, Field(gt=0, le=1)]


@dataclasses.dataclass(frozen=True)
class Constant:
    """The same rate throughout.

    Attributes:
        warmup: epochs over which the rate first climbs from 0, linearly.
    """

    warmup: NotNegative = 0.0
    kind: Literal["constant"] = "constant"


@dataclasses.dataclass(frozen=True)
class Exponential:
    """rate * factor ^ (epochs / every).

    Attributes:
        factor: by which the rate shrinks.
        every: epochs in which it does.
        staircase: in jumps, not bit by bit.
        warmup: epochs over which the rate first climbs from 0, linearly.
    """

    factor: Factor = 0.9
    every: Positive = 1.0
    staircase: bool = False
    warmup: NotNegative = 0.0
    kind: Literal["exponential"] = "exponential"


@dataclasses.dataclass(frozen=True)
class Cosine:
    """Down half a cosine: rate * (floor + (1 - floor) (1 + cos(pi epochs / all)) / 2).

    Loshchilov, Hutter, "SGDR: stochastic gradient descent with warm restarts" (2016), without
    the restarts.

    Attributes:
        floor: the share of the rate that is left at the end.
        warmup: epochs over which the rate first climbs from 0, linearly; of all.
    """

    floor: Share = 0.0
    warmup: NotNegative = 0.0
    kind: Literal["cosine"] = "cosine"


@dataclasses.dataclass(frozen=True)
class Piecewise:
    """Another rate after each of some epochs.

    Attributes:
        after: epochs at which the rate changes, ascending.
        factors: the share of the first rate from each of them on.
        warmup: epochs over which the rate first climbs from 0, linearly.

    Raises:
        OptionError: the two do not fit.
    """

    after: tuple[Positive, ...] = ()
    factors: tuple[Factor, ...] = ()
    warmup: NotNegative = 0.0
    kind: Literal["piecewise"] = "piecewise"

    def __post_init__(self) -> None:
        # Set one after the other on the command line, they differ in length for a moment.
        if list(self.after) != sorted(set(self.after)):
            raise OptionError(
                "trainer.schedule.after: expected epochs in ascending order. "
                f"Received: {', '.join(map(str, self.after))}. Sort them."
            )

    def check(self) -> None:
        """Refuse other than one factor per change.

        Raises:
            OptionError: there are more of the one than of the other, or none.
        """
        if len(self.after) != len(self.factors) or not self.after:
            raise OptionError(
                "trainer.schedule: expected as many of after as of factors, one or more. "
                f"Received: {len(self.after)} and {len(self.factors)}. For example "
                "`--set trainer.schedule.after=10,15 --set trainer.schedule.factors=0.1,0.01`."
            )


@dataclasses.dataclass(frozen=True)
class ReduceOnPlateau:
    """Lower it once `trainer.monitor` has not improved for a while (Keras's ReduceLROnPlateau).

    Attributes:
        patience: epochs without improvement.
        factor: by which the rate is multiplied.
        cooldown: epochs to wait after that.
        min_learning_rate: the rate is not lowered below it.
    """

    patience: Count = 10
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    cooldown: Number = 0
    min_learning_rate: NotNegative = 0.0
    kind: Literal["reduce_on_plateau"] = "reduce_on_plateau"


@dataclasses.dataclass(frozen=True)
class Own:
    """A schedule of a person's own, or another of Keras's.

    Attributes:
        schedule: a `LearningRateSchedule`, or a class or function that makes one, which may take
            `learning_rate` (the first one), `steps` (per epoch) and `epochs`; or a function of
            the epoch, from 0, and maybe the rate before it, as Keras's `LearningRateScheduler`
            takes: `mine.training:decayed(by=0.9)`.
        warmup: epochs over which the rate first climbs from 0, linearly.
    """

    schedule: Piece = "mine.training:schedule"
    warmup: NotNegative = 0.0
    kind: Literal["own"] = "own"

    @classmethod
    def of_piece(cls, text: str, current: "Own | None") -> "Own":
        """The schedule that `text` names, set as `current` is where that is one."""
        return dataclasses.replace(current or cls(), schedule=text)


Schedule = Annotated[
    Constant | Exponential | Cosine | Piecewise | ReduceOnPlateau | Own,
    Field(discriminator="kind"),
]
CONSTANT = Constant()
