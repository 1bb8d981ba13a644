"""What an artifact shows of itself, in a notebook and on the page of a run."""

import csv
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from etils.epath import Path

from millrace.components import artifacts as kinds
from millrace.components.artifacts import Artifact
from millrace.components.display import charts, examples
from millrace.components.display.html import (
    Markup,
    escape,
    folded,
    plots,
    shortened,
    table,
)
from millrace.components.display.numbers import between, short
from millrace.components.files import folders, json_files
from millrace.components.schema import text as schemas
from millrace.components.statistics import table as statistics
from millrace.serving.errors import MillraceError

_WIDTH = 420  # pixels of a picture in a notebook
_LONG = 160  # letters of a value
_MOST = 10  # files, predictions or classes


def notebook(artifact: Artifact) -> Markup:
    """The artifact as a notebook shows it, or why it cannot be shown."""
    try:
        shown = body(artifact, width=_WIDTH)
    except (MillraceError, OSError) as error:
        shown = Markup(f"<p>{escape(error)}</p>")
    title = f"<b>{escape(artifact.type_name)}</b> <code>{escape(artifact.path)}</code>"
    return Markup(f'<div style="overflow-x:auto"><p>{title}</p>{shown}</div>')


def body(artifact: Artifact, *, width: int | None = None) -> Markup:
    """What is in the artifact, its pictures at most `width` pixels wide.

    Raises:
        DataError: a file of it is damaged.
    """
    match artifact:
        case kinds.Examples():
            return examples.show(artifact)
        case kinds.Statistics():
            return _statistics(artifact)
        case kinds.Anomalies():
            return _anomalies(artifact)
        case kinds.Evaluation():
            return _evaluation(artifact, width)
        case kinds.TrainedModel():
            return _training(artifact)
        case kinds.RawFiles():  # maybe thousands of pictures
            return table((), _facts(artifact))
        case _:
            return Markup(table((), _facts(artifact)) + plots(artifact.path, width=width))


def _facts(artifact: Artifact) -> Iterable[tuple[Any, ...]]:
    """The rows of an artifact that is one table."""
    match artifact:
        case kinds.Schema():
            return _schema(artifact)
        case kinds.Analysis():
            return _fields(json_files.read_object(artifact.file))
        case kinds.Model():
            return _model(artifact)
        case kinds.Hyperparameters():
            return _fields(artifact.best)
        case kinds.PushedModel():
            return [("pushed", artifact.outcome)]
        case kinds.InferenceResult():
            return _predictions(artifact.path)
        case kinds.InfraBlessing():
            return [("blessed", artifact.blessed), ("because", "; ".join(artifact.reasons))]
        case _:
            return [*artifact.properties().items(), *_files(artifact.path)]


def _statistics(artifact: kinds.Statistics) -> Markup:
    columns = ("split", "feature", "type", "count", "missing", "mean", "min", "median", "max")
    rows = (
        (
            *(getattr(row, column) for column in columns),
            charts.spark_bars(row.buckets),
            ", ".join(f"{value} ({count})" for value, count in row.top),
        )
        for row in statistics.rows(artifact)
    )
    return table((*columns, "distribution", "most frequent"), rows)


def _anomalies(artifact: kinds.Anomalies) -> Markup:
    columns = ("split", "feature", "kind", "description")
    rows = [[found[column] for column in columns] for found in artifact.found]
    shown = table(columns, rows) if rows else "<p>None.</p>"
    if distances := artifact.distances:
        compared = ("split", "feature", "comparator", "kind", "value", "threshold")
        shown += table(compared, ([one[column] for column in compared] for one in distances))
    return Markup(shown)


def _evaluation(artifact: kinds.Evaluation, width: int | None) -> Markup:
    """The verdict, the figures, and what lies behind them."""
    verdict, state = ("blessed", "yes") if artifact.blessed else ("not blessed", "no")
    reasons = escape("; ".join(artifact.reasons))
    was = artifact.baseline or {}
    around = artifact.intervals
    rows = (
        (
            name,
            short(value),
            between(*around[name]) if name in around else "",
            *([short(was[name]) if name in was else ""] if was else []),
        )
        for name, value in artifact.metrics.items()
    )
    figures = table(("metric", "value", "95 % interval", *(["was"] if was else [])), rows)
    head = f'<p class="{state}">{verdict}: {reasons}</p>{figures}'
    return Markup(f"{head}{behind_figures(artifact, width=width)}")


