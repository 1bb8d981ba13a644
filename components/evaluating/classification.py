"""Classifiers judged by the scores that they give each class."""

import dataclasses
import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from millrace.components.evaluating import classification_metrics, scoring
from millrace.components.evaluating.classification_tally import Ints, Tally, cross_entropy, tally
from millrace.components.evaluating.scoring import (
    BASELINE,
    CANDIDATE,
    MISSING,
    EvalConfig,
    Key,
    Scored,
    answers_of_all,
    slices_of,
)
from millrace.components.evaluating.significance import Differences
from millrace.components.inference.saved_model import InputRow, Predict, class_names, text


@dataclasses.dataclass(frozen=True)
class WrongAnswer:
    """A row with another answer than its truth; `loss` in nats, scores in 0 ... 1."""

    split: str
    filename: str
    position: str
    truth: str
    answer: str
    score: float
    truth_score: float
    loss: float

    @property
    def rank(self) -> tuple[float, str, str]:
        return -self.loss, self.filename, self.position


@dataclasses.dataclass(frozen=True)
class ScoredClassification(Scored):
    """What is kept of a classifier's rows: sums are `Tally`, the worst rows `WrongAnswer`.

    A difference is 1 for a row that only the candidate has right, -1 for one that only the
    baseline has.

    Attributes:
        classes: the candidate's, in the order of its scores; empty before the first row.
        baseline_classes: the baseline's own; empty without one.
    """

    classes: tuple[str, ...] = ()
    baseline_classes: tuple[str, ...] = ()

    @classmethod
    def merged_fields(cls, parts: Sequence[Self]) -> dict[str, Any]:
        return {
            "classes": next((part.classes for part in parts if part.classes), ()),
            "baseline_classes": next(
                (part.baseline_classes for part in parts if part.baseline_classes), ()
            ),
        }


def metric_names(config: EvalConfig) -> list[str]:
    """The metrics that thresholds may name."""
    return classification_metrics.names(config.top_k)


def score_batch(
    split: str, rows: Sequence[InputRow], predicts: Sequence[Predict], config: EvalConfig
) -> ScoredClassification:
    """Score rows that fit into memory together, by the candidate and perhaps a baseline."""
    rows, outputs, rejected = answers_of_all(predicts, rows)
    if not rows:
        return ScoredClassification(rejected=tuple(rejected))
    names = [class_names(each) for each in outputs]
    truth = _truth(rows, names[0], config.label)
    known = truth >= 0
    rejected += [
        row.rejected(f"class {_label(row, config.label)!r} is not one of the model's")
        for row in itertools.compress(rows, ~known)
    ]
    rows, truth = list(itertools.compress(rows, known)), truth[known]
    sums: dict[Key, Tally] = {}
    right: list[Ints] = []
    slices = slices_of(rows, config.slices)
    for model, own, each in zip((CANDIDATE, BASELINE), names, outputs, strict=False):
        if sorted(own) == sorted(names[0]) and len(rows):
            order = [own.index(name) for name in names[0]]
            scores = each["scores"][known][:, order]
            sums |= _tallies(Key(split, model), truth, scores, slices)
            right.append((scores.argmax(axis=1) == truth).astype(np.int64))
    return ScoredClassification(
        classes=names[0],
        baseline_classes=names[1] if len(names) > 1 else (),
        sums=sums,
        paired={split: Differences.of((right[0] - right[1]).tolist())} if len(right) > 1 else {},
        worst=_wrong_answers(split, rows, truth, outputs[0]["scores"][known], names[0]),
        rejected=tuple(rejected),
    )


score_shard = functools.partial(scoring.score_shard, ScoredClassification, score_batch)


def _label(row: InputRow, feature: str) -> str:
    return text(row.features.get(feature), default=MISSING)


def _truth(rows: Sequence[InputRow], classes: Sequence[str], feature: str) -> Ints:
    """The index of each row's class in `classes`, int64 [rows]; -1 where it is not there."""
    index = {name: number for number, name in enumerate(classes)}
    return np.array([index.get(_label(row, feature), -1) for row in rows], np.int64)


def _tallies(
    overall: Key,
    truth: Ints,
    scores: np.ndarray,
    slices: Mapping[tuple[str, str], list[int]],
) -> dict[Key, Tally]:
    found = {overall: tally(truth, scores)}
    for (feature, value), numbers in slices.items():
        key = Key(overall.split, overall.model, feature, value)
        found[key] = tally(truth[numbers], scores[numbers])
    return found


def _wrong_answers(
    split: str, rows: Sequence[InputRow], truth: Ints, scores: np.ndarray, classes: Sequence[str]
) -> tuple[WrongAnswer, ...]:
    answers = scores.argmax(axis=1)
    losses = cross_entropy(truth, scores)
    return tuple(
        WrongAnswer(
            split=split,
            filename=rows[number].source,
            position=rows[number].position,
            truth=classes[truth[number]],
            answer=classes[answers[number]],
            score=float(scores[number, answers[number]]),
            truth_score=float(scores[number, truth[number]]),
            loss=float(losses[number]),
        )
        for number in np.flatnonzero(answers != truth).tolist()
    )
