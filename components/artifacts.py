"""The typed folders that steps hand to one another, in TFX's own file layout.

An artifact is a folder and a class that knows the names inside it. The classes read and
write small JSON and marker files; records, protos and models are the components' business.
Paths are `etils.epath.Path`, so a root can lie in an object store. Standard library and
`etils` only: the engine imports this module and must start in a blink.
"""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Self

from etils.epath import Path

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
        """The few values worth a column in the store and a line in `millrace show`."""
        return {}

    def is_intact(self) -> bool:
        """Whether all that the artifact stands for is still on disk."""
        return self.path.exists()


class RawFiles(Artifact):
    """A file or folder of the user's, or a folder of files written by a step."""


@dataclasses.dataclass(frozen=True)
class Rejected:
    """One input set aside: where it came from, where in it, and why."""

    source: str
    reason: str
    position: str = ""


class _Split(Artifact):
    """An artifact with one `Split-<name>` folder per split."""

    def split_path(self, split: str) -> Path:
        return self.path / f"Split-{split}"

    @property
    def splits(self) -> list[str]:
        """Names of the splits: train first, then val, eval and test, then the rest by name."""
        order = {"train": 0, "val": 1, "eval": 2, "test": 3}
        names = [entry.name.removeprefix("Split-") for entry in self.path.glob("Split-*")]
        return sorted(names, key=lambda name: (order.get(name, len(order)), name))


class Examples(_Split):
    """`tf.train.Example` records: `Split-<name>/data_tfrecord-00000-of-0000N.gz`.

    Beside them `examples.json` (`counts` per split, `rejected`, and free `notes`) and
    `rejected.jsonl` (one `Rejected` a line).
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
    ) -> Self:
        """Write `examples.json` and `rejected.jsonl`; returns the artifact."""
        lines = [json.dumps(dataclasses.asdict(item)) + "\n" for item in rejected]
        (self.path / "rejected.jsonl").write_text("".join(lines))
        summary = {"counts": dict(counts), "rejected": len(lines), "notes": dict(notes or {})}
        (self.path / "examples.json").write_text(json.dumps(summary, indent=1))
        return self

    @property
    def summary(self) -> dict[str, Any]:
        """The content of `examples.json`."""
        return json.loads((self.path / "examples.json").read_text())

    @property
    def counts(self) -> dict[str, int]:
        """Records per split."""
        return self.summary["counts"]

    def rejected(self) -> Iterator[Rejected]:
        """What was set aside while these examples were made."""
        for line in (self.path / "rejected.jsonl").read_text().splitlines():
            yield Rejected(**json.loads(line))

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
    """`Split-<name>/SchemaDiff.pb`: tensorflow-metadata `Anomalies`; `anomalies.json` sums up.

    `anomalies.json` is a list of objects with `split`, `feature`, `kind`, `description`.
    """

    def file(self, split: str) -> Path:
        return self.split_path(split) / "SchemaDiff.pb"

    @property
    def found(self) -> list[dict[str, str]]:
        """Every anomaly of every split, readable without tensorflow-metadata."""
        return json.loads((self.path / "anomalies.json").read_text())

    def properties(self) -> dict[str, Property]:
        """How many anomalies were found."""
        return {"anomalies": len(self.found)}


class Analysis(Artifact):
    """`analysis.json`: what one pass over the train split found; read by `features`."""

    @property
    def file(self) -> Path:
        return self.path / "analysis.json"


class TrainedModel(Artifact):
    """What training leaves: `Format-Keras/model.keras`, `history.csv`, `logs/`."""

    @property
    def keras_file(self) -> Path:
        return self.path / "Format-Keras" / "model.keras"

    @property
    def history_file(self) -> Path:
        """One row per epoch: `epoch` from 1, then Keras's names."""
        return self.path / "history.csv"


class Model(Artifact):
    """A servable model: `Format-Serving/` (SavedModel) and `Format-Keras/model.keras`."""

    @property
    def saved_model(self) -> Path:
        return self.path / "Format-Serving"

    @property
    def keras_file(self) -> Path:
        return self.path / "Format-Keras" / "model.keras"


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
        return json.loads((self.path / "reasons.json").read_text())

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
        return json.loads((self.path / "metrics.json").read_text())["metrics"]

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
        return json.loads((self.path / "pushed.json").read_text())

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

    def is_intact(self) -> bool:
        """Whether the version is still the newest in the serving root, or was withdrawn from it.

        An older one is what nobody is served: its model has to be pushed again.
        """
        if not self.path.exists():
            return False
        if not self.push["folder"]:
            return True
        version = Path(self.push["folder"])
        if (version.parent / ".withdrawn" / version.name).exists():
            return True
        beside = version.parent.glob("*") if version.exists() else ()
        versions = [int(folder.name) for folder in beside if folder.name.isdecimal()]
        return max(versions, default=-1) == int(version.name)

    def properties(self) -> dict[str, Property]:
        """The model's name and version, 0 where nothing was pushed."""
        push = self.push
        return {"model": push["model"], "version": push["version"]}


class InferenceResult(Artifact):
    """`prediction_logs-*.gz` (PredictionLog records), and `predictions.jsonl` or `.csv`."""
