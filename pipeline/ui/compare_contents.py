"""What the page of compared runs shows, as plain JSON values, each run under a letter."""

import csv
import math
import pathlib
import re
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from millrace.components.artifacts import Evaluation, Statistics, TrainedModel
from millrace.components.files import json_files
from millrace.pipeline.records import ArtifactRecord, ExecutionRecord, RunRecord
from millrace.pipeline.root import Root
from millrace.pipeline.store import Store
from millrace.pipeline.ui import run_contents
from millrace.pipeline.ui.run_contents import Address
from millrace.serving.errors import MillraceError

MOST = 6  # runs: more no eye compares
LETTERS = string.ascii_uppercase
_CURVES = 4  # metrics drawn
_ROWS = 50  # listed of those that one has right and the other wrong
_FEATURES = 30  # whose distance is told
_DRAWN = 6  # of these, as histograms
_POINTS = 120  # of a forecast's line
_MODULES = 60
_LINES = 200_000  # of a file that are read
_ERRORS = (MillraceError, OSError, ValueError, KeyError, TypeError)
_POSITION = re.compile(r"Split-(.+)/data_tfrecord-(\d+)-of-\d+.*, record (\d+)")


class Compared(NamedTuple):
    """A run among others.

    Attributes:
        letter: by which the page calls it.
        run: its record.
        executions: the newest of each step.
        evaluation, training, statistics: outputs of it, each None where there is none.
    """

    letter: str
    run: RunRecord
    executions: Sequence[ExecutionRecord]
    evaluation: ArtifactRecord | None
    training: ArtifactRecord | None
    statistics: ArtifactRecord | None


def contents(
    store: Store, session: Session, root: Root, runs: Sequence[RunRecord], address: Address
) -> dict[str, Any]:
    """All sections of a comparison of `runs`, two or more."""
    found = [_compared(session, letter, run) for letter, run in zip(LETTERS, runs, strict=False)]
    return {
        "runs": [_head(store, session, root, each, address) for each in found],
        "figures": figures(found),
        "options": options(found),
        "code": code(found),
        "data": data(found),
        "curves": curves(found),
        "confusions": list(_each(found, "evaluation", _confusion)),
        "residuals": list(_each(found, "evaluation", _residuals, address)),
        "forecasts": forecasts(found),
        "rows": rows(found, address),
        "drift": drift(found),
    }


def _compared(session: Session, letter: str, run: RunRecord) -> Compared:
    executions = run_contents.of_run(session, run.id)
    made: dict[str, ArtifactRecord] = {}
    for one in executions:
        if one.output is not None:
            made[one.output.type] = one.output
    names = (kind.__name__ for kind in (Evaluation, TrainedModel, Statistics))
    return Compared(letter, run, executions, *map(made.get, names))


def _head(
    store: Store, session: Session, root: Root, each: Compared, address: Address
) -> dict[str, Any]:
    blessed = each.evaluation.properties.get("blessed") if each.evaluation else None
    return {
        "letter": each.letter,
        "id": each.run.id,
        "page": address("runs", each.run.id),
        "recipe": each.run.recipe,
        "model": each.run.pipeline,
        "status": store.status(session, each.run, root),
        "verdict": {None: "", True: "blessed", False: "not blessed"}[blessed],
        "started": each.run.started.isoformat(timespec="seconds"),
        "note": each.run.note or "",
        "command": each.run.arguments.get("command", ""),
    }


def figures(runs: Sequence[Compared]) -> dict[str, Any]:
    """Every figure of every run with its interval; of two runs also the change."""
    told = [_summary(each.evaluation) for each in runs]
    kept = [_kept(each.evaluation) for each in runs]
    names = dict.fromkeys(name for one in kept for name in one)
    places = {(one.get("split"), one.get("count")) for one in told if one}
    rows = []
    for name in names:
        values = [one.get(name) for one in kept]
        ends = [(summary.get("intervals") or {}).get(name) for summary in told]
        rows.append(
            {
                "name": name,
                "values": [
                    {"value": value, "interval": interval}
                    for value, interval in zip(values, ends, strict=True)
                ],
                "bars": [[each.letter, value] for each, value in zip(runs, values, strict=True)],
                "ends": ends,
                "change": _change(values),
            }
        )
    return {
        "rows": rows,
        "judged": [
            f"{one['count']:,} rows of {one['split']}" if "count" in one else "" for one in told
        ],
        "same_rows": len(places) == 1 and _are_same([_examples(each) for each in runs]),
    }


