"""Large values whose changes are small: what float32 keeps of them, and a base that keeps more.

A `tf.Example` and a network know float32 only, whose numbers lie 512 apart at 7e9. Where that is
coarse beside a column's own changes, records hold the values less a `base`, a round float64 number
in their middle, and whoever shows, judges or serves values adds it again, in float64. Of a feature
`x` the record then has `x/base` too: float64, little-endian, one per channel. No TensorFlow.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from millrace.serving.example import Decoded

Floats = NDArray[np.float64]

_COARSE = 0.01  # of a usual change: from here on float32's spacing matters
_GAIN = 4  # times finer that the spacing must get for a base to be worth it
_NOISE = 32  # spacings of float64: fractions that change by less are rounding errors of sums


def spacing(values: Floats) -> float:
    """How far apart float32's numbers are at the largest of `values`, at least one of them finite.

    Args:
        values: any shape, NaN where missing.
    """
    return float(np.spacing(np.float32(np.nanmax(np.abs(values)))))


def is_coarse(values: Floats, changes: Floats) -> bool:
    """Whether float32 would round a usual change of `values` noticeably.

    Args:
        values: finite or NaN.
        changes: those of interest, such as the steps from row to row; the usual one is the median
            of those that are not 0.
    """
    known = np.abs(changes[np.isfinite(changes) & (changes != 0)])
    if not known.size:
        return False
    usual, largest = float(np.median(known)), float(np.nanmax(np.abs(values)))
    is_whole = bool(np.array_equal(values, np.rint(values), equal_nan=True))
    is_real = is_whole or usual > _NOISE * np.spacing(largest)
    return is_real and spacing(values) > _COARSE * usual


def base_of(values: Floats, changes: Floats) -> float:
    """A round number in the middle of `values`, so that they less it fit float32; 0 for none.

    Args:
        values: see `is_coarse`.
        changes: alike.
    """
    if not is_coarse(values, changes):
        return 0.0
    reach = float(np.nanmax(values) - np.nanmin(values))
    base = rounded(float(np.nanmedian(values)), reach)
    return base if spacing(values - base) * _GAIN <= spacing(values) else 0.0


def rounded(middle: float, reach: float) -> float:
    """`middle` to the power of ten just below `reach`, that of the values around it."""
    return round(middle, -math.floor(math.log10(reach)))


def is_flat(low: float, high: float, deviation: float, share: float) -> bool:
    """Whether float32's spacing is more than `share` of the deviation of numbers so large.

    Numbers that float32 has made equal are, where whole numbers are beyond it.
    """
    apart = spacing(np.array([low, high]))
    return apart > share * deviation if deviation else apart > 1


def feature(name: str) -> str:
    """The feature that holds the base of the feature `name`."""
    return f"{name}/base"


def encoded(bases: Sequence[float]) -> bytes:
    """Bases, one per channel, as a record holds them."""
    return np.array(bases, "<f8").tobytes()


def base_in(row: Decoded, name: str) -> Floats:
    """The base of a record's feature `name`, float64 [channels]; [1], 0 where it has none."""
    found: Any = row.get(feature(name))
    return np.frombuffer(found[0], "<f8") if found else np.zeros(1)
