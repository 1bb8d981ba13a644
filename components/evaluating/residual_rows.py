"""What is kept of a regressor's answered rows: exact sums, the worst rows, and a sample."""

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping

from millrace.components.artifacts import Rejected
from millrace.components.evaluating.residuals import Residuals
from millrace.components.evaluating.scoring import Key
from millrace.components.evaluating.significance import Differences

MEAN = "mean"  # beside candidate and baseline: whose answers are the train split's mean
SAMPLED = 2000  # rows of a split that are drawn
DISTINCT = 4  # labels of a split that are counted: enough to tell whether it can judge

Labels = Mapping[float, int]


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
        paired: by split, how much further off the candidate is than the baseline, in 2**-172.
        labels: by split, how often each of the least labels came.
        mean: of the train split, what the mean predictor answers; None where it is not known.
        worst: of the candidate, the rows of each split with the largest residuals.
        sample: of the candidate, rows of each split by lot.
        rejected: rows set aside; in no sum.
    """

    sums: Mapping[Key, Residuals] = dataclasses.field(default_factory=dict)
    paired: Mapping[str, Differences] = dataclasses.field(default_factory=dict)
    labels: Mapping[str, Labels] = dataclasses.field(default_factory=dict)
    mean: float | None = None
    worst: tuple[Judged, ...] = ()
    sample: tuple[Judged, ...] = ()
    rejected: tuple[Rejected, ...] = ()


def merge_labels(parts: Iterable[Mapping[str, Labels]]) -> dict[str, Labels]:
    """The `DISTINCT` least labels of each split: what is left out of a part is not in the whole."""
    found: dict[str, dict[float, int]] = {}
    for part in parts:
        for split, labels in part.items():
            counts = found.setdefault(split, {})
            for label, count in labels.items():
                counts[label] = counts.get(label, 0) + count
    return {split: dict(sorted(counts.items())[:DISTINCT]) for split, counts in found.items()}
