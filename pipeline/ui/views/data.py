"""The data of a root: for each model the newest examples, statistics, schema and anomalies."""

from typing import Any

import sqlalchemy as sa

from millrace.pipeline.records import ArtifactRecord, EventRecord, ExecutionRecord, RunRecord
from millrace.pipeline.ui.found import title
from millrace.pipeline.ui.site import Action, Asked, File, View

_TYPES = ("Examples", "Statistics", "Schema", "Anomalies", "Analysis")
_MODELS = 100  # of a page


def gather(asked: Asked) -> dict[str, Any]:
    """The newest data artifacts of each model, models with the newest data first."""
    newest = (
        sa.select(
            RunRecord.pipeline.label("model"),
            ExecutionRecord.step.label("step"),
            sa.func.max(ArtifactRecord.id).label("artifact"),
        )
        .join(ExecutionRecord, ExecutionRecord.run_id == RunRecord.id)
        .join(EventRecord, EventRecord.execution_id == ExecutionRecord.id)
        .join(ArtifactRecord, ArtifactRecord.id == EventRecord.artifact_id)
        .where(EventRecord.role == "output", ArtifactRecord.type.in_(_TYPES), asked.store.within)
        .group_by(RunRecord.pipeline, ExecutionRecord.step)
        .subquery()
    )
    query = sa.select(newest.c.model, newest.c.step, ArtifactRecord).join(
        newest, ArtifactRecord.id == newest.c.artifact
    )
    models: dict[str, list[dict[str, Any]]] = {}
    with asked.session() as session:
        for model, step, record in session.execute(query.order_by(ArtifactRecord.id)):
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
