"""An evaluation: the verdict, the figures with their intervals, and what lies behind them."""

import csv
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from etils.epath import Path

from millrace.components.artifacts import Evaluation
from millrace.components.evaluating.intervals import wilson
from millrace.components.files import json_files
from millrace.pipeline.ui.contents.records import Place

MISTAKES, ANSWERS = 20, 12  # listed
_SLICES = 200
_PAIRS = 12  # of classes that are taken for one another
_FORECASTS = 240  # of a line
_LINES = 200_000  # of a file that are read
_STEPS = 6  # of a forecast that are written out
_BARS = 25
_SHARES = ("accuracy",)  # figures that are shares of rows
_TOLD = ("accuracy", "mae")  # of which a slice's interval has room
_POSITION = re.compile(
    r"Split-(?P<split>.+)/data_tfrecord-(?P<file>\d+)-of-\d+.*, record (?P<record>\d+)"
)


def gather(artifact: Evaluation, cell: tuple[int, int] | None = None) -> dict[str, Any]:
    """What a page shows of an evaluation.

    Args:
        artifact: what `evaluator` wrote.
        cell: of the confusion matrix, truth and answer, whose rows are listed.

    Raises:
        DataError: a file of it is damaged.
    """
    found = json_files.read_object(artifact.path / "metrics.json", metrics=dict)
    confusion = _confusion(artifact.path / "confusion.json")
    return {
        "is_blessed": artifact.blessed,
        "reasons": artifact.reasons,
        "warnings": list(found.get("warnings") or ()),
        "cannot_judge": found.get("cannot_judge") or "",
        "split": found.get("split", ""),
        "count": found.get("count"),
        "comparison": (found.get("comparison") or {}).get("said", ""),
        **_figures(found),
        "slices": _slices(artifact.path / "slices.json", found.get("split", "")),
        "confusion": confusion,
        "cell": _cell(artifact.path / "answers.jsonl", confusion, cell),
        "thresholds": _thresholds(artifact.path / "thresholds.json"),
        "prediction_intervals": found.get("prediction_intervals"),
        "forecasts": _forecasts(artifact.forecasts_file, found),
        "residuals": _residuals(artifact.path / "sample.csv"),
        "importance": _importance(artifact.path / "why.json"),
        "samples": _samples(artifact.path / "samples.txt"),
        "mistakes": _mistakes(artifact.path / "mistakes.jsonl", found.get("split", "")),
    }


def _figures(found: Mapping[str, Any]) -> dict[str, Any]:
    """Each figure of the main split, with its interval, the baseline's, and other splits'."""
    intervals = found.get("intervals") or {}
    was = (found.get("baseline") or {}).get("metrics", {})
    splits = found.get("splits") or {}
    others = [name for name in splits if name != found.get("split")]
    return {
        "splits": [{"name": name, "count": splits[name]["count"]} for name in others],
        "figures": [
            {
                "name": name,
                "value": value,
                "interval": intervals.get(name),
                "was": was.get(name),
                "others": [splits[other]["metrics"].get(name) for other in others],
            }
            for name, value in found["metrics"].items()
        ],
        "is_compared": bool(was),
    }


def _slices(file: Path, main: str) -> list[dict[str, Any]]:
    """The figures of each value of a feature, of the main split, with their intervals.

    An evaluation of an earlier version has none: shares of rows then get theirs.
    """
    rows = json_files.read_list(file) if file.exists() else []
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["split"] == main:
            found.setdefault(row["feature"], []).append(row)
    return [
        {
            "feature": feature,
            "names": list(same[0]["metrics"]),
            "told": next((name for name in _TOLD if name in same[0]["metrics"]), ""),
            "count": len(same),
            "rows": [
                {
                    "value": row["value"],
                    "count": row["count"],
                    "metrics": row["metrics"],
                    "was": row.get("baseline") or {},
                    "intervals": row["intervals"]
                    if "intervals" in row
                    else {
                        name: wilson(round(row["metrics"][name] * row["count"]), row["count"])
                        for name in _SHARES
                        if name in row["metrics"] and row["count"]
                    },
                }
                for row in same[:_SLICES]
            ],
        }
        for feature, same in found.items()
    ]


