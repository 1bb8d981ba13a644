"""What is in an artifact, by its type: the section of its page, and what that shows."""

import contextlib
import pathlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from millrace.components import artifacts as kinds
from millrace.components.artifacts import Artifact
from millrace.components.errors import DataError
from millrace.components.files import json_files
from millrace.pipeline.errors import UsageError
from millrace.pipeline.records import ArtifactRecord
from millrace.pipeline.ui.contents import (
    checks,
    evaluation,
    examples,
    records,
    statistics,
    training,
)
from millrace.pipeline.ui.contents.examples import Chosen
from millrace.pipeline.ui.contents.records import Look, Place
from millrace.pipeline.ui.found import Found, title
from millrace.serving.errors import MillraceError

_LONG = 300  # letters of a value
_PREVIEWED = 5_000  # records of a file that are read for the sake of what a row looks like
# Pictures that a page draws itself, where it has the numbers.
_DRAWN = {
    "confusion_matrix.png": "confusion",
    "forecast.png": "forecasts",
    "error_by_step.png": "forecasts",
    "predicted_vs_actual.png": "residuals",
    "calibration.png": "calibration",
    "sweep.png": "series",
}

A = TypeVar("A", bound=Artifact)
Shown = dict[str, Any]


def of(found: Found) -> tuple[str, Shown]:
    """The name of the section that shows what is in it, and what it shows.

    Raises:
        DataError: it is gone, or a file of it is damaged.
        UsageError: no such part of it is there.
    """
    name, read = _SECTIONS.get(found.record.type, ("plain", _plain))
    shown = read(found)
    drawn = {picture for picture, of in _DRAWN.items() if shown.get(of)}
    if (shown.get("importance") or {}).get("bars"):
        drawn.add("why.png")
    return name, {**shown, "pictures": _pictures(found, drawn)}


def _pictures(found: Found, without: Collection[str]) -> list[Shown]:
    """The pictures in it; those of a person's own folder are not known to the store."""
    files = (found.record.files or {}).get("", {})
    names = [name for name in sorted(files) if name.endswith(".png") and "/" not in name]
    if found.record.type == "RawFiles":  # a step's: maybe thousands
        names = []
    artifact = found.artifact if "captions.json" in files else None
    told = artifact.captions if isinstance(artifact, kinds.Plots) else {}
    return [
        {
            "name": name,
            "caption": told.get(name) or _caption(name),
            "file": f"{found.page(found.record)}/files/{name}",
        }
        for name in names
        if name not in without
    ]


def _caption(name: str) -> str:
    """What a picture shows, by its name."""
    stem = pathlib.PurePosixPath(name).stem
    words = stem.lstrip("0123456789").replace("_", " ").strip(" -")
    return _CAPTIONS.get(stem, (words or stem).capitalize())


_CAPTIONS = {
    "roc": "ROC curve: of each class the share found, over the share of others taken for it",
    "precision_recall": "Precision over recall",
    "reliability": "Reliability: how often the model is right, over how sure it is",
    "residuals": "Residuals: how far off, over what was predicted",
    "error_by_step": "Error by step ahead",
    "why": "What the model goes by",
    "predicted_vs_actual": "Predicted over actual",
}


def _as(found: Found, kind: type[A]) -> A:
    return kind(found.artifact.path)


def _examples(found: Found) -> Shown:
    query = found.asked.query
    chosen = Chosen(
        query.get("split", ""),
        place(query.get("start", "0-0")),
        query.get("feature", ""),
        query.get("value", ""),
    )
    shown = examples.gather(_as(found, kinds.Examples), found.spec(), chosen)
    page = found.page(found.record)
    for each in shown["records"]:
        each["page"] = f"{page}/records/{shown['split']}/{each['place']}"
    return shown


def place(text: str) -> Place:
    """The place of a record, as it stands in an address.

    Raises:
        UsageError: it is none.
    """
    try:
        return Place.parse(text)
    except ValueError:
        raise UsageError(f"Record {text!r}: expected two numbers, as in 0-12.") from None


def _statistics(found: Found) -> Shown:
    record = found.made_of_it("Anomalies")
    checked = kinds.Anomalies(record.fetch()) if record else None
    start = found.asked.query.get("start", "0")
    shown = statistics.gather(
        _as(found, kinds.Statistics), checked, int(start) if start.isdecimal() else 0
    )
    return shown | {"anomalies_page": found.page(record) if record else ""}


def _schema(found: Found) -> Shown:
    return checks.schema(_as(found, kinds.Schema))


def _anomalies(found: Found) -> Shown:
    of = found.input("Statistics")
    shown = checks.anomalies(_as(found, kinds.Anomalies))
    return shown | {"statistics_page": found.page(of) if of else ""}


def _trained(found: Found) -> Shown:
    shown = training.trained(_as(found, kinds.TrainedModel))
    return shown | {"exported": _link(found, found.made_of_it("Model"))}


def _model(found: Found) -> Shown:
    trained, judged = found.input("TrainedModel"), found.made_of_it("Evaluation")
    shown = training.exported(_as(found, kinds.Model))
    layers: Shown = {"name": "", "layers": []}
    if trained is not None:
        with contextlib.suppress(MillraceError, OSError):  # it may be gone, the model is not
            layers = training.layers(kinds.TrainedModel(trained.fetch()))
    return {
        **shown,
        "network": layers["name"],
        "layers": layers["layers"],
        "trained": _link(found, trained),
        "evaluation": _link(found, judged),
        "figures": judged.properties if judged else {},
    }


