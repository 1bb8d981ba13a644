"""How many truths are within a model's intervals, and how wide these are; summed exactly."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from millrace.components.display import numbers
from millrace.components.evaluating import intervals
from millrace.components.models.certainty import LEVELS
from millrace.components.statistics.numbers import FLOAT_SHIFT, float_moments


@dataclasses.dataclass(frozen=True)
class Coverage:
    """Of numbers whose truth is known.

    Attributes:
        count: how many.
        inside: at each of `LEVELS`, how many truths are within the interval.
        widths: likewise the widths, in units of 2**-172.
    """

    count: int = 0
    inside: tuple[int, ...] = (0,) * len(LEVELS)
    widths: tuple[int, ...] = (0,) * len(LEVELS)

    @classmethod
    def of(
        cls,
        truth: NDArray[np.floating],
        lower: NDArray[np.floating],
        upper: NDArray[np.floating],
    ) -> Self:
        """Of truths [...], NaN where one is not known, and ends [..., levels]."""
        known = np.isfinite(truth)
        truth, lower, upper = truth[known][:, None], lower[known], upper[known]
        inside = ((lower <= truth) & (truth <= upper)).sum(axis=0)
        widths = (float_moments(each.astype(np.float32))[0] for each in (upper - lower).T)
        return cls(len(truth), tuple(inside.tolist()), tuple(widths))

    def __add__(self, other: "Coverage") -> "Coverage":
        return Coverage(
            self.count + other.count,
            tuple(map(sum, zip(self.inside, other.inside, strict=True))),
            tuple(map(sum, zip(self.widths, other.widths, strict=True))),
        )

    def described(self, calibrated_on: str, split: str) -> dict[str, Any]:
        """As `metrics.json` has it.

        Args:
            calibrated_on: the split that the intervals were measured on.
            split: that of these numbers.
        """
        levels = [
            {
                "level": level,
                "coverage": inside / self.count,
                "interval": intervals.wilson(inside, self.count),
                "width": width / (self.count << FLOAT_SHIFT),
            }
            for level, inside, width in zip(LEVELS, self.inside, self.widths, strict=True)
        ]
        where = {"calibrated_on": calibrated_on, "split": split}
        return {"count": self.count, **where, "levels": levels}


def ends(
    outputs: Mapping[str, NDArray[np.floating]], name: str
) -> tuple[NDArray[np.floating], NDArray[np.floating]] | None:
    """The lower and upper ends around the output `name`; None of a model without intervals."""
    lower, upper = outputs.get(f"{name}_lower"), outputs.get(f"{name}_upper")
    if lower is None or upper is None or lower.shape != (*outputs[name].shape, len(LEVELS)):
        return None
    return lower, upper


def said(described: Mapping[str, Any]) -> str:
    """A line on what `Coverage.described` gave."""
    parts = [
        f"{each['level']:.0%} intervals hold {each['coverage']:.1%}, "
        f"{numbers.short(each['width'], 4)} wide on average"
        for each in described["levels"]
    ]
    own = described["calibrated_on"] == described["split"]
    return "; ".join(parts) + ("; they were measured on this very split" if own else "")
