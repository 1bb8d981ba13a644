"""What the pages and the report show of a run, as plain JSON values.

Each function is a section, which the template of the same name in `templates/sections/` lays out.
No code of a person's own is run, and no data is read but small files of what the run made.
"""

import functools
import pathlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from etils.epath import Path
from sqlalchemy.orm import Session, selectinload

from millrace.components.artifacts import Anomalies, Evaluation, PushedModel
from millrace.components.options import settings
from millrace.pipeline import explain, listing, options
from millrace.pipeline.cli import recorded
from millrace.pipeline.dag import Dag
from millrace.pipeline.options import Settable
from millrace.pipeline.records import ArtifactRecord, EventRecord, ExecutionRecord, RunRecord, now
from millrace.pipeline.root import Root
from millrace.pipeline.store import Store
from millrace.serving.errors import MillraceError

Address = Callable[..., str]  # of a page, from the parts of its path; empty where there are none

_SMALL = 1 << 20  # bytes of a file that is fetched from an object store to be looked at
_TAIL = 4096  # bytes of a log that are looked at for how far its step is
_LAST_LINES = 40  # of the log of a step that failed
_SHARE = re.compile(r"\b(\d+)\s*(?:/|of)\s*(\d+)\b|\b(\d+(?:\.\d+)?)\s?%")
_RECORD = re.compile(r"^[\d-]+ [\d:,]+ INFO millrace\.[\w.]+: ")  # before what a component says
_REUSED = re.compile(r"nothing changed since run (\S+)")


def contents(
    store: Store, session: Session, root: Root, run: RunRecord, address: Address
) -> dict[str, Any]:
    """All sections of a run.

    Args:
        store: which has the run.
        session: on the store.
        root: whose the run is.
        run: its record.
        address: of other pages.
    """
    executions = of_run(session, run.id)
    statuses = store.step_statuses(session, run, root)
    status = store.status(session, run, root)
    dag = planned(run)
    shown = steps(root, run, executions, statuses, status, dag, address)
    evaluation = listing.evaluations(session, [run.id]).get(run.id)
    return {
        "head": head(run, status, store.tags(session, [run.id])[run.id], address),
        "outcome": outcome(executions, evaluation, address),
        "failures": list(failures(root, run, executions, statuses)),
        "steps": shown,
        "graph": graph(shown, executions, dag),
        "options": settings_of(run, executions, dag),
        "environment": environment(run, root, executions),
    }


def of_run(session: Session, run: str) -> list[ExecutionRecord]:
    """The newest execution of each step that began, in the order in which they did."""
    query = (
        sa.select(ExecutionRecord)
        .where(ExecutionRecord.run_id == run)
        .order_by(ExecutionRecord.id)
        .options(selectinload(ExecutionRecord.events).selectinload(EventRecord.artifact))
    )
    return list({one.step: one for one in session.scalars(query)}.values())


def planned(run: RunRecord) -> Dag | None:
    """The steps as the run's command would wire them now; None where that is not known.

    Under the root that it knew, from which it may have been moved since.
    """
    return _wired(run.arguments.get("command", ""), run.root)


@functools.lru_cache(maxsize=64)
def _wired(command: str, root: str, *, as_set: bool = True) -> Dag | None:
    read = recorded.read(command)
    if read is None:
        return None
    return recorded.wire(read, Root(root), read.settings if as_set else {})


def head(run: RunRecord, status: str, tags: Sequence[str], address: Address) -> dict[str, Any]:
    """What the run is, and what was said about it."""
    command = run.arguments.get("command", "")
    return {
        "id": run.id,
        "recipe": run.recipe,
        "model": run.pipeline,
        "status": status,
        "is_live": status == "running",
        "started": run.started.isoformat(timespec="seconds"),
        "seconds": listing.seconds(run, status),
        "data": run.arguments.get("data") or "",
        "command": command,
        "is_command": recorded.read(command) is not None,
        "tags": list(tags),
        "note": run.note or "",
        "page": address("runs", run.id),
    }


