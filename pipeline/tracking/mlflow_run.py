"""A run of ours as one run of MLflow: options, figures, learning curves, pictures, the model.

    parameters   every option, `trainer.epochs`
    metrics      `evaluation/accuracy`, and `…/lower`, `…/upper` of its 95 % interval;
                 `training/val_loss` by epoch; `seconds/trainer`
    artifacts    `pictures/<step>/`, `model/` (the SavedModel), `report.html`
    tags         `millrace.run`, by which the next step of the run finds it, and what began it

`MlflowClient` alone, without a model flavour: mlflow-skinny has it, and needs no TensorFlow.
"""

import csv
import os
import pathlib
import re
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from millrace.components.artifacts import (
    Artifact,
    Evaluation,
    Examples,
    Model,
    RawFiles,
    TrainedModel,
)
from millrace.pipeline import options
from millrace.pipeline.dag import Step
from millrace.pipeline.results import StepResult
from millrace.pipeline.root import Root
from millrace.pipeline.run_request import RunRequest
from millrace.serving import remote

T = TypeVar("T")

RUN = "millrace.run"
_ENDS = {"done": "FINISHED", "anomalies": "FAILED", "failed": "FAILED", "killed": "KILLED"}
_LONGEST = 6000  # characters of a parameter that MLflow takes
_PARAMS, _METRICS = 100, 1000  # that it takes in one request
_NOT_A_NAME = re.compile(r"[^\w\-. :/]")
# A person waits for the run, not for its server.
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
_DATA = (Examples, RawFiles)  # whose pictures are the data itself


class MLflowRun:
    """See `observer.TrackedRun`."""

    def __init__(self, request: RunRequest, root: Root, run: str) -> None:
        """The run of that id under `root`; the server is not asked yet."""
        self._request, self._root, self._run = request, root, run
        self._id = ""

    def begin(self) -> str:
        """Find or make the run of MLflow; returns its address."""
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        from mlflow.tracking import MlflowClient

        tracking, dag = self._request.dag.tracking, self._request.dag
        self._client = MlflowClient(tracking.address)
        name = tracking.experiment or dag.name
        found = self._client.get_experiment_by_name(name)
        experiment = found.experiment_id if found else self._client.create_experiment(name)
        known = self._client.search_runs([experiment], f"tags.`{RUN}` = '{self._run}'")
        if known:
            self._id = known[0].info.run_id
            self._client.update_run(self._id, status="RUNNING")
        else:
            made = self._client.create_run(experiment, tags=self._tags(), run_name=self._run)
            self._id = made.info.run_id
        return f"{tracking.address.rstrip('/')}/#/experiments/{experiment}/runs/{self._id}"

    def step(self, step: Step, result: StepResult) -> None:
        """Log what `step` was set to, its seconds, and what it made."""
        artifact = step.spec.output(remote.fetch(result.output)) if result.output else None
        figures = [(f"seconds/{step.name}", result.seconds, 0)]
        if isinstance(artifact, Evaluation):
            figures += _figures(artifact)
        if isinstance(artifact, TrainedModel):
            figures += _curves(artifact)
        self._log_numbers(_options(step), figures)
        if isinstance(artifact, Evaluation):
            self._client.set_tag(self._id, "millrace.blessed", str(artifact.blessed).lower())
        if artifact is not None and not isinstance(artifact, _DATA):
            self._log_files(step.name, artifact)

    def _log_numbers(
        self, settings: Iterable[tuple[str, str]], figures: Iterable[tuple[str, float, int]]
    ) -> None:
        """Log options by name, and figures by name and epoch, some at a time."""
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        for some in _parts([Param(name, value[:_LONGEST]) for name, value in settings], _PARAMS):
            self._client.log_batch(self._id, params=some)
        metrics = [Metric(_name(name), value, now, epoch) for name, value, epoch in figures]
        for part in _parts(metrics, _METRICS):
            self._client.log_batch(self._id, metrics=part)

    def _log_files(self, step: str, artifact: Artifact) -> None:
        """Upload the pictures of an artifact, and the SavedModel."""
        folder = pathlib.Path(artifact.path)
        for file in sorted(each for end in ("png", "svg") for each in folder.rglob(f"*.{end}")):
            place = pathlib.PurePosixPath("pictures", step, file.parent.relative_to(folder))
            self._client.log_artifact(self._id, str(file), str(place))
        if isinstance(artifact, Model) and self._request.dag.tracking.model:
            self._client.log_artifacts(self._id, str(artifact.saved_model), "model")

    def end(self, status: str) -> None:
        """Log the report, and how the run ended."""
        report = pathlib.Path(self._root.report(self._run))
        if report.is_file():
            self._client.log_artifact(self._id, str(report))
        self._client.set_terminated(self._id, _ENDS.get(status, "RUNNING"))

    def _tags(self) -> dict[str, str]:
        request = self._request
        return {
            RUN: self._run,
            "millrace.recipe": request.recipe,
            "millrace.command": request.command,
            "millrace.data": request.data or "",
            "millrace.root": self._root.name,
            "mlflow.source.name": "millrace",
        }


def _options(step: Step) -> Iterator[tuple[str, str]]:
    """What can be set and its value, in the form of `--set`; what is none or empty too."""
    for name, value in step.options.items():
        annotation, _ = step.spec.options[name]
        for row in options.rows(f"{step.name}.{name}", annotation, value):
            yield row.option, str(row.value)


def _figures(evaluation: Evaluation) -> list[tuple[str, float, int]]:
    """Each figure, and both ends of its interval where that is known."""
    found = [(f"evaluation/{name}", value, 0) for name, value in evaluation.metrics.items()]
    for name, (low, high) in evaluation.intervals.items():
        found += [(f"evaluation/{name}/lower", low, 0), (f"evaluation/{name}/upper", high, 0)]
    return found


def _curves(trained: TrainedModel) -> list[tuple[str, float, int]]:
    """Each column of the history, by epoch."""
    if not trained.history_file.exists():
        return []
    with trained.history_file.open() as text:
        return [
            (f"training/{name}", float(value), int(float(row["epoch"])))
            for row in csv.DictReader(text)
            for name, value in row.items()
            if name != "epoch" and value
        ]


def _parts(items: list[T], count: int) -> Iterator[list[T]]:
    """`items` in lists of `count` at most."""
    return (items[start : start + count] for start in range(0, len(items), count))


def _name(text: str) -> str:
    """`text` with the characters alone that MLflow takes."""
    return _NOT_A_NAME.sub("_", text)
