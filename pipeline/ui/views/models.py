"""The registry: pushed models, their versions; to push one again, to go back, to label."""

import datetime
from collections.abc import Mapping
from typing import Any

from millrace.components.errors import DataError
from millrace.pipeline import pushed, registry, starting
from millrace.pipeline.errors import UsageError
from millrace.pipeline.registry import Push, Version
from millrace.pipeline.ui.site import Action, Asked, File, Sent, View
from millrace.serving import remote

_NO_LABELS: Mapping[str, int] = {}
_MOST = 20  # versions of a page
_DIGITS = 20  # fewer has any version
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
        found = registry.versions_of(session, asked.store, asked.root, model, _MOST)
    labels = registry.labels(asked.root, model)
    shown = [_version(asked, one, labels) for one in found[:_MOST]]
    there = [one.number for one in found if one.state in ("served", "kept")]
    return {
        "model": model,
        "page": asked.address("models", model),
        "folder": remote.url(asked.root.serving / model),
        "root": asked.root.name,
        "count": len(found),
        "versions": shown,
        "labels": labels,
        "there": there[:_MOST],
        "can_be_pushed": [
            one["number"] for one in shown if one["blessed"] and one["state"] != "served"
        ],
        "newest": there[0],
        "before": there[1] if len(there) > 1 else None,
        "done": _done(asked, model),
    }


def _version(
    asked: Asked, version: Version, labels: Mapping[str, int] = _NO_LABELS
) -> dict[str, Any]:
    return {
        **_UNKNOWN,
        "number": version.number,
        "state": version.state,
        "pushed": _moment(version.number),
        "labels": [label for label, number in labels.items() if number == version.number],
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
    if not all(each.isdecimal() and len(each) < _DIGITS for each in told):
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
    withdrawn, serving, _ = registry.roll_back(asked.root, model)
    return f"{asked.address('models', model)}?withdrawn={withdrawn}&serving={serving}"


def push(asked: Asked, sent: Sent) -> str:
    """Start the run that pushes a version again; its page."""
    model, version = asked.parts["model"], sent.fields.get("version", "")
    with asked.session() as session:
        known = registry.versions_of(session, asked.store, asked.root, model)
    if version not in {str(one.number) for one in known}:
        raise UsageError(
            f"Push of {model!r}: expected one of its versions. Received: {version or 'none'}. "
            "Choose one of the list."
        )
    words = ["push", model, version, "--root", asked.root.name]
    return asked.address("runs", starting.start(asked.store, asked.root, words))


def label(asked: Asked, sent: Sent) -> str:
    """Give a label to a version; without one, take it away."""
    model, word = asked.parts["model"], sent.fields.get("label", "").strip()
    version = sent.fields.get("version", "")
    pushed.check_pushed(asked.root, model)
    if version and not (version.isdecimal() and len(version) < _DIGITS):
        raise UsageError(
            f"Label of {model!r}: expected one of its versions. Received: {version}. Choose one of "
            "the list."
        )
    if version:
        registry.relabel(asked.root, model, {word: int(version)})
    else:
        registry.relabel(asked.root, model, {}, [word])
    return f"{asked.address('models', model)}#labels"


VIEWS = (
    View("models", "models.html", gather_all),
    View("models/{model}", "model_versions.html", gather),
)
FILES: tuple[File, ...] = ()
ACTIONS = (
    Action("models/{model}/rollback", roll_back),
    Action("models/{model}/push", push),
    Action("models/{model}/label", label),
)
