"""The command that a run is recorded with, taken apart, wired again, and changed.

Nothing of it is run, and no data is looked at. A recipe of a person's own would have to be
imported to be wired: that is their code, and looking at a run runs none.
"""

import dataclasses
import functools
import shlex
from collections.abc import Mapping
from typing import Any

import typer
from typer.exceptions import TyperException

from millrace.pipeline.dag import Dag
from millrace.pipeline.recipes import catalog, own
from millrace.pipeline.root import Root
from millrace.serving import remote
from millrace.serving.errors import MillraceError


@dataclasses.dataclass(frozen=True)
class RunCommand:
    """What `millrace run` was given.

    Attributes:
        recipe: its name.
        settings: text by `step.option`, as after `--set`; of one given twice, the last.
        extras: as after `--with`.
        given: the other options, as they stand in a command line.
        beam_flags: after `--`.
        data, name, schema: of those.
    """

    recipe: str
    settings: Mapping[str, str]
    extras: tuple[str, ...]
    given: tuple[str, ...]
    beam_flags: tuple[str, ...]
    data: str | None = None
    name: str = ""
    schema: str | None = None

    def words(
        self,
        root: Root,
        settings: Mapping[str, str],
        *,
        force: str = "",
        more: tuple[str, ...] = (),
    ) -> list[str]:
        """The words of a command line of the same with other `settings`, under `root`.

        Args:
            root: where it is to run.
            settings: in place of its own.
            force: a step to run even if cached; none if empty.
            more: assignments beside them.
        """
        assignments = [*(f"{place}={text}" for place, text in settings.items()), *more]
        extras = [word for extra in self.extras for word in ("--with", extra)]
        sets = [word for each in assignments for word in ("--set", each)]
        forced = ["--force", force] if force else []
        flags = ["--", *self.beam_flags] if self.beam_flags else []
        place = ["--root", root.name]
        return ["run", self.recipe, *self.given, *extras, *sets, *forced, *place, *flags]


def read(command: str) -> RunCommand | None:
    """The command taken apart; None where it is another than `millrace run`, or none of today's."""
    try:
        program, word, *words = shlex.split(command)
    except ValueError:  # fewer words, or a quote that does not end
        return None
    if (program, word) != ("millrace", "run"):
        return None
    try:
        found = _parser().make_context("run", words).params
    except (TyperException, typer.Exit):  # it does not take these words, or would only say --help
        return None
    places = {
        place: text for place, _, text in (each.partition("=") for each in found["settings"] or ())
    }
    return RunCommand(
        recipe=found["recipe"],
        settings=places,
        extras=tuple(found["extras"] or ()),
        given=tuple(_given(found)),
        beam_flags=tuple(found["beam_flags"] or ()),
        data=found["data"],
        name=found["name"] or "",
        schema=found["schema"],
    )


def wire(command: RunCommand, root: Root, settings: Mapping[str, str]) -> Dag | None:
    """The steps that the command would run, with these `settings`.

    None where the recipe is a person's own, is not there any more, or does not take the settings.
    Of data in an object store a recipe looks at the copy, as in the run, where it is here.
    """
    if command.recipe not in catalog.RECIPES or own.is_own(command.recipe):
        return None
    row = catalog.RECIPES[command.recipe]
    extras = tuple(dict.fromkeys([*row.extras, *command.extras]))
    wired = dataclasses.replace(row, extras=extras)
    data = command.data
    if data and remote.is_remote(data):
        data = str(remote.mirror(data))
    try:
        dag = wired.wire(command.name or row.name, data, root.serving, command.schema)
        catalog.configure(dag, settings, row)
    except (MillraceError, ValueError):
        return None
    return dag


@functools.cache
def _parser() -> Any:
    """The command `run`, as click takes it apart."""
    from millrace.pipeline.cli import main

    return typer.main.get_command(main.app).commands["run"]  # type: ignore[attr-defined]


def _given(found: Mapping[str, Any]) -> list[str]:
    """The options that are neither settings nor steps to force, nor said by the root."""
    words: list[str] = []
    for option, value in (
        ("--data", found["data"]),
        ("--name", found["name"]),
        ("--schema", found["schema"]),
        ("--only", found["only"]),
    ):
        words += [option, value] if value else []
    if found["spans"] != "latest":
        words += ["--spans", found["spans"]]
    for option, steps in (("--from", found["first"]), ("--to", found["last"])):
        words += [word for step in steps or () for word in (option, step)]
    words += ["--fail-on-anomaly"] if found["fail_on_anomaly"] else []
    return words + ([] if found["warm"] else ["--no-warm"])
