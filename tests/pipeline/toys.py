"""Components small enough to test the engine with: they write and read text files."""

import dataclasses
import json
import logging
import os
import signal
import time
from typing import Annotated, Literal

import pydantic
from etils.epath import Path

from millrace.components.artifacts import (
    Analysis,
    Anomalies,
    Artifact,
    Evaluation,
    Examples,
    Model,
    PushedModel,
    RawFiles,
    Schema,
    Statistics,
)
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError, OptionError
from millrace.components.features import spec as specs
from millrace.components.features.series_spec import SeriesSpec
from millrace.components.files.tfrecord import write_records
from millrace.serving.example import encode

CALLS: list[str] = []  # the names of the components that ran, in order


@dataclasses.dataclass(frozen=True)
class Small:
    kind: Literal["small"] = "small"
    width: int = 1


@dataclasses.dataclass(frozen=True)
class Large:
    kind: Literal["large"] = "large"
    widths: tuple[int, ...] = (8, 8)
    rate: Annotated[float, pydantic.Field(ge=0)] = 0.5


def read(source: RawFiles, out: Path, *, upper: bool = False) -> Examples:
    """Copy the text of `source`."""
    CALLS.append("read")
    text = "".join(file.read_text() for file in sorted(source.path.glob("*.txt")))
    if text == "refused":
        raise DataError(f"{source.path}: expected another text. Received: {text}. Write one.")
    (out / "text").write_text(text.upper() if upper else text)
    return Examples(out).write_summary({"train": len(text)})


def count(examples: Examples, out: Path, *, run_on: BeamOptions) -> Statistics:
    """Count the characters."""
    CALLS.append("count")
    logging.getLogger("millrace.components.toys").info("counting with %s", run_on.flags)
    (out / "count").write_text(str(len((examples.path / "text").read_text())))
    return Statistics(out)


def validate(statistics: Statistics, previous: Statistics | None, out: Path) -> Anomalies:
    """Complain when the count has changed."""
    CALLS.append("validate")
    now = (statistics.path / "count").read_text()
    before = (previous.path / "count").read_text() if previous else now
    found = [{"split": "train", "feature": "text", "kind": "DRIFT", "description": "count"}]
    (out / "anomalies.json").write_text(json.dumps(found if now != before else []))
    return Anomalies(out)


def infer(statistics: Statistics, out: Path) -> Schema:
    """Take the count for the schema."""
    (out / "schema").write_text((statistics.path / "count").read_text())
    return Schema(out)


def compare(
    statistics: Statistics, schema: Schema, out: Path, *, training: Statistics | None = None
) -> Anomalies:
    """Find nothing wrong."""
    Anomalies(out).write([], [])
    return Anomalies(out)


def train(
    examples: Examples,
    out: Path,
    resume: Path,
    *,
    epochs: int = 1,
    model: Annotated[Small | Large, pydantic.Field(discriminator="kind")] = Small(),
    fail: Literal["no", "data", "option", "bug", "kill"] = "no",
    weights: dict[str, float] = {},  # noqa: B006
    limit: int | None = None,
    note: str = "",
) -> Model:
    """Write the options as the model; fail in the way asked for."""
    CALLS.append("train")
    (resume / "epoch").touch()
    (out / "half").write_text("half")
    if fail == "data":
        raise DataError("train: expected text. Received: none. Add some.")
    if fail == "option":
        raise OptionError("train.fail: expected no. Received: option. Set it.")
    if fail == "kill" and not os.environ.get("TOY_SPARE"):
        os.kill(os.getpid(), signal.SIGKILL)
    if fail == "bug":
        raise ZeroDivisionError("one by zero")
    text = (examples.path / "text").read_text()
    (out / "model").write_text(f"{text} {epochs} {model} {weights} {limit}")
    return Model(out)


def rest(examples: Examples, out: Path) -> Model:
    """Take longer than anybody waits."""
    time.sleep(600)
    return Model(out)


def judge(model: Model, baseline: Model | None, out: Path, *, bless: bool = True) -> Evaluation:
    """Bless as told; name the baseline."""
    CALLS.append("judge")
    (out / "baseline").write_text((baseline.path / "model").read_text() if baseline else "none")
    (out / "metrics.json").write_text(json.dumps({"metrics": {"accuracy": 0.5}}))
    return Evaluation(out).write_verdict(bless, ["told so"])


def wrong_folder(out: Path) -> Artifact:
    """Return an artifact that is not over `out`."""
    return Artifact(out.parent)


def push(
    model: Model, evaluation: Evaluation, out: Path, *, serving: str, version: int
) -> PushedModel:
    """Make a version folder."""
    folder = Path(serving) / "toy" / str(version)
    folder.mkdir(parents=True)
    return PushedModel(out).write_push(
        model="toy", version=version, folder=str(folder), reason="pushed"
    )


def records(out: Path, *, name: str = "") -> Examples:
    """Write ten raw image records to the test split; all called `name`, in Latin-1, if given."""
    examples = Examples(out)
    examples.split_path("test").mkdir()
    rows = (
        {
            "image/encoded": b"%d" % n,
            "image/filename": name.encode("latin-1") or f"{n}.png",
            "image/class/text": "ant",
        }
        for n in range(10)
    )
    write_records(examples.shard("test", 0, 1), [encode(row) for row in rows])
    return examples.write_summary({"train": 0, "test": 10})


def described(out: Path) -> Model:
    """A model that only says what it is."""
    (out / "model.json").write_text(
        json.dumps({"task": "classification", "label": "image/class/text"})
    )
    return Model(out)


def saved(out: Path, *, text: str = "one") -> Model:
    """A model that a pusher takes: a SavedModel that holds `text`."""
    (out / "Format-Serving").mkdir()
    (out / "Format-Serving" / "saved_model.pb").write_text(text)
    return Model(out)


def score(examples: Examples, model: Model | None, out: Path) -> Evaluation:
    """Bless whatever there is."""
    (out / "metrics.json").write_text(json.dumps({"metrics": {}}))
    return Evaluation(out).write_verdict(blessed=True, reasons=[])


def analysed(examples: Examples, out: Path) -> Analysis:
    """Settle that a series `y` of hours is forecast two hours ahead from three."""
    spec = SeriesSpec(("y",), 3, 2, "h", (0.0,), (1.0,), (1.0,), known=("k",), calendar=("hour",))
    specs.write(dataclasses.replace(spec, offset=(0.0, 0.0), spread=(1.0, 1.0)), Analysis(out).file)
    return Analysis(out)


def exported(analysis: Analysis, out: Path) -> Model:
    """A model of what was settled."""
    (out / "model").write_text(analysis.file.read_text())
    return Model(out)
