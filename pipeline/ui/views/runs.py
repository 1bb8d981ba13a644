"""The runs of a root, the newest first."""

from typing import Any

from millrace.pipeline.ui.site import Action, Asked, File, View

_MOST = 50  # runs of a page


def gather(asked: Asked) -> dict[str, Any]:
    """A page of the runs."""
    with asked.session() as session:
        records = asked.store.runs(session)
        shown = [
            {
                "id": run.id,
                "recipe": run.recipe,
                "model": run.pipeline,
                "status": asked.store.status(session, run, asked.root),
                "started": run.started.isoformat(timespec="seconds"),
                "seconds": (run.ended - run.started).total_seconds() if run.ended else None,
                "page": asked.address("runs", run.id),
            }
            for run in records[:_MOST]
        ]
    return {"root": asked.root.name, "count": len(records), "runs": shown}


VIEWS = (View("runs", "runs.html", gather),)
FILES: tuple[File, ...] = ()
ACTIONS: tuple[Action, ...] = ()
