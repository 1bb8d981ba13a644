"""Moments, extremes and distribution of a numeric feature, exact under any merge.

Sums and sums of squares are Python integers, in units fine enough that no value of the kind
is rounded; only the final mean and deviation are. So they depend on no order, cannot
overflow and lose nothing to cancellation. NaN is counted and otherwise left out; infinities
show in `low`, `high` and the distribution and are left out of the rest.
"""

import dataclasses
import math

import numpy as np

from millrace.components.statistics.distribution import Distribution

_MANTISSA = 24  # bits of a float32
FLOAT_SHIFT = 172  # 2**-172 divides every float32: smallest exponent by frexp -148, less 24
_LIMB = 21  # bits; three limbs hold an int64, products of limbs sum in int64 without overflow
_CHUNK = 1 << 18


@dataclasses.dataclass
class Numbers:
    """What is known of the numbers seen; `total` is in units of `2**-shift`, `squares` twice."""

    shift: int
    count: int  # NaN not among them
    nan: int
    minus_infinity: int
    plus_infinity: int
    zeros: int
    total: int
    squares: int
    least: int | float  # finite; infinity where there is no such value
    greatest: int | float
    distribution: Distribution

    @classmethod
    def of(cls, values: np.ndarray) -> "Numbers":
        """Take in `values`, int64 or float32 `[values]`."""
        integer = values.dtype.kind == "i"
        numbers = values if integer else values[~np.isnan(values)]
        finite = numbers if integer else numbers[np.isfinite(numbers)]
        total, squares = integer_moments(finite) if integer else float_moments(finite)
        return cls(
            shift=0 if integer else FLOAT_SHIFT,
            count=len(numbers),
            nan=len(values) - len(numbers),
            minus_infinity=int(np.count_nonzero(numbers == -math.inf)),
            plus_infinity=int(np.count_nonzero(numbers == math.inf)),
            zeros=len(numbers) - int(np.count_nonzero(numbers)),
            total=total,
            squares=squares,
            least=finite.min().item() if len(finite) else math.inf,
            greatest=finite.max().item() if len(finite) else -math.inf,
            distribution=Distribution.of(numbers),
        )

    def merge(self, other: "Numbers") -> "Numbers":
        """What is known of the numbers of both, which are of one kind."""
        return Numbers(
            shift=self.shift,
            count=self.count + other.count,
            nan=self.nan + other.nan,
            minus_infinity=self.minus_infinity + other.minus_infinity,
            plus_infinity=self.plus_infinity + other.plus_infinity,
            zeros=self.zeros + other.zeros,
            total=self.total + other.total,
            squares=self.squares + other.squares,
            least=min(self.least, other.least),
            greatest=max(self.greatest, other.greatest),
            distribution=self.distribution.merge(other.distribution),
        )

    @property
    def finite(self) -> int:
        """How many are neither NaN nor infinite."""
        return self.count - self.minus_infinity - self.plus_infinity

    @property
    def low(self) -> int | float:
        """The smallest value, which may be an infinity; needs one."""
        return -math.inf if self.minus_infinity else self.least

    @property
    def high(self) -> int | float:
        """The largest value, which may be an infinity; needs one."""
        return math.inf if self.plus_infinity else self.greatest

    @property
    def mean(self) -> float:
        """Of the finite values, rounded once; needs one."""
        return self.total / (self.finite << self.shift)

    @property
    def std_dev(self) -> float:
        """Population deviation of the finite values: sqrt(E[x^2] - E[x]^2); needs one."""
        numerator = self.finite * self.squares - self.total**2
        return math.sqrt(numerator / (self.finite**2 << 2 * self.shift))


def integer_moments(values: np.ndarray) -> tuple[int, int]:
    """The exact sum and sum of squares of int64 `values`."""
    total = squares = 0
    for start in range(0, len(values), _CHUNK):
        chunk = values[start : start + _CHUNK]
        mask = (1 << _LIMB) - 1
        limbs = [chunk & mask, chunk >> _LIMB & mask, chunk >> 2 * _LIMB]
        for i, left in enumerate(limbs):
            total += int(left.sum()) << i * _LIMB
            for j, right in enumerate(limbs):
                squares += int(left @ right) << (i + j) * _LIMB
    return total, squares


def float_moments(values: np.ndarray) -> tuple[int, int]:
    """The exact sum, in 2**-172, and sum of squares, in 2**-344, of finite float32 `values`."""
    fractions, exponents = np.frexp(values)
    mantissas = (fractions.astype(np.float64) * (1 << _MANTISSA)).astype(np.int64)
    total = squares = 0
    for exponent in np.unique(exponents):
        part, part_squares = integer_moments(mantissas[exponents == exponent])
        shift = int(exponent) - _MANTISSA + FLOAT_SHIFT
        total += part << shift
        squares += part_squares << 2 * shift
    return total, squares
