"""A run in JSON for programs, and in closing lines for the terminal; see `ui.report_file` too."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from millrace.components.artifacts import (
    Anomalies,
    Artifact,
    Evaluation,
    InferenceResult,
    PushedModel,
)
from millrace.components.display import numbers
from millrace.components.files import folders, json_files
from millrace.pipeline import runs
from millrace.pipeline.records import ExecutionRecord, RunRecord
from millrace.pipeline.results import RunResult
from millrace.pipeline.root import Root
from millrace.serving import remote

_COLUMNS, _CLASSES, _WORDS = 5, 3, 3  # that say what a model goes by
_DISTANCES = {"L_INFTY": "L-infinity", "JENSEN_SHANNON_DIVERGENCE": "Jensen-Shannon"}


def result_json(result: RunResult, recipe: str) -> dict[str, Any]:
    """The object that `millrace run --json` ends with."""
    evaluation = result.output(Evaluation)
    pushed = result.output(PushedModel)
    anomalies = result.output(Anomalies)
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
                "output": remote.url(step.output) if step.output else None,
                **({"error": step.error} if step.error else {}),
            }
            for step in result.steps
        ],
        "metrics": evaluation.metrics if evaluation else {},
        "intervals": evaluation.intervals if evaluation else {},
        "prediction_intervals": evaluation.prediction_intervals if evaluation else None,
        "baseline": evaluation.baseline if evaluation else None,
        "blessed": evaluation.blessed if evaluation else None,
        "reasons": evaluation.reasons if evaluation else [],
        "pushed": remote.url(version) if version else None,
        "anomalies": anomalies.found if anomalies else [],
        "distances": anomalies.distances if anomalies else [],
    }


def step_json(
    step: RunResult, run: RunResult, following: Sequence[str], recipe: str
) -> dict[str, Any]:
    """The object that `millrace step --json` ends with: that of a run, of the one step."""
    return {**result_json(step, recipe), "run_status": run.status, "next": list(following)}


def run_json(
    run: RunRecord, status: str, steps: Mapping[int, str], tags: Sequence[str] = ()
) -> dict[str, Any]:
    """A recorded run, for `millrace show --json`.

    Args:
        run: its record.
        status: see `Store.status`.
        steps: see `Store.step_statuses`.
        tags: of the run.
    """
    return {
        "run": run.id,
        "recipe": run.recipe,
        "model": run.pipeline,
        "status": status,
        "tags": list(tags),
        "note": run.note or "",
        "command": run.arguments.get("command", ""),
        "steps": [
            {**_execution_json(one, steps[one.id]), "reads": _read(run, one)}
            for one in run.executions
        ],
    }


def _read(run: RunRecord, execution: ExecutionRecord) -> list[str]:
    """The steps of `run` whose outputs `execution` has read, in their order."""
    made = {one.output.id: one.step for one in run.executions if one.output is not None}
    read = {made.get(artifact.id, "") for artifact in execution.inputs.values()}
    return [step for step in dict.fromkeys(one.step for one in run.executions) if step in read]


def closing_lines(root: Root, result: RunResult, command: str) -> Iterator[str]:
    """What a person wants to know when a run has ended: the outcome, and what to do next."""
    yield ""
    yield from _failures(root, result, command)
    if evaluation := result.output(Evaluation):
        yield f"metrics {_figures(evaluation)}"
        yield f"verdict {'blessed' if evaluation.blessed else 'not blessed'}: {_list(evaluation)}"
        if told := goes_by(evaluation):
            yield f"goes by {told}"
    if pushed := result.output(PushedModel):
        yield f"model   {pushed.outcome}"
    if predictions := result.output(InferenceResult):
        yield f"output  {remote.origin(predictions.path)}"
    if isinstance(last := _last(result), Anomalies):
        yield from _judged(last, result.status)
    yield f"report  {root.report(result.run)}"
    if result.status == "done" and pushed and pushed.version_path:
        name = pushed.push["model"]
        is_found = runs.root_at(None).name == root.name
        there = "" if is_found else f" --root {shlex.quote(root.name)}"
        yield f"next    millrace predict {name} --sample 5{there}"
        yield f"        millrace serve{there}, millrace explain latest{there}, millrace --help"


def goes_by(evaluation: Evaluation) -> str:
    """What the model goes by, in a line: the first columns, or words of the first classes.

    Empty where `evaluator.explain` was off, or only pictures tell.
    """
    file = evaluation.path / "why.json"
    found = json_files.read_object(file) if file.exists() else {}
    if columns := [one for one in found.get("columns") or () if one["worse"] > 0]:
        first = ", ".join(f"{one['name']} {one['worse']:+.2g}" for one in columns[:_COLUMNS])
        return f"{first} ({found['metric']} where its values are shuffled)"
    classes = {
        name: [one["word"] for one in sorted(words, key=lambda one: -one["push"])[:_WORDS]]
        for name, words in (found.get("classes") or {}).items()
    }
    told = [f"{name}: {', '.join(words)}" for name, words in classes.items() if words]
    return "; ".join(told[:_CLASSES])


def progress_line(run: RunResult, following: Sequence[str]) -> str:
    """How far a run has come whose steps run one by one, and which of them can run now."""
    done = sum(one.status in ("ran", "cached") for one in run.steps)
    later = f"; next {', '.join(following)}" if following else ""
    return f"run     {run.run}: {run.status}, {done} of {len(run.steps)} steps{later}"


def _last(result: RunResult) -> Artifact | None:
    """What the run came to."""
    return next(reversed(result.artifacts.values()), None)


def _judged(anomalies: Anomalies, status: str) -> Iterator[str]:
    """How far the data is from what it was compared with, and what is wrong with it."""
    for one in anomalies.distances:
        verdict = "OVER" if one["value"] > one["threshold"] else "within"
        yield (
            f"{one['comparator']:8}{one['split']} {one['feature']}: {one['value']:.3g}, "
            f"{verdict} {one['threshold']:g} ({_DISTANCES[one['kind']]})"
        )
    if status != "done":  # other lines say why it ended
        return
    for found in anomalies.found:
        yield anomaly(found)
    if not anomalies.found:
        count = len(anomalies.distances)
        yield f"anomaly none; {count} feature{'' if count == 1 else 's'} could be compared"


def anomaly(found: Mapping[str, str]) -> str:
    """An anomaly in words."""
    return f"anomaly {found['split']} {found['feature']}: {found['description']}"


def _failures(root: Root, result: RunResult, command: str) -> Iterator[str]:
    """Why the run ended early, and what to do about it."""
    for step in result.steps:
        if step.status == "failed":
            yield f"{step.step} failed: {step.error}"
            yield f"log     {root.log(result.run, step.step)}"
            if step.can_resume:
                yield f"resume  {command}"
    if result.status == "anomalies":
        anomalies = result.output(Anomalies)
        for found in anomalies.found if anomalies else []:
            yield anomaly(found)
        yield "Stopped by --fail-on-anomaly. Correct the data or the schema."


def _execution_json(execution: ExecutionRecord, status: str) -> dict[str, Any]:
    output = execution.output
    return {
        "step": execution.step,
        "status": status,
        "seconds": round(execution.seconds, 3),
        "artifact": f"{output.type} #{output.id}" if output else "",
        "output": output.uri if output else None,
        "gone": output is not None and not folders.is_there(output.place),
        "properties": output.properties if output else {},
        "error": execution.error,
    }


def _figures(evaluation: Evaluation) -> str:
    """Each figure, its interval, and what that of the last blessed model was on the same rows."""
    was, around = evaluation.baseline or {}, evaluation.intervals
    return "  ".join(
        f"{name} {numbers.short(value, 4)}"
        + (f" ({numbers.between(*around[name])})" if name in around else "")
        + (f" (was {numbers.short(was[name], 4)})" if name in was else "")
        for name, value in evaluation.metrics.items()
    )


def _list(evaluation: Evaluation) -> str:
    return "; ".join(evaluation.reasons)