def _are_same(digests: Sequence[str | None]) -> bool:
    return None not in digests and len(set(digests)) == 1


def _change(values: Sequence[float | None]) -> float | None:
    if len(values) != 2 or values[0] is None or values[1] is None:
        return None
    return values[1] - values[0]


def _kept(evaluation: ArtifactRecord | None) -> dict[str, float]:
    properties = evaluation.properties if evaluation else {}
    return {name: value for name, value in properties.items() if name != "blessed"}


def _summary(evaluation: ArtifactRecord | None) -> dict[str, Any]:
    """The content of `metrics.json`, empty where it cannot be read."""
    if evaluation is None:
        return {}
    try:
        return json_files.read_object(_folder(evaluation) / "metrics.json", metrics=dict)
    except _ERRORS:
        return {}


def _folder(record: ArtifactRecord) -> pathlib.Path:
    return pathlib.Path(record.fetch(most=1 << 20))


def _examples(each: Compared) -> str | None:
    """The content of the records that a run's evaluation was made on."""
    for one in each.executions:
        if one.output is not None and one.output.type == Evaluation.__name__:
            found = one.inputs.get("examples")
            return found.digest if found else None
    return None


def options(runs: Sequence[Compared]) -> dict[str, Any]:
    """The options that are not alike in all runs, and the steps that only some have."""
    by_step = [{one.step: one for one in each.executions} for each in runs]
    steps = list(dict.fromkeys(step for each in by_step for step in each))
    differing, alone = [], []
    for step in steps:
        have = [each.get(step) for each in by_step]
        if None in have:
            letters = [each.letter for each, one in zip(runs, have, strict=True) if one]
            alone.append({"step": step, "runs": letters})
        values = [run_contents.flat(one.ingredients["options"]) if one else {} for one in have]
        for name in dict.fromkeys(name for each in values for name in each):
            texts = [each.get(name) for each in values]
            known = [text for text, one in zip(texts, have, strict=True) if one is not None]
            if len(known) > 1 and len(set(known)) > 1:
                differing.append({"option": f"{step}.{name}", "values": texts})
    return {"rows": differing, "steps": alone}


def code(runs: Sequence[Compared]) -> dict[str, Any]:
    """The modules of which the runs had other versions, one's own first, and the libraries."""
    modules, libraries = (
        [_parts(each.executions, name) for each in runs] for name in ("code", "versions")
    )
    changed = _differing(modules)
    own = [name for name in changed if not name.startswith("millrace")]
    rest = [name for name in changed if name.startswith("millrace")]
    return {
        "modules": [*own, *rest][:_MODULES],
        "count": len(changed),
        "versions": [
            {"name": name, "values": [", ".join(sorted(each.get(name, ()))) for each in libraries]}
            for name in _differing(libraries)
        ],
        "commits": _unlike(
            [(each.run.arguments.get("made_with") or {}).get("commit", "") for each in runs]
        ),
    }


