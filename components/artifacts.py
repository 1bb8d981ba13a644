"""The typed folders that steps pass to one another, in TFX's own file layout.

An artifact is a folder and a class that knows the names inside it: first those of data, then those
of models and what was found out about them. The classes read and write small JSON and marker files;
records, protos and models are left to the components. Paths are `etils.epath.Path`. Imports little
more than the standard library and `etils`: the engine imports this module and must start fast.
"""

import dataclasses
import heapq
import importlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

from etils.epath import Path

from millrace.components.files import json_files
from millrace.serving import remote, versions

Property = str | int | float | bool


@dataclasses.dataclass(frozen=True)
class Artifact:
    """A folder written by one step, whole or absent."""

    path: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))

    @property
    def type_name(self) -> str:
        """The name under which the store files it."""
        return type(self).__name__

    def properties(self) -> dict[str, Property]:
        """The few values worth storing, and a line in `millrace show`."""
        return {}

    def parts(self) -> dict[str, Path]:
        """The folders, or the one file, that it stands for; its own has the empty name."""
        return {"": self.path}

    def is_intact(self) -> bool:
        """Whether everything that the artifact stands for is still on disk."""
        return self.path.exists()

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        # By a name that is made here, so that how an artifact looks is part of no step's key.
        display = importlib.import_module(f"{__package__}.display.artifacts")
        return display.notebook(self)


class RawFiles(Artifact):
    """The user's file or folder, or a folder of files written by a step."""


@dataclasses.dataclass(frozen=True)
class Rejected:
    """One input set aside: where it came from, where in it, and why."""

    source: str
    reason: str
    position: str = ""


@dataclasses.dataclass
class SetAside:
    """Inputs set aside, in order: a run of them for each source and reason.

    So the rows of a large table that lack its label cost little more than their positions.
    """

    runs: list[tuple[str, str, list[str]]] = dataclasses.field(default_factory=list)

    @classmethod
    def of(cls, items: Iterable[Rejected]) -> Self:
        """All of `items`."""
        found = cls()
        for item in items:
            found.append(item)
        return found

    def __iter__(self) -> Iterator[Rejected]:
        for source, reason, positions in self.runs:
            yield from (Rejected(source, reason, position) for position in positions)

    def __len__(self) -> int:
        return sum(len(positions) for _, _, positions in self.runs)

    def add(self, source: str, reason: str, positions: Iterable[str]) -> None:
        """Add a run."""
        if not self.runs or self.runs[-1][:2] != (source, reason):
            self.runs.append((source, reason, []))
        self.runs[-1][2].extend(positions)

    def append(self, item: Rejected) -> None:
        """Add one."""
        self.add(item.source, item.reason, [item.position])

    def extend(self, other: Self) -> None:
        """Add all of another's."""
        for run in other.runs:
            self.add(*run)

    def because(self, start: str) -> Self:
        """Those whose reason starts so."""
        return type(self)([run for run in self.runs if run[1].startswith(start)])

    def first(self, count: int) -> list[Rejected]:
        """The first, by source and number."""
        heads = SetAside(
            [
                (source, reason, heapq.nsmallest(count, positions, key=_by_number))
                for source, reason, positions in self.runs
            ]
        )
        return sorted(heads, key=lambda item: (item.source, *_by_number(item.position)))[:count]

    def json_lines(self) -> Iterator[str]:
        """An object for each, on a line of its own."""
        for source, reason, positions in self.runs:
            start = json.dumps({"source": source, "reason": reason}).removesuffix("}")
            yield from (f'{start}, "position": {json.dumps(each)}}}\n' for each in positions)


def _by_number(position: str) -> tuple[int, str]:
    return len(position), position


class _Split(Artifact):
    """An artifact with a `Split-<name>` folder per split."""

    def split_path(self, split: str) -> Path:
        return self.path / f"Split-{split}"

    @property
    def splits(self) -> list[str]:
        """Names of the splits: train, val, eval and test, then the rest by name."""
        order = {"train": 0, "val": 1, "eval": 2, "test": 3}
        names = [entry.name.removeprefix("Split-") for entry in self.path.glob("Split-*")]
        return sorted(names, key=lambda name: (order.get(name, len(order)), name))


