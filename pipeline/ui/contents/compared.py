"""A run among others that it is compared with, and what its small files say."""

import pathlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from millrace.components.artifacts import Evaluation, Statistics, TrainedModel
from millrace.components.files import json_files
from millrace.pipeline.records import ArtifactRecord, ExecutionRecord, RunRecord
from millrace.pipeline.ui.contents import run as run_contents
from millrace.serving.errors import MillraceError

ERRORS = (MillraceError, OSError, ValueError, KeyError, TypeError)


class Compared(NamedTuple):
    """A run among others.

    Attributes:
        letter: by which the page calls it.
        run: its record.
        executions: the newest of each step.
        evaluation, training, statistics: outputs of it, each None where there is none.
    """

    letter: str
    run: RunRecord
    executions: Sequence[ExecutionRecord]
    evaluation: ArtifactRecord | None
    training: ArtifactRecord | None
    statistics: ArtifactRecord | None


def of_run(session: Session, letter: str, run: RunRecord) -> Compared:
    """The run under that letter; of several outputs of a type the last."""
    executions = run_contents.of_run(session, run.id)
    made: dict[str, ArtifactRecord] = {}
    for one in executions:
        if one.output is not None:
            made[one.output.type] = one.output
    names = (kind.__name__ for kind in (Evaluation, TrainedModel, Statistics))
    return Compared(letter, run, executions, *map(made.get, names))


def summary(evaluation: ArtifactRecord | None) -> dict[str, Any]:
    """The content of `metrics.json`, empty where it cannot be read."""
    if evaluation is None:
        return {}
    try:
        return json_files.read_object(folder(evaluation) / "metrics.json", metrics=dict)
    except ERRORS:
        return {}


def folder(record: ArtifactRecord) -> pathlib.Path:
    """The artifact's folder here, without files of over 1 MiB where it lies in an object store."""
    return pathlib.Path(record.fetch(most=1 << 20))


def examples(each: Compared) -> str | None:
    """The content of the records that a run's evaluation was made on."""
    for one in each.executions:
        if one.output is not None and one.output.type == Evaluation.__name__:
            found = one.inputs.get("examples")
            return found.digest if found else None
    return None


def are_same(digests: Iterable[str | None]) -> bool:
    """Whether all are known and equal."""
    found = set(digests)
    return len(found) == 1 and None not in found
