"""Classifiers judged by the scores that they give each class."""

import dataclasses
import functools
import heapq
from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from millrace.components.evaluating import classification_metrics, scoring
from millrace.components.evaluating.classification_tally import Ints, Tally, cross_entropy, tallies
from millrace.components.evaluating.scoring import (
    BASELINE,
    CANDIDATE,
    MISSING,
    EvalConfig,
    Key,
    Scored,
    Slices,
    answers_of_all,
    largest,
    slices_of,
)
from millrace.components.evaluating.significance import Differences
from millrace.components.inference.rows import Rows
from millrace.components.inference.saved_model import (
    Outputs,
    Predict,
    class_names,
    in_one_order,
)

CELL = 12  # rows of a cell of the confusion matrix that are kept


@dataclasses.dataclass(frozen=True)
class AnsweredRow:
    """A row, its truth and its answer; `loss` in nats, scores in 0 ... 1."""

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
    """What is kept of a classifier's rows: sums are `Tally`, the worst rows `AnsweredRow`.

    A difference is 1 for a row that only the candidate has right, -1 for one that only the
    baseline has.

    Attributes:
        classes: the candidate's, in the order of its scores; empty before the first row.
        baseline_classes: the baseline's own; empty without one.
        cells: of each split and cell of the confusion matrix the `CELL` rows of the highest loss.
    """

    classes: tuple[str, ...] = ()
    baseline_classes: tuple[str, ...] = ()
    cells: tuple[AnsweredRow, ...] = ()

    @classmethod
    def merged_fields(cls, parts: Sequence[Self]) -> dict[str, Any]:
        return {
            "classes": next((part.classes for part in parts if part.classes), ()),
            "baseline_classes": next(
                (part.baseline_classes for part in parts if part.baseline_classes), ()
            ),
            "cells": _worst_of_cells(row for part in parts for row in part.cells),
        }


def metric_names(config: EvalConfig) -> list[str]:
    """The metrics that thresholds may name."""
    return classification_metrics.names(config.top_k)


def score_batch(
    split: str, rows: Rows, predicts: Sequence[Predict], config: EvalConfig
) -> ScoredClassification:
    """Score rows that fit into memory together, by the candidate and perhaps a baseline."""
    named = [functools.partial(_with_names, predict) for predict in predicts]
    rows, outputs, rejected = answers_of_all(named, rows, config.batch_size)
    if not len(rows):
        return ScoredClassification(rejected=tuple(rejected))
    names = [in_one_order(each["classes"]) for each in outputs]
    truth, labels = _truth(rows, names[0], config.label)
    known = truth >= 0
    rejected += [
        rows.rejected(row, f"class {labels[row]!r} is not one of the model's")
        for row in np.flatnonzero(~known).tolist()
    ]
    rows, truth = rows.where(known), truth[known]
    sums: dict[Key, Tally] = {}
    right: list[Ints] = []
    slices = slices_of(rows, config.slices)
    for model, own, each in zip((CANDIDATE, BASELINE), names, outputs, strict=False):
        if sorted(own) == sorted(names[0]) and len(rows):
            order = [own.index(name) for name in names[0]]
            scores = each["scores"][known][:, order]
            answers = _answers(each, scores, known, names[0])
            sums |= _tallies(Key(split, model), truth, scores, answers, slices)
            right.append((answers == truth).astype(np.int64))
    scores = outputs[0]["scores"][known]
    answers = _answers(outputs[0], scores, known, names[0])
    losses = cross_entropy(truth, scores)
    wrong = np.flatnonzero(answers != truth)
    wrong = wrong[largest(losses[wrong], config.mistakes)]
    listed = _of_cells(rows, truth * len(names[0]) + answers, losses, min(CELL, config.mistakes))
    return ScoredClassification(
        classes=names[0],
        baseline_classes=names[1] if len(names) > 1 else (),
        sums=sums,
        paired={split: Differences.of((right[0] - right[1]).tolist())} if len(right) > 1 else {},
        worst=_answered(split, rows, truth, scores, answers, names[0], wrong),
        cells=_answered(split, rows, truth, scores, answers, names[0], listed),
        rejected=tuple(rejected),
    )