class Examples(_Split):
    """`tf.train.Example` records: `Split-<name>/data_tfrecord-00000-of-0000N.gz`.

    Beside them `examples.json` (`counts` per split, `rejected`, and any `notes`) and
    `rejected.jsonl` (one `Rejected` per line).
    """

    def shard(self, split: str, index: int, shards: int) -> Path:
        """The file of shard `index` of `shards` of `split`."""
        return self.split_path(split) / f"data_tfrecord-{index:05d}-of-{shards:05d}.gz"

    def files(self, split: str) -> list[Path]:
        """The record files of `split`, in shard order."""
        return sorted(self.split_path(split).glob("data_tfrecord-*"))

    def write_summary(
        self,
        counts: Mapping[str, int],
        rejected: Iterable[Rejected] = (),
        notes: Mapping[str, Property] | None = None,
        *,
        unlabelled: SetAside | None = None,
        bad_cells: Iterable[Rejected] = (),
    ) -> Self:
        """Write `examples.json`, and what is not in the records; returns the artifact.

        Args:
            counts: records per split.
            rejected: inputs that could not be used, to `rejected.jsonl`.
            notes: what else the summary is to hold.
            unlabelled: rows without a label, to `unlabelled.jsonl` if there are any.
            bad_cells: cells taken as missing in rows that were kept, to `bad_cells.jsonl` if
                there are any.
        """
        lists = {
            "rejected": SetAside.of(rejected),
            "unlabelled": unlabelled or SetAside(),
            "bad_cells": SetAside.of(bad_cells),
        }
        for name, items in lists.items():
            if items or name == "rejected":
                (self.path / f"{name}.jsonl").write_text("".join(items.json_lines()))
        count = len(lists["rejected"])
        summary = {"counts": dict(counts), "rejected": count, "notes": dict(notes or {})}
        (self.path / "examples.json").write_text(json.dumps(summary, indent=1))
        return self

    @property
    def summary(self) -> dict[str, Any]:
        """The content of `examples.json`."""
        return json_files.read_object(self.path / "examples.json", counts=dict, rejected=int)

    @property
    def counts(self) -> dict[str, int]:
        """Records per split."""
        return self.summary["counts"]

    def rejected(self) -> Iterator[Rejected]:
        """What was set aside while these examples were made."""
        file = self.path / "rejected.jsonl"
        for row in json_files.read_lines(file, source=str, reason=str, position=str):
            yield Rejected(row["source"], row["reason"], row["position"])

    def properties(self) -> dict[str, Property]:
        """Counts per split, and how many inputs were rejected."""
        summary = self.summary
        return {**summary["counts"], "rejected": summary["rejected"]}


class Statistics(_Split):
    """`Split-<name>/FeatureStats.pb`: tensorflow-metadata `DatasetFeatureStatisticsList`."""

    def file(self, split: str) -> Path:
        return self.split_path(split) / "FeatureStats.pb"


class Schema(Artifact):
    """`schema.pbtxt`: a tensorflow-metadata `Schema`."""

    @property
    def file(self) -> Path:
        return self.path / "schema.pbtxt"


class Anomalies(_Split):
    """`Split-<name>/SchemaDiff.pb`: tensorflow-metadata `Anomalies`, and two JSON summaries.

    `anomalies.json` is a list of objects with `split`, `feature`, `kind`, `description`;
    `distances.json` one with `split`, `feature`, `comparator` (drift or skew), `kind`, `value`,
    `threshold`.
    """

    def file(self, split: str) -> Path:
        return self.split_path(split) / "SchemaDiff.pb"

    def write(
        self, found: Sequence[Mapping[str, str]], distances: Sequence[Mapping[str, str | float]]
    ) -> None:
        """Write the two JSON files."""
        for name, rows in (("anomalies.json", found), ("distances.json", distances)):
            (self.path / name).write_text(json.dumps(rows, indent=1, ensure_ascii=False))

    @property
    def found(self) -> list[dict[str, str]]:
        """Every anomaly of every split, readable without tensorflow-metadata."""
        texts = dict.fromkeys(("split", "feature", "kind", "description"), str)
        return json_files.read_list(self.path / "anomalies.json", **texts)

    @property
    def distances(self) -> list[dict[str, Any]]:
        """Every distance measured, including those over their thresholds."""
        file = self.path / "distances.json"
        if not file.exists():  # older artifacts have none
            return []
        texts = dict.fromkeys(("split", "feature", "comparator", "kind"), str)
        return json_files.read_list(file, value=(float, int), threshold=(float, int), **texts)

    def properties(self) -> dict[str, Property]:
        """How many anomalies were found."""
        return {"anomalies": len(self.found)}


class Analysis(Artifact):
    """`analysis.json`: what a pass over the train split found; read by `features`."""

    @property
    def file(self) -> Path:
        return self.path / "analysis.json"


