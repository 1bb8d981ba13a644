"""A run told three ways: JSON for programs, closing lines for the terminal, a page to look at."""

import base64
import html
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from etils.epath import Path

from components.artifacts import (
    Anomalies,
    Evaluation,
    Examples,
    InferenceResult,
    PushedModel,
    TrainedModel,
)
from pipeline.records import ExecutionRecord, RunRecord
from pipeline.results import RunResult
from pipeline.root import Root
from pipeline.store import Store

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem;
       color: #1c2733; background: #fff }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse } td, th { padding: .25rem .8rem .25rem 0; text-align: left;
       border-bottom: 1px solid #e3e8ee; vertical-align: top }
code { font: 13px ui-monospace, monospace } img { max-width: 100% }
.failed, .no { color: #b3261e } .ran, .yes { color: #1b6e3c } .cached, .skipped { color: #5b6b7b }
"""


def result_json(result: RunResult, recipe: str) -> dict[str, Any]:
    """The object that `millrace run --json` ends with."""
    evaluation = result.output(Evaluation)
    pushed = result.output(PushedModel)
    version = pushed.version_path if pushed else None
    return {
        "run": result.run,
        "recipe": recipe,
        "status": result.status,
        "steps": [
            {
                "step": step.step,
                "status": step.status,
                "seconds": round(step.seconds, 3),
                "output": str(step.output) if step.output else None,
                **({"error": step.error} if step.error else {}),
            }
            for step in result.steps
        ],
        "metrics": evaluation.metrics if evaluation else {},
        "blessed": evaluation.blessed if evaluation else None,
        "pushed": str(version) if version else None,
    }


def run_json(run: RunRecord) -> dict[str, Any]:
    """A recorded run, for `millrace show --json`."""
    return {
        "run": run.id,
        "recipe": run.recipe,
        "model": run.pipeline,
        "status": run.status,
        "command": run.arguments.get("command", ""),
        "steps": [_execution_json(execution) for execution in run.executions],
    }


def closing_lines(root: Root, result: RunResult, command: str) -> Iterator[str]:
    """What a person wants to know when a run has ended: the outcome, and what to do next."""
    yield ""
    yield from _failures(root, result, command)
    if evaluation := result.output(Evaluation):
        yield "metrics " + "  ".join(f"{name} {v:.4g}" for name, v in evaluation.metrics.items())
        yield f"verdict {'blessed' if evaluation.blessed else 'not blessed'}: {_list(evaluation)}"
    if pushed := result.output(PushedModel):
        yield f"model   {pushed.version_path or 'not pushed: ' + pushed.push['reason']}"
    if predictions := result.output(InferenceResult):
        yield f"output  {predictions.path}"
    yield f"report  {root.report(result.run)}"
    if result.status == "done" and pushed and pushed.version_path:
        name = pushed.push["model"]
        yield f"next    millrace predict {name} --sample 5"
        yield "        millrace serve, millrace explain latest, millrace --help"


def _failures(root: Root, result: RunResult, command: str) -> Iterator[str]:
    """Why the run ended early, and what to do about it."""
    for step in result.steps:
        if step.status == "failed":
            yield f"{step.step} failed: {step.error}"
            yield f"log     {root.log(result.run, step.step)}"
            yield f"resume  {command}"
    if result.status == "anomalies":
        anomalies = result.output(Anomalies)
        for found in anomalies.found if anomalies else []:
            yield f"anomaly {found['split']} {found['feature']}: {found['description']}"
        yield "Stopped by --fail-on-anomaly. Correct the data or the schema."


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
        where = pushed.version_path or f"not pushed: {pushed.push['reason']}"
        yield f"<h2>Pushed</h2><p><code>{html.escape(str(where))}</code></p>"
    yield "<h2>Steps</h2>"
    yield _table(
        ("step", "status", "seconds", "because", "output"),
        (
            (e.step, e.status, f"{e.seconds:.1f}", "; ".join(e.reasons), _uri(e) or e.error)
            for e in run.executions
        ),
    )
    for name, artifact in result.artifacts.items():
        if isinstance(artifact, Examples):
            yield from _examples(name, artifact)
    if anomalies := result.output(Anomalies):
        yield from _anomalies(anomalies)
    if trained := result.output(TrainedModel):
        yield "<h2>Training</h2>" + _csv_table(trained.history_file)


def _evaluation(evaluation: Evaluation) -> Iterator[str]:
    state = "yes" if evaluation.blessed else "no"
    verdict = "blessed" if evaluation.blessed else "not blessed"
    yield f'<h2>Evaluation</h2><p class="{state}">{verdict}: {html.escape(_list(evaluation))}</p>'
    yield _table(
        ("metric", "value"), ((name, f"{v:.6g}") for name, v in evaluation.metrics.items())
    )
    for plot in sorted([*evaluation.path.glob("*.png"), *evaluation.path.glob("*/*.png")]):
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


def _csv_table(file: Path) -> str:
    if not file.exists():
        return ""
    rows = [line.split(",") for line in file.read_text().splitlines()]
    return _table(rows[0], rows[1:]) if rows else ""


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _execution_json(execution: ExecutionRecord) -> dict[str, Any]:
    output = execution.output
    return {
        "step": execution.step,
        "status": execution.status,
        "seconds": round(execution.seconds, 3),
        "artifact": f"{output.type} #{output.id}" if output else "",
        "output": output.uri if output else None,
        "properties": output.properties if output else {},
        "error": execution.error,
    }


def _uri(execution: ExecutionRecord) -> str:
    return execution.output.uri if execution.output else ""


def _list(evaluation: Evaluation) -> str:
    return "; ".join(evaluation.reasons)
