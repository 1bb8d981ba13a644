"""Commands that look after the runs of a root: tag, stop, gc."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from millrace.pipeline.cli.app import (
    DEFAULT_ROOT,
    JsonOption,
    RootOption,
    RunArgument,
    app,
    open_root,
    open_store,
    print_json,
    say,
)

if TYPE_CHECKING:
    from millrace.pipeline.leftovers import Leftovers


@app.command(rich_help_panel="Look back")
def tag(
    run_id: RunArgument,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TAG…]", help="Words; `keep` keeps what it made from `gc`."),
    ] = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Take these tags away instead of adding them.")
    ] = False,
    note: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Write a note; an empty one removes it.")
    ] = None,
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Tag a run with words and write a note about it; then show both."""
    store = open_store(open_root(root), must_exist=True)
    with store.session() as session:
        run = store.find_run(session, run_id).id
    given = words or []
    store.tag(run, [] if remove else given, given if remove else [], note)
    with store.session() as session:
        tags = store.tags(session, [run])[run]
        written = store.find_run(session, run).note or ""
    if as_json:
        print_json({"run": run, "tags": tags, "note": written})
        return
    say(f"{run}: {', '.join(tags) or 'no tags'}")
    if written:
        say(written)


@app.command(rich_help_panel="Run")
def stop(
    run_id: RunArgument,
    root: RootOption = DEFAULT_ROOT,
) -> None:
    """End a run that is at work on this machine, and wait until it has."""
    from millrace.pipeline import stopping

    place = open_root(root)
    say(stopping.stop(open_store(place, must_exist=True), place, run_id))


@app.command(rich_help_panel="Look back")
def gc(
    keep: Annotated[
        int, typer.Option(help="Keep what the newest N finished runs of each model use.", min=1)
    ] = 5,
    older_than: Annotated[
        float, typer.Option(metavar="DAYS", help="Keep what runs of so many days use.", min=0)
    ] = 0.0,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; without, only say what.")] = False,
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Say what old runs have left that nothing needs, and with --yes remove it.

    Runs stay listed, with their logs and reports. What is served, or of a run tagged `keep`, stays
    too, and so does what the last blessed models and the newest output of each step.
    """
    from millrace.pipeline import leftovers, needed

    place = open_root(root)
    act = leftovers.remove if yes else leftovers.find
    policy = needed.Policy(keep, older_than)
    found = act(open_store(place, must_exist=True), place, policy)
    if as_json:
        print_json(leftovers.as_json(found, removed=yes))
    else:
        _show_leftovers(found, removed=yes)


def _show_leftovers(found: "Leftovers", *, removed: bool) -> None:
    from millrace.components.display import numbers
    from millrace.pipeline import leftovers
    from millrace.pipeline.console import print_table, stdout_console

    rows: list[tuple[Any, ...]] = [
        (each.kind, each.model, each.run, each.folders, numbers.size(each.bytes))
        for each in leftovers.by_run(found)
    ]
    if rows:
        print_table(stdout_console(), ("what", "model", "run", "folders", "size"), rows)
    count, size = len(found.found), numbers.size(found.bytes)
    if removed:
        say(f"removed  {count} folders, {size}; a run that needs them makes them again")
    elif count:
        say(f"can go   {count} folders, {size}: `millrace gc --yes` removes them")
    else:
        say("can go   nothing")
    for reason, number in found.kept.items():
        say(f"kept     {number} outputs {reason}")
    if found.unknown:
        say(
            f"left     {found.unknown} folders of runs that this store does not know, or of this "
            "root before it was moved here"
        )
