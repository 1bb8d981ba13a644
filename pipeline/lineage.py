"""Where an artifact came from and what was made of it."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from millrace.components.files import folders
from millrace.pipeline.errors import UsageError
from millrace.pipeline.records import ArtifactRecord, EventRecord, ExecutionRecord, RunRecord


@dataclasses.dataclass(frozen=True)
class Node:
    """One artifact of a family tree, with the execution that links it to the one above."""

    artifact: ArtifactRecord
    execution: ExecutionRecord | None  # None for the artifact asked about
    name: str  # the input's name in that execution, or "output"
    nodes: "tuple[Node, ...]"


def find_artifact(
    session: Session, name: str, within: sa.ColumnElement[bool] | None = None
) -> ArtifactRecord:
    """The artifact with the number `name`, the newest output of the step `name`, or the newest
    artifact whose path ends in `name`.

    Args:
        session: a transaction.
        name: of what is looked for.
        within: a condition on the runs that have read or written it; see `Store.within`.

    Raises:
        UsageError: there is none.
    """
    query = sa.select(ArtifactRecord).order_by(ArtifactRecord.id.desc())
    if within is not None:
        met = sa.select(EventRecord.artifact_id).join(ExecutionRecord).join(RunRecord)
        met = met.where(EventRecord.artifact_id == ArtifactRecord.id, within)
        query = query.where(met.correlate(ArtifactRecord).exists())
    if name.isdecimal():
        chosen = [ArtifactRecord.id == int(name)]
    else:
        made_by = sa.and_(ExecutionRecord.step == name, EventRecord.role == "output")
        outputs = sa.select(EventRecord.artifact_id).join(ExecutionRecord).where(made_by)
        ends_so = ArtifactRecord.uri.endswith(name.rstrip("/"), autoescape=True)
        chosen = [ArtifactRecord.id.in_(outputs), ends_so]
    for condition in chosen:
        found = session.scalars(query.where(condition)).first()
        if found is not None:
            return found
    raise UsageError(
        f"Artifact {name!r}: expected an artifact's number, a step's name or a path. Received: "
        "one that the store does not know. `millrace show RUN` lists those of a run."
    )


def ancestors(artifact: ArtifactRecord) -> Node:
    """The tree of what `artifact` was made from."""
    return Node(artifact, None, "output", tuple(_parents(artifact)))


def descendants(artifact: ArtifactRecord, root: str = "") -> Node:
    """The tree of what was made from `artifact`, in runs under `root` if that is given."""
    return Node(artifact, None, "output", tuple(_children(artifact, root)))


def is_gone(artifact: ArtifactRecord) -> bool:
    """Whether a step has made `artifact` and it is no longer in place."""
    return artifact.maker is not None and not folders.is_there(artifact.place)


def as_json(node: Node) -> dict[str, Any]:
    """The tree below `node`, for `millrace lineage --json`."""
    artifact, execution = node.artifact, node.execution
    return {
        "artifact": artifact.id,
        "type": artifact.type,
        "place": artifact.uri,
        "gone": is_gone(artifact),
        "properties": artifact.properties,
        "name": node.name,
        "step": execution.step if execution else None,
        "run": execution.run_id if execution else None,
        "nodes": [as_json(below) for below in node.nodes],
    }


def _parents(artifact: ArtifactRecord) -> Iterator[Node]:
    for execution in artifact.executions("output", status="ran"):
        for name, parent in execution.inputs.items():
            yield Node(parent, execution, name, tuple(_parents(parent)))


def _children(artifact: ArtifactRecord, root: str) -> Iterator[Node]:
    for execution in artifact.executions("input", status="ran"):
        if execution.output is not None and root in ("", execution.run.root):
            below = tuple(_children(execution.output, root))
            yield Node(execution.output, execution, "output", below)
