"""What the models of compared runs learnt and what they answered."""

import csv
import math
import pathlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from millrace.components.artifacts import Evaluation, TrainedModel
from millrace.components.files import json_files
from millrace.pipeline.records import ArtifactRecord
from millrace.pipeline.ui.contents import compared
from millrace.pipeline.ui.contents.compared import ERRORS, Compared
from millrace.pipeline.ui.contents.run import Address

_CURVES = 4  # metrics drawn
_ROWS = 50  # listed of those that one has right and the other wrong
_POINTS = 120  # of a forecast's line
_LINES = 200_000  # of a file that are read
_POSITION = re.compile(r"Split-(.+)/data_tfrecord-(\d+)-of-\d+.*, record (\d+)")


def curves(runs: Sequence[Compared]) -> list[dict[str, Any]]:
    """For each metric of training the lines of all runs: of validation, where there is one."""
    histories = {each.letter: _history(each.training) for each in runs}
    metrics = dict.fromkeys(
        name.removeprefix("val_")
        for history in histories.values()
        for name in history
        if name != "epoch"
    )
    found = []
    for metric in metrics:
        lines = []
        for letter, history in histories.items():
            name = f"val_{metric}" if f"val_{metric}" in history else metric
            if name in history:
                kind = "validation" if name != metric else "training"
                line = {"name": f"{letter}, {kind}", "y": history[name]}
                lines.append({**line, "x": history.get("epoch", range(1, len(history[name]) + 1))})
        if len(lines) > 1 and max(len(line["y"]) for line in lines) > 1:
            found.append({"metric": metric, "lines": lines})
    return found[:_CURVES]


def _history(training: ArtifactRecord | None) -> dict[str, list[float | None]]:
    """The columns of `history.csv`; empty where there is none."""
    if training is None:
        return {}
    try:
        text = TrainedModel(training.fetch(most=1 << 20)).history_file.read_text()
        names, *lines = csv.reader(text.splitlines())
        return {name: [_number(line[place]) for line in lines] for place, name in enumerate(names)}
    except (*ERRORS, IndexError):
        return {}


