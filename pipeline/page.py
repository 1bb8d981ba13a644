"""The page of a run, to look at: one HTML file that needs no other."""

import base64
import csv
import html
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from etils.epath import Path

from millrace.components.artifacts import (
    Anomalies,
    Evaluation,
    Examples,
    PushedModel,
    RawFiles,
    Statistics,
    TrainedModel,
)
from millrace.components.files import json_files
from millrace.components.statistics import table
from millrace.pipeline import curves
from millrace.pipeline.records import ExecutionRecord, RunRecord
from millrace.pipeline.results import RunResult
from millrace.pipeline.root import Root
from millrace.pipeline.store import Store

# Their pictures have a place of their own, or are the data itself.
_SHOWN_ABOVE = (Evaluation, RawFiles)
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem;
       color: #1c2733; background: #fff }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse } td, th { padding: .25rem .8rem .25rem 0; text-align: left;
       border-bottom: 1px solid #e3e8ee; vertical-align: top }
code, pre { font: 13px ui-monospace, monospace; white-space: pre-wrap } img { max-width: 100% }
.failed, .no { color: #b3261e } .ran, .yes { color: #1b6e3c } .cached, .skipped { color: #5b6b7b }
"""


def write(root: Root, store: Store, result: RunResult) -> None:
    """Write the page of a run: `runs/<run>/report.html`, one file that needs no other."""
    with store.session() as session:
        run = store.find_run(session, result.run)
        body = "".join(_sections(run, result))
        title = f"{html.escape(run.recipe)} · {run.id}"
        page = (
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
            f"<style>{_STYLE}</style><h1>{title}</h1>{body}</html>"
        )
    root.report(result.run).write_text(page)


def _sections(run: RunRecord, result: RunResult) -> Iterator[str]:
    state = "yes" if result.status == "done" else "no"
    yield f'<p class="{state}">{result.status}</p>'
    yield f"<p><code>{html.escape(run.arguments.get('command', ''))}</code></p>"
    if evaluation := result.output(Evaluation):
        yield from _evaluation(evaluation)
    if pushed := result.output(PushedModel):
        yield f"<h2>Pushed</h2><p><code>{html.escape(pushed.outcome)}</code></p>"
    yield "<h2>Steps</h2>"
    yield _table(
        ("step", "status", "seconds", "because", "output"),
        (
            (e.step, e.status, f"{e.seconds:.1f}", "; ".join(e.reasons), _uri(e) or e.error)
            for e in run.executions
        ),
    )
    yield from _data(result)
    if trained := result.output(TrainedModel):
        yield from _training(trained.history_file)
    for name, artifact in result.artifacts.items():
        if not isinstance(artifact, _SHOWN_ABOVE) and (plots := "".join(_plots(artifact.path))):
            yield f"<h2>{html.escape(name)}</h2>{plots}"


def _data(result: RunResult) -> Iterator[str]:
    """Records by split and what was set aside, statistics, anomalies."""
    for name, artifact in result.artifacts.items():
        if isinstance(artifact, Examples):
            yield from _examples(name, artifact)
    if statistics := result.output(Statistics):
        yield from _statistics(statistics)
    if anomalies := result.output(Anomalies):
        yield from _anomalies(anomalies)


def _evaluation(evaluation: Evaluation) -> Iterator[str]:
    state = "yes" if evaluation.blessed else "no"
    verdict = "blessed" if evaluation.blessed else "not blessed"
    reasons = html.escape("; ".join(evaluation.reasons))
    yield f'<h2>Evaluation</h2><p class="{state}">{verdict}: {reasons}</p>'
    was = evaluation.baseline or {}
    rows = [[name, f"{value:.6g}"] for name, value in evaluation.metrics.items()]
    if was:
        rows = [[*row, f"{was[row[0]]:.6g}" if row[0] in was else ""] for row in rows]
    yield _table(("metric", "value", *(["was"] if was else [])), rows)
    yield from _plots(evaluation.path)
    for texts in sorted(evaluation.path.glob("*.txt")):
        yield f"<h2>{html.escape(texts.stem)}</h2><pre>{html.escape(texts.read_text())}</pre>"


def _plots(folder: Path) -> Iterator[str]:
    """The PNG files of a folder and of the folders in it, within the page."""
    for plot in sorted([*folder.glob("*.png"), *folder.glob("*/*.png")]):
        data = base64.b64encode(plot.read_bytes()).decode()
        label = html.escape(plot.name.removesuffix(".png"))
        yield f'<p><img alt="{label}" src="data:image/png;base64,{data}"></p>'


def _examples(step: str, examples: Examples) -> Iterator[str]:
    yield f"<h2>Examples of {html.escape(step)}</h2>"
    yield _table(("split", "records"), examples.counts.items())
    rejected = list(examples.rejected())
    if rejected:
        yield f"<p>{len(rejected)} set aside:</p>"
        rows = ((item.source, item.position, item.reason) for item in rejected[:50])
        yield _table(("source", "position", "reason"), rows)


def _anomalies(anomalies: Anomalies) -> Iterator[str]:
    yield "<h2>Anomalies</h2>"
    columns = ("split", "feature", "kind", "description")
    rows = [[found[column] for column in columns] for found in anomalies.found]
    yield _table(columns, rows) if rows else "<p>None.</p>"
    if distances := anomalies.distances:
        compared = ("split", "feature", "comparator", "kind", "value", "threshold")
        yield _table(compared, ([_cell(one[column]) for column in compared] for one in distances))


def _statistics(statistics: Statistics) -> Iterator[str]:
    yield "<h2>Statistics</h2>"
    columns = ("split", "feature", "type", "count", "missing", "mean", "min", "median", "max")
    rows = (
        (*(_cell(getattr(row, column)) for column in columns), _top(row.top))
        for row in table.rows(statistics)
    )
    yield _table((*columns, "most frequent"), rows)


def _top(values: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{value} ({count})" for value, count in values)


def _training(history: Path) -> Iterator[str]:
    if not history.exists():
        return
    try:
        columns, *rows = csv.reader(history.read_text().splitlines())
        figures = [[float(cell) for cell in row] for row in rows]
    except ValueError as error:
        raise json_files.refusal(history, "a CSV of numbers", error) from error
    yield "<h2>Training</h2>"
    yield from curves.draw(columns, figures)
    yield _table(columns, ([_cell(cell) for cell in row] for row in figures))


def _cell(value: object) -> str:
    """Floats in four digits, nothing for what there is not."""
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _uri(execution: ExecutionRecord) -> str:
    return execution.output.uri if execution.output else ""
