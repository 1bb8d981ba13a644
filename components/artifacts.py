"""The typed folders that steps hand to one another, in TFX's own file layout.

An artifact is a folder and a class that knows the names inside it. The classes read and
write small JSON and marker files; records, protos and models are the components' business.
Paths are `etils.epath.Path`. Standard library and `etils` only (`json_files` too): the engine
imports this module and must start in a blink.
"""

import dataclasses
import importlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

from etils.epath import Path

from millrace.components.files import json_files

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

    def parts(self) -> dict[str, Path]:
        """The folders, or the one file, that it stands for; its own is called ``."""
        return {"": self.path}

    def is_intact(self) -> bool:
        """Whether all that the artifact stands for is still on disk."""
        return self.path.exists()

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        # By a name that is made here, so that how an artifact looks is part of no step's key.
        display = importlib.import_module(f"{__package__}.display.artifacts")
        return display.notebook(self)


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
    """`Split-<name>/SchemaDiff.pb`: tensorflow-metadata `Anomalies`; two JSON files sum up.

    `anomalies.json` is a list of objects with `split`, `feature`, `kind`, `description`;
    `distances.json` one of `split`, `feature`, `comparator` (drift or skew), `kind`, `value`,
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
        """Every distance measured, those over their thresholds among them."""
        file = self.path / "distances.json"
        if not file.exists():  # older ones have no such file
            return []
        texts = dict.fromkeys(("split", "feature", "comparator", "kind"), str)
        return json_files.read_list(file, value=(float, int), threshold=(float, int), **texts)

    def properties(self) -> dict[str, Property]:
        """How many anomalies were found."""
        return {"anomalies": len(self.found)}


class Analysis(Artifact):
    """`analysis.json`: what one pass over the train split found; read by `features`."""

    @property
    def file(self) -> Path:
        return self.path / "analysis.json"


class Plots(Artifact):
    """PNG files to look at."""

    @property
    def files(self) -> list[Path]:
        return sorted(self.path.glob("*.png"))

    def properties(self) -> dict[str, Property]:
        """How many there are."""
        return {"plots": len(self.files)}
