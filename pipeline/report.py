"""A run told in JSON for programs, and in closing lines for the terminal; see `page` too."""

from collections.abc import Iterator
from typing import Any

from components.artifacts import Anomalies
from components.model_artifacts import Evaluation, InferenceResult, PushedModel
from pipeline.records import ExecutionRecord, RunRecord
from pipeline.results import RunResult
from pipeline.root import Root


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
        yield f"model   {pushed.outcome}"
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


def _list(evaluation: Evaluation) -> str:
    return "; ".join(evaluation.reasons)