def behind_figures(artifact: kinds.Evaluation, *, width: int | None = None) -> Markup:
    """What an evaluation has beside its verdict and figures: intervals, pictures and texts.

    Raises:
        DataError: a file of it is damaged.
    """
    levels = Markup("")
    if within := artifact.prediction_intervals:
        keys = ("level", "coverage", "interval", "width")
        columns = ("level", "truths within", "95 % interval", "width")
        rows = (
            (f"{level:.0%}", f"{held:.1%}", between(*interval), short(width))
            for level, held, interval, width in (map(each.get, keys) for each in within["levels"])
        )
        levels = table(columns, rows)
    texts = (
        folded(file.stem, f"<pre>{escape(file.read_text())}</pre>")
        for file in sorted(artifact.path.glob("*.txt"))
    )
    drawn = plots(artifact.path, width=width)
    return Markup(f"{levels}{drawn}{''.join(texts)}")


def _training(artifact: kinds.TrainedModel) -> Markup:
    certainty = _certainty(artifact)
    history = artifact.history_file
    if not history.exists():
        return certainty
    try:
        columns, *rows = csv.reader(history.read_text().splitlines())
        figures = [[float(cell) for cell in row] for row in rows]
    except ValueError as error:
        raise json_files.refusal(history, "a CSV of numbers", error) from error
    drawn = "".join(charts.learning_curves(columns, figures))
    epochs = folded(f"{len(figures)} epochs", table(columns, figures))
    return Markup(drawn + epochs + certainty)


def _certainty(artifact: kinds.TrainedModel) -> Markup:
    """How sure a classifier was, and is, on the split that it was calibrated on."""
    file = artifact.path / "calibration.json"
    found = json_files.read_object(file) if file.exists() else {}
    if not found.get("before"):
        return Markup("")
    before, after = found["before"], found["after"]
    rows = ((name, short(value), short(after[name])) for name, value in before.items())
    title = f"calibrated on {found['split']}, temperature {found['temperature']:.3g}"
    shown = table((title, "before", "after"), rows)
    return Markup(shown + plots(artifact.path, width=_WIDTH))


def _schema(artifact: kinds.Schema) -> Iterator[tuple[Any, ...]]:
    for feature in schemas.read(artifact.file).feature:
        kind = feature.DESCRIPTOR.fields_by_name["type"].enum_type.values_by_number[feature.type]
        domain = feature.WhichOneof("domain_info")
        content = str(getattr(feature, domain)) if domain else ""
        present = f"in {feature.presence.min_fraction:.4g} of the records or more"
        yield feature.name, kind.name, present, shortened(f"{domain or ''} {content}", _LONG)


def _model(artifact: kinds.Model) -> Iterator[tuple[Any, ...]]:
    description = artifact.description
    for name in ("kind", "task", "label"):
        yield name, description.get(name)
    if classes := description.get("classes"):
        more = ["…"] if len(classes) > _MOST else []
        yield f"{len(classes)} classes", ", ".join(map(str, [*classes[:_MOST], *more]))
    yield "parameters", f"{description.get('parameters', 0):,}"
    yield "SavedModel", _size(file for _, file in folders.files(artifact.saved_model))
    for name, signature in description.get("signatures", {}).items():
        taken, given = (_tensors(signature[side]) for side in ("inputs", "outputs"))
        yield name, f"{taken} → {given}"


def _tensors(tensors: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name}: {one['dtype']} [{', '.join(str(size or 'batch') for size in one['shape'])}]"
        for name, one in tensors.items()
    )


def _predictions(folder: Path) -> Iterator[tuple[Any, ...]]:
    """The first rows that were predicted."""
    if (lines := folder / "predictions.jsonl").exists():
        with lines.open(encoding="utf-8") as file:
            for line in itertools.islice(file, _MOST):
                row = json.loads(line)
                told = {name: value for name, value in row.items() if name != "filename"}
                yield row.get("filename"), shortened(json.dumps(told), _LONG)
    elif (rows := folder / "predictions.csv").exists():
        with rows.open(encoding="utf-8") as file:
            yield from map(tuple, itertools.islice(csv.reader(file), _MOST + 1))
    else:
        yield from _files(folder)


def _fields(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        yield (
            name,
            shortened(
                value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), _LONG
            ),
        )


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    for name, file in itertools.islice(folders.files(folder), _MOST):
        yield name, _size([file])


def _size(files: Iterable[Path]) -> str:
    return f"{sum(file.stat().length for file in files):,} bytes"
