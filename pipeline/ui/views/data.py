"""The data of a root: for each model the newest examples, statistics, schema and anomalies."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from millrace.pipeline.records import ArtifactRecord, EventRecord, ExecutionRecord, RunRecord
from millrace.pipeline.ui.found import title
from millrace.pipeline.ui.site import Action, Asked, File, View

_TYPES = ("Examples", "Statistics", "Schema", "Anomalies", "Analysis")
_ALWAYS = ("Examples", "Statistics")  # what each training run has
_RUNS = 30  # of each model, the newest, that are looked at
_MODELS = 100  # of a page


def gather(asked: Asked) -> dict[str, Any]:
    """The newest data artifacts of each model, models with the newest data first."""
    of_root = sa.select(RunRecord.id).where(asked.store.within)
    with asked.session() as session:
        rows = _newest(session, _recent(session, asked.store.within))
        seen: dict[str, set[str]] = {}
        for model, _, record in rows:
            seen.setdefault(model, set()).add(record.type)
        every = session.scalars(sa.select(RunRecord.pipeline).where(asked.store.within).distinct())
        # Others than training runs may be all that is recent, such as those of `infer`.
        rest = [model for model in every if not seen.get(model, set()).issuperset(_ALWAYS)]
        if rest:
            older = _newest(session, of_root.where(RunRecord.pipeline.in_(rest)))
            rows = [*(row for row in rows if row[0] not in rest), *older]
    return _shown(asked, rows)


def _recent(session: Session, within: sa.ColumnElement[bool]) -> Sequence[str]:
    """The newest runs of each model."""
    place = sa.func.row_number().over(
        partition_by=RunRecord.pipeline, order_by=RunRecord.started.desc()
    )
    ranked = sa.select(RunRecord.id, place.label("place")).where(within).subquery()
    return session.scalars(sa.select(ranked.c.id).where(ranked.c.place <= _RUNS)).all()


def _newest(
    session: Session, runs: Sequence[str] | sa.Select[Any]
) -> list[tuple[str, str, ArtifactRecord]]:
    """Model, step and the newest artifact of that, of data that `runs` have made or reused."""
    newest = (
        sa.select(RunRecord.pipeline, ExecutionRecord.step, sa.func.max(EventRecord.artifact_id))
        .join(ExecutionRecord, ExecutionRecord.run_id == RunRecord.id)
        .join(EventRecord, EventRecord.execution_id == ExecutionRecord.id)
        .where(EventRecord.role == "output", RunRecord.id.in_(runs))
        .group_by(RunRecord.pipeline, ExecutionRecord.step)
    )
    made = session.execute(newest).all()
    wanted = sa.select(ArtifactRecord).where(
        ArtifactRecord.id.in_([row[2] for row in made]), ArtifactRecord.type.in_(_TYPES)
    )
    records = {record.id: record for record in session.scalars(wanted)}
    return [(row[0], row[1], records[row[2]]) for row in made if row[2] in records]


def _shown(asked: Asked, rows: Sequence[tuple[str, str, ArtifactRecord]]) -> dict[str, Any]:
    models: dict[str, list[dict[str, Any]]] = {}
    for model, step, record in sorted(rows, key=lambda row: row[2].id):
        models.setdefault(model, []).append(
            {
                "number": record.id,
                "type": record.type,
                "title": title(record.type),
                "step": step,
                "created": record.created.isoformat(timespec="seconds"),
                "properties": record.properties,
                "page": asked.address("artifacts", record.id),
            }
        )
    order = sorted(models, key=lambda model: -models[model][-1]["number"])
    return {
        "root": asked.root.name,
        "count": len(models),
        "models": [{"name": name, "artifacts": models[name]} for name in order[:_MODELS]],
    }


VIEWS = (View("data", "data.html", gather),)
FILES: tuple[File, ...] = ()
ACTIONS: tuple[Action, ...] = ()
