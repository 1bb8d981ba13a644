"""The kin of an artifact as a graph: collected layer by layer, in a few queries for each.

`lineage` has them as a tree, as long as there are few. Here a shared input is one node, and the
depth and the breadth are bounded, with the number of those left out. What an artifact was only
compared with, a baseline or the previous run's statistics, is no kin.
"""

import dataclasses
from collections.abc import Collection, Iterable
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from millrace.components.artifacts import Model, PushedModel, RawFiles
from millrace.pipeline.records import (
    ArtifactRecord,
    EventRecord,
    ExecutionRecord,
    FileRecord,
    RunRecord,
)

COMPARED = ("baseline", "previous")  # inputs that nothing was made of
DEPTH = 12  # layers up, and down
BREADTH = 10  # artifacts of a layer
_ROWS = 2000  # events of a layer that are looked at
_CHUNK = 500  # numbers in a query


@dataclasses.dataclass(frozen=True)
class Edge:
    """That an execution read an artifact to write another.

    Attributes:
        start: the number of what was read.
        end: of what was written.
        name: of the input.
        step: the execution's.
        run: its run.
    """

    start: int
    end: int
    name: str
    step: str
    run: str


@dataclasses.dataclass(frozen=True)
class Family:
    """An artifact among its kin.

    Attributes:
        artifacts: by number.
        makers: the step and the run that wrote each; sources have none.
        edges: between them.
        left_out: how many of the layers were too many, at least.
        is_deeper: whether there are layers beyond the last one that was looked at.
    """

    artifacts: dict[int, ArtifactRecord]
    makers: dict[int, tuple[str, str]]
    edges: tuple[Edge, ...]
    left_out: int
    is_deeper: bool


def of(
    session: Session,
    start: int,
    *,
    depth: int = DEPTH,
    breadth: int = BREADTH,
    ways: Collection[Literal["up", "down"]] = ("up", "down"),
) -> Family:
    """The ancestors and the descendants of the artifact with the number `start`."""
    known, edges = {start}, dict[tuple[int, int], Edge]()
    left_out, is_deeper = 0, False
    for way in ways:
        layer = {start}
        for _ in range(depth):
            found = _events(session, layer, way)
            reached = {edge.start if way == "up" else edge.end for edge in found}
            # The newest ones: older ones are left out first.
            new = sorted(reached - known, reverse=True)
            left_out += max(0, len(new) - breadth)
            layer = set(new[:breadth])
            known |= layer
            edges |= {(e.start, e.end): e for e in found if {e.start, e.end} <= known}
            if not layer:
                break
        else:
            is_deeper = is_deeper or bool(_events(session, layer, way))
    records = session.scalars(sa.select(ArtifactRecord).where(ArtifactRecord.id.in_(known)))
    return Family(
        {record.id: record for record in records},
        makers(session, known),
        tuple(edges.values()),
        left_out,
        is_deeper,
    )


def makers(session: Session, artifacts: Iterable[int]) -> dict[int, tuple[str, str]]:
    """The step and the run that first wrote each of `artifacts`."""
    found: dict[int, tuple[str, str]] = {}
    for numbers in _chunks(artifacts):
        query = (
            sa.select(EventRecord.artifact_id, ExecutionRecord.step, ExecutionRecord.run_id)
            .join(ExecutionRecord, ExecutionRecord.id == EventRecord.execution_id)
            .where(EventRecord.artifact_id.in_(numbers), EventRecord.role == "output")
            .where(ExecutionRecord.status == "ran")
            .order_by(ExecutionRecord.id.desc())
        )
        found |= {artifact: (step, run) for artifact, step, run in session.execute(query)}
    return found


def _events(session: Session, layer: Iterable[int], way: Literal["up", "down"]) -> list[Edge]:
    """The edges from `layer` one layer on, the newest first."""
    read, written = aliased(EventRecord), aliased(EventRecord)
    here = written if way == "up" else read
    found: list[Edge] = []
    for numbers in _chunks(layer):
        query = (
            sa.select(read.artifact_id, written.artifact_id, read.name)
            .add_columns(ExecutionRecord.step, ExecutionRecord.run_id)
            .select_from(here)
            .join(ExecutionRecord, ExecutionRecord.id == here.execution_id)
            .join(
                written if way == "down" else read,
                (written.execution_id == read.execution_id),
            )
            .where(here.artifact_id.in_(numbers), ExecutionRecord.status == "ran")
            .where(read.role == "input", written.role == "output", read.name.not_in(COMPARED))
            .order_by(ExecutionRecord.id.desc())
            .limit(_ROWS)
        )
        found += [Edge(*row) for row in session.execute(query)]
    return found