score_shard = functools.partial(scoring.score_shard, ScoredClassification, score_batch)


def _with_names(predict: Predict, rows: Rows) -> Outputs:
    """A classifier's answers, the names of its classes as one tuple for each row."""
    outputs = predict(rows)
    names = np.empty(len(rows), object)
    names[:] = [class_names(outputs)] * len(rows)
    return {**outputs, "classes": names}


def _truth(rows: Rows, classes: Sequence[str], feature: str) -> tuple[Ints, NDArray[np.object_]]:
    """Of each row the index of its class in `classes`, -1 where it is not there, and its label."""
    index = {name: number for number, name in enumerate(classes)}
    numbers, labels = rows.texts(feature, default=MISSING)
    truth = np.array([index.get(label, -1) for label in labels], np.int64)
    return truth[numbers], np.array(labels, object)[numbers]


def _answers(
    outputs: Outputs, scores: np.ndarray, known: np.ndarray, classes: Sequence[str]
) -> Ints:
    """The answer to each of the rows `known`, an index of `classes`.

    It is the signature's own, which may go by a threshold; that of the highest of `scores`
    [rows, classes] where it gives none.
    """
    given = outputs.get("class")
    if given is None:
        return np.asarray(scores.argmax(axis=1))
    index = {name: number for number, name in enumerate(classes)}
    found = given[known].tolist()
    places = {name: index[name.decode(errors="replace")] for name in set(found)}
    return np.array([places[name] for name in found], np.int64)


def _tallies(
    overall: Key, truth: Ints, scores: np.ndarray, answers: Ints, slices: Slices
) -> dict[Key, Tally]:
    keys = [dataclasses.replace(overall, feature=name, value=value) for name, value in slices]
    parts: list[Ints | slice] = [slice(None), *slices.values()]
    return dict(zip([overall, *keys], tallies(truth, scores, parts, answers), strict=True))


def _of_cells(
    rows: Rows, cells: Ints, losses: NDArray[np.floating], number: int
) -> NDArray[np.int64]:
    """The places of the `number` rows of the highest loss of each cell.

    Args:
        rows: that were answered.
        cells: of each its cell, int64 [rows].
        losses: of each, float [rows].
        number: how many of a cell.
    """
    order = np.argsort(cells, kind="stable")
    starts = np.flatnonzero(np.diff(cells[order], prepend=-1))[1:]
    found: list[int] = []
    for places in np.split(order, starts):
        highest = places[largest(losses[places], number)].tolist()
        if len(highest) > number:  # many are as sure of the truth as can be
            keys = {row: (-losses[row], rows.sources[row], rows.positions[row]) for row in highest}
            highest = heapq.nsmallest(number, highest, keys.__getitem__)
        found += highest
    return np.array(found, np.int64)


def _worst_of_cells(rows: Iterable[AnsweredRow]) -> tuple[AnsweredRow, ...]:
    """The `CELL` rows of the highest loss of each split and cell, in the order of these."""
    by_cell: dict[tuple[str, str, str], list[AnsweredRow]] = {}
    for row in rows:
        by_cell.setdefault((row.split, row.truth, row.answer), []).append(row)
    return tuple(
        row
        for cell in sorted(by_cell)
        for row in heapq.nsmallest(CELL, by_cell[cell], lambda row: row.rank)
    )


def _answered(
    split: str,
    rows: Rows,
    truth: Ints,
    scores: np.ndarray,
    answers: Ints,
    classes: Sequence[str],
    places: NDArray[np.int64],
) -> tuple[AnsweredRow, ...]:
    """The rows at `places`, with what was answered to them."""
    losses = cross_entropy(truth[places], scores[places])
    return tuple(
        AnsweredRow(
            split=split,
            filename=rows.sources[row],
            position=rows.positions[row],
            truth=classes[truth[row]],
            answer=classes[answers[row]],
            score=float(scores[row, answers[row]]),
            truth_score=float(scores[row, truth[row]]),
            loss=float(loss),
        )
        for row, loss in zip(places.tolist(), losses.tolist(), strict=True)
    )
