"""Where time is cut into splits, so that everything learnt from lies before what it is judged by.

A cut is a moment, in Unix time of the records' unit; a split holds the rows from one cut to the
next. The cuts are the same for all series of a set: no split knows what another series did later.
Source: Tashman, "Out-of-sample tests of forecasting accuracy" (2000), on rolling origins.
"""

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from millrace.components.errors import OptionError
from millrace.components.example_gen.shards.splits import SplitRule, canonical
from millrace.components.example_gen.time_series.options import RollingOrigin

Ints = NDArray[np.int64]
Unit = Literal["s", "us"]

_STEP = "series_example_gen"


@dataclasses.dataclass(frozen=True)
class Cuts:
    """Splits in the order of time.

    Attributes:
        names: of the splits.
        edges: Unix times, one more than names: split i is `edges[i] <= time < edges[i + 1]`.
        folds: Unix times where the folds of the last split begin, ascending.
        first_fold: the number of the first of them.
    """

    names: tuple[str, ...]
    edges: tuple[int, ...]
    folds: tuple[int, ...]
    first_fold: int = 1

    def places(self, times: Ints) -> dict[str, slice]:
        """The rows of each split among ascending `times`; may be none."""
        bounds = np.searchsorted(times, self.edges).tolist()
        return {name: slice(*bounds[i : i + 2]) for i, name in enumerate(self.names)}

    def fold_of(self, times: Ints) -> Ints:
        """The fold of each time, int64 alike; 0 before the first."""
        numbers = np.searchsorted(self.folds, times, side="right")
        return np.where(numbers > 0, numbers + self.first_fold - 1, 0).astype(np.int64)


def by_shares(times: Ints, shares: Mapping[str, float], unit: Unit = "s") -> Cuts:
    """Cuts after the given shares of the rows of `times`, ascending and distinct.

    Raises:
        OptionError: the shares are none, or there are fewer rows than splits.
    """
    rule = SplitRule.of(_STEP, shares)
    places = [0, *(round(edge * len(times)) for edge in rule.edges[:-1])]
    starts = [int(times[min(place, len(times) - 1)]) for place in places]
    return _cuts(rule.names, starts, times, unit)


def by_dates(times: Ints, first: str, starts: Mapping[str, int], unit: Unit = "s") -> Cuts:
    """Cuts at the given moments: each split begins at its own, `first` else with the data.

    Raises:
        OptionError: the moments do not ascend within the data, or a split has two.
    """
    names = [canonical(name) for name in starts]
    if len(set(names)) < len(names):
        raise OptionError(
            f"{_STEP}, option split_dates: expected each split once. Received: "
            f"{', '.join(starts)}, which are {', '.join(names)}. Leave one out."
        )
    begins = dict(zip(names, starts.values(), strict=True))
    begins = {first: int(times[0])} | begins
    return _cuts(tuple(begins), list(begins.values()), times, unit)


def roll_forward(cuts: Cuts, times: Ints, folds: int, fold: int, origin: RollingOrigin) -> Cuts:
    """The same cuts with the last split in `folds` parts, as many rows each.

    Args:
        cuts: train, maybe eval, and test.
        times: of all rows, ascending and distinct.
        folds: how many.
        fold: 0 keeps all folds in the last split, to be judged by one model trained before the
            first. Number k keeps fold k alone, moves the splits before it up to it, and drops
            what comes after: a model trained from scratch for every fold.
        origin: whether train then grows (`expanding`), or keeps its length (`sliding`).

    Raises:
        OptionError: there are fewer folds, or rows.
    """
    if not 0 <= fold <= folds:
        raise OptionError(
            f"{_STEP}, option fold: expected 0 (all) to {folds}. Received: {fold}. "
            f"Raise {_STEP}.folds or choose another fold."
        )
    bounds = np.searchsorted(times, cuts.edges)
    first, last = int(bounds[-2]), int(bounds[-1])
    if last - first < folds:
        raise OptionError(
            f"{_STEP}, option folds: expected no more than the {last - first} rows of split "
            f"{cuts.names[-1]!r}. Received: {folds}. Use fewer folds."
        )
    places = np.linspace(first, last, folds + 1).round().astype(np.int64)
    if not fold:
        return dataclasses.replace(cuts, folds=tuple(times[places[:-1]].tolist()))
    moved = bounds + (places[fold - 1] - first)
    moved[0] = moved[0] if origin == "sliding" else bounds[0]
    moved[-1] = places[fold]
    end = int(times[moved[-1]]) if moved[-1] < len(times) else cuts.edges[-1]
    edges = (*times[moved[:-1]].tolist(), end)
    return Cuts(cuts.names, edges, (edges[-2],), fold)


def _cuts(names: tuple[str, ...], starts: list[int], times: Ints, unit: Unit) -> Cuts:
    edges = (*starts, int(times[-1]) + 1)
    if any(one >= two for one, two in itertools.pairwise(edges)):
        shown = ", ".join(
            f"{name} from {np.datetime64(start, unit)}"
            for name, start in zip(names, starts, strict=True)
        )
        raise OptionError(
            f"{_STEP}: expected splits that begin one after another before the data's end, "
            f"{np.datetime64(int(times[-1]), unit)}. Received: {shown}, of {len(times)} rows. "
            f"Give ascending dates up to the end by {_STEP}.split_dates, or other shares by "
            f"{_STEP}.splits."
        )
    return Cuts(names, edges, (starts[-1],))
