"""The runs of a root: a page of them, filtered, sorted and searched."""

import functools
import pathlib
import urllib.parse
from collections.abc import Mapping
from typing import Any

from etils.epath import Path

from millrace.components.artifacts import Evaluation
from millrace.pipeline import listing
from millrace.pipeline.listing import Listed, Wanted
from millrace.pipeline.records import ArtifactRecord, RunRecord
from millrace.pipeline.ui.site import Action, Asked, File, View
from millrace.serving import remote
from millrace.serving.errors import MillraceError

MOST = 50  # runs of a page
_FILTERS = ("text", "recipe", "model", "status", "verdict", "tag")


def gather(asked: Asked) -> dict[str, Any]:
    """A page of the runs, and by what they can be filtered."""
    wanted = _wanted(asked.query)
    number = _number(asked.query.get("page", "1"))
    with asked.session() as session:
        count, found = listing.page(
            asked.store, session, asked.root, wanted, start=(number - 1) * MOST, most=MOST
        )
        choices = {
            "recipe": listing.choices(asked.store, session, RunRecord.recipe),
            "model": listing.choices(asked.store, session, RunRecord.pipeline),
            "status": list(listing.STATUSES),
            "verdict": list(listing.VERDICTS),
            "tag": listing.known_tags(asked.store, session),
        }
        rows = [_row(asked, each) for each in found]
    filters = {name: getattr(wanted, name) for name in _FILTERS}
    return {
        "root": asked.root.name,
        "count": count,
        "runs": rows,
        "is_filtered": any(filters.values()),
        "is_live": any(row["status"] == "running" for row in rows),
        "filters": filters,
        "choices": choices,
        "sort": f"{'-' if wanted.descending else ''}{wanted.sort}",
        "sorts": _sorts(asked, wanted),
        "page": number,
        "pages": max(1, -(-count // MOST)),
        "earlier": _address(asked, page=number - 1) if number > 1 else "",
        "later": _address(asked, page=number + 1) if number * MOST < count else "",
    }


def figure_of(evaluation: ArtifactRecord | None) -> dict[str, Any] | None:
    """The figure that stands for a model, with the interval that its file says, if that is here."""
    told = listing.main_figure(evaluation.properties) if evaluation else None
    if evaluation is None or told is None:
        return None
    interval = _intervals(evaluation.id, evaluation.digest, evaluation.uri).get(told[0])
    return {"name": told[0], "value": told[1], "interval": interval}


@functools.lru_cache(maxsize=10_000)
def _intervals(_number: int, _digest: str, uri: str) -> dict[str, list[float]]:
    """Of the figures of the artifact with that number; read once, for no output ever changes."""
    if remote.is_remote(uri):  # a list is not worth fetching them all
        return {}
    try:
        return {name: list(ends) for name, ends in Evaluation(Path(uri)).intervals.items()}
    except (MillraceError, OSError, ValueError, TypeError):
        return {}


def _row(asked: Asked, listed: Listed) -> dict[str, Any]:
    run = listed.run
    return {
        "id": run.id,
        "recipe": run.recipe,
        "model": run.pipeline,
        "status": listed.status,
        "verdict": verdict(listed.blessed),
        "figure": figure_of(listed.evaluation),
        "started": run.started.isoformat(timespec="seconds"),
        "seconds": listed.seconds,
        **data_of(run),
        "tags": list(listed.tags),
        "note": run.note or "",
        "page": asked.address("runs", run.id),
    }


def verdict(blessed: bool | None) -> str:
    """In a word that a person reads, empty where nothing was judged."""
    return {None: "", True: "blessed", False: "not blessed"}[blessed]


def data_of(run: RunRecord) -> dict[str, str]:
    """What the run read, as given, and which of its spans, where there are several."""
    data = run.arguments.get("data") or ""
    spans = run.arguments.get("spans") or _after("--spans", run.arguments.get("command", ""))
    is_pattern = "{" in data
    return {
        "data": data,
        "data_name": pathlib.PurePath(data).name or data,
        "spans": (spans or "latest") if is_pattern else "",
    }


def _after(option: str, command: str) -> str:
    """What stands behind an option in a command line."""
    words = command.replace(f"{option}=", f"{option} ").split()
    return words[words.index(option) + 1] if option in words[:-1] else ""


def _wanted(query: Mapping[str, str]) -> Wanted:
    filters = {name: query.get(name, "").strip() for name in _FILTERS}
    sort = query.get("sort", "-started")
    name = sort.removeprefix("-")
    if name not in listing.SORTS:
        sort, name = "-started", "started"
    return Wanted(**filters, sort=name, descending=sort.startswith("-"))


def _number(text: str) -> int:
    return max(1, min(int(text), 10**9)) if text.isascii() and text.isdecimal() else 1


def _sorts(asked: Asked, wanted: Wanted) -> dict[str, dict[str, str]]:
    """Of each column that can be sorted by: where its head leads, and how it is sorted now."""
    found = {}
    for name in listing.SORTS:
        is_now = wanted.sort == name
        # What is greatest or latest is looked for first, and names from A on.
        is_down = not wanted.descending if is_now else name in ("started", "figure", "seconds")
        state = ("descending" if wanted.descending else "ascending") if is_now else "none"
        address = _address(asked, sort=f"{'-' if is_down else ''}{name}", page=1)
        found[name] = {"address": address, "state": state}
    return found


def _address(asked: Asked, **changes: object) -> str:
    """The address of this page with other values in its query."""
    known = {name: asked.query.get(name, "") for name in (*_FILTERS, "sort", "page")}
    values = {name: str(value) for name, value in {**known, **changes}.items() if value}
    if values.get("page") == "1":
        del values["page"]
    return f"?{urllib.parse.urlencode(values)}"


VIEWS = (View("runs", "runs.html", gather),)
FILES: tuple[File, ...] = ()
ACTIONS: tuple[Action, ...] = ()
