"""Commands that look after the runs of a root: tag, stop."""

from typing import Annotated

import typer

from millrace.pipeline.cli.app import (
    DEFAULT_ROOT,
    JsonOption,
    RootOption,
    app,
    open_root,
    open_store,
    print_json,
    say,
)


@app.command(rich_help_panel="Look back")
def tag(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or `latest`.")],
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
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or `latest`.")],
    root: RootOption = DEFAULT_ROOT,
) -> None:
    """End a run that is at work on this machine, and wait until it has."""
    from millrace.pipeline import stopping

    place = open_root(root)
    say(stopping.stop(open_store(place, must_exist=True), place, run_id))
