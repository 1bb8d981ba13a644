"""A run: what it came to, its steps and their logs, and what can be done about it."""

import pathlib
from typing import Any

from sqlalchemy.orm import Session

from millrace.components.options.settings import nearest
from millrace.pipeline import stopping
from millrace.pipeline.errors import UsageError
from millrace.pipeline.records import RunRecord
from millrace.pipeline.ui.contents import run as run_contents
from millrace.pipeline.ui.site import Action, Asked, Content, File, Sent, View

_FIRST_BYTES = 64 * 1024  # of a log's end that its page begins with
_MORE_BYTES = 1 << 20  # that its twin answers with at once


def gather(asked: Asked) -> dict[str, Any]:
    """All there is to see of a run."""
    with asked.session() as session:
        run = find(asked, session)
        found = run_contents.contents(asked.store, session, asked.root, run, asked.address)
        # `latest` and the beginning of an id lead here as well, where a form would lead elsewhere.
        found["again"] = asked.address("runs", run.id, "again")
        return found


def find(asked: Asked, session: Session) -> RunRecord:
    """The run that the address names: by its id, the beginning of it, or `latest`.

    Raises:
        UsageError: there is none.
    """
    name = asked.parts["run"]
    record = session.get(RunRecord, name)
    if record is not None and asked.store.root in ("", record.root):
        return record
    return asked.store.find_run(session, name)


def gather_log(asked: Asked) -> dict[str, Any]:
    """What a step printed: the end of it, or what came after byte `from`."""
    with asked.session() as session:
        run = find(asked, session)
        executions = run_contents.of_run(session, run.id)
        status = _status_of_step(asked, session, run)
    names = [one.step for one in executions]
    log = asked.root.kept_log(run.id, asked.parts["step"])
    size = pathlib.Path(log).stat().st_size if log.exists() else 0
    asked_from = asked.query.get("from", "")
    start = min(int(asked_from), size) if asked_from.isdecimal() else max(0, size - _FIRST_BYTES)
    content = _read(log, start, _MORE_BYTES) if size else b""
    is_live = status == "running"
    whole = content if not is_live else content[: content.rfind(b"\n") + 1]
    return {
        "run": run.id,
        "run_page": asked.address("runs", run.id),
        "step": asked.parts["step"],
        "status": status,
        "is_live": is_live,
        "start": start,
        "next": start + len(whole),
        "size": size,
        "text": whole.decode(errors="replace"),
        "raw": asked.address("runs", run.id, "log", asked.parts["step"], "raw"),
        "whole": asked.address("runs", run.id, "log", asked.parts["step"]) + "?from=0",
        "others": [{"step": n, "page": asked.address("runs", run.id, "log", n)} for n in names],
    }


def read_log(asked: Asked) -> Content:
    """The whole log of a step, as it is."""
    with asked.session() as session:
        run = find(asked, session)
        _status_of_step(asked, session, run)
    log = asked.root.kept_log(run.id, asked.parts["step"])
    body = log.read_bytes() if log.exists() else b""
    return Content(body, "text/plain", f"{run.id}-{asked.parts['step']}.log")


def _status_of_step(asked: Asked, session: Session, run: RunRecord) -> str:
    """Of the step that the address names.

    Raises:
        UsageError: no such step began, so that there is no such file to be read.
    """
    statuses = asked.store.step_statuses(session, run, asked.root)
    found = {one.step: statuses[one.id] for one in run.executions}
    step = asked.parts["step"]
    if step not in found:
        raise UsageError(f"Run {run.id}: no step {step} began. {nearest(step, found)}")
    return found[step]


def _read(log: Any, start: int, most: int) -> bytes:
    with pathlib.Path(log).open("rb") as file:
        file.seek(start)
        return file.read(most)


def describe(asked: Asked, sent: Sent) -> str:
    """Write the tags and the note of a run, as the form has them; the page to show then."""
    wanted = set(sent.fields.get("tags", "").replace(",", " ").split())
    with asked.session() as session:
        run = find(asked, session).id
        known = set(asked.store.tags(session, [run])[run])
    note = sent.fields.get("note", "").replace("\r\n", "\n").strip()
    asked.store.tag(run, sorted(wanted - known), sorted(known - wanted), note)
    return asked.address("runs", run)


def stop(asked: Asked, sent: Sent) -> str:
    """Ask the processes that are at work on the run to stop; the page to show then."""
    with asked.session() as session:
        run = find(asked, session).id
    stopping.stop(asked.store, asked.root, run)
    return asked.address("runs", run)


VIEWS = (
    View("runs/{run}", "run.html", gather),
    View("runs/{run}/log/{step}", "log.html", gather_log),
)
FILES = (File("runs/{run}/log/{step}/raw", read_log),)
ACTIONS = (Action("runs/{run}/describe", describe), Action("runs/{run}/stop", stop))
