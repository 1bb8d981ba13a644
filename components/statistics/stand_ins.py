"""Numbers that stand for a missing value, -200, -999, 999.9: far outside, and mostly repeated."""

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_NINES = re.compile(r"-?0?9{2,}(\.9+)?")
_ALONE = re.compile(r"-?9{3,}(\.9+)?")  # those that stand for no value even once
_FEW = 20  # values, and
_KINDS = 5  # distinct ones among the rest, below which nothing is far from them
_MOST = 3  # stand-ins of a column


class StandIn(NamedTuple):
    """A value, the rows in which it stands, and the ends of all others."""

    value: float
    rows: int
    least: float
    greatest: float

    @property
    def text(self) -> str:
        """The value as a person writes it."""
        return as_text(self.value)

    def __str__(self) -> str:
        return (
            f"{self.text} stands in {self.rows} row{'s' * (self.rows > 1)}, all others between "
            f"{as_text(self.least)} and {as_text(self.greatest)}"
        )


def as_text(value: float) -> str:
    """As short as can be: -200, not -200.0."""
    return repr(float(value)).removesuffix(".0")


def find(values: NDArray[np.float64], counts: NDArray[np.int64]) -> list[StandIn]:
    """The values that seem to stand for a missing one, at most three.

    Such a value comes twice or more, and lies farther from all others than these from each other:
    half as far is enough of a negative one beside others that are not, and of 999.9 and the like.
    Of these, from 999 on, one is enough. 0 is taken for a value.

    Args:
        values: distinct, finite and ascending.
        counts: how often each comes.
    """
    found: list[StandIn] = []
    while len(values) > _KINDS and counts.sum() >= _FEW and len(found) < _MOST:
        ends = [(0, values[1:]), (len(values) - 1, values[:-1])]
        sure = [_judged(place, rest, values, counts) for place, rest in ends]
        fitting = [(place, each) for (place, _), each in zip(ends, sure, strict=True) if each]
        if not fitting:
            break
        place, stand_in = fitting[0]
        found.append(stand_in)
        values, counts = np.delete(values, place), np.delete(counts, place)
    return [StandIn(each.value, each.rows, values[0], values[-1]) for each in found]


def among(column: NDArray[np.float64]) -> list[StandIn]:
    """Those of `column`, float64 [rows], NaN where a cell is missing; see `find`."""
    values, counts = np.unique(column[np.isfinite(column)], return_counts=True)
    return find(values, counts.astype(np.int64))


def _judged(
    place: int, rest: NDArray[np.float64], values: NDArray[np.float64], counts: NDArray[np.int64]
) -> StandIn | None:
    value, least, greatest = float(values[place]), float(rest[0]), float(rest[-1])
    away = least - value if place == 0 else value - greatest
    is_usual = value < 0 <= least or _NINES.fullmatch(as_text(value)) is not None
    is_alone = counts[place] < 2
    if value == 0 or (is_alone and not _ALONE.fullmatch(as_text(value))):
        return None
    if away <= (greatest - least) * (0.5 if is_usual and not is_alone else 1):
        return None
    return StandIn(value, int(counts[place]), least, greatest)
