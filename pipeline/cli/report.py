"""The command that writes the report of a run: report."""

import pathlib
import sys
from typing import Annotated

import typer

from millrace.pipeline.cli.app import (
    DEFAULT_ROOT,
    RootOption,
    RunArgument,
    app,
    open_root,
    open_store,
    say,
)
from millrace.pipeline.errors import UsageError


@app.command(rich_help_panel="Look back")
def report(
    run_id: RunArgument,
    out: Annotated[
        pathlib.Path | None,
        typer.Option(metavar="FILE", help="Where to write it; by default in the run's folder."),
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Markdown for a pull request, printed if no --out.")
    ] = False,
    root: RootOption = DEFAULT_ROOT,
) -> None:
    """Write the report of a run: one HTML file that needs no other, to look at or to send."""
    from millrace.pipeline.ui import report_file

    place = open_root(root)
    store = open_store(place, must_exist=True)
    with store.session() as session:
        run = store.find_run(session, run_id).id
    if markdown:
        text = report_file.as_markdown(place, store, run)
        if out is None:
            sys.stdout.write(text)
            return
    else:
        text = report_file.as_html(place, store, run)
    file = out or pathlib.Path(place.report(run))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(
            f"--out {file}: expected a file to write. Received: {error.strerror}. Give another."
        ) from None
    say(f"{file}")
