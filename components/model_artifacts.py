"""The folders that hold models, and what was found out about them, in TFX's own file layout.

Like `artifacts`, they read and write small JSON and marker files. Standard library and `etils`
only: the engine imports this module and must start in a blink.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from etils.epath import Path

from millrace.components.artifacts import Artifact, Property
from millrace.components.files import json_files
from millrace.serving import versions


class LearningRate(Artifact):
    """`rate.json` (`rate`, and how it was found), `sweep.csv` and `sweep.png`."""

    @property
    def rate(self) -> float:
        """The rate to train with."""
        return json_files.read_object(self.path / "rate.json", rate=(float, int))["rate"]

    def properties(self) -> dict[str, Property]:
        """The rate."""
        return {"rate": self.rate}


class TrainedModel(Artifact):
    """What training leaves: `Format-Keras/model.keras`, `history.csv`, `logs/`."""

    @property
    def keras_file(self) -> Path:
        return self.path / "Format-Keras" / "model.keras"

    @property
    def history_file(self) -> Path:
        """One row per epoch: `epoch` from 1, then Keras's names."""
        return self.path / "history.csv"


class Hyperparameters(Artifact):
    """`best.json`: what the best trial of a search was set to; `trials.csv`, plots, logs.

    Keys of `best.json`: `settings` (text by option, as after `--set trainer.`), `objective`
    (Keras's name), `value`, `trial`, and the numbers of trials `complete`, `pruned`, `failed`.
    """

    def write_best(self, best: Mapping[str, Any]) -> Self:
        """Write `best.json`; returns the artifact."""
        (self.path / "best.json").write_text(json.dumps(best, indent=1, ensure_ascii=False))
        return self

    @property
    def best(self) -> dict[str, Any]:
        """The content of `best.json`."""
        file = self.path / "best.json"
        return json_files.read_object(
            file, settings=dict, objective=str, value=(float, int), trial=int
        )

    @property
    def settings(self) -> dict[str, str]:
        """The best trial's settings."""
        return self.best["settings"]

    def properties(self) -> dict[str, Property]:
        """The objective's best value and the trial that reached it."""
        best = self.best
        return {best["objective"]: best["value"], "trial": best["trial"]}


class Projection(Artifact):
    """Points for TensorBoard's projector: `projector_config.pbtxt` and the files it names."""


class Model(Artifact):
    """A servable model: `Format-Serving/` (SavedModel) and `Format-Keras/model.keras`."""

    @property
    def saved_model(self) -> Path:
        return self.path / "Format-Serving"

    @property
    def keras_file(self) -> Path:
        return self.path / "Format-Keras" / "model.keras"

    @property
    def description(self) -> dict[str, Any]:
        """`model.json`: kind, task, label, classes, signatures, and how it was checked."""
        return json_files.read_object(self.path / "model.json")


class _Verdict(Artifact):
    """A folder with one of two empty marker files and, in `reasons.json`, why."""

    yes: ClassVar[str]
    no: ClassVar[str]

    def write_verdict(self, blessed: bool, reasons: Iterable[str]) -> Self:
        """Leave the marker file and the reasons; returns the artifact."""
        (self.path / "reasons.json").write_text(json.dumps(list(reasons), indent=1))
        (self.path / (self.yes if blessed else self.no)).touch()
        return self

    @property
    def blessed(self) -> bool:
        return (self.path / self.yes).exists()

    @property
    def reasons(self) -> list[str]:
        return json_files.read_texts(self.path / "reasons.json")

    def properties(self) -> dict[str, Property]:
        """The verdict."""
        return {"blessed": self.blessed}


class Evaluation(_Verdict):
    """`metrics.json`, `slices.json`, plots, and `BLESSED` or `NOT_BLESSED`."""

    yes = "BLESSED"
    no = "NOT_BLESSED"

    @property
    def metrics(self) -> dict[str, float]:
        """Overall metrics by Keras's names, on the test split where there is one."""
        return json_files.read_object(self.path / "metrics.json", metrics=dict)["metrics"]

    @property
    def baseline(self) -> dict[str, float] | None:
        """The last blessed model's on the same rows; None where it could not be compared."""
        found = json_files.read_object(self.path / "metrics.json").get("baseline")
        return found and found["metrics"]

    @property
    def count(self) -> int:
        """Rows that the overall metrics are of."""
        return json_files.read_object(self.path / "metrics.json", count=int)["count"]

    @property
    def forecasts_file(self) -> Path:
        """A forecaster's: a line per row judged, step and target; `time` is ISO 8601 in UTC."""
        return self.path / "forecasts.csv"

    def properties(self) -> dict[str, Property]:
        """The verdict and the overall metrics."""
        return {**super().properties(), **self.metrics}


class InfraBlessing(_Verdict):
    """`INFRA_BLESSED` or `INFRA_NOT_BLESSED`, and why."""

    yes = "INFRA_BLESSED"
    no = "INFRA_NOT_BLESSED"


class PushedModel(Artifact):
    """`pushed.json`: the version folder that a model server reads, or why there is none.

    Keys: `model`, `version` (Unix seconds), `folder`, `reason`; `version` 0 and an empty
    `folder` mean that nothing was pushed. A version withdrawn by a rollback lies in
    `<serving root>/<model>/.withdrawn/<version>` and still counts as intact, so that the
    same model is not pushed again unless asked.
    """

    def write_push(self, *, model: str, version: int, folder: str, reason: str) -> Self:
        """Record the push; returns the artifact."""
        record = {"model": model, "version": version, "folder": folder, "reason": reason}
        (self.path / "pushed.json").write_text(json.dumps(record, indent=1))
        return self

    @property
    def push(self) -> dict[str, Any]:
        file = self.path / "pushed.json"
        return json_files.read_object(file, model=str, version=int, folder=str, reason=str)

    @property
    def version_path(self) -> Path | None:
        """The folder of the pushed version, or None where nothing was pushed or it is gone."""
        folder = self.push["folder"]
        return Path(folder) if folder and Path(folder).exists() else None

    @property
    def outcome(self) -> str:
        """The version's folder, or why there is none."""
        if not self.push["folder"]:
            return self.push["reason"]
        if self.version_path is None:
            return f"version {self.push['version']} was withdrawn; --force pusher pushes it again"
        return str(self.version_path)

    def parts(self) -> dict[str, Path]:
        """Its own folder, and the version's, wherever that lies now."""
        place = self.version_path or self._withdrawn
        return {"": self.path} | ({"version": place} if place else {})

    @property
    def _withdrawn(self) -> Path | None:
        """The folder of the version after a rollback has withdrawn it."""
        if not self.push["folder"]:
            return None
        version = Path(self.push["folder"])
        folder = version.parent / ".withdrawn" / version.name
        return folder if folder.exists() else None

    def is_intact(self) -> bool:
        """Whether the version is still the newest in the serving root, or was withdrawn from it.

        An older one is what nobody is served: its model has to be pushed again.
        """
        if not self.path.exists():
            return False
        if not self.push["folder"]:
            return True
        if self._withdrawn is not None:
            return True
        version = Path(self.push["folder"])
        found = versions.on_disk(version.parent) if version.exists() else {}
        return max(found or {}, default=-1) == int(version.name)

    def properties(self) -> dict[str, Property]:
        """The model's name and version, 0 where nothing was pushed."""
        push = self.push
        return {"model": push["model"], "version": push["version"]}


class InferenceResult(Artifact):
    """`prediction_logs-*.gz` (PredictionLog records), and `predictions.jsonl` or `.csv`."""
