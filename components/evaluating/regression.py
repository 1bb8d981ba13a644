"""Regressors judged by how far their predictions are off, beside the train split's mean."""

import dataclasses
import functools
import hashlib
import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import pyarrow as pa

from millrace.components.errors import ModelError
from millrace.components.evaluating import regression_metrics, scoring
from millrace.components.evaluating.coverage import Coverage, ends
from millrace.components.evaluating.regression_metrics import Floats, Residuals, further_off
from millrace.components.evaluating.scoring import (
    BASELINE,
    CANDIDATE,
    EvalConfig,
    Key,
    Scored,
    Slices,
    added,
    answers_of_all,
    first_of_each_split,
    largest,
    slices_of,
)
from millrace.components.files import columns
from millrace.components.inference.rows import Rows
from millrace.components.inference.saved_model import Outputs, Predict

MEAN = "mean"  # beside candidate and baseline: whose answers are the train split's mean
SAMPLED = 2000  # rows of a split that are drawn
DISTINCT = 4  # labels of a split that are counted: enough to tell whether it can judge
_OUTPUT = "prediction"

Labels = Mapping[float, int]
Within = Mapping[int, Sequence[tuple[str, str]]]  # of a row, its slices
NOWHERE: Within = {}


@dataclasses.dataclass(frozen=True)
class PredictedRow:
    """One answered row; the numbers are in the label's unit.

    Attributes:
        slices: of a row that was drawn by lot, the features and values whose slices it is in.
    """

    split: str
    filename: str
    position: str
    truth: float
    prediction: float
    slices: tuple[tuple[str, str], ...] = ()

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
        return _lot(self.position)


@dataclasses.dataclass(frozen=True)
class ScoredRegression(Scored):
    """What is kept of a regressor's rows: sums are `Residuals`, the worst rows `PredictedRow`.

    The sums are also of the train split's mean, overall; a difference is how much further off
    the candidate is than the baseline, in 2**-172.

    Attributes:
        labels: by split, how often each of the `DISTINCT` least labels came.
        sample: of the candidate, rows of each split by lot.
        coverage: by split, of the candidate's intervals, where it has some.
    """

    labels: Mapping[str, Labels] = dataclasses.field(default_factory=dict)
    sample: tuple[PredictedRow, ...] = ()
    coverage: Mapping[str, Coverage] = dataclasses.field(default_factory=dict)

    @classmethod
    def merged_fields(cls, parts: Sequence[Self]) -> dict[str, Any]:
        rows = (row for part in parts for row in part.sample)
        return {
            "labels": _merged_labels(part.labels for part in parts),
            "sample": first_of_each_split(rows, SAMPLED, "lot"),
            "coverage": added(part.coverage for part in parts),
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
    split: str, rows: Rows, predicts: Sequence[Predict], config: EvalConfig
) -> ScoredRegression:
    """Score rows that fit into memory together, by the candidate and perhaps a baseline."""
    rows, outputs, rejected = answers_of_all(predicts, rows, config.batch_size)
    truth = _truth(rows, config.label)
    known = np.isfinite(truth)
    rejected += [
        rows.rejected(row, f"no number {config.label!r}") for row in np.flatnonzero(~known).tolist()
    ]
    rows, truth = rows.where(known), truth[known]
    if not len(rows):
        return ScoredRegression(rejected=tuple(rejected))
    predictions = {CANDIDATE: _predicted(outputs[0])[known]}
    if len(outputs) > 1 and _OUTPUT in outputs[1]:
        predictions[BASELINE] = _predicted(outputs[1])[known]
    mean = config.model.get("target_mean")
    if mean is not None:
        predictions[MEAN] = np.full(len(rows), mean, np.float32)
    paired = {}
    if BASELINE in predictions:
        paired[split] = further_off(truth, predictions[CANDIDATE], predictions[BASELINE])
    around = ends(outputs[0], _OUTPUT)
    covered = {} if around is None else {split: Coverage.of(truth, *(e[known] for e in around))}
    off = np.abs(predictions[CANDIDATE].astype(np.float64) - truth)
    lots = [(_lot(position), row) for row, position in enumerate(rows.positions.tolist())]
    drawn = [row for _, row in heapq.nsmallest(SAMPLED, lots)]

    slices = slices_of(rows, config.slices)
    lies_in: dict[int, list[tuple[str, str]]] = {row: [] for row in drawn}
    for name, places in slices.items():
        for row in np.intersect1d(places, drawn).tolist():
            lies_in[row].append(name)

    def predicted(places: Iterable[int], within: Within = NOWHERE) -> tuple[PredictedRow, ...]:
        return tuple(
            PredictedRow(
                split,
                rows.sources[row],
                rows.positions[row],
                float(truth[row]),
                float(predictions[CANDIDATE][row]),
                tuple(within.get(row, ())),
            )
            for row in places
        )

    return ScoredRegression(
        sums=_sums(split, truth, predictions, slices),
        paired=paired,
        labels={split: _least_labels(truth)},
        worst=predicted(largest(off, config.mistakes).tolist()),
        sample=predicted(drawn, lies_in),
        coverage=covered,
        rejected=tuple(rejected),
    )


score_shard = functools.partial(scoring.score_shard, ScoredRegression, score_batch)


def _lot(position: str) -> tuple[bytes, str]:
    return hashlib.blake2b(position.encode(), digest_size=8).digest(), position


def _truth(rows: Rows, label: str) -> Floats:
    """The label of each row, float32 [rows]; NaN where it is not one number."""
    truth = np.full(len(rows), np.nan, np.float32)
    if label in rows.features.schema.names:
        flat, lengths = columns.values(rows.features.column(label))
        if not pa.types.is_binary(flat.type):
            numbers = flat.to_numpy()[np.repeat(lengths, lengths) == 1]
            truth[lengths == 1] = numbers.astype(np.float64)
    return truth


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
    slices: Slices,
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
