"""Learning rates as Keras schedules: functions of the step, which the optimizer counts."""

from typing import Any, assert_never

import keras

from millrace.components.training.schedule_options import (
    Constant,
    Cosine,
    Exponential,
    Piecewise,
    ReduceOnPlateau,
    Schedule,
)


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
    """
    if isinstance(schedule, ReduceOnPlateau):  # a callback lowers it, see `callbacks.patient`
        return rate
    warmup = round(schedule.warmup * steps)
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