def outcome(
    executions: Sequence[ExecutionRecord], evaluation: ArtifactRecord | None, address: Address
) -> dict[str, Any]:
    """The verdict and the figures, what was pushed, and what was wrong with the data."""
    found: dict[str, Any] = {"verdict": "", "reasons": [], "figures": [], "evaluation": ""}
    if evaluation is not None:
        found |= _judged(evaluation)
        found["evaluation"] = address("artifacts", evaluation.id)
    for execution in executions:
        made = execution.output
        if made is None:
            continue
        if made.type == PushedModel.__name__:
            found["pushed"] = _read(_pushed, made) or ""
        elif made.type == Anomalies.__name__:
            told = _read(_anomalies, made) or []
            found["anomalies"] = found.get("anomalies", []) + [
                {**one, "page": address("artifacts", made.id)} for one in told
            ]
    return {"pushed": "", "anomalies": [], **found}


def _judged(record: ArtifactRecord) -> dict[str, Any]:
    """What an evaluation says of itself, or what the store keeps of it if that cannot be read."""
    kept = {name: value for name, value in record.properties.items() if name != "blessed"}
    blessed = record.properties.get("blessed")
    told = _read(_told, record) or {"reasons": [], "intervals": {}, "was": {}}
    return {
        "verdict": {None: "", True: "blessed", False: "not blessed"}[blessed],
        "reasons": told["reasons"],
        "figures": [
            {
                "name": name,
                "value": value,
                "interval": told["intervals"].get(name),
                "was": told["was"].get(name),
            }
            for name, value in kept.items()
        ],
    }


def _told(record: ArtifactRecord) -> dict[str, Any]:
    """What the files of an evaluation say beside what the store keeps."""
    evaluation = Evaluation(record.fetch(most=_SMALL))
    return {
        "reasons": evaluation.reasons,
        "intervals": {name: list(ends) for name, ends in evaluation.intervals.items()},
        "was": evaluation.baseline or {},
    }


def _pushed(record: ArtifactRecord) -> str:
    return PushedModel(record.fetch(most=_SMALL)).outcome


def _anomalies(record: ArtifactRecord) -> list[dict[str, str]]:
    return Anomalies(record.fetch(most=_SMALL)).found


def _read(read: Callable[[ArtifactRecord], Any], record: ArtifactRecord) -> Any:
    """What is read, or None where a file is gone or damaged: the page shows what there is."""
    try:
        return read(record)
    except (MillraceError, OSError, ValueError, KeyError, TypeError):
        return None


def failures(
    root: Root, run: RunRecord, executions: Iterable[ExecutionRecord], statuses: Mapping[int, str]
) -> Iterator[dict[str, Any]]:
    """Of each step that failed or was killed why, and how to go on."""
    for execution in executions:
        status = statuses[execution.id]
        if status not in ("failed", "killed"):
            continue
        yield {
            "step": execution.step,
            "status": status,
            "is_stopped": status == "killed" or execution.error.startswith("Stopped by "),
            "error": execution.error or "Its process ended without a word: it was killed.",
            "lines": tail(root.kept_log(run.id, execution.step), 64 * 1024)[-_LAST_LINES:],
            "resume": run.arguments.get("command", ""),
        }


def steps(
    root: Root,
    run: RunRecord,
    executions: Sequence[ExecutionRecord],
    statuses: Mapping[int, str],
    status: str,
    dag: Dag | None,
    address: Address,
) -> dict[str, Any]:
    """Each step: how it went, why it ran, and what it read and wrote."""
    made = {one.output.id: one.step for one in executions if one.output}
    ran = [one for one in executions if statuses[one.id] != "cached"]
    is_first = bool(ran) and all(one.reasons[:1] == [explain.FIRST] for one in ran)
    rows = {
        one.step: {
            **_state(root, run, one, statuses[one.id]),
            **_reasons(one, address, said=not is_first),
            "inputs": [
                _artifact(artifact, address, name, made.get(artifact.id, ""))
                for name, artifact in one.inputs.items()
            ],
            "output": _artifact(one.output, address) if one.output else None,
            "page": address("runs", run.id, "log", one.step),
        }
        for one in executions
    }
    for name in dag.steps if dag else ():
        rows.setdefault(name, _not_begun(name, status))
    order = {name: place for place, name in enumerate(dag.steps if dag else ())}
    ordered = sorted(rows.values(), key=lambda row: order.get(row["step"], len(order)))
    return {"is_first_run": is_first, "rows": ordered}