def _link(found: Found, record: ArtifactRecord | None) -> Shown | None:
    if record is None:
        return None
    return {"page": found.page(record), "title": title(record.type), "number": record.id}


def _evaluation(found: Found) -> Shown:
    shown = evaluation.gather(_as(found, kinds.Evaluation), _cell(found.asked.query))
    page = found.page(found.record)
    if confusion := shown["confusion"]:
        confusion["links"] = [
            [truth, answer, f"{page}?truth={truth}&answer={answer}#cell"]
            for truth, answer, _ in confusion["cells"]
        ]
        for pair in confusion["pairs"]:
            truth, answer = pair["cell"]
            pair["page"] = f"{page}?truth={truth}&answer={answer}#cell"
    _preview(found, evaluation.listed(shown))
    return shown | {"model": _link(found, found.input("Model"))}


def _cell(query: Mapping[str, str]) -> tuple[int, int] | None:
    truth, answer = query.get("truth", ""), query.get("answer", "")
    return (int(truth), int(answer)) if truth.isdecimal() and answer.isdecimal() else None


def _preview(found: Found, rows: Sequence[Shown]) -> None:
    """Give each row the address of its record, and the record as it looks, where that is near."""
    record = found.input("Examples")
    wanted: dict[str, list[Place]] = {}
    for row in rows:
        where = evaluation.place_of(str(row.get("position", "")))
        row["page"], row["cells"] = "", {}
        if where and record is not None:
            split, at = where
            row["page"] = f"{found.page(record)}/records/{split}/{at}"
            wanted.setdefault(split, []).append(at)
    if record is None or not wanted:
        return
    try:
        read = kinds.Examples(record.fetch())
        spec = found.at(record).spec()
        seen = {
            split: records.several(read, split, places, most=_PREVIEWED)
            for split, places in wanted.items()
        }
    except (MillraceError, OSError):
        return  # the examples are gone; what was answered to them is not
    for row in rows:
        where = evaluation.place_of(str(row.get("position", "")))
        if where and where[1] in seen[where[0]]:
            row["cells"] = records.cells(seen[where[0]][where[1]], Look(spec))


def _rate(found: Found) -> Shown:
    return training.rate(_as(found, kinds.LearningRate))


def _searched(found: Found) -> Shown:
    return training.searched(_as(found, kinds.Hyperparameters))


def _verdict(found: Found) -> Shown:
    artifact = _as(found, kinds.InfraBlessing)
    return {"is_blessed": artifact.blessed, "reasons": artifact.reasons}


def _pushed(found: Found) -> Shown:
    artifact = _as(found, kinds.PushedModel)
    return {"facts": [["Pushed", artifact.outcome]]}


def _analysis(found: Found) -> Shown:
    described = json_files.read_object(_as(found, kinds.Analysis).file)
    return {"facts": [[name.replace("_", " "), _told(value)] for name, value in described.items()]}


def _told(value: Any) -> str:
    """A setting in a line: of a long list its length and how it begins."""
    match value:
        case [] | {} | None | "":
            return "none"
        case bool():
            return "yes" if value else "no"
        case list() if all(not isinstance(each, list | dict) for each in value):
            more = f"{len(value):,}: " if len(value) > 1 else ""
            return _cut(more + ", ".join(map(_told, value[:60])), len(value) > 60)
        case list():
            return f"{len(value):,}: {_told(value[0])}, …"
        case dict():
            parts = (f"{name} {_told(each)}" for name, each in value.items())
            return _cut("; ".join(parts), is_cut=False)
        case float():
            return f"{value:.6g}"
        case _:
            return str(value)


def _cut(text: str, is_cut: bool) -> str:
    return f"{text[:_LONG]}…" if is_cut or len(text) > _LONG else text


def _predictions(found: Found) -> Shown:
    """The first rows that a model answered in bulk."""
    folder = _as(found, kinds.InferenceResult).path
    if (table := folder / "predictions.csv").exists():
        columns, rows = training.read_table(table)
        return {"columns": columns, "rows": rows[:50]}
    if (lines := folder / "predictions.jsonl").exists():
        some = [row for row, _ in zip(json_files.read_lines(lines), range(50), strict=False)]
        columns = list(dict.fromkeys(name for row in some for name in row))
        return {
            "columns": columns,
            "rows": [[_told(row.get(name)) for name in columns] for row in some],
        }
    return {"columns": [], "rows": []}


def _plain(found: Found) -> Shown:
    """Of a type that says nothing more of itself: its pictures, if it is there."""
    if found.record.files is not None and not found.artifact.is_intact():
        raise DataError(f"{found.record.uri}: expected it whole. It is not.")
    return {}


_SECTIONS: dict[str, tuple[str, Callable[[Found], Shown]]] = {
    "Examples": ("examples", _examples),
    "Statistics": ("statistics", _statistics),
    "Schema": ("schema", _schema),
    "Anomalies": ("anomalies", _anomalies),
    "Analysis": ("facts", _analysis),
    "LearningRate": ("rate", _rate),
    "Hyperparameters": ("search", _searched),
    "TrainedModel": ("training", _trained),
    "Model": ("model", _model),
    "Evaluation": ("evaluation", _evaluation),
    "InfraBlessing": ("verdict", _verdict),
    "PushedModel": ("facts", _pushed),
    "InferenceResult": ("predictions", _predictions),
}
