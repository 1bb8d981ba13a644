"""Regressors judged: each row's prediction held against its number, and against the mean.

The mean of the train split, predicted for the same rows, is what a useful model is better than.
"""

import heapq
import itertools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from etils.epath import Path

from millrace.components.errors import ModelError
from millrace.components.evaluating import regression_files, significance
from millrace.components.evaluating.residual_rows import (
    DISTINCT,
    MEAN,
    SAMPLED,
    Judged,
    Labels,
    Scored,
    merge_labels,
)
from millrace.components.evaluating.residuals import NAMES, Floats, Residuals, further_off
from millrace.components.evaluating.scoring import (
    BASELINE,
    CANDIDATE,
    Key,
    Questions,
    ask_all,
    refuse_many_slices,
    slices_of,
)
from millrace.components.inference.saved_model import (
    Models,
    Outputs,
    Predict,
    Row,
    ahead,
    batched,
    predictor,
    read_rows,
)

_OUTPUT = "prediction"


def names() -> list[str]:
    """The metrics that thresholds may name."""
    return list(NAMES)


def score_shard(shard: tuple[str, str], models: Models, questions: Questions) -> Scored:
    """Score the records of one file.

    Args:
        shard: the split's name, and the file's path.
        models: the candidate, and the baseline if there is one.
        questions: what is asked.
    """
    split, file = shard
    predicts = [predictor(model) for model in models.load()]
    batches = batched(read_rows(Path(file)), questions.batch_size)

    def score(batch: list[Row]) -> Scored:
        return score_batch(split, batch, predicts, questions)

    return merge(ahead(score, batches), questions.mistakes)


def merge(parts: Iterable[Scored], mistakes: int) -> Scored:
    """The same as if all the parts' rows had been one part; keeps `mistakes` of each split.

    Raises:
        OptionError: a feature has too many values to slice by.
    """
    known = list(parts)
    sums: dict[Key, Residuals] = {}
    for part in known:
        for key, residuals in part.sums.items():
            sums[key] = sums.get(key, Residuals()) + residuals
    refuse_many_slices(sums)
    rejected = [item for part in known for item in part.rejected]
    return Scored(
        sums=sums,
        paired=significance.merge(part.paired for part in known),
        labels=merge_labels(part.labels for part in known),
        mean=next((part.mean for part in known if part.mean is not None), None),
        worst=_least(known, "worst", "badness", mistakes),
        sample=_least(known, "sample", "lot", SAMPLED),
        rejected=tuple(sorted(rejected, key=lambda item: (item.source, item.position))),
    )


write = regression_files.write


def score_batch(
    split: str, rows: Sequence[Row], predicts: Sequence[Predict], questions: Questions
) -> Scored:
    """Score rows that fit into memory together, by the candidate and perhaps a baseline."""
    rows, outputs, rejected = ask_all(predicts, rows)
    truth = np.array([_truth(row, questions.label) for row in rows], np.float32)
    known = np.isfinite(truth)
    rejected += [
        row.rejected(f"no number {questions.label!r}") for row in itertools.compress(rows, ~known)
    ]
    rows, truth = list(itertools.compress(rows, known)), truth[known]
    mean = questions.settings.get("target_mean")
    if not rows:
        return Scored(mean=mean, rejected=tuple(rejected))
    predictions = {CANDIDATE: _predicted(outputs[0])[known]}
    if len(outputs) > 1 and _OUTPUT in outputs[1]:
        predictions[BASELINE] = _predicted(outputs[1])[known]
    if mean is not None:
        predictions[MEAN] = np.full(len(rows), mean, np.float32)
    slices = slices_of(rows, questions.slices)
    judged = _judged(split, rows, truth, predictions[CANDIDATE])
    paired = {}
    if BASELINE in predictions:
        paired[split] = further_off(truth, predictions[CANDIDATE], predictions[BASELINE])
    return Scored(
        sums=_sums(split, truth, predictions, slices),
        paired=paired,
        labels={split: _least_labels(truth)},
        mean=mean,
        worst=judged,
        sample=judged,
        rejected=tuple(rejected),
    )


def _truth(row: Row, label: str) -> float:
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


def _judged(
    split: str, rows: Sequence[Row], truth: Floats, prediction: Floats
) -> tuple[Judged, ...]:
    return tuple(
        Judged(split, row.source, row.position, *numbers)
        for row, *numbers in zip(rows, truth.tolist(), prediction.tolist(), strict=True)
    )


def _least(parts: Sequence[Scored], field: str, key: str, number: int) -> tuple[Judged, ...]:
    """The `number` rows of each split that come first by `key`, by split and in that order."""
    every: list[Judged] = [row for part in parts for row in getattr(part, field)]
    splits = sorted({row.split for row in every})
    return tuple(
        row
        for split in splits
        for row in heapq.nsmallest(
            number, (each for each in every if each.split == split), lambda row: getattr(row, key)
        )
    )
