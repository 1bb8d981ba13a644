"""The arithmetic of charts: which values can be drawn, ranges, ticks, pixels, and texts that fit.

Plain Python: a notebook and every page of a run are drawn with it.
"""

import dataclasses
import math
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TypeGuard

Number = float | None  # None and NaN are gaps
Point = tuple[float, float]  # pixels, from the left and from the top

_HUGE = 1e300  # from here on a number is not drawn: differences of two would be infinite
_ALIKE = 1e-9  # a range smaller than this share of its values is taken for one value
_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_SCIENTIFIC = 1e15
_STEPS = (1, 2, 5, 10)


def is_known(value: Number) -> TypeGuard[float]:
    """Whether a value can be drawn."""
    return value is not None and abs(value) < _HUGE  # NaN is not


@dataclasses.dataclass(frozen=True)
class Axis:
    """Where values lie.

    Attributes:
        low, high: what `start` and `end` stand for, of a logarithmic axis as powers of ten.
        start, end: pixels.
        ticks: values with their texts, from low to high.
        is_log: whether equal distances are equal ratios.
    """

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[tuple[float, str], ...]
    is_log: bool = False

    def at(self, value: float) -> float:
        """Its pixel, never outside the axis."""
        position = math.log10(value) if self.is_log else value
        share = (position - self.low) / (self.high - self.low)
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)

    def has(self, value: Number) -> TypeGuard[float]:
        """Whether it can be drawn here."""
        return is_known(value) and (value > 1 / _HUGE or not self.is_log)


def axis(
    values: Iterable[Number],
    start: float,
    end: float,
    *,
    most: int = 5,
    tight: bool = False,
) -> Axis:
    """An axis for all `values`, from the first tick to the last.

    Args:
        values: gaps among them are passed over; without any other, from 0 to 1.
        start: the pixel of the lowest.
        end: that of the highest.
        most: ticks, roughly.
        tight: whether it begins and ends with the values instead of with ticks.
    """
    known = [value for value in values if is_known(value)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    if high - low <= _ALIKE * max(abs(low), abs(high)) or high - low < 1 / _HUGE:
        around = abs(low) / 10 or 1.0
        low, high = low - around, high + around
    step = _step((high - low) / max(1, most))
    if all(value == int(value) for value in known):
        step = max(1.0, step)
    first, last = math.floor(low / step), math.ceil(high / step)
    if tight:
        first, last = math.ceil(low / step), math.floor(high / step)
    marks = [number * step for number in range(first, last + 1)]
    if not tight:
        low, high = min(low, marks[0]), max(high, marks[-1])
    return Axis(low, high, start, end, tuple(zip(marks, texts(marks, step), strict=True)))


def log_axis(values: Iterable[Number], start: float, end: float, *, most: int = 6) -> Axis:
    """A logarithmic axis for the `values` above 0; ticks are powers of ten."""
    known = [math.log10(value) for value in values if is_known(value) and value > 1 / _HUGE]
    low, high = (math.floor(min(known)), math.ceil(max(known))) if known else (0, 1)
    high = max(high, low + 1)
    stride = -(-(high - low) // max(1, most))
    ticks = tuple((10.0**power, f"{10.0**power:g}") for power in range(low, high + 1, stride))
    return Axis(low, high, start, end, ticks, is_log=True)


def _step(least: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in _STEPS if factor * power >= least * (1 - 1e-9))


def texts(marks: Sequence[float], step: float) -> list[str]:
    """Tick texts with as many digits as tell them apart: 0.25, 1500, 20k, 1.5M."""
    highest = max(map(abs, marks), default=0.0)
    if highest >= _SCIENTIFIC or step < 1e-6:
        digits = max(1, math.ceil(math.log10(highest / step)) + 1) if highest else 1
        return [f"{mark:.{digits}g}" for mark in marks]
    scale, unit = 1.0, ""
    if highest >= 10_000:
        scale, unit = next(
            ((scale, unit) for scale, unit in _UNITS if highest >= scale and step >= scale / 100),
            (1.0, ""),
        )
    places = max(0, -math.floor(math.log10(step / scale) + 1e-9))
    return [f"{mark / scale:.{places}f}{unit if mark else ''}" for mark in marks]


def thinned(points: Sequence[Point]) -> list[Point]:
    """At most four points for each pixel across: the first, the lowest, the highest, the last.

    So no extreme is lost. `points` lie in their order from left to right.
    """
    kept: list[Point] = []
    column: list[Point] = []
    for point in points:
        if column and int(point[0]) != int(column[0][0]):
            kept += _ends(column)
            column = []
        column.append(point)
    return kept + _ends(column)


def _ends(column: Sequence[Point]) -> list[Point]:
    if len(column) <= 4:
        return list(column)
    numbers = range(len(column))
    lowest = min(numbers, key=lambda number: column[number][1])
    highest = max(numbers, key=lambda number: column[number][1])
    return [column[number] for number in sorted({0, lowest, highest, numbers[-1]})]


def runs(points: Iterable[Point | None]) -> list[list[Point]]:
    """The points between gaps."""
    found: list[list[Point]] = [[]]
    for point in points:
        if point is None:
            found.append([])
        else:
            found[-1].append(point)
    return [run for run in found if run]


def width_of(text: str, size: float) -> float:
    """Roughly the pixels that `text` takes in letters of `size` pixels, rather too many."""
    return size * sum(map(_share, text))


def _share(letter: str) -> float:
    if letter in "iljtfr.,:;|'!()[] ":
        return 0.4
    if unicodedata.east_asian_width(letter) in "WF" or letter in "MW@%mw":
        return 1.05
    return 0.7 if letter.isupper() else 0.62


def clean(text: object) -> str:
    """`text` on one line, without letters that are none: controls, halves of others.

    Marks that turn the direction are left out too: they would turn what stands beside it.
    """
    whole = " ".join(str(text).split())
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(letter) in ("Cc", "Cs") else letter
        for letter in whole
        if unicodedata.category(letter) != "Cf" or letter == "\N{ZERO WIDTH JOINER}"
    )


def fitted(text: object, pixels: float, size: float) -> str:
    """`text`, cleaned, and cut where it would not fit into so many pixels."""
    whole = clean(text)
    if width_of(whole, size) <= pixels:
        return whole
    left = pixels - width_of("…", size)
    kept = ""
    for letter in whole:
        left -= width_of(letter, size)
        if left < 0:
            break
        kept += letter
    return kept + "…"