def _chunks(numbers: Iterable[int]) -> Iterable[list[int]]:
    ordered = sorted(numbers)
    return (ordered[at : at + _CHUNK] for at in range(0, len(ordered), _CHUNK))


def _reached(start: int, way: Literal["up", "down"]) -> sa.Select[tuple[int]]:
    """A query for the numbers of all kin one way, `start` among them."""
    read, written = aliased(EventRecord), aliased(EventRecord)
    kin = sa.select(sa.literal(start).label("id")).cte("kin", recursive=True)
    here, there = (written, read) if way == "up" else (read, written)
    further = (
        sa.select(there.artifact_id)
        .select_from(kin)
        .join(here, here.artifact_id == kin.c.id)
        .join(ExecutionRecord, ExecutionRecord.id == here.execution_id)
        .join(there, there.execution_id == here.execution_id)
        .where(read.role == "input", written.role == "output", read.name.not_in(COMPARED))
        .where(ExecutionRecord.status == "ran")
    )
    return sa.select(kin.union(further).c.id)


def models(session: Session, artifact: int, most: int) -> tuple[list[ArtifactRecord], int]:
    """The newest `most` models that were made from an artifact, and how many there are."""
    condition = (ArtifactRecord.type == Model.__name__) & ArtifactRecord.id.in_(
        _reached(artifact, "down")
    )
    return _newest(session, condition, most)


def sources(session: Session, artifact: int, most: int) -> tuple[list[ArtifactRecord], int]:
    """The newest `most` artifacts among an artifact's ancestors that are data as it was given.

    That is what no step has written, or a step that fetched it.
    """
    written = sa.select(EventRecord.artifact_id).where(EventRecord.role == "output")
    is_source = ArtifactRecord.id.not_in(written) | (ArtifactRecord.type == RawFiles.__name__)
    return _newest(session, ArtifactRecord.id.in_(_reached(artifact, "up")) & is_source, most)


def pushes(session: Session, numbers: Collection[int]) -> dict[int, ArtifactRecord]:
    """The push of each of the models with these numbers that was pushed."""
    read, written = aliased(EventRecord), aliased(EventRecord)
    query = (
        sa.select(read.artifact_id, ArtifactRecord)
        .join(written, written.execution_id == read.execution_id)
        .join(ArtifactRecord, ArtifactRecord.id == written.artifact_id)
        .where(read.artifact_id.in_(numbers), read.role == "input", read.name == "model")
        .where(written.role == "output", ArtifactRecord.type == PushedModel.__name__)
        .order_by(ArtifactRecord.id)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def search(
    session: Session, text: str, most: int, within: sa.ColumnElement[bool] | None = None
) -> tuple[list[ArtifactRecord], int]:
    """The newest `most` artifacts that a part of a path, or the start of a digest, leads to.

    A file leads to the sources that hold it; its digest does, too.

    Args:
        session: a transaction.
        text: not empty.
        most: to be returned.
        within: a condition on the runs that have read or written them; see `Store.within`.
    """
    uri = ArtifactRecord.uri
    condition = uri.contains(text, autoescape=True)
    condition |= ArtifactRecord.digest.startswith(text.lower(), autoescape=True)
    files = sa.select(FileRecord.path).where(
        FileRecord.path.contains(text, autoescape=True)
        | FileRecord.digest.startswith(text.lower(), autoescape=True)
    )
    for path in session.scalars(files.limit(20)):
        above = [path[:at] for at in range(1, len(path)) if path[at] == "/"]
        condition |= uri.in_([path, *above])
    return _newest(session, condition if within is None else condition & met(within), most)


def met(within: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """The condition on artifacts that a run which is `within` has read or written them."""
    events = sa.select(EventRecord.artifact_id).join(ExecutionRecord).join(RunRecord)
    return ArtifactRecord.id.in_(events.where(within))


def _newest(
    session: Session, condition: sa.ColumnElement[bool], most: int
) -> tuple[list[ArtifactRecord], int]:
    query = sa.select(ArtifactRecord).where(condition).order_by(ArtifactRecord.id.desc())
    count = sa.select(sa.func.count()).select_from(ArtifactRecord).where(condition)
    return list(session.scalars(query.limit(most))), session.scalars(count).one()
