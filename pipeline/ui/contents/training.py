"""What training and the searches before it leave: layers, curves, candidates, trials, rates."""

import csv
from collections.abc import Mapping, Sequence
from typing import Any

from etils.epath import Path

from millrace.components.artifacts import Hyperparameters, LearningRate, Model, TrainedModel
from millrace.components.files import json_files

_TIMES = " \N{MULTIPLICATION SIGN} "
_ROWS = 500  # of a table
_CLASSES = 200  # named
_POINTS = 400  # of a line


def trained(artifact: TrainedModel) -> dict[str, Any]:
    """What a page shows of a trained model.

    Raises:
        DataError: a file of it is damaged.
    """
    return {
        **layers(artifact),
        "history": _history(artifact.history_file),
        "candidates": _candidates(artifact.path / "candidates.csv"),
        "calibration": _calibration(artifact.path / "calibration.json"),
    }


def layers(artifact: TrainedModel) -> dict[str, Any]:
    """The network, layer by layer; nothing of an artifact that does not say."""
    file = artifact.path / "model.json"
    found = json_files.read_object(file) if file.exists() else {}
    return {
        "name": found.get("name", ""),
        "parameters": found.get("parameters"),
        "trainable": found.get("trainable_parameters"),
        "layers": [
            {
                "name": each["name"],
                "type": each["type"],
                "shape": _shape(each.get("output_shape")),
                "parameters": each["parameters"],
                "share": each["parameters"] / (found.get("parameters") or 1),
            }
            for each in found.get("layers", ())
        ],
    }


def exported(artifact: Model) -> dict[str, Any]:
    """What a page shows of a model that can be served.

    Raises:
        DataError: a file of it is damaged.
    """
    found = artifact.description
    classes = list(map(str, found.get("classes") or ()))
    return {
        "kind": found.get("kind", ""),
        "task": found.get("task", ""),
        "label": found.get("label", ""),
        "parameters": found.get("parameters"),
        "classes": classes[:_CLASSES],
        "class_count": len(classes),
        "levels": found.get("levels") or [],
        "calibrated_on": found.get("calibrated_on") or "",
        "check": found.get("check"),
        "versions": found.get("versions") or {},
        "signatures": [
            {
                "name": name,
                "method": each.get("method_name", ""),
                "inputs": _tensors(each["inputs"]),
                "outputs": _tensors(each["outputs"]),
            }
            for name, each in sorted((found.get("signatures") or {}).items())
        ],
    }


def _tensors(found: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"name": name, "type": each["dtype"], "shape": _shape(each["shape"])}
        for name, each in found.items()
    ]


def _shape(sizes: Sequence[Any] | None) -> str:
    """A shape as people write it; the first axis is the batch, which says nothing."""
    if sizes is None:
        return ""
    if sizes and not isinstance(sizes[0], int | None):
        return ", ".join(map(_shape, sizes))  # a layer with several outputs
    return _TIMES.join("any" if size is None else str(size) for size in sizes[1:]) or "one"


def read_table(file: Path) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of a CSV file.

    Raises:
        DataError: it is not there, empty, or its rows are of unlike lengths.
    """
    try:
        head, *rows = csv.reader(file.read_text("utf-8").splitlines(keepends=True))
    except (OSError, ValueError) as error:
        raise json_files.refusal(file, "a CSV with a header", error) from error
    if any(len(row) != len(head) for row in rows):
        raise json_files.refusal(file, f"{len(head)} columns in each row", "another number")
    return head, rows


def number(text: str) -> float | None:
    """A cell's number; None where it has none."""
    try:
        return float(text)
    except ValueError:
        return None


