"""The arithmetic of the search for a learning rate: which rates to try, and which one to take.

Smith, "Cyclical learning rates for training neural networks" (2015), section 3.3: train at a
rate that climbs, and see where the loss falls and where it comes apart.
"""

import dataclasses
import math

import numpy as np

_DIVERGED = 4.0  # times the lowest loss so far


@dataclasses.dataclass(frozen=True)
class Pick:
    """What a sweep says.

    Attributes:
        rate: the rate to train with, a decade below `lowest_at`.
        lowest_at: the rate at which the smoothed loss was lowest.
        still_falling: whether that was the last one tried.
    """

    rate: float
    lowest_at: float
    still_falling: bool


def rate_at(point: int, start: float, per_decade: int) -> float:
    """The rate of `point`, from 0: start * 10 ^ (point / per_decade)."""
    return start * 10 ** (point / per_decade)


def point_count(start: float, end: float, per_decade: int) -> int:
    """How many points it takes from `start` to `end`, both included."""
    return round(per_decade * math.log10(end / start)) + 1


def has_diverged(loss: float, lowest: float) -> bool:
    """Whether `loss` is no longer a number, or far above the lowest one before it."""
    return not math.isfinite(loss) or loss > _DIVERGED * max(lowest, 1e-6)


def smooth(losses: np.ndarray, reach: int) -> np.ndarray:
    """The mean of each value and its `reach` neighbours on either side, fewer at the ends.

    Centred, so that a minimum stays where it is; a running mean would shift it to higher rates.

    Args:
        losses: float64 [points].
        reach: 0 or more.
    """
    window = np.ones(2 * reach + 1)
    sums = np.convolve(losses, window)[reach : reach + len(losses)]
    counts = np.convolve(np.ones(len(losses)), window)[reach : reach + len(losses)]
    return sums / counts


def pick(rates: np.ndarray, smoothed: np.ndarray) -> Pick | None:
    """A tenth of the rate at the lowest smoothed loss; None if the loss never fell.

    Args:
        rates: float64 [points], ascending.
        smoothed: float64 [points].
    """
    lowest = int(np.argmin(smoothed))
    if lowest == 0:
        return None
    return Pick(float(rates[lowest]) / 10, float(rates[lowest]), lowest == len(rates) - 1)