def _parts(executions: Sequence[ExecutionRecord], name: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one in executions:
        for part, value in one.ingredients[name].items():
            found.setdefault(part, set()).add(value)
    return found


def _differing(parts: Sequence[Mapping[str, set[str]]]) -> list[str]:
    """The names that several runs have, and not alike."""
    names = sorted({name for each in parts for name in each})
    have = {name: [each[name] for each in parts if name in each] for name in names}
    return [name for name, values in have.items() if any(one != values[0] for one in values)]


def _unlike(texts: list[str]) -> list[str]:
    return texts if len(set(texts)) > 1 else []


def data(runs: Sequence[Compared]) -> dict[str, Any]:
    """What each run read from outside the root, and whether it is the same."""
    sources = [
        {
            artifact.uri: artifact.digest
            for one in each.executions
            for artifact in one.inputs.values()
            if artifact.files is None
        }
        for each in runs
    ]
    digests = [tuple(sorted(each.values())) for each in sources]
    return {
        "rows": [
            {"given": each.run.arguments.get("data") or "", "sources": list(own)}
            for each, own in zip(runs, sources, strict=True)
        ],
        "is_same": len(set(digests)) == 1,
    }


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
    except (*_ERRORS, IndexError):
        return {}


def _number(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


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
        except _ERRORS:
            continue
        if found is not None:
            yield {"letter": each.letter, **found}


def _confusion(record: ArtifactRecord) -> dict[str, Any] | None:
    file = _folder(record) / "confusion.json"
    if not file.exists():
        return None
    found = json_files.read_object(file, classes=list, cells=list)
    return {"classes": [str(name) for name in found["classes"]], "cells": found["cells"]}


def _residuals(record: ArtifactRecord, address: Address) -> dict[str, Any] | None:
    """Predictions and residuals of some rows; the picture of them where there is no list."""
    folder = _folder(record)
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
    except _ERRORS:
        return each.letter, {}


def rows(runs: Sequence[Compared], address: Address) -> dict[str, Any]:
    """Of the first two runs: the rows that one gets right and the other wrong.

    An evaluation lists its wrong answers; a row that another lists and it does not, it has right,
    provided that its list is whole.
    """
    first, second = runs[:2]
    told = [_summary(each.evaluation) for each in (first, second)]
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
    if not _are_same([_examples(first), _examples(second)]):
        return "They were judged on different records: run both on the same data."
    return ""


def _mistakes(each: Compared, split: str) -> dict[str, dict[str, Any]]:
    """The wrong answers of a split, by where the row is."""
    try:
        folder = _folder(each.evaluation) if each.evaluation else pathlib.Path()
        listed = list(json_files.read_lines(folder / "mistakes.jsonl", split=str))
    except _ERRORS:
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


def drift(runs: Sequence[Compared]) -> dict[str, Any]:
    """How far the features of the second run's data are from the first's, the farthest first."""
    first, second = runs[:2]
    if first.statistics is None or second.statistics is None:
        return {"problem": "One of them has no statistics.", "rows": [], "count": 0}
    if first.statistics.digest == second.statistics.digest:
        return {"problem": "The statistics of both are the same.", "rows": [], "count": 0}
    try:
        folders = [Statistics(each.fetch()) for each in (first.statistics, second.statistics)]
        return _distances(folders, (first.letter, second.letter))
    except _ERRORS as error:
        return {"problem": f"The statistics cannot be read: {error}", "rows": [], "count": 0}


def _distances(folders: Sequence[Statistics], letters: Sequence[str]) -> dict[str, Any]:
    from millrace.components.statistics import reading  # protobuf messages, and NumPy
    from millrace.components.validation.comparison import divergence

    shared = [split for split in folders[0].splits if split in folders[1].splits]
    if not shared:
        return {"problem": "They have no split in common.", "rows": [], "count": 0}
    split = shared[0]
    here, there = (
        {reading.name_of(each): each for each in reading.read(folder, split).features}
        for folder in folders
    )
    found = []
    for name in [name for name in here if name in there]:
        distance = divergence(here[name], there[name])
        if distance is not None:
            found.append((distance, name))
    found.sort(key=lambda each: (-each[0], each[1]))
    return {
        "problem": "",
        "split": split,
        "count": len(found),
        "only": [sorted(here.keys() - there.keys()), sorted(there.keys() - here.keys())],
        "rows": [
            {
                "feature": name,
                "distance": distance,
                "histograms": _histograms(letters, (here[name], there[name]))
                if place < _DRAWN
                else {},
            }
            for place, (distance, name) in enumerate(found[:_FEATURES])
        ],
    }


def _histograms(letters: Sequence[str], features: Sequence[Any]) -> dict[str, Any]:
    """The buckets of numbers, as `charts.histograms` draws them; none of texts."""
    from tensorflow_metadata.proto.v0 import statistics_pb2

    from millrace.components.statistics import reading

    found = {}
    for letter, feature in zip(letters, features, strict=True):
        standard = reading.histogram_of(feature, statistics_pb2.Histogram.STANDARD)
        if standard is None:
            return {}
        found[letter] = [
            [each.low_value, each.high_value, each.sample_count]
            for each in standard.buckets
            if math.isfinite(each.low_value) and math.isfinite(each.high_value)
        ]
    return found
