"""The files of an evaluation, from what was kept of the scored rows.

metrics.json    split, count, metrics, splits, baseline, change, classes, rejected; `comparison`,
                `cannot_judge` (see `evaluating.summary`); the fields of a `rivals.Outcome`
slices.json     a list of split, feature, value, count, metrics (and baseline)
confusion.json  split, classes, by_class, and the filled cells [truth, answer, count]
mistakes.jsonl  the worst answers of each split, worst first
rejected.jsonl  rows set aside, each with source, position and reason
*.png           see `plots`
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from etils.epath import Path

from millrace.components.evaluating import classification_plots, rivals, significance, summary
from millrace.components.evaluating.classification_metrics import by_class, figures
from millrace.components.evaluating.rivals import Outcome, Rival
from millrace.components.evaluating.scoring import BASELINE, CANDIDATE, Key, Scored, is_compared
from millrace.components.evaluating.significance import Change
from millrace.components.evaluating.summary import write_json, write_lines
from millrace.components.evaluating.tallies import Tally


def write(
    scored: Scored, out: Path, splits: Sequence[str], top_k: int, must_beat: Sequence[str] | None
) -> None:
    """Write all files to `out`.

    Args:
        scored: what was kept of all rows.
        out: an existing folder.
        splits: the names of the splits that were scored, in the order of the report.
        top_k: of `top_<k>_accuracy`.
        must_beat: of the rivals, `constant` is asked; None asks it too.
    """
    main = summary.main_split(splits)
    counted = scored.tallies.get(Key(main, CANDIDATE))
    content = _summary(scored, splits, main, top_k)
    outcome = Outcome()
    if counted is not None and (must_beat is None or "constant" in must_beat):
        outcome = _against_one_answer(counted, content["metrics"])
    write_json(out / "metrics.json", content | dataclasses.asdict(outcome))
    write_json(out / "slices.json", _slices(scored, splits, top_k))
    ranked = sorted(scored.mistakes, key=lambda item: (splits.index(item.split), item.rank))
    write_lines(out / "mistakes.jsonl", map(dataclasses.asdict, ranked))
    write_lines(out / "rejected.jsonl", map(dataclasses.asdict, scored.rejected))
    if counted is not None:
        write_json(out / "confusion.json", _confusion(main, counted, scored.classes))
        classification_plots.draw(counted, scored.classes, out)


def _summary(scored: Scored, splits: Sequence[str], main: str, top_k: int) -> dict[str, Any]:
    own = _by_split(scored.tallies, splits, CANDIDATE, top_k)
    other = _by_split(scored.tallies, splits, BASELINE, top_k) if _is_compared(scored) else {}
    found = summary.figures(main, own, other, len(scored.rejected))
    counted = scored.tallies.get(Key(main, CANDIDATE))
    return {
        **found,
        "comparison": summary.comparison(_change(scored, main, found)),
        "cannot_judge": "" if counted is None else _cannot_judge(counted, scored.classes),
        "classes": scored.classes,
        "baseline_classes": scored.baseline_classes,
    }


def _is_compared(scored: Scored) -> bool:
    return is_compared({key: counted.count for key, counted in scored.tallies.items()})


def _change(scored: Scored, main: str, found: Mapping[str, Any]) -> Change | None:
    """The accuracy beside the baseline's."""
    if found["baseline"] is None:
        return None
    paired = scored.paired[main]
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


def _against_one_answer(counted: Tally, metrics: Mapping[str, float]) -> Outcome:
    """The balanced accuracy beside 1 / classes of the truth: that of one of them for all rows."""
    classes = np.count_nonzero(by_class(counted)["count"])
    if classes < 2:
        return Outcome(not_asked=("constant: not asked, for all rows are of one class",))
    said = f"{1 / classes:.6g}, which one answer for all reaches"
    rival = Rival(1 / classes, said, rivals.improve_or_leave_out("constant"))
    found = metrics["balanced_accuracy"]
    return rivals.compare("balanced_accuracy", found, [rival], better="more")


def _by_split(
    tallies: Mapping[Key, Tally], splits: Sequence[str], model: str, top_k: int
) -> dict[str, dict[str, Any]]:
    keys = [Key(split, model) for split in splits]
    return {key.split: _figures(tallies[key], top_k) for key in keys if key in tallies}


def _figures(counted: Tally, top_k: int) -> dict[str, Any]:
    return {"count": counted.count, "metrics": figures(counted, top_k=top_k)}


def _slices(scored: Scored, splits: Sequence[str], top_k: int) -> list[dict[str, Any]]:
    found = []
    compared = _is_compared(scored)
    keys = [key for key in scored.tallies if key.feature and key.model == CANDIDATE]
    for key in sorted(keys, key=lambda each: slice_order(each, splits)):
        other = scored.tallies.get(dataclasses.replace(key, model=BASELINE))
        entry = dataclasses.asdict(key) | _figures(scored.tallies[key], top_k)
        del entry["model"]
        if other is not None and compared:
            entry["baseline"] = figures(other, top_k=top_k)
        found.append(entry)
    return found


def slice_order(key: Key, splits: Sequence[str]) -> tuple[int, str, float, str]:
    """By split and feature; numbers in their own order, before text."""
    number = float(key.value) if key.value.isdecimal() else float("inf")
    return splits.index(key.split), key.feature, number, key.value


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
