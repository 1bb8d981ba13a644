"""Regressors judged by how far their predictions are off, beside the train split's mean."""

import dataclasses
import functools
import hashlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np

from millrace.components.errors import ModelError
from millrace.components.evaluating import regression_metrics, scoring
from millrace.components.evaluating.regression_metrics import Floats, Residuals, further_off
from millrace.components.evaluating.scoring import (
    BASELINE,
    CANDIDATE,
    EvalConfig,
    Key,
    Scored,
    answers_of_all,
    first_of_each_split,
    slices_of,
)
from millrace.components.inference.saved_model import InputRow, Outputs, Predict

MEAN = "mean"  # beside candidate and baseline: whose answers are the train split's mean
SAMPLED = 2000  # rows of a split that are drawn
DISTINCT = 4  # labels of a split that are counted: enough to tell whether it can judge
_OUTPUT = "prediction"

Labels = Mapping[float, int]


@dataclasses.dataclass(frozen=True)
class PredictedRow:
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
    def rank(self) -> tuple[float, str, str]:
        return -abs(self.residual), self.filename, self.position

    @property
    def lot(self) -> tuple[bytes, str]:
        """Sorts by chance, but always alike: the first ones are a sample."""
        return hashlib.blake2b(self.position.encode(), digest_size=8).digest(), self.position


@dataclasses.dataclass(frozen=True)
class ScoredRegression(Scored):
    """What is kept of a regressor's rows: sums are `Residuals`, the worst rows `PredictedRow`.

    The sums are also of the train split's mean, overall; a difference is how much further off
    the candidate is than the baseline, in 2**-172.

    Attributes:
        labels: by split, how often each of the `DISTINCT` least labels came.
        sample: of the candidate, rows of each split by lot.
    """

    labels: Mapping[str, Labels] = dataclasses.field(default_factory=dict)
    sample: tuple[PredictedRow, ...] = ()

    @classmethod
    def merged_fields(cls, parts: Sequence[Self]) -> dict[str, Any]:
        rows = (row for part in parts for row in part.sample)
        return {
            "labels": _merged_labels(part.labels for part in parts),
            "sample": first_of_each_split(rows, SAMPLED, "lot"),
        }


def _merged_labels(parts: Iterable[Mapping[str, Labels]]) -> dict[str, Labels]:
    """The least labels of each split: what is left out of a part is not in the whole."""
    found: dict[str, dict[float, int]] = {}
    for part in parts:
        for split, labels in part.items():
            counts = found.setdefault(split, {})
            for label, count in labels.items():
                counts[label] = counts.get(label, 0) + count
    return {split: dict(sorted(counts.items())[:DISTINCT]) for split, counts in found.items()}


def metric_names(config: EvalConfig) -> list[str]:
    """The metrics that thresholds may name."""
    return list(regression_metrics.NAMES)


def score_batch(
    split: str, rows: Sequence[InputRow], predicts: Sequence[Predict], config: EvalConfig
) -> ScoredRegression:
    """Score rows that fit into memory together, by the candidate and perhaps a baseline."""
    rows, outputs, rejected = answers_of_all(predicts, rows)
    truth = np.array([_truth(row, config.label) for row in rows], np.float32)
    known = np.isfinite(truth)
    rejected += [
        row.rejected(f"no number {config.label!r}") for row in itertools.compress(rows, ~known)
    ]
    rows, truth = list(itertools.compress(rows, known)), truth[known]
    if not rows:
        return ScoredRegression(rejected=tuple(rejected))
    predictions = {CANDIDATE: _predicted(outputs[0])[known]}
    if len(outputs) > 1 and _OUTPUT in outputs[1]:
        predictions[BASELINE] = _predicted(outputs[1])[known]
    mean = config.model.get("target_mean")
    if mean is not None:
        predictions[MEAN] = np.full(len(rows), mean, np.float32)
    predicted = tuple(
        PredictedRow(split, row.source, row.position, *numbers)
        for row, *numbers in zip(rows, truth.tolist(), predictions[CANDIDATE].tolist(), strict=True)
    )
    paired = {}
    if BASELINE in predictions:
        paired[split] = further_off(truth, predictions[CANDIDATE], predictions[BASELINE])
    return ScoredRegression(
        sums=_sums(split, truth, predictions, slices_of(rows, config.slices)),
        paired=paired,
        labels={split: _least_labels(truth)},
        worst=predicted,
        sample=predicted,
        rejected=tuple(rejected),
    )


score_shard = functools.partial(scoring.score_shard, ScoredRegression, score_batch)


def _truth(row: InputRow, label: str) -> float:
    value = row.features.get(label)
    is_number = isinstance(value, np.ndarray) and len(value) == 1
    return float(value[0]) if is_number and value is not None else np.nan


def _least_labels(truth: Floats) -> Labels:
    labels, counts = np.unique(truth, return_counts=True)
    return dict(zip(labels[:DISTINCT].tolist(), counts[:DISTINCT].tolist(), strict=True))


def _predicted(outputs: Outputs) -> Floats:
    found = outputs.get(_OUTPUT)
    if found is None or found.ndim != 1 or found.dtype.kind != "f":
        shapes = {name: list(array.shape) for name, array in outputs.items()}
        raise ModelError(
            f"Model's signature 'serving_default': expected an output `{_OUTPUT}` of numbers "
            f"[batch]. Received: {shapes}. Export the regressor with `export`."
        )
    return found.astype(np.float32)


def _sums(
    split: str,
    truth: Floats,
    predictions: Mapping[str, Floats],
    slices: Mapping[tuple[str, str], list[int]],
) -> dict[Key, Residuals]:
    found = {}
    for model, prediction in predictions.items():
        found[Key(split, model)] = Residuals.of(truth, prediction)
        if model == MEAN:
            continue
        for (feature, value), numbers in slices.items():
            key = Key(split, model, feature, value)
            found[key] = Residuals.of(truth[numbers], prediction[numbers])
    return found