def _state(root: Root, run: RunRecord, one: ExecutionRecord, status: str) -> dict[str, Any]:
    log = root.kept_log(run.id, one.step)
    running = status == "running"
    seconds = max(0.0, (now() - one.started).total_seconds()) if running else one.seconds
    return {
        "step": one.step,
        "status": status,
        "seconds": None if status in ("cached", "killed") else seconds,
        "progress": progress(tail(log, _TAIL)) if running else None,
        "has_log": log.exists(),
        "error": one.error,
    }


def _not_begun(name: str, status: str) -> dict[str, Any]:
    return {
        "step": name,
        "status": "waiting" if status in ("running", "partial") else "skipped",
        "seconds": None,
        "progress": None,
        "has_log": False,
        "error": "",
        "reasons": [],
        "reused": None,
        "inputs": [],
        "output": None,
        "page": "",
    }


def _reasons(one: ExecutionRecord, address: Address, *, said: bool) -> dict[str, Any]:
    """Why it ran, or from which run it was reused."""
    reused = _REUSED.fullmatch(one.reasons[0]) if one.reasons else None
    if reused is not None:
        run = {"id": reused[1], "page": address("runs", reused[1])}
        return {"reasons": one.reasons[1:], "reused": run}
    reasons = one.reasons if said else [each for each in one.reasons if each != explain.FIRST]
    return {"reasons": list(reasons), "reused": None}


def _artifact(
    record: ArtifactRecord, address: Address, name: str = "", step: str = ""
) -> dict[str, Any]:
    return {
        "number": record.id,
        "name": name,
        "type": record.type,
        "step": step,
        "title": step or pathlib.PurePath(record.uri).name if name else record.type,
        "place": record.uri,
        "page": address("artifacts", record.id),
    }


def tail(log: Path, most: int) -> list[str]:
    """The last lines of a log, from `most` bytes at its end."""
    if not log.exists():
        return []
    with pathlib.Path(log).open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - most))
        lines = file.read().decode(errors="replace").splitlines()
    return lines[1:] if size > most else lines


def progress(lines: Iterable[str]) -> dict[str, Any] | None:
    """What a step said last of how far it is: its words, and the share that is done, if known."""
    told = [_RECORD.sub("", line).strip() for line in lines if _RECORD.match(line)]
    if not told:
        return None
    text = told[-1]
    found = _SHARE.search(text)
    share = None
    if found and found[3]:
        share = float(found[3]) / 100
    elif found and int(found[2]):
        share = int(found[1]) / int(found[2])
    return {"text": text, "share": share if share is not None and share <= 1 else None}


def graph(
    shown: Mapping[str, Any], executions: Sequence[ExecutionRecord], dag: Dag | None
) -> dict[str, Any]:
    """The boxes and edges of the steps, as `display.graph` draws them."""
    boxes = [
        {
            "name": row["step"],
            "title": row["step"],
            "text": _text(row),
            "state": row["status"].replace(" ", "-"),
            "link": f"#step-{row['step']}",
            "share": (row["progress"] or {}).get("share"),
        }
        for row in shown["rows"]
    ]
    made = {one.output.id: one.step for one in executions if one.output}
    edges = {
        (made[artifact.id], one.step): None
        for one in executions
        for artifact in one.inputs.values()
        if artifact.id in made and made[artifact.id] != one.step
    }
    for step in dag.steps.values() if dag else ():
        edges |= {(upper.name, step.name): None for upper in step.upstream}
    known = {box["name"] for box in boxes}
    return {"boxes": boxes, "edges": [list(edge) for edge in edges if known.issuperset(edge)]}


def _text(row: Mapping[str, Any]) -> str:
    """The state of a step in one line of its box."""
    from millrace.pipeline.ui import templates

    if row["progress"]:
        return f"running · {row['progress']['text']}"
    took = f" · {templates.seconds(row['seconds'])}" if row["seconds"] is not None else ""
    return f"{row['status']}{took}"


