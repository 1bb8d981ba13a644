"""The files of a classifier's evaluation: those of `files`, a confusion matrix and pictures.

metrics.json    has `classes` and `baseline_classes` as well
confusion.json  split, classes, by_class, and the filled cells [truth, answer, count]
answers.jsonl   some rows of each of these cells, those of the highest loss first
thresholds.json with two classes: `classes`, rows that are `positive` (of the second class) and
                `negative`, and `rows` [threshold, positive ones, negative ones with that score or
                more]
*.png           see `classification_plots`
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from etils.epath import Path

from millrace.components.evaluating import (
    classification_metrics,
    classification_plots,
    files,
    intervals,
    significance,
)
from millrace.components.evaluating.classification import AnsweredRow, ScoredClassification
from millrace.components.evaluating.classification_metrics import by_class
from millrace.components.evaluating.classification_tally import Scores, Tally
from millrace.components.evaluating.scoring import CANDIDATE, EvalConfig, Key
from millrace.components.evaluating.significance import Change
from millrace.components.evaluating.simple_baselines import (
    BaselineResults,
    SimpleBaseline,
    compare,
    improve_or_leave_out,
)

_ANSWERS = 5000  # rows of cells that are written
_THRESHOLDS = np.round(np.linspace(0, 1, 101), 2)


def write(
    scored: ScoredClassification, out: Path, splits: Sequence[str], config: EvalConfig
) -> None:
    """Write all files to `out`, an existing folder; `splits` in the order of the report."""

    def describe(counted: Tally) -> dict[str, Any]:
        metrics = classification_metrics.figures(counted, top_k=config.top_k)
        return {"count": counted.count, "metrics": metrics}

    is_compared = scored.is_compared
    found = files.figures(scored, splits, describe, is_compared=is_compared)

    def around(key: Key, metrics: Mapping[str, float]) -> intervals.Intervals:
        return intervals.of_classification(scored.sums[key], metrics, config.top_k)

    files.add_intervals(found, around)
    main = found["split"]
    counted = scored.sums.get(Key(main, CANDIDATE))
    results = BaselineResults()
    if counted is not None and (config.must_beat is None or "constant" in config.must_beat):
        results = _against_one_answer(counted, found["metrics"])
    metrics = {
        **found,
        "comparison": files.comparison(_change(scored, found)),
        "cannot_judge": "" if counted is None else _cannot_judge(counted, scored.classes),
        "classes": scored.classes,
        "baseline_classes": scored.baseline_classes,
        **dataclasses.asdict(results),
        "warnings": () if counted is None else _warnings(counted, found, scored.classes, config),
    }
    slices = files.slices(scored, splits, describe, around, is_compared=is_compared)
    mistakes = map(dataclasses.asdict, files.ranked(scored, splits))
    files.write(out, metrics, slices, mistakes, scored.rejected)
    if counted is not None:
        files.write_json(out / "confusion.json", _confusion(main, counted, scored.classes))
        files.write_lines(out / "answers.jsonl", map(dataclasses.asdict, _answers(scored, main)))
        if counted.scores is not None:
            found = _thresholds(counted.scores, scored.classes)
            files.write_json(out / "thresholds.json", found)
        classification_plots.draw(counted, scored.classes, out)


def _change(scored: ScoredClassification, found: Mapping[str, Any]) -> Change | None:
    """The accuracy beside the baseline's."""
    if found["baseline"] is None:
        return None
    paired = scored.paired[found["split"]]
    return Change(
        metric="accuracy",
        better="more",
        was=found["baseline"]["metrics"]["accuracy"],
        now=found["metrics"]["accuracy"],
        rows=paired.count,
        interval=significance.of_shares(paired),
    )


def _cannot_judge(counted: Tally, classes: Sequence[str]) -> str:
    counts = by_class(counted)["count"].astype(np.int64)
    seen = np.flatnonzero(counts)
    if len(seen) == 1:
        return f"every row is of the class {classes[seen[0]]!r}"
    chance = significance.of_guesses(counts[seen].tolist())
    return significance.cannot_judge(chance, "gets all rows right")


def _warnings(
    counted: Tally, found: Mapping[str, Any], classes: Sequence[str], config: EvalConfig
) -> tuple[str, ...]:
    """What a person should know of a model that is little better than one answer for all rows."""
    table, (_, answers, _) = by_class(counted), counted.pairs
    seen, given = np.count_nonzero(table["count"]), np.unique(answers)
    if seen < 2:
        return ()
    if len(given) == 1:
        return (
            f"the model answers {classes[given[0]]!r} to every row; trainer.class_weight=balanced "
            "lets each class weigh the same",
        )
    if config.must_beat is not None and "constant" not in config.must_beat:
        return ()
    value = found["metrics"]["balanced_accuracy"]
    return files.too_small(
        found,
        f"balanced_accuracy {value:.3f}",
        f"{1 / seen:.3g} of one answer for all rows",
        value - 1 / seen,
        tuple(each - 1 / seen for each in found["intervals"]["balanced_accuracy"]),
    )


def _against_one_answer(counted: Tally, metrics: Mapping[str, float]) -> BaselineResults:
    """The balanced accuracy beside 1 / classes of the truth: that of one of them for all rows."""
    classes = np.count_nonzero(by_class(counted)["count"])
    if classes < 2:
        return BaselineResults(not_asked=("constant: not asked, for all rows are of one class",))
    said = f"{1 / classes:.6g}, which one answer for all reaches"
    remedy = improve_or_leave_out("constant")
    baseline = SimpleBaseline(1 / classes, said, remedy)
    value = metrics["balanced_accuracy"]
    return compare("balanced_accuracy", value, [baseline], better="more")


def _answers(scored: ScoredClassification, split: str) -> list[AnsweredRow]:
    """The rows of the cells of `split`; of too many the first of every cell, then the second."""
    rows = [row for row in scored.cells if row.split == split]
    cells = itertools.groupby(rows, lambda row: (row.truth, row.answer))
    numbers = [number for _, cell in cells for number, _ in enumerate(cell)]
    kept = sorted(range(len(rows)), key=numbers.__getitem__)[:_ANSWERS]
    return [rows[place] for place in sorted(kept)]


def _thresholds(scores: Scores, classes: Sequence[str]) -> dict[str, Any]:
    found, positive, negative = scores.by_score()  # from the highest down
    places = np.searchsorted(-found, -_THRESHOLDS, side="right")
    above = [np.concatenate([[0], np.cumsum(each)]) for each in (positive, negative)]
    columns = (_THRESHOLDS, *(each[places] for each in above))
    return {
        "classes": list(classes),
        "positive": int(positive.sum()),
        "negative": int(negative.sum()),
        "rows": [list(row) for row in zip(*(each.tolist() for each in columns), strict=True)],
    }


def _confusion(split: str, counted: Tally, classes: Sequence[str]) -> dict[str, Any]:
    table = by_class(counted)
    names = list(table)
    rows = zip(classes, *(table[name].tolist() for name in names), strict=True)
    return {
        "split": split,
        "classes": list(classes),
        "by_class": [dict(zip(["class", *names], row, strict=True)) for row in rows],
        "cells": [
            list(cell) for cell in zip(*(each.tolist() for each in counted.pairs), strict=True)
        ],
    }
