"""A classifier's figures under Keras's names, from the counts of a `Tally`."""

import math

import numpy as np
from numpy.typing import NDArray

from millrace.components.evaluating.classification_tally import BINS, UNIT, Floats, Scores, Tally


def names(top_k: int) -> list[str]:
    """Every metric that `figures` can give; which of them depends on classes and rows."""
    return [
        "accuracy",
        "loss",
        "expected_calibration_error",
        f"top_{top_k}_accuracy",
        "precision",
        "recall",
        "balanced_accuracy",
        "macro_f1",
        "f1_score",
        "auc",
        "auc_precision_recall",
    ]


def by_class(counted: Tally) -> dict[str, Floats]:
    """Figures of each class, float64 [classes]; 0 stands for 0 / 0.

    `count` (rows that are of it), `answers` (rows said to be), `precision`, `recall`,
    `f1_score`.
    """
    truth, answer, count = counted.pairs
    size = counted.classes
    hits = np.bincount(truth[truth == answer], count[truth == answer], size)
    truths = np.bincount(truth, count, size).astype(np.float64)
    answers = np.bincount(answer, count, size).astype(np.float64)
    return {
        "count": truths,
        "answers": answers,
        "precision": _ratio(hits, answers),
        "recall": _ratio(hits, truths),
        "f1_score": _ratio(2 * hits, truths + answers),
    }


def reliability(counted: Tally) -> dict[str, Floats]:
    """Of each confidence bin: `count`, mean `confidence` and `accuracy`, float64 [BINS]."""
    sides = counted.bins.dense(2 * BINS).reshape(BINS, 2)
    count = sides.sum(axis=1)
    sums = np.array(counted.confidence, np.float64) / UNIT
    return {
        "count": count.astype(np.float64),
        "confidence": _ratio(sums, count),
        "accuracy": _ratio(sides[:, 1], count),
    }


def roc_curve(scores: Scores) -> tuple[Floats, Floats]:
    """False and true positive rates, float64 [distinct scores + 1], from (0, 0) to (1, 1)."""
    _, positive, negative = scores.by_score()
    return (
        np.concatenate([[0.0], np.cumsum(negative) / negative.sum()]),
        np.concatenate([[0.0], np.cumsum(positive) / positive.sum()]),
    )


def precision_recall_curve(scores: Scores) -> tuple[Floats, Floats]:
    """Recall and precision at each distinct score from the highest down, float64 [distinct]."""
    _, positive, negative = scores.by_score()
    hits = np.cumsum(positive)
    return hits / positive.sum(), hits / (hits + np.cumsum(negative))


def figures(counted: Tally, *, top_k: int) -> dict[str, float]:
    """The metrics of a tally of one row or more.

    Always `accuracy`, `loss` and `expected_calibration_error` (Guo et al. 2017: the mean
    of |accuracy - confidence| over bins, weighted by rows); `top_<k>_accuracy`, as the
    trainer names it, where `top_k` is under the number of classes. The others need rows of
    two classes: `precision` and `recall` are the second class's where the model knows two,
    else means over the classes seen in truth or answers; `macro_f1` is such a mean always;
    `balanced_accuracy`, the mean recall over the classes seen in the truth alone, is 1 / classes
    for one of them as the answer to all rows, and is not rounded above that; `f1_score`, `auc`
    (trapezoids) and `auc_precision_recall` (average precision, steps) exist for two classes only.
    """
    bins = reliability(counted)
    gaps = np.abs(bins["accuracy"] - bins["confidence"]) * bins["count"]
    right = counted.bins.counts[counted.bins.keys % 2 == 1].sum()
    found = {
        "accuracy": int(right) / counted.count,
        "loss": counted.loss / UNIT / counted.count,
        "expected_calibration_error": float(gaps.sum()) / counted.count,
    }
    if top_k < counted.classes:
        within = counted.ranks.counts[counted.ranks.keys < top_k].sum()
        found[f"top_{top_k}_accuracy"] = int(within) / counted.count
    of_class = by_class(counted)
    if np.count_nonzero(of_class["count"]) > 1:
        found |= _figures_between_classes(of_class, counted.scores)
    return found


def _figures_between_classes(
    of_class: dict[str, Floats], scores: Scores | None
) -> dict[str, float]:
    seen = of_class["count"] + of_class["answers"] > 0
    names = ("precision", "recall", "f1_score")
    macro = {name: float(of_class[name][seen].mean()) for name in names}
    recalls = of_class["recall"][of_class["count"] > 0].tolist()
    # `fsum` rounds once: recalls that add up to 1 give 1, in whatever parts.
    always = {
        "balanced_accuracy": math.fsum(recalls) / len(recalls),
        "macro_f1": macro["f1_score"],
    }
    if scores is None:
        return always | {"precision": macro["precision"], "recall": macro["recall"]}
    second = {name: float(of_class[name][1]) for name in names}
    false_rate, true_rate = roc_curve(scores)
    recall, precision = precision_recall_curve(scores)
    areas = {
        "auc": float(np.trapezoid(true_rate, false_rate)),
        "auc_precision_recall": float(np.sum(np.diff(recall, prepend=0.0) * precision)),
    }
    return always | second | areas


def _ratio(part: NDArray[np.generic], whole: NDArray[np.generic]) -> Floats:
    """`part / whole`, 0 where `whole` is 0."""
    zeros = np.zeros(len(whole), np.float64)
    return np.divide(part, whole, out=zeros, where=whole != 0, casting="unsafe")