def settings_of(
    run: RunRecord, executions: Sequence[ExecutionRecord], dag: Dag | None
) -> dict[str, Any]:
    """What each step was set to, those changed from the recipe's default marked."""
    if dag is None:
        groups = _grouped(
            {**row, "option": f"{one.step}.{row['option']}"}
            for one in executions
            for row in _plain(one.ingredients["options"])
        )
    else:
        used = {one.step: one.ingredients["options"] for one in executions}
        command = recorded.read(run.arguments.get("command", ""))
        unset = _wired(run.arguments["command"], run.root, as_set=False)
        defaults = {each.option: text_of(each) for each in options.of_dag(unset)} if unset else {}
        chosen = command.settings if command else {}
        groups = _grouped(
            _setting(each, used, defaults, chosen)
            for each in options.of_dag(dag)
            if each.option in chosen or not each.option.endswith(_HELD)
        )
    changed = sum(row["is_changed"] for group in groups for row in group["rows"])
    return {
        "groups": groups,
        "changed": changed,
        "has_defaults": dag is not None,
    }


def _grouped(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["option"].partition(".")[0], []).append(row)
    return [{"step": step, "rows": rows} for step, rows in found.items()]


def _setting(
    each: Settable,
    used: Mapping[str, Mapping[str, Any]],
    defaults: Mapping[str, str],
    chosen: Mapping[str, str],
) -> dict[str, Any]:
    """An option as the run had it, and as it would have been."""
    value = _used(each, used)
    default = defaults.get(each.option)
    is_other = default is not None and default != value
    return {
        "option": each.option,
        "value": value,
        "default": default if is_other else None,
        "type": options.describe(each.annotation),
        "meaning": each.meaning,
        "is_changed": each.option in chosen if default is None else is_other,
    }


def _used(each: Settable, used: Mapping[str, Mapping[str, Any]]) -> str:
    """The text of what the run was set to: as it was recorded, or as its command says."""
    step, *keys = each.option.split(".")
    found: Any = used.get(step)
    for key in keys:
        found = found.get(key, _NOTHING) if isinstance(found, Mapping) else _NOTHING
    if isinstance(found, Mapping) and settings.dataclass_members(each.annotation):
        found = found.get("kind", _NOTHING)
    return text_of(each) if found is _NOTHING or step not in used else settings.as_text(found)


# Filled in from the other options that were set, which are marked: shown where a person sets it.
_HELD = ".model.held"
_NOTHING = object()


def text_of(each: Settable) -> str:
    """The value of an option as text, as after `--set …=`."""
    if isinstance(each.value, str):
        return each.value
    return settings.as_text(settings.dump(each.annotation, each.value))


def _plain(values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Options of which only the values are known."""
    unknown = {"default": None, "type": "", "meaning": "", "is_changed": False}
    for name, value in flat(values).items():
        yield {"option": name, "value": value, **unknown}


def flat(values: Mapping[str, Any], place: str = "") -> dict[str, str]:
    """The texts of recorded options, by their names with dots."""
    found: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{place}{name}.")
        else:
            found[f"{place}{name}"] = settings.as_text(value)
    return found


def environment(
    run: RunRecord, root: Root, executions: Sequence[ExecutionRecord]
) -> dict[str, Any]:
    """What the run was made with: versions, seeds, the commit, the command."""
    versions: dict[str, list[str]] = {}
    seeds: dict[str, Any] = {}
    for one in executions:
        for name, version in one.ingredients["versions"].items():
            versions.setdefault(name, []).append(version)
        if "seed" in one.ingredients["options"]:
            seeds[f"{one.step}.seed"] = one.ingredients["options"]["seed"]
    return {
        "command": run.arguments.get("command", ""),
        "root": root.name,
        "seeds": seeds,
        "versions": {
            name: ", ".join(dict.fromkeys(found)) for name, found in sorted(versions.items())
        },
        "made_with": dict(run.arguments.get("made_with") or {}),
    }
