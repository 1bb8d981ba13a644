"""A page of the runs of a root: filtered, sorted and searched by the database.

What a run came to is that of the Evaluation that it made or reused last, from the few properties
which the store keeps of it: no file is read, and no execution's ingredients.
"""

import dataclasses
from collections.abc import Callable, Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from millrace.pipeline import leases, tags
from millrace.pipeline.records import (
    ArtifactRecord,
    EventRecord,
    ExecutionRecord,
    RunRecord,
    TagRecord,
    now,
)
from millrace.pipeline.root import Root
from millrace.pipeline.store import Store

SORTS = ("started", "recipe", "model", "status", "verdict", "figure", "seconds", "data")
STATUSES = ("running", "done", "failed", "killed", "anomalies", "partial")
VERDICTS = ("blessed", "not blessed", "none")
_LAST = 2**62  # the place of a run at work that has begun no step yet: the newest


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Which runs, and in which order.

    Attributes:
        text: in the id, recipe, model, data, command, note or a tag; all if empty.
        recipe, model, status, verdict, tag: of these alone, if not empty.
        sort: one of `SORTS`.
        descending: the last first; of `started`, the newest.
    """

    text: str = ""
    recipe: str = ""
    model: str = ""
    status: str = ""
    verdict: str = ""
    tag: str = ""
    sort: str = "started"
    descending: bool = True


@dataclasses.dataclass(frozen=True)
class Listed:
    """A run, and what it came to.

    Attributes:
        run: its record, without its executions.
        status: as it is now, see `Store.status`.
        seconds: of wall time, until now of one at work; None where nobody saw it end.
        evaluation: its last, if it has one.
        tags: in order.
    """

    run: RunRecord
    status: str
    seconds: float | None
    evaluation: ArtifactRecord | None
    tags: Sequence[str]

    @property
    def blessed(self) -> bool | None:
        """Whether its model was; None where nothing was judged."""
        return self.evaluation.properties.get("blessed") if self.evaluation else None

    @property
    def figure(self) -> tuple[str, float] | None:
        """The name and value of the figure that stands for its model."""
        return main_figure(self.evaluation.properties) if self.evaluation else None


def main_figure(properties: dict[str, Any]) -> tuple[str, float] | None:
    """The first figure of an Evaluation, by its properties: the one that its task is told by."""
    return next(((name, value) for name, value in properties.items() if name != "blessed"), None)


def page(
    store: Store, session: Session, root: Root, wanted: Wanted, *, start: int, most: int
) -> tuple[int, list[Listed]]:
    """How many runs are wanted, and `most` of them from the number `start` on."""
    alive = _at_work(store, session, root)
    query = sa.select(RunRecord.id)
    if wanted.verdict or wanted.sort in ("verdict", "figure"):  # that of every run is looked up
        judged = _judged()
        query = query.outerjoin(judged, judged.c.run == RunRecord.id).outerjoin(
            ArtifactRecord, ArtifactRecord.id == judged.c.artifact
        )
    query = query.where(store.within, *_conditions(wanted, alive))
    count = session.scalar(sa.select(sa.func.count()).select_from(query.subquery())) or 0
    if wanted.sort == "figure":
        ids = _by_figure(session, query, descending=wanted.descending)[start : start + most]
    else:
        ordered = query.order_by(*_order(session, wanted)).offset(start).limit(most)
        ids = list(session.scalars(ordered))
    return count, _listed(session, store, ids, alive)


def choices(store: Store, session: Session, column: sa.orm.InstrumentedAttribute[str]) -> list[str]:
    """The different values of a column of the root's runs, in order."""
    return list(session.scalars(sa.select(column).where(store.within).distinct().order_by(column)))


def known_tags(store: Store, session: Session) -> list[str]:
    """Every tag that a run of the root has, in order."""
    query = sa.select(TagRecord.tag).join(RunRecord, RunRecord.id == TagRecord.run_id)
    return list(session.scalars(query.where(store.within).distinct().order_by(TagRecord.tag)))


def evaluations(session: Session, runs: Collection[str]) -> dict[str, ArtifactRecord]:
    """The last Evaluation of each of `runs` that has one."""
    judged = _judged(runs)
    query = sa.select(judged.c.run, ArtifactRecord).join(
        ArtifactRecord, ArtifactRecord.id == judged.c.artifact
    )
    return {row[0]: row[1] for row in session.execute(query)}


def _at_work(store: Store, session: Session, root: Root) -> set[str]:
    """The runs that some process is at work on, of the few that the store says so of."""
    running = session.scalars(
        sa.select(RunRecord).where(RunRecord.status == "running", store.within)
    )
    return {run.id for run in running if leases.is_alive(session, root, run)}


