"""What rows can tell: whether a change is beyond chance, and whether they can judge at all.

A change is a candidate's figure less the last blessed model's, on the very same rows. Its interval
holds what the change could be were other rows drawn, at a confidence of 95 %; a change is a drop
where all of the interval is on the worse side of 0. Nothing here is drawn at random.

Sources: McNemar, "Note on the sampling error of the difference between correlated proportions"
(1947), exact by Clopper and Pearson (1934); Student's t of paired differences; Diebold and
Mariano, "Comparing predictive accuracy" (1995), with the weights of Newey and West (1987), the
correction of Harvey, Leybourne and Newbold (1997) and, over several series, the sums by time of
Driscoll and Kraay (1998).
"""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from millrace.components.display import numbers

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Interval = tuple[float, float] | None

CONFIDENCE = 0.95
MOST_LUCK = 0.05  # 1 - CONFIDENCE
_ROUNDINGS = 4  # of half a float32 epsilon each: scaling, a product, scaling back, a sum


@dataclasses.dataclass(frozen=True)
class Differences:
    """What rows say of two models: the candidate's number less the baseline's, summed exactly.

    Attributes:
        count: rows.
        total, squares: of the differences, in a whole unit and its square.
    """

    count: int = 0
    total: int = 0
    squares: int = 0

    @classmethod
    def of(cls, values: Iterable[int]) -> "Differences":
        """Of one row each."""
        kept = list(values)
        return cls(len(kept), sum(kept), sum(value**2 for value in kept))

    def __add__(self, other: "Differences") -> "Differences":
        return Differences(
            self.count + other.count, self.total + other.total, self.squares + other.squares
        )


@dataclasses.dataclass(frozen=True)
class Change:
    """A figure beside the last blessed model's on the same rows; `comparison` in `metrics.json`.

    Attributes:
        better: whether less or more of it is better.
        was, now: the baseline's figure and the candidate's.
        rows: how many both answered.
        interval: what `now - was` could be; None where the rows are too few to say.
        noise: a change no greater is rounding.
    """

    metric: str
    better: Literal["less", "more"]
    was: float
    now: float
    rows: int
    interval: Interval
    noise: float = 0.0

    @property
    def is_drop(self) -> bool:
        """Whether the candidate is worse, beyond chance and rounding."""
        if self.interval is None:
            return False
        low, high = self.interval
        return low > self.noise if self.better == "less" else high < -self.noise

    @property
    def said(self) -> str:
        """Both figures and the interval, on a line without its full stop."""
        was, now = (
            f"{each:.3f}" if self.metric == "accuracy" else numbers.short(each)
            for each in (self.was, self.now)
        )
        line = f"{self.metric}: was {was}, now {now} on the same {self.rows:,} rows; "
        if self.interval is None:
            return f"{line}these are too few for an interval of the change"
        low, high = self.interval
        return (
            f"{line}change {self.now - self.was:.3g}, {CONFIDENCE:.0%} interval {low:.3g} to "
            f"{high:.3g}"
        )

    @property
    def bound(self) -> str:
        """The threshold that allows it, as a person sets it."""
        name = "change_at_most" if self.better == "less" else "change_at_least"
        return f"evaluator.{name}.{self.metric}={1.01 * (self.now - self.was):.3g}"


def rounding(size: float) -> float:
    """How far numbers of this mean size may be off by float32's rounding alone.

    A forecast in float32 is scaled, multiplied, scaled back and summed: each step rounds by half an
    epsilon at most, and an error no greater than four of these is taken for none.
    """
    return _ROUNDINGS / 2 * float(np.finfo(np.float32).eps) * size


def of_shares(differences: Differences) -> Interval:
    """The interval of a change of a share, of differences -1, 0 and 1.

    Rows that both models answer alike say nothing of which is better. Of the others, the share
    that the candidate has right is binomial, and 1/2 where neither is better.
    """
    from scipy import stats

    differ = differences.squares
    if not differ:
        return (0.0, 0.0) if differences.count else None
    gained = (differ + differences.total) // 2
    found = stats.binomtest(gained, differ).proportion_ci(CONFIDENCE, method="exact")
    scale = differ / differences.count
    return scale * (2 * float(found.low) - 1), scale * (2 * float(found.high) - 1)


def of_means(differences: Differences, shift: int, per: float = 1.0) -> Interval:
    """The interval of a change of a mean, by Student's t; None for one row.

    Args:
        differences: in units of 2**-shift.
        shift: of them.
        per: items in a row on average, where the mean is over items; 1 for a mean over rows.
    """
    from scipy import stats

    count, total = differences.count, differences.total
    if count < 2:
        return None
    mean = total / (count << shift)
    spread = (count * differences.squares - total**2) / (count * (count - 1) << 2 * shift)
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)) * math.sqrt(spread / count)
    return (mean - reach) / per, (mean + reach) / per


def of_forecasts(sums: Floats, counts: Ints, times: Ints, overlap: int) -> Interval:
    """The interval of a change of a mean over forecasts, whose windows overlap.

    Args:
        sums: of each window's differences, float64 [windows].
        counts: how many differences each is of, [windows].
        times: of the first step forecast, [windows]; windows of one time are of several series.
        overlap: how many windows of one series in a row share a step; 1 where none do.

    Returns:
        None where there are no more times than windows that share a step.
    """
    from scipy import stats

    distinct, where = np.unique(times, return_inverse=True)
    size = len(distinct)
    if size <= overlap:
        return None
    by_time, weight = np.zeros(size), np.zeros(size)
    np.add.at(by_time, where, sums)
    np.add.at(weight, where, counts)
    mean = by_time.sum() / weight.sum()
    off = by_time - mean * weight
    variance = float((off**2).sum())
    for lag in range(1, overlap):
        variance += 2 * (1 - lag / overlap) * float((off[lag:] * off[:-lag]).sum())
    # Harvey, Leybourne and Newbold: the variance of short series is underestimated.
    short = size / (size + 1 - 2 * overlap + overlap * (overlap - 1) / size)
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, size - 1)) * math.sqrt(
        max(variance, 0.0) * short
    )
    return float(mean - reach / weight.sum()), float(mean + reach / weight.sum())


def of_guesses(counts: Sequence[int]) -> float:
    """How likely a model that knows nothing gets all rows right.

    It draws the answer to each row from the truths of these rows, as Cohen's kappa (1960) has
    chance agree: the probability is the product of `share ** count` over the distinct truths.

    Args:
        counts: how often each distinct truth came, 1 or more.
    """
    total = sum(counts)
    return math.prod((count / total) ** count for count in counts)


def of_signs(count: int) -> float:
    """How likely one of two that are equally good is the better one all of `count` times."""
    return 0.5**count


def cannot_judge(chance: float, lucky: str) -> str:
    """Why rows cannot tell a model that knows something from one that does not; empty if they can.

    Where luck does it too often, the best answers there could be are no evidence.

    Args:
        chance: of `of_guesses` or `of_signs`: the least p-value that the rows allow.
        lucky: what that is the probability of, of a model that knows nothing.
    """
    if chance <= MOST_LUCK:
        return ""
    return (
        f"a model that knows nothing {lucky} 1 time in {int(1 / chance)}, and {CONFIDENCE:.0%} "
        f"confidence allows 1 in {round(1 / MOST_LUCK)}"
    )
