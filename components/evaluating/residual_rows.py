"""What is kept of a regressor's answered rows: exact sums, the worst rows, and a sample."""

import dataclasses
import hashlib
from collections.abc import Mapping

from components.artifacts import Rejected
from components.evaluating.residuals import Residuals
from components.scoring import Key

MEAN = "mean"  # beside candidate and baseline: whose answers are the train split's mean
SAMPLED = 2000  # rows of a split that are drawn


@dataclasses.dataclass(frozen=True)
class Judged:
    """One answered row; the numbers are in the label's unit."""

    split: str
    filename: str
    position: str
    truth: float
    prediction: float

    @property
    def residual(self) -> float:
        """Prediction less truth."""
        return self.prediction - self.truth

    @property
    def badness(self) -> tuple[float, str, str]:
        """Sorts the worst first, and equals always alike."""
        return -abs(self.residual), self.filename, self.position

    @property
    def lot(self) -> tuple[bytes, str]:
        """Sorts by chance, but always alike: the first ones are a sample."""
        return hashlib.blake2b(self.position.encode(), digest_size=8).digest(), self.position


@dataclasses.dataclass(frozen=True)
class Scored:
    """All that is kept of scored rows.

    Attributes:
        sums: of candidate, baseline and the mean, overall; of the first two by slice as well.
        mean: of the train split, what the mean predictor answers; None where it is not known.
        worst: of the candidate, the rows of each split with the largest residuals.
        sample: of the candidate, rows of each split by lot.
        rejected: rows set aside; in no sum.
    """

    sums: Mapping[Key, Residuals] = dataclasses.field(default_factory=dict)
    mean: float | None = None
    worst: tuple[Judged, ...] = ()
    sample: tuple[Judged, ...] = ()
    rejected: tuple[Rejected, ...] = ()