def _number(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def confusions(runs: Sequence[Compared]) -> list[dict[str, Any]]:
    """The confusion matrix of each run that has one."""
    return list(_each(runs, "evaluation", _confusion))


def residuals(runs: Sequence[Compared], address: Address) -> list[dict[str, Any]]:
    """Predictions and residuals of each run that has them."""
    return list(_each(runs, "evaluation", _residuals, address))


def _each(
    runs: Sequence[Compared], name: str, read: Callable[..., Any], *more: Any
) -> Iterator[dict[str, Any]]:
    """What is read of an output of each run, of those that have it."""
    for each in runs:
        record = getattr(each, name)
        if record is None:
            continue
        try:
            found = read(record, *more)
        except ERRORS:
            continue
        if found is not None:
            yield {"letter": each.letter, **found}


def _confusion(record: ArtifactRecord) -> dict[str, Any] | None:
    file = compared.folder(record) / "confusion.json"
    if not file.exists():
        return None
    found = json_files.read_object(file, classes=list, cells=list)
    return {"classes": [str(name) for name in found["classes"]], "cells": found["cells"]}


def _residuals(record: ArtifactRecord, address: Address) -> dict[str, Any] | None:
    """Predictions and residuals of some rows; the picture of them where there is no list."""
    folder = compared.folder(record)
    if (file := folder / "sample.csv").exists():
        with file.open(newline="") as lines:
            pairs = [(float(a), float(b)) for a, b in list(csv.reader(lines))[1:]]
        return {
            "predictions": [predicted for _, predicted in pairs],
            "residuals": [predicted - truth for truth, predicted in pairs],
            "picture": "",
        }
    if not (folder / "residuals.png").exists():
        return None
    picture = address("artifacts", record.id, "files", "residuals.png")
    return {"predictions": [], "residuals": [], "picture": picture}


def forecasts(runs: Sequence[Compared]) -> dict[str, Any] | None:
    """The first series that several runs forecast, one step ahead: what was, and what each said."""
    told = {letter: found for letter, found in map(_forecast, runs) if found}
    if len(told) < 2:
        return None
    shared = set.intersection(*({*each} for each in told.values()))
    if not shared:
        return None
    series, target = min((series, target) for _, series, target in shared)
    times = sorted(time for time, *which in shared if which == [series, target])[-_POINTS:]
    keys = [(time, series, target) for time in times]
    first = next(iter(told.values()))
    return {
        "series": series,
        "target": target,
        "times": [time.removesuffix("T00:00:00Z") for time in times],
        "lines": [
            {"name": "actual", "y": [first[key][0] for key in keys]},
            *(
                {"name": letter, "y": [each[key][1] for key in keys]}
                for letter, each in told.items()
            ),
        ],
    }


def _forecast(each: Compared) -> tuple[str, dict[tuple[str, str, str], tuple[float, float]]]:
    """The truth and the forecast of the next step, by time, series and target."""
    try:
        file = (
            Evaluation(each.evaluation.fetch(most=1 << 20)).forecasts_file
            if each.evaluation
            else None
        )
        if file is None or not file.exists():
            return each.letter, {}
        with pathlib.Path(file).open(newline="") as lines:
            rows = [row for _, row in zip(range(_LINES), csv.DictReader(lines), strict=False)]
        return each.letter, {
            (row["time"], row["series"], row["target"]): (
                float(row["actual"]),
                float(row["forecast"]),
            )
            for row in rows
            if row["step"] == "1"
        }
    except ERRORS:
        return each.letter, {}


def rows(runs: Sequence[Compared], address: Address) -> dict[str, Any]:
    """Of the first two runs: the rows that one gets right and the other wrong.

    An evaluation lists its wrong answers; a row that another lists and it does not, it has right,
    provided that its list is whole.
    """
    first, second = runs[:2]
    told = [compared.summary(each.evaluation) for each in (first, second)]
    problem = _incomparable(first, second, told)
    if problem:
        return {"problem": problem, "sides": []}
    split = told[0]["split"]
    lists = [_mistakes(each, split) for each in (first, second)]
    sides = []
    for own, other, summary in ((0, 1, told[0]), (1, 0, told[1])):
        wrong = round((1 - summary["metrics"]["accuracy"]) * summary["count"])
        found = [row for key, row in lists[other].items() if key not in lists[own]]
        place = _record_address(first, address)
        sides.append(
            {
                "right": runs[own].letter,
                "wrong": runs[other].letter,
                "is_whole": len(lists[own]) >= wrong,
                "listed": len(lists[own]),
                "mistakes": wrong,
                "count": len(found),
                "rows": [_shown(row, place) for row in found[:_ROWS]],
            }
        )
    both = len(lists[0].keys() & lists[1].keys())
    return {"problem": "", "sides": sides, "both": both, "split": split}


def _incomparable(first: Compared, second: Compared, told: Sequence[Mapping[str, Any]]) -> str:
    """Why no row of the one can be found in the other, in a sentence; empty if it can be."""
    if not all({"split", "count"} <= one.keys() for one in told):
        return "One of them has no evaluation that can be read."
    if not all("accuracy" in one["metrics"] for one in told):
        return "Only a classifier's answers are right or wrong; see the residuals or forecasts."
    if told[0]["split"] != told[1]["split"]:
        return "They were judged on different splits: set evaluator.splits alike."
    if not compared.are_same(map(compared.examples, (first, second))):
        return "They were judged on different records: run both on the same data."
    return ""


def _mistakes(each: Compared, split: str) -> dict[str, dict[str, Any]]:
    """The wrong answers of a split, by where the row is."""
    try:
        folder = compared.folder(each.evaluation) if each.evaluation else pathlib.Path()
        listed = list(json_files.read_lines(folder / "mistakes.jsonl", split=str))
    except ERRORS:
        return {}
    return {row["position"]: row for row in listed if row["split"] == split}


def _record_address(each: Compared, address: Address) -> Callable[[str], str]:
    examples = next(
        (
            one.inputs["examples"]
            for one in each.executions
            if one.output is not None
            and one.output.type == Evaluation.__name__
            and "examples" in one.inputs
        ),
        None,
    )

    def of(position: str) -> str:
        found = _POSITION.fullmatch(position)
        if examples is None or found is None:
            return ""
        split, file, record = found.groups()
        return address("artifacts", examples.id, "records", split, f"{int(file)}-{record}")

    return of


def _shown(row: Mapping[str, Any], place: Callable[[str], str]) -> dict[str, Any]:
    return {
        "filename": row["filename"],
        "page": place(row["position"]),
        "truth": row["truth"],
        "answer": row["answer"],
        "score": row.get("score"),
    }