def _history(file: Path) -> dict[str, Any]:
    """Metrics by epoch, training beside validation, and the best epoch of the loss."""
    if not file.exists():
        return {"epochs": 0, "columns": [], "rows": [], "curves": [], "best": None}
    columns, rows = read_table(file)
    values = {name: [number(row[place]) for row in rows] for place, name in enumerate(columns)}
    epochs = values.pop("epoch", [float(place + 1) for place in range(len(rows))])
    names = [name for name in values if not name.startswith("val_")]
    curves = []
    for name in sorted(names, key=lambda name: (name != "loss", name)):
        series = [{"name": "training", "x": epochs, "y": values[name]}]
        if f"val_{name}" in values:
            series.append({"name": "validation", "x": epochs, "y": values[f"val_{name}"]})
        curves.append({"name": name, "series": series})
    judged = values.get("val_loss") or values.get("loss") or []
    known = [
        (value, epoch) for value, epoch in zip(judged, epochs, strict=True) if value is not None
    ]
    return {
        "epochs": len(rows),
        "columns": columns,
        "rows": [list(row) for row in zip(epochs, *values.values(), strict=True)][:_ROWS],
        "curves": curves,
        "best": min(known)[1] if known else None,
    }


def _candidates(file: Path) -> list[dict[str, Any]]:
    """The networks that were tried, the best first."""
    if not file.exists():
        return []
    columns, rows = read_table(file)
    found: list[dict[str, Any]] = [dict(zip(columns, row, strict=True)) for row in rows]
    for each in found:
        for name in ("score", "share", "epochs", "parameters"):
            each[name] = number(each.get(name, ""))
    return sorted(
        found, key=lambda each: each["score"] if each["score"] is not None else float("inf")
    )


def _calibration(file: Path) -> dict[str, Any] | None:
    """How sure a classifier was and is; None of what was not calibrated."""
    found = json_files.read_object(file) if file.exists() else {}
    if not found.get("before"):
        return None
    return {
        "split": found["split"],
        "rows": found["rows"],
        "temperature": found["temperature"],
        "threshold": found["threshold"],
        "figures": [
            {"name": name, "before": value, "after": found["after"][name]}
            for name, value in found["before"].items()
        ],
        "reliability": [
            {
                "name": name,
                "x": [sure for count, sure, _ in bins if count],
                "y": [right for count, _, right in bins if count],
            }
            for name, bins in found.get("reliability", {}).items()
        ],
    }


def rate(artifact: LearningRate) -> dict[str, Any]:
    """What a page shows of a learning rate that was found by a sweep.

    Raises:
        DataError: a file of it is damaged.
    """
    found = json_files.read_object(artifact.path / "rate.json", rate=(float, int))
    columns, rows = read_table(artifact.path / "sweep.csv")
    step = max(1, len(rows) // _POINTS)
    rates = [number(row[columns.index("rate")]) for row in rows[::step]]
    return {
        "rate": found["rate"],
        "lowest_at": found.get("lowest_at"),
        "still_falling": bool(found.get("still_falling")),
        "diverged": bool(found.get("diverged")),
        "series": [
            {
                "name": name,
                "x": rates,
                "y": _capped([number(row[columns.index(name)]) for row in rows[::step]]),
            }
            for name in ("loss", "smoothed")
            if name in columns
        ],
    }


def _capped(values: Sequence[float | None]) -> list[float | None]:
    """`values` without those far above where they began, which would hide all the others."""
    known = [value for value in values if value is not None]
    most = 2 * known[0] if known else 0.0
    return [value if value is not None and value <= most else None for value in values]


def searched(artifact: Hyperparameters) -> dict[str, Any]:
    """What a page shows of a search: the best settings, and each trial.

    Raises:
        DataError: a file of it is damaged.
    """
    best = artifact.best
    file = artifact.path / "trials.csv"
    columns, rows = read_table(file) if file.exists() else ([], [])
    return {
        "objective": best["objective"],
        "value": best["value"],
        "trial": best["trial"],
        "numbers": {name: best[name] for name in ("complete", "pruned", "failed") if name in best},
        "settings": best["settings"],
        "columns": columns,
        "rows": rows[:_ROWS],
    }
