"""Commands about pushed models and this machine: serve, predict, rollback, doctor."""

import os
import pathlib
import sys
from typing import Annotated

import typer

from pipeline.cli.app import (
    DEFAULT_ROOT,
    JsonOption,
    RootOption,
    app,
    open_root,
    open_store,
    print_json,
)


@app.command(rich_help_panel="Models")
def serve(
    models: Annotated[list[str] | None, typer.Argument(help="Default: all pushed models.")] = None,
    port: Annotated[int, typer.Option(help="gRPC port.")] = 8500,
    address: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    root: RootOption = DEFAULT_ROOT,
) -> None:
    """Serve pushed models over gRPC until interrupted."""
    from pipeline.pushed import write_model_config

    config = write_model_config(open_root(root), models or [])
    flags = [f"--port={port}", f"--bind_address={address}", f"--model_config_file={config}"]
    # The server takes this process's place, so that signals reach it and nothing else.
    os.execv(sys.executable, [sys.executable, "-m", "serving.server", *flags])  # noqa: S606


@app.command(rich_help_panel="Models")
def predict(
    model: Annotated[str, typer.Argument(help="The model's name.")],
    files: Annotated[list[pathlib.Path] | None, typer.Argument(help="More image files.")] = None,
    image: Annotated[list[pathlib.Path] | None, typer.Option(help="An image file.")] = None,
    sample: Annotated[int, typer.Option(help="Ask about N test images of the last run.")] = 0,
    target: Annotated[str, typer.Option(help="HOST:PORT of a server that is up.")] = "",
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Ask a served model about images; without --target a server is started for it."""
    from pipeline import predictions
    from pipeline.console import stdout_console

    place = open_root(root)
    questions = predictions.from_files([*(image or []), *(files or [])])
    if sample:
        questions += predictions.from_last_run(open_store(place, must_exist=True), model, sample)
    answers = predictions.ask(place, model, questions, target)
    if as_json:
        print_json(answers.as_json())
    else:
        answers.show(stdout_console())


@app.command(rich_help_panel="Models")
def rollback(
    model: Annotated[str, typer.Argument(help="The model's name.")],
    root: RootOption = DEFAULT_ROOT,
) -> None:
    """Withdraw a model's newest version, so that servers go back to the one before."""
    from components.pusher import rollback as withdraw

    withdrawn, serving = withdraw(str(open_root(root).serving), model)
    typer.echo(f"{model}: version {withdrawn} withdrawn; version {serving} is the newest now.")


@app.command(rich_help_panel="Models")
def doctor(root: RootOption = DEFAULT_ROOT, as_json: JsonOption = False) -> None:
    """Say what is installed, what can be reached, what is missing and how to get it."""
    from pipeline import doctor as checks
    from pipeline.console import print_table, stdout_console

    rows = checks.examine(open_root(root))
    columns = ("what", "state", "found", "advice")
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table(stdout_console(), columns, rows)
    if any(row[1] == "broken" for row in rows):
        raise typer.Exit(1)
