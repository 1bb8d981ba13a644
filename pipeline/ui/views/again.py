"""A run again with changes: a form made from the options' types, and what it starts."""

from collections.abc import Mapping
from typing import Any

from millrace.components.options import settings as texts
from millrace.pipeline import options, starting
from millrace.pipeline.cli import recorded
from millrace.pipeline.cli.recorded import RunCommand
from millrace.pipeline.errors import UsageError
from millrace.pipeline.records import RunRecord
from millrace.pipeline.ui.contents import run as run_contents
from millrace.pipeline.ui.site import Action, Asked, File, Sent, View
from millrace.pipeline.ui.views.run import find
from millrace.serving.errors import MillraceError

_FIELD = "set:"  # what the name of an option's field begins with
_OPEN = ("trainer",)  # the steps whose options are seen at once


def gather(asked: Asked) -> dict[str, Any]:
    """The form: every option of every step as the run had it."""
    with asked.session() as session:
        run = find(asked, session)
        command = _command(run)
        executions = run_contents.of_run(session, run.id)
        dag = run_contents.planned(run)
        found = run_contents.settings_of(run, executions, dag)
    controls = (
        {each.option: _control(each.annotation) for each in options.of_dag(dag)} if dag else {}
    )
    groups = [
        {
            "step": group["step"],
            "is_open": group["step"] in _OPEN,
            "rows": [
                {**row, **controls[row["option"]], "was": row["value"]} for row in group["rows"]
            ],
        }
        for group in (found["groups"] if dag else [])
    ]
    known = {row["option"] for group in groups for row in group["rows"]}
    others = [f"{place}={text}" for place, text in command.settings.items() if place not in known]
    return {
        "run": run.id,
        "model": run.pipeline,
        "run_page": asked.address("runs", run.id),
        "command": run.arguments.get("command", ""),
        "groups": groups,
        "steps": list(dag.steps) if dag else [one.step for one in executions],
        "force": "",
        "others": "\n".join(others),
        "refusal": "",
    }


def start(asked: Asked, sent: Sent) -> str | dict[str, Any]:
    """Start the run that the form describes: the address of its page, or the form and a refusal."""
    shown = gather(asked)
    with asked.session() as session:
        run = find(asked, session)
    command = _command(run)
    rows = {row["option"]: row for group in shown["groups"] for row in group["rows"]}
    given = {
        place: sent.fields[_FIELD + place].replace("\r\n", "\n")
        for place in rows
        if _FIELD + place in sent.fields
    }
    force = sent.fields.get("force", "")
    more = tuple(
        line.strip() for line in sent.fields.get("others", "").splitlines() if line.strip()
    )
    changed = {place: text for place, text in given.items() if text != rows[place]["was"]}
    words = command.words(asked.root, merged(command, rows, changed), force=force, more=more)
    folder = (run.arguments.get("made_with") or {}).get("folder", "")
    try:
        return asked.address("runs", starting.start(asked.store, asked.root, words, folder=folder))
    except MillraceError as error:
        for place, text in given.items():
            rows[place]["value"] = text
        for group in shown["groups"]:
            group["is_open"] |= any(row["value"] != row["was"] for row in group["rows"])
        return {**shown, "refusal": str(error), "force": force, "others": "\n".join(more)}


def merged(
    command: RunCommand, rows: Mapping[str, Mapping[str, Any]], changed: Mapping[str, str]
) -> dict[str, str]:
    """The settings of a command with changes, an option before what lies within it.

    What is set to its default is left out; so is what the command set within an option that is of
    another kind now. What is no option of the form, such as an input, is given beside these.
    """
    kept = {
        place: text
        for place, text in command.settings.items()
        if place in rows and not any(place.startswith(f"{other}.") for other in changed)
    }
    found = {**kept, **changed}
    for place in changed:
        if found[place] == rows[place]["default"]:
            del found[place]
    return dict(sorted(found.items(), key=lambda item: item[0].count(".")))


def _command(run: RunRecord) -> RunCommand:
    command = recorded.read(run.arguments.get("command", ""))
    if command is None:
        raise UsageError(
            f"Run {run.id}: expected one of `millrace run`, to be run again with changes. "
            f"Received: {run.arguments.get('command', '')}. Type it again by hand."
        )
    return command


def _control(annotation: Any) -> dict[str, Any]:
    """What a person fills in: a choice, a number in a range, or a text."""
    return {"choices": texts.choices(annotation), "number": texts.bounds(annotation)}


VIEWS = (View("runs/{run}/again", "again.html", gather),)
FILES: tuple[File, ...] = ()
ACTIONS = (Action("runs/{run}/again", start, "again.html"),)