def _confusion(file: Path) -> dict[str, Any] | None:
    if not file.exists():
        return None
    found = json_files.read_object(file, classes=list, cells=list)
    classes = list(map(str, found["classes"]))
    wrong = sorted(
        (cell for cell in found["cells"] if cell[0] != cell[1]), key=lambda cell: -cell[2]
    )
    return {
        "split": found.get("split", ""),
        "classes": classes,
        "cells": found["cells"],
        "by_class": found.get("by_class", []),
        "pairs": [
            {
                "truth": classes[truth],
                "answer": classes[answer],
                "cell": [truth, answer],
                "count": count,
            }
            for truth, answer, count in wrong[:_PAIRS]
        ],
    }


def _cell(
    file: Path, confusion: Mapping[str, Any] | None, cell: tuple[int, int] | None
) -> dict[str, Any] | None:
    """The rows behind a cell of the confusion matrix; None where none is asked for."""
    if confusion is None or cell is None or max(cell) >= len(confusion["classes"]):
        return None
    truth, answer = (confusion["classes"][place] for place in cell)
    count = next((each[2] for each in confusion["cells"] if tuple(each[:2]) == cell), 0)
    same = (line for line in _lines(file) if (line["truth"], line["answer"]) == (truth, answer))
    return {
        "truth": truth,
        "answer": answer,
        "count": count,
        "is_known": file.exists(),
        "rows": list(map(_listed, itertools.islice(same, ANSWERS))),
    }


def _mistakes(file: Path, main: str) -> list[dict[str, Any]]:
    """The worst rows, those of the main split first."""
    rows = sorted(_lines(file), key=lambda row: row.get("split") != main)
    return [_listed(row) for row in rows[:MISTAKES]]