class Plots(Artifact):
    """PNG files to look at; `captions.json` may say what each shows."""

    def write_captions(self, captions: Mapping[str, str]) -> Self:
        """Say what the files show, by their names; returns the artifact."""
        (self.path / "captions.json").write_text(json.dumps(captions, indent=1))
        return self

    @property
    def captions(self) -> dict[str, str]:
        """What each file shows, as far as that was said.

        Raises:
            DataError: `captions.json` is damaged.
        """
        file = self.path / "captions.json"
        if not file.exists():
            return {}
        found = json_files.read_object(file)
        return {name: str(text) for name, text in found.items()}

    @property
    def files(self) -> list[Path]:
        return sorted(self.path.glob("*.png"))

    def properties(self) -> dict[str, Property]:
        """How many there are."""
        return {"plots": len(self.files)}


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
    """What training writes: `Format-Keras/model.keras`, `history.csv`, `logs/`."""

    @property
    def keras_file(self) -> Path:
        return self.path / "Format-Keras" / "model.keras"

    @property
    def history_file(self) -> Path:
        """One row per epoch: `epoch` from 1, then Keras's names."""
        return self.path / "history.csv"


class Hyperparameters(Artifact):
    """`best.json`: the settings of a search's best trial; `trials.csv`, plots, logs.

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
    """A folder with one of two empty marker files, and the reasons in `reasons.json`."""

    yes: ClassVar[str]
    no: ClassVar[str]

    def write_verdict(self, blessed: bool, reasons: Iterable[str]) -> Self:
        """Write the marker file and the reasons; returns the artifact."""
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
    def intervals(self) -> dict[str, tuple[float, float]]:
        """Of each metric what it could be were other rows drawn, at 95 %; where that is known."""
        found = json_files.read_object(self.path / "metrics.json").get("intervals") or {}
        return {name: (low, high) for name, (low, high) in found.items()}

    @property
    def prediction_intervals(self) -> dict[str, Any] | None:
        """How many truths are within a regressor's or forecaster's intervals; None without them."""
        return json_files.read_object(self.path / "metrics.json").get("prediction_intervals")

    @property
    def baseline(self) -> dict[str, float] | None:
        """Those of the last blessed model on the same rows; None if it could not be compared."""
        found = json_files.read_object(self.path / "metrics.json").get("baseline")
        return found and found["metrics"]

    @property
    def count(self) -> int:
        """The number of rows that the overall metrics are computed on."""
        return json_files.read_object(self.path / "metrics.json", count=int)["count"]

    @property
    def forecasts_file(self) -> Path:
        """Of a forecaster: a line per judged row, step and target; `time` is ISO 8601 in UTC."""
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
    same model is not pushed again unless forced.
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
        """The folder of the pushed version, or None if nothing was pushed or it is gone."""
        folder = self.push["folder"]
        return remote.path(folder) if folder and versions.is_there(remote.path(folder)) else None

    @property
    def outcome(self) -> str:
        """The version's folder, or why there is none."""
        if not self.push["folder"]:
            return self.push["reason"]
        if self.version_path is None:
            return f"version {self.push['version']} was withdrawn; --force pusher pushes it again"
        return remote.url(self.version_path)

    def parts(self) -> dict[str, Path]:
        """Its own folder, and the version's, wherever that is now."""
        place = self.version_path or self._withdrawn
        return {"": self.path} | ({"version": place} if place else {})

    @property
    def _withdrawn(self) -> Path | None:
        """The folder of the version after a rollback has withdrawn it."""
        if not self.push["folder"]:
            return None
        version = remote.path(self.push["folder"])
        folder = version.parent / ".withdrawn" / version.name
        return folder if versions.is_there(folder) else None

    def is_intact(self) -> bool:
        """Whether the version is still the newest in the serving root, or was withdrawn from it.

        An older one is not served any more: its model has to be pushed again.
        """
        if not self.path.exists():
            return False
        if not self.push["folder"]:
            return True
        if self._withdrawn is not None:
            return True
        version = remote.path(self.push["folder"])
        found = versions.on_disk(version.parent) if versions.is_there(version) else {}
        return max(found or {}, default=-1) == int(version.name)

    def properties(self) -> dict[str, Property]:
        """The model's name and version, 0 if nothing was pushed."""
        push = self.push
        return {"model": push["model"], "version": push["version"]}


class InferenceResult(Artifact):
    """`prediction_logs-*.gz` (PredictionLog records), and `predictions.jsonl` or `.csv`."""