def _judged(runs: Collection[str] | None = None) -> sa.Subquery:
    """The number of the last Evaluation that each run wrote or reused."""
    last = (
        sa.select(
            ExecutionRecord.run_id.label("run"), sa.func.max(ExecutionRecord.id).label("last")
        )
        .join(EventRecord, EventRecord.execution_id == ExecutionRecord.id)
        .join(ArtifactRecord, ArtifactRecord.id == EventRecord.artifact_id)
        .where(EventRecord.role == "output", ArtifactRecord.type == "Evaluation")
        .group_by(ExecutionRecord.run_id)
    )
    if runs is not None:
        last = last.where(ExecutionRecord.run_id.in_(runs))
    found = last.subquery()
    return (
        sa.select(found.c.run, EventRecord.artifact_id.label("artifact"))
        .join(EventRecord, EventRecord.execution_id == found.c.last)
        .where(EventRecord.role == "output")
        .subquery()
    )


def _conditions(wanted: Wanted, alive: set[str]) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.text:
        found.append(_holds(wanted.text))
    if wanted.recipe:
        found.append(RunRecord.recipe == wanted.recipe)
    if wanted.model:
        found.append(RunRecord.pipeline == wanted.model)
    if wanted.tag:
        found.append(tags.tagged([wanted.tag]))
    if wanted.status:
        found.append(_state(alive) == wanted.status)
    blessed = ArtifactRecord.properties["blessed"].as_boolean()
    if wanted.verdict == "none":
        found.append(ArtifactRecord.id.is_(None))
    elif wanted.verdict:
        found.append(blessed.is_(wanted.verdict == "blessed"))
    return found


def _holds(text: str) -> sa.ColumnElement[bool]:
    tagged = sa.select(TagRecord.run_id).where(TagRecord.tag.icontains(text, autoescape=True))
    columns = (
        RunRecord.id,
        RunRecord.recipe,
        RunRecord.pipeline,
        RunRecord.note,
        RunRecord.arguments["command"].as_string(),
        RunRecord.arguments["data"].as_string(),
    )
    return sa.or_(
        *(column.icontains(text, autoescape=True) for column in columns), RunRecord.id.in_(tagged)
    )


def _state(alive: set[str]) -> sa.ColumnElement[str]:
    """The status as `Store.status` has it."""
    is_dead = sa.and_(RunRecord.status == "running", RunRecord.id.not_in(alive))
    return sa.case((is_dead, "killed"), else_=RunRecord.status)


def _order(session: Session, wanted: Wanted) -> list[Any]:
    columns: dict[str, Callable[[], Any]] = {
        "recipe": lambda: RunRecord.recipe,
        "model": lambda: RunRecord.pipeline,
        "status": lambda: RunRecord.status,
        "verdict": ArtifactRecord.properties["blessed"].as_boolean,
        "seconds": lambda: _seconds(session),
        "data": RunRecord.arguments["data"].as_string,
    }
    begun = _begun()
    if wanted.sort not in columns:
        return [begun.desc(), RunRecord.started.desc()] if wanted.descending else [begun.asc()]
    column = columns[wanted.sort]()
    directed = column.desc() if wanted.descending else column.asc()
    return [directed.nulls_last(), begun.desc()]


def _begun() -> sa.ColumnElement[int]:
    """The number of a run's first execution, which grows whatever the clock does.

    A run that began no step has that of the first one that began after it by the clock.
    """
    first = sa.func.min(ExecutionRecord.id)
    own = sa.select(first).where(ExecutionRecord.run_id == RunRecord.id).scalar_subquery()
    later = sa.select(first).where(ExecutionRecord.started > RunRecord.started).scalar_subquery()
    return sa.func.coalesce(
        own, sa.case((RunRecord.status == "running", _LAST), else_=later), _LAST
    )


def _seconds(session: Session) -> sa.ColumnElement[Any]:
    ended = sa.func.coalesce(RunRecord.ended, now())
    if session.get_bind().dialect.name == "sqlite":
        return sa.func.julianday(ended) - sa.func.julianday(RunRecord.started)
    return ended - RunRecord.started


def _by_figure(session: Session, query: sa.Select[Any], *, descending: bool) -> list[str]:
    """The runs by what their evaluations found: no database knows which figure that is."""
    rows = session.execute(query.add_columns(ArtifactRecord.properties)).all()
    found = [(run, main_figure(properties or {})) for run, properties in rows]
    told = [(figure[1], run) for run, figure in found if figure and figure[1] is not None]
    told.sort(reverse=descending)
    return [run for _, run in told] + [run for run, figure in found if not figure]


def _listed(session: Session, store: Store, ids: Sequence[str], alive: set[str]) -> list[Listed]:
    records = session.scalars(sa.select(RunRecord).where(RunRecord.id.in_(ids)))
    by_id = {run.id: run for run in records}
    judged, tagged = evaluations(session, ids), store.tags(session, ids)

    def listed(run: RunRecord) -> Listed:
        is_dead = run.status == "running" and run.id not in alive
        status = "killed" if is_dead else run.status
        return Listed(run, status, seconds(run, status), judged.get(run.id), tagged[run.id])

    return [listed(by_id[each]) for each in ids if each in by_id]


def seconds(run: RunRecord, status: str) -> float | None:
    """Of wall time, until now of one at work; 0 where the clock was set back, None if unknown."""
    ended = now() if status == "running" else run.ended
    return max(0.0, (ended - run.started).total_seconds()) if ended else None