def _listed(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as a page lists it: what was forecast of the first target, step by step, as text."""
    shown = {"position": "", "filename": ""} | {
        name: value for name, value in row.items() if name != "targets" and value != ""
    }
    if "time" in shown:
        shown["time"] = _short_time(shown["time"])
    for name, value in shown.items():
        if isinstance(value, list):
            firsts = [each[0] if isinstance(each, list) and each else each for each in value]
            more = "…" if len(firsts) > _STEPS else ""
            told = ("unknown" if each is None else f"{each:.5g}" for each in firsts[:_STEPS])
            shown[name] = ", ".join(told) + more
    return shown


def place_of(position: str) -> tuple[str, Place] | None:
    """The split and the place of a row, as an evaluation writes it; None of what is a file."""
    found = _POSITION.fullmatch(position)
    if not found:
        return None
    return found["split"], Place(int(found["file"]), int(found["record"]))


def _thresholds(file: Path) -> dict[str, Any] | None:
    """What a classifier of two classes would answer by each threshold, in shares and numbers."""
    if not file.exists():
        return None
    found = json_files.read_object(file, classes=list, positive=int, negative=int, rows=list)
    positive, negative = found["positive"], found["negative"]
    return {
        "class": found["classes"][1],
        "other": found["classes"][0],
        "positive": positive,
        "negative": negative,
        "rows": [
            threshold(value, hits, alarms, positive, negative)
            for value, hits, alarms in found["rows"]
        ],
    }


def threshold(
    value: float, hits: int, alarms: int, positive: int, negative: int
) -> dict[str, float | None]:
    """The figures of a threshold.

    Args:
        value: it, 0 ... 1.
        hits: rows of the class with that score or more.
        alarms: rows of the other class with that score or more.
        positive: rows of the class.
        negative: rows of the other class.
    """
    recall = hits / positive if positive else None
    precision = hits / (hits + alarms) if hits + alarms else None
    both = 2 * hits + alarms + (positive - hits)
    return {
        "threshold": value,
        "hits": hits,
        "alarms": alarms,
        "misses": positive - hits,
        "passes": negative - alarms,
        "precision": precision,
        "recall": recall,
        "f1_score": 2 * hits / both if both else None,
        "accuracy": (hits + negative - alarms) / ((positive + negative) or 1),
    }


def _forecasts(file: Path, found: Mapping[str, Any]) -> dict[str, Any] | None:
    """What was forecast one step ahead over what came: the end of the first series and target."""
    if not file.exists():
        return None
    chosen: list[dict[str, str]] = []
    with file.open(encoding="utf-8") as lines:
        for row in itertools.islice(csv.DictReader(lines), _LINES):
            first = chosen[0] if chosen else row
            if row["step"] == "1" and all(
                row[name] == first[name] for name in ("series", "target")
            ):
                chosen.append(row)
    chosen = sorted(chosen, key=lambda row: row["time"])[-_FORECASTS:]
    if not chosen:
        return None
    columns = [name for name in chosen[0] if name not in _NO_FORECAST and "_at_" not in name]
    baselines = found.get("baselines") or {}
    levels = [name.removeprefix("lower_at_") for name in chosen[0] if name.startswith("lower_at_")]
    return {
        "series": chosen[0]["series"],
        "target": chosen[0]["target"],
        "times": [_short_time(row["time"]) for row in chosen],
        "actual": [_number(row["actual"]) for row in chosen],
        "forecasts": [
            {"name": name.replace("_", " "), "y": [_number(row[name]) for row in chosen]}
            for name in columns
        ],
        "intervals": [
            {
                "level": level,
                "low": [_number(row[f"lower_at_{level}"]) for row in chosen],
                "high": [_number(row[f"upper_at_{level}"]) for row in chosen],
            }
            for level in levels
        ],
        "errors": [
            {"name": name, "metrics": metrics}
            for name, metrics in [("forecast", found["metrics"]), *baselines.items()]
        ],
        "by_step": [
            each.get("mae") for each in found.get("steps") or () if isinstance(each, Mapping)
        ],
    }


_NO_FORECAST = ("time", "series", "fold", "target", "step", "actual")


def _short_time(text: str) -> str:
    return text.removesuffix("Z").removesuffix(":00").replace("T00:00", "").replace("T", " ")


def _number(text: str | None) -> float | None:
    return float(text) if text else None


def _residuals(file: Path) -> dict[str, Any] | None:
    """Predictions over truths of rows drawn by lot."""
    if not file.exists():
        return None
    with file.open(encoding="utf-8") as lines:
        rows = list(itertools.islice(csv.DictReader(lines), _LINES))
    return {
        "truth": [float(row["truth"]) for row in rows],
        "prediction": [float(row["prediction"]) for row in rows],
    }


def _importance(file: Path) -> dict[str, Any] | None:
    """What the model goes by, as far as it is not a picture."""
    found = json_files.read_object(file) if file.exists() else {}
    shown = {
        title: [[each["name"], each["worse"]] for each in found[name][:_BARS]]
        for name, title in (("columns", "Columns"), ("lags", "Steps back"))
        if found.get(name)
    }
    words = {
        name: [
            [each["word"], each["push"]] for each in sorted(some, key=lambda each: -each["push"])
        ]
        for name, some in (found.get("classes") or {}).items()
        if some
    }
    if not shown and not words:
        return None
    return {
        "metric": found.get("metric", ""),
        "rows": found.get("rows"),
        "target": found.get("target", ""),
        "bars": shown,
        "words": words,
    }


_PROMPT = re.compile(r"=== split (?P<split>\S+), prompt (?P<prompt>.+), seed (?P<seed>\d+)")


def _samples(file: Path) -> list[dict[str, Any]]:
    """Prompts, and how the model went on at several temperatures."""
    if not file.exists():
        return []
    found: list[dict[str, Any]] = []
    for part in re.split(r"^(?==== split |--- temperature )", file.read_text("utf-8"), flags=re.M):
        if head := _PROMPT.match(part):
            found.append({"split": head["split"], "prompt": head["prompt"], "texts": []})
        elif part.startswith("--- temperature ") and found:
            first, _, text = part.partition("\n")
            temperature = first.removeprefix("--- temperature ")
            found[-1]["texts"].append({"temperature": temperature, "text": text.strip()})
    return found


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    """The objects in the lines of `file`, none where it is not there."""
    if file.exists():
        with file.open(encoding="utf-8") as lines:
            for line in itertools.islice(lines, _LINES):
                yield _parsed(file, line)


def _parsed(file: Path, line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise json_files.refusal(file, "JSON", error) from error
    if not isinstance(found, dict):
        raise json_files.refusal(file, "a JSON object", type(found).__name__)
    return found


def listed(shown: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows that a page lists one by one."""
    return [*shown["mistakes"], *(shown["cell"] or {}).get("rows", ())]
