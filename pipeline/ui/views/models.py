"""The registry: pushed models, their versions, and going back to the one before."""

import datetime
from typing import Any

from millrace.components.errors import DataError
from millrace.components.pusher import rollback
from millrace.pipeline import pushed, registry
from millrace.pipeline.errors import UsageError
from millrace.pipeline.registry import Push, Version
from millrace.pipeline.ui.site import Action, Asked, File, Sent, View
from millrace.serving import remote

_MOST = 20  # versions of a page
# What is known of a version that a run has pushed.
_UNKNOWN = dict.fromkeys(
    ("run", "run_page", "recipe", "kind", "task", "parameters", "lineage", "model_page")
) | {"evaluation_page": None, "blessed": None, "reasons": [], "metrics": [], "damage": None}


def gather_all(asked: Asked) -> dict[str, Any]:
    """The models that have a version, each with what is served of it."""
    names = pushed.pushed_models(asked.root)
    with asked.session() as session:
        found = registry.newest_of(session, asked.store, asked.root, names)
    models = [
        {
            "name": name,
            "page": asked.address("models", name),
            "try": asked.address("models", name, "try"),
            "kept": len(versions),
            "served": _version(asked, versions[0]) if versions else None,
        }
        for name, versions in found.items()
    ]
    return {"root": asked.root.name, "serving": remote.url(asked.root.serving), "models": models}


def gather(asked: Asked) -> dict[str, Any]:
    """The versions of a model, the newest first."""
    model = asked.parts["model"]
    pushed.check_pushed(asked.root, model)
    with asked.session() as session:
        found = registry.versions_of(session, asked.store, asked.root, model)
    there = [one.number for one in found if one.state in ("served", "kept")]
    return {
        "model": model,
        "page": asked.address("models", model),
        "folder": remote.url(asked.root.serving / model),
        "root": asked.root.name,
        "count": len(found),
        "versions": [_version(asked, one) for one in found[:_MOST]],
        "newest": there[0],
        "before": there[1] if len(there) > 1 else None,
        "done": _done(asked, model),
    }


def _version(asked: Asked, version: Version) -> dict[str, Any]:
    return {
        **_UNKNOWN,
        "number": version.number,
        "state": version.state,
        "pushed": _moment(version.number),
        **(_push(asked, version.push) if version.push else {}),
    }


def _push(asked: Asked, push: Push) -> dict[str, Any]:
    """What is known of how a version came there."""
    description, judged = push.description, push.judged
    found: dict[str, Any] = {
        "run": push.run,
        "run_page": asked.address("runs", push.run),
        "recipe": push.recipe,
        "kind": description.get("kind"),
        "task": description.get("task"),
        "parameters": description.get("parameters"),
        "lineage": asked.address("lineage", push.model.id if push.model else push.artifact),
        "model_page": asked.address("artifacts", push.model.id) if push.model else None,
    }
    if judged is None:
        return found
    found["evaluation_page"] = push.evaluation and asked.address("artifacts", push.evaluation.id)
    try:
        around = judged.intervals
        found |= {
            "blessed": judged.blessed,
            "reasons": judged.reasons,
            "metrics": [
                {"name": name, "value": value, "interval": around.get(name)}
                for name, value in judged.metrics.items()
            ],
        }
    except (DataError, OSError) as error:
        found["damage"] = str(error)
    return found


def _moment(number: int) -> str | None:
    """When a version was pushed, if its number is a time since 2001."""
    if not 10**9 <= number < 10**11:
        return None
    return datetime.datetime.fromtimestamp(number, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _done(asked: Asked, model: str) -> dict[str, int] | None:
    """What a rollback has just done, as its redirection says."""
    told = [asked.query.get(name, "") for name in ("withdrawn", "serving")]
    if not all(each.isdecimal() and len(each) < 20 for each in told):
        return None
    withdrawn, serving = map(int, told)
    return {"withdrawn": withdrawn, "serving": serving}


def roll_back(asked: Asked, sent: Sent) -> str:
    """Withdraw the newest version, if it still is the one that the person saw."""
    model = asked.parts["model"]
    pushed.check_pushed(asked.root, model)
    newest = registry.numbers(asked.root, model)[0]
    if sent.fields.get("version") != str(newest):
        raise UsageError(
            f"Rollback of {model!r}: expected its newest version, {newest}. Received: "
            f"{sent.fields.get('version') or 'none'}. It has changed meanwhile: look again."
        )
    withdrawn, serving = rollback(remote.url(asked.root.serving), model)
    return f"{asked.address('models', model)}?withdrawn={withdrawn}&serving={serving}"


VIEWS = (
    View("models", "models.html", gather_all),
    View("models/{model}", "model_versions.html", gather),
)
FILES: tuple[File, ...] = ()
ACTIONS = (Action("models/{model}/rollback", roll_back),)
