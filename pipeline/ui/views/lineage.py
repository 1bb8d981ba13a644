"""Lineage: what an artifact was made from, what was made of it, and which models saw a file."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from millrace.components.artifacts import Model, RawFiles
from millrace.pipeline import family, lineage
from millrace.pipeline.family import Family
from millrace.pipeline.records import ArtifactRecord
from millrace.pipeline.ui.site import Action, Asked, File, View

_MOST = 50  # artifacts of a list
_NEWEST = 10  # to begin with


def gather_all(asked: Asked) -> dict[str, Any]:
    """Artifacts by a part of their path or of their digest; without one, where to begin."""
    text = asked.query.get("q", "").strip()
    # Of a database that several roots share, what this one's runs have met.
    within = asked.store.within if asked.store.root else None
    with asked.session() as session:
        found, count = family.search(session, text, _MOST, within) if text else ([], 0)
        begin = {} if text else _begin(session, within)
        made = family.makers(
            session,
            [one.id for one in (*found, *(each for all_ in begin.values() for each in all_))],
        )
        return {
            "q": text,
            "count": count,
            "found": [_listed(asked, one, made) for one in found],
            "begin": {
                title: [_listed(asked, one, made) for one in each] for title, each in begin.items()
            },
        }


def _begin(
    session: Session, within: sa.ColumnElement[bool] | None
) -> dict[str, list[ArtifactRecord]]:
    """The newest models, and the newest data."""
    newest = sa.select(ArtifactRecord).order_by(ArtifactRecord.id.desc()).limit(_NEWEST)
    if within is not None:
        newest = newest.where(family.met(within))
    return {
        "Models": list(session.scalars(newest.where(ArtifactRecord.type == Model.__name__))),
        "Data": list(session.scalars(newest.where(ArtifactRecord.type == RawFiles.__name__))),
    }


def gather(asked: Asked) -> dict[str, Any]:
    """An artifact among its kin."""
    with asked.session() as session:
        chosen = lineage.find_artifact(session, asked.parts["artifact"], asked.store.within)
        found = family.of(session, chosen.id)
        sources, more_sources = family.sources(session, chosen.id, _MOST)
        models, more_models = family.models(session, chosen.id, _MOST)
        made = family.makers(session, [one.id for one in (*sources, *models)]) | found.makers
        pushed = family.pushes(session, [one.id for one in models])
        return {
            "artifact": _listed(asked, chosen, made),
            "boxes": _boxes(asked, chosen, found),
            "edges": [[str(edge.start), str(edge.end)] for edge in found.edges],
            "kin": [
                _listed(asked, one, made)
                for one in sorted(found.artifacts.values(), key=lambda one: one.id)
            ],
            "left_out": found.left_out,
            "is_deeper": found.is_deeper,
            "sources": [_listed(asked, one, made) for one in sources],
            "more_sources": more_sources,
            "models": [
                _listed(asked, one, made) | _pushed(asked, pushed.get(one.id)) for one in models
            ],
            "more_models": more_models,
        }


def _boxes(asked: Asked, chosen: ArtifactRecord, found: Family) -> list[dict[str, Any]]:
    return [
        {
            "name": str(one.id),
            "title": one.type,
            "text": found.makers[one.id][0] if one.id in found.makers else _file(one),
            "state": "chosen" if one.id == chosen.id else "",
            "link": asked.address("artifacts", one.id),
        }
        for one in sorted(found.artifacts.values(), key=lambda one: one.id)
    ]


def _listed(asked: Asked, one: ArtifactRecord, made: Mapping[int, Sequence[str]]) -> dict[str, Any]:
    step, run = made.get(one.id, ("", ""))
    return {
        "number": one.id,
        "type": one.type,
        "uri": one.uri,
        "digest": one.digest,
        "created": one.created.isoformat(timespec="seconds"),
        "step": step,
        "run": run,
        "run_page": asked.address("runs", run) if run else None,
        "page": asked.address("artifacts", one.id),
        "lineage": asked.address("lineage", one.id),
    }


def _pushed(asked: Asked, push: ArtifactRecord | None) -> dict[str, Any]:
    """As which version a model was pushed."""
    properties = push.properties if push is not None else {}
    model, version = properties.get("model"), properties.get("version")
    is_pushed = bool(model and version)
    return {
        "pushed": {"model": model, "version": version} if is_pushed else None,
        "model_page": asked.address("models", model) if is_pushed else None,
    }


def _file(one: ArtifactRecord) -> str:
    """The name of what a source is."""
    return pathlib.PurePosixPath(one.uri).name or one.uri


VIEWS = (
    View("lineage", "lineage_search.html", gather_all),
    View("lineage/{artifact}", "lineage.html", gather),
)
FILES: tuple[File, ...] = ()
ACTIONS: tuple[Action, ...] = ()
