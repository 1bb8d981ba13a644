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
_READERS = 200  # executions that have read an artifact, of which a layer is made
_MANY = 400  # descendants that are collected
_CHUNK = 500  # numbers in a query

# An event in each part that it has in a query; to make one takes a millisecond.
_READ, _WRITTEN, _FIRST, _LAST = (aliased(EventRecord) for _ in range(4))

Number = sa.ColumnElement[int] | sa.orm.InstrumentedAttribute[int]


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
            sa.select(ArtifactRecord.id, ExecutionRecord.step, ExecutionRecord.run_id)
            .join(ExecutionRecord, ExecutionRecord.id == _maker(ArtifactRecord.id))
            .where(ArtifactRecord.id.in_(numbers))
        )
        found |= {artifact: (step, run) for artifact, step, run in session.execute(query)}
    return found


def _maker(artifact: Number) -> sa.ScalarSelect[int | None]:
    """The number of the execution that wrote `artifact`; those that reused it came later."""
    first = sa.select(sa.func.min(_FIRST.execution_id))
    first = first.where(_FIRST.artifact_id == artifact, _FIRST.role == "output")
    return first.correlate_except(_FIRST).scalar_subquery()


def _events(session: Session, layer: Iterable[int], way: Literal["up", "down"]) -> list[Edge]:
    """The edges from `layer` one layer on, the newest first; of each artifact the newest few."""
    found: list[Edge] = []
    for numbers in _chunks(layer):
        query = (
            sa.select(_READ.artifact_id, _WRITTEN.artifact_id, _READ.name)
            .add_columns(ExecutionRecord.step, ExecutionRecord.run_id)
            .select_from(ArtifactRecord)
            .where(ArtifactRecord.id.in_(numbers))
        )
        if way == "up":
            query = query.join(ExecutionRecord, ExecutionRecord.id == _maker(ArtifactRecord.id))
            query = query.join(_READ, _READ.execution_id == ExecutionRecord.id).join(
                _WRITTEN,
                (_WRITTEN.execution_id == ExecutionRecord.id)
                & (_WRITTEN.artifact_id == ArtifactRecord.id),
            )
        else:
            query = query.join(
                _READ,
                (_READ.artifact_id == ArtifactRecord.id)
                & (_READ.role == "input")
                & (_READ.execution_id >= _newest_readers(ArtifactRecord.id)),
            )
            query = query.join(ExecutionRecord, ExecutionRecord.id == _READ.execution_id).join(
                _WRITTEN, _WRITTEN.execution_id == ExecutionRecord.id
            )
        query = (
            query.where(ExecutionRecord.status == "ran")
            .where(_READ.role == "input", _WRITTEN.role == "output", _READ.name.not_in(COMPARED))
            .order_by(ExecutionRecord.id.desc())
        )
        found += [Edge(*row) for row in session.execute(query)]
    return found


def _newest_readers(artifact: Number) -> sa.ColumnElement[int]:
    """The number of the execution from which on the newest few have read `artifact`."""
    last = (
        sa.select(_LAST.execution_id)
        .where(_LAST.artifact_id == artifact, _LAST.role == "input")
        .order_by(_LAST.execution_id.desc())
        .offset(_READERS - 1)
        .limit(1)
    )
    return sa.func.coalesce(last.correlate_except(_LAST).scalar_subquery(), 0)


def _chunks(numbers: Iterable[int]) -> Iterable[list[int]]:
    ordered = sorted(numbers)
    return (ordered[at : at + _CHUNK] for at in range(0, len(ordered), _CHUNK))


def _ancestors(starts: Collection[int]) -> sa.Subquery:
    """A query for all ancestors of `starts`, each beside the `start` that it is one of."""
    begin = sa.select(ArtifactRecord.id.label("start"), ArtifactRecord.id.label("id"))
    kin = begin.where(ArtifactRecord.id.in_(starts)).cte("kin", recursive=True)
    further = (
        sa.select(kin.c.start, _READ.artifact_id)
        .select_from(kin)
        .join(ExecutionRecord, ExecutionRecord.id == _maker(kin.c.id))
        .join(_READ, _READ.execution_id == ExecutionRecord.id)
        .where(_READ.role == "input", _READ.name.not_in(COMPARED))
        .where(ExecutionRecord.status == "ran")
    )
    return sa.select(kin.union(further)).subquery()


