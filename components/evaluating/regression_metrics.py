"""How far predictions are from the truth, summed in whole numbers: exact under any merge.

Errors are rounded to float32 once; their sums and those of their squares are Python integers
(`statistics.numbers`), so the figures depend on no order and no partition of the rows.
"""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from millrace.components.evaluating.significance import Differences
from millrace.components.statistics.numbers import FLOAT_SHIFT, float_moments

Floats = NDArray[np.float32]

NAMES = ("mae", "mse", "rmse", "r2")


@dataclasses.dataclass(frozen=True)
class Residuals:
    """Of `count` rows; sums are in units of 2**-172, those of squares in 2**-344.

    Attributes:
        absolute, squares: of prediction less truth, absolute and squared.
        truth, truth_squares: of the truth itself.
    """

    count: int = 0
    absolute: int = 0
    squares: int = 0
    truth: int = 0
    truth_squares: int = 0

    @classmethod
    def of(cls, truth: Floats, prediction: Floats) -> "Residuals":
        """Of rows float32 [rows], all finite."""
        absolute, squares = float_moments(_absolute(truth, prediction))
        return cls(len(truth), absolute, squares, *float_moments(truth))

    def __add__(self, other: "Residuals") -> "Residuals":
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        return Residuals(*(one + two for one, two in pairs))


def further_off(truth: Floats, prediction: Floats, other: Floats) -> Differences:
    """How much the absolute errors of `prediction` are above those of `other`, in 2**-172."""
    own, others = (_absolute(truth, each).astype(np.float64) for each in (prediction, other))
    limit = np.finfo(np.float32).max
    return Differences(
        len(truth), *float_moments((own - others).clip(-limit, limit).astype(np.float32))
    )


def _absolute(truth: Floats, prediction: Floats) -> Floats:
    """Absolute errors, float32 [rows], none infinite."""
    with np.errstate(over="ignore"):
        errors = (prediction.astype(np.float64) - truth).astype(np.float32)
    return np.abs(errors).clip(0, np.finfo(np.float32).max)


def figures(residuals: Residuals) -> dict[str, float]:
    """The metrics of one row or more.

    `mae` and `rmse` in the label's unit, `mse` in its square; `r2` = 1 - sum of squared errors /
    sum of squared deviations of the truth from its mean, left out where the truth is constant.
    """
    count, squares = residuals.count, residuals.squares
    mse = squares / (count << 2 * FLOAT_SHIFT)
    found = {
        "mae": residuals.absolute / (count << FLOAT_SHIFT),
        "mse": mse,
        "rmse": float(np.sqrt(mse)),
    }
    deviations = count * residuals.truth_squares - residuals.truth**2  # times count
    return found | ({"r2": 1 - count * squares / deviations} if deviations else {})
