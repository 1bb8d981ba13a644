"""Features that one split has otherwise than another, beyond what chance does to rows.

No thresholds of a schema are needed, and no distance of histograms is taken: their buckets follow
each split's own extremes, so that few rows lie apart by chance. Compared are means, the share of
each value and of missing ones, and told is what is both large and no chance.

Only features of one value per record count. What is within a record is not drawn by itself: a
series is one record of thousands of cells, each like the one before, and a later part of it always
lies elsewhere.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence

from millrace.components.statistics.reading import (
    DatasetStats,
    FeatureStats,
    common_of,
    name_of,
    text_counts,
)

_DEVIATIONS = 0.3  # between means, in standard deviations of both splits together
_SHARE = 0.1  # between shares
_SIGMAS = 6.0  # 2e-9 by chance, of each thing that is compared
_EXPECTED = 5.0  # records with a value in the smaller split, from which it is nearly normal
_NAMED = 3


@dataclasses.dataclass(frozen=True)
class Shift:
    """How a feature differs.

    Attributes:
        feature: its name.
        how: the two figures, the split that is judged first.
        sigmas: of chance that they lie apart.
    """

    feature: str
    how: str
    sigmas: float


def find(here: DatasetStats, train: DatasetStats) -> list[Shift]:
    """The features that differ, at most one shift of each, those that are least by chance first."""
    there = {name_of(stats): stats for stats in train.features}
    pairs = [(stats, there[name]) for stats in here.features if (name := name_of(stats)) in there]
    found = [
        max(shifts, key=lambda one: one.sigmas)
        for ours, theirs in pairs
        if _is_single(ours) and _is_single(theirs) and (shifts := list(_of(ours, theirs)))
    ]
    return sorted(found, key=lambda one: (-one.sigmas, one.feature))


def said(shifts: Sequence[Shift], split: str) -> str:
    """The warning, a sentence of the first few and one of what to try; empty without any."""
    if not shifts:
        return ""
    named = "; ".join(f"{one.feature} {one.how}" for one in shifts[:_NAMED])
    more = f"; and {len(shifts) - _NAMED} more" if len(shifts) > _NAMED else ""
    return (
        f"split {split!r} is of another distribution than train: {named}{more}. Figures on it say "
        "how the model does on such rows; for rows like those of train, split at random"
    )


def _is_single(stats: FeatureStats) -> bool:
    return common_of(stats).max_num_values <= 1


def _of(ours: FeatureStats, theirs: FeatureStats) -> Iterator[Shift]:
    name, here, there = name_of(ours), common_of(ours), common_of(theirs)
    found, learnt = here.num_non_missing, there.num_non_missing
    yield from _shares(
        name,
        "of {} is missing, of train {}",
        (here.num_missing, here.num_missing + found),
        (there.num_missing, there.num_missing + learnt),
    )
    if not found or not learnt:
        return
    counts, others = text_counts(ours), text_counts(theirs)
    for value in sorted(counts.keys() | others.keys()):
        at = (counts.get(value, 0.0), found), (others.get(value, 0.0), learnt)
        yield from _shares(name, f"is {value!r} in {{}}, in train in {{}}", *at)
    if ours.HasField("num_stats") and theirs.HasField("num_stats"):
        yield from _means(name, ours, theirs)


def _shares(
    name: str, how: str, here: tuple[float, float], there: tuple[float, float]
) -> Iterator[Shift]:
    """A shift of a share, where it is one; each split as the count that has it and that of all."""
    if not here[1] or not there[1]:
        return
    share, learnt = here[0] / here[1], there[0] / there[1]
    together = (here[0] + there[0]) / (here[1] + there[1])
    rarer = min(together, 1.0 - together)
    if abs(share - learnt) < _SHARE:
        return
    if rarer * min(here[1], there[1]) < _EXPECTED:
        sigmas = _exact_sigmas(here, there)
    else:
        chance = math.sqrt(together * (1.0 - together) * (1.0 / here[1] + 1.0 / there[1]))
        sigmas = abs(share - learnt) / chance
    if sigmas >= _SIGMAS:
        yield Shift(name, how.format(f"{share:.0%}", f"{learnt:.0%}"), sigmas)


def _exact_sigmas(here: tuple[float, float], there: tuple[float, float]) -> float:
    """How far a share lies off by Fisher's exact test, in a normal distribution's deviations."""
    from scipy import stats  # takes half a second

    (found, rows), (others, learnt) = ((round(each) for each in split) for split in (here, there))
    drawn = stats.hypergeom(rows + learnt, found + others, rows)
    by_chance = min(drawn.sf(found - 1), drawn.cdf(found))
    return float(stats.norm.isf(by_chance)) if by_chance else math.inf


def _means(name: str, ours: FeatureStats, theirs: FeatureStats) -> Iterator[Shift]:
    """A shift of the mean.

    What chance does to it is taken as the larger of Welch's and Student's: one far value among few
    rows carries the mean away, and with it Welch's, whereas Welch's says nothing of equal rows.
    """
    here, there = ours.num_stats, theirs.num_stats
    rows, learnt = common_of(ours).num_non_missing, common_of(theirs).num_non_missing
    one, other = here.std_dev**2, there.std_dev**2
    pooled = (rows * one + learnt * other) / (rows + learnt)
    chance = max(one / rows + other / learnt, pooled * (1 / rows + 1 / learnt))
    apart = abs(here.mean - there.mean)
    if not apart or not math.isfinite(apart + chance) or min(rows, learnt) < _EXPECTED:
        return
    sigmas = apart / math.sqrt(chance) if chance else math.inf
    if sigmas >= _SIGMAS and apart >= _DEVIATIONS * math.sqrt(pooled):
        yield Shift(name, f"has the mean {here.mean:.4g}, in train {there.mean:.4g}", sigmas)