def _few_descendants(session: Session, start: int) -> set[int] | None:
    """All descendants of the artifact `start`; None where they are many."""
    known, layer = {start}, {start}
    while layer:
        if len(known) > _MANY:
            return None
        query = (
            sa.select(_WRITTEN.artifact_id)
            .select_from(_READ)
            .join(ExecutionRecord, ExecutionRecord.id == _READ.execution_id)
            .join(_WRITTEN, _WRITTEN.execution_id == _READ.execution_id)
            .where(_READ.artifact_id.in_(layer), _READ.role == "input", _WRITTEN.role == "output")
            .where(_READ.name.not_in(COMPARED), ExecutionRecord.status == "ran")
            .limit(_MANY + 1)
        )
        rows = session.scalars(query).all()
        if len(rows) > _MANY:
            return None
        layer = set(rows) - known
        known |= layer
    return known - {start}


def models(session: Session, artifact: int, most: int) -> tuple[list[ArtifactRecord], bool]:
    """The newest `most` models that were made from an artifact, and whether there are more.

    Of an artifact with few descendants these are looked through; of another, the newest models
    are, whose ancestors are few.
    """
    is_model = ArtifactRecord.type == Model.__name__
    newest = sa.select(ArtifactRecord).where(is_model, ArtifactRecord.id != artifact)
    newest = newest.order_by(ArtifactRecord.id.desc()).limit(most + 1)
    few = _few_descendants(session, artifact)
    if few is not None:
        found = list(session.scalars(newest.where(ArtifactRecord.id.in_(few))))
        return found[:most], len(found) > most
    found, looked_at = [], list(session.scalars(newest))
    while looked_at and len(found) <= most:
        kin = _ancestors([one.id for one in looked_at])
        made_of_it = set(session.scalars(sa.select(kin.c.start).where(kin.c.id == artifact)))
        found += [one for one in looked_at if one.id in made_of_it]
        looked_at = list(session.scalars(newest.where(ArtifactRecord.id < looked_at[-1].id)))
    return found[:most], len(found) > most


def sources(session: Session, artifact: int, most: int) -> tuple[list[ArtifactRecord], bool]:
    """The newest `most` artifacts among an artifact's ancestors that are data as it was given.

    That is what no step has written, or a step that fetched it. And whether there are more.
    """
    kin = _ancestors([artifact])
    above = set(session.scalars(sa.select(kin.c.id))) - {artifact}
    is_source = _maker(ArtifactRecord.id).is_(None) | (ArtifactRecord.type == RawFiles.__name__)
    query = sa.select(ArtifactRecord).where(ArtifactRecord.id.in_(above), is_source)
    found = list(session.scalars(query.order_by(ArtifactRecord.id.desc()).limit(most + 1)))
    return found[:most], len(found) > most


def pushes(session: Session, numbers: Collection[int]) -> dict[int, ArtifactRecord]:
    """The push of each of the models with these numbers that was pushed."""
    readers = sa.select(EventRecord.execution_id, EventRecord.artifact_id).where(
        EventRecord.artifact_id.in_(numbers),
        EventRecord.role == "input",
        EventRecord.name == "model",
    )
    model_of = {row.execution_id: row.artifact_id for row in session.execute(readers)}
    found: dict[int, ArtifactRecord] = {}
    for executions in _chunks(model_of):
        query = (
            sa.select(EventRecord.execution_id, ArtifactRecord)
            .join(ArtifactRecord, ArtifactRecord.id == EventRecord.artifact_id)
            .where(EventRecord.execution_id.in_(executions), EventRecord.role == "output")
            .order_by(EventRecord.execution_id)
        )
        found |= {
            model_of[execution]: made
            for execution, made in session.execute(query)
            if made.type == PushedModel.__name__
        }
    return found


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
