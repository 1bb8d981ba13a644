"""Learning rates as Keras schedules: functions of the step, which the optimizer counts."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, assert_never

import keras

from millrace.components.errors import OptionError
from millrace.components.training.schedule_options import (
    Constant,
    Cosine,
    Exponential,
    Own,
    Piecewise,
    ReduceOnPlateau,
    Schedule,
)
from millrace.components.user_code import pieces

_PLACE = "trainer.schedule"
_GIVEN = ("learning_rate", "initial_learning_rate", "steps", "epochs")  # to what makes one


class Warmup(keras.optimizers.schedules.LearningRateSchedule):
    """Climb linearly to what `after` begins with, then follow it.

    Goyal et al., "Accurate, large minibatch SGD" (2017), section 2.2.
    """

    def __init__(
        self, rate: float, steps: int, after: keras.optimizers.schedules.LearningRateSchedule
    ) -> None:
        self._rate, self._steps, self._after = rate, steps, after

    def __call__(self, step: Any) -> keras.KerasTensor:
        """The rate of step `step`, from 0: float32 []."""
        done = keras.ops.cast(step, "float32")
        climbing = self._rate * (done + 1) / self._steps
        return keras.ops.where(
            done < self._steps,
            climbing,
            self._after(keras.ops.maximum(done - self._steps, 0.0)),
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {"rate": self._rate, "steps": self._steps, "after": self._after}


def learning_rate(
    schedule: Schedule, rate: float, steps: int, epochs: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """The rate of each step: a number, or what Keras calls for each.

    Args:
        schedule: how the rate changes.
        rate: the first one.
        steps: per epoch.
        epochs: of the whole training.

    Raises:
        OptionError: a schedule of a person's own cannot be found or made.
    """
    if isinstance(schedule, ReduceOnPlateau):  # a callback lowers it, see `callbacks.patient`
        return rate
    warmup = round(schedule.warmup * steps)
    after: float | keras.optimizers.schedules.LearningRateSchedule
    if isinstance(schedule, Own):
        after = _own(schedule.schedule, rate, steps, epochs)
    else:
        after = _after_warmup(schedule, rate, steps, max(1, steps * epochs - warmup))
    if not warmup:
        return after
    if isinstance(after, float):
        after = keras.optimizers.schedules.PiecewiseConstantDecay([1], [rate, rate])
    return Warmup(rate, warmup, after)


def _after_warmup(
    schedule: Constant | Exponential | Cosine | Piecewise, rate: float, steps: int, left: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    schedules = keras.optimizers.schedules
    match schedule:
        case Constant():
            return rate
        case Exponential():
            every = max(1, round(schedule.every * steps))
            return schedules.ExponentialDecay(rate, every, schedule.factor, schedule.staircase)
        case Cosine():
            return schedules.CosineDecay(rate, left, alpha=schedule.floor)
        case Piecewise():
            schedule.check()
            # Keras takes the next value after a boundary, and counts steps from 0.
            edges = [round(epoch * steps) - 1 for epoch in schedule.after]
            values = [rate, *(rate * factor for factor in schedule.factors)]
            return schedules.PiecewiseConstantDecay(edges, values)
        case _:
            assert_never(schedule)


def _own(
    text: str, rate: float, steps: int, epochs: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """The schedule that `text` names, see `schedule_options.Own`."""
    schedules = keras.optimizers.schedules
    call = pieces.read(text, _PLACE)
    found = pieces.find(call, schedules, _PLACE)
    open_to = pieces.missing(found, call) if inspect.isfunction(found) else []
    if open_to and open_to[0] not in _GIVEN:
        pieces.check_arguments(found, call, _PLACE)
        function = functools.partial(found, **call.named)
        return _by_epoch(function, min(len(open_to), 2), rate, steps, epochs)
    given = {"learning_rate": rate, "initial_learning_rate": rate, "steps": steps, "epochs": epochs}
    return pieces.made(text, schedules, schedules.LearningRateSchedule, _PLACE, given)


def _by_epoch(
    function: Callable[..., Any], arguments: int, rate: float, steps: int, epochs: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """The rates that `function` gives of each epoch, and, with two arguments, the rate before."""
    rates = [rate]
    for epoch in range(epochs):
        found = function(*(epoch, rates[-1])[:arguments])
        if not isinstance(found, int | float):
            raise OptionError(
                f"{_PLACE}: expected a rate, a number, for epoch {epoch}. Received: one of the "
                f"type {type(found).__name__}. Return float(…)."
            )
        rates.append(float(found))
    # Keras takes the next value after a boundary, and counts steps from 0.
    edges = [epoch * steps - 1 for epoch in range(1, epochs + 1)]
    return keras.optimizers.schedules.PiecewiseConstantDecay(edges, [*rates[1:], rates[-1]])
