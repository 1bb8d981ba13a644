"""Commands about pushed models and this machine: serve, predict, doctor."""

import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from millrace.pipeline.cli import completion
from millrace.pipeline.cli.app import (
    DEFAULT_ROOT,
    JsonOption,
    ModelArgument,
    RootOption,
    app,
    open_root,
    open_store,
    print_json,
    tell,
    warn,
)
from millrace.pipeline.errors import StoreError, UsageError

if TYPE_CHECKING:
    from millrace.pipeline.root import Root

_INT32 = 2**31 - 1  # a generator's inputs are of 32 bits


@app.command(rich_help_panel="Models")
def serve(
    models: Annotated[
        list[str] | None,
        typer.Argument(help="Default: all pushed models.", autocompletion=completion.models),
    ] = None,
    port: Annotated[int, typer.Option(help="gRPC port.", min=0, max=65535)] = 8500,
    rest_port: Annotated[int, typer.Option(help="REST port; 0: no REST.", min=0, max=65535)] = 0,
    address: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    log: Annotated[
        str | None, typer.Option(metavar="PATH", help="A folder to log requests in, for `skew`.")
    ] = None,
    log_rate: Annotated[
        float,
        typer.Option(help="The share of requests that is logged.", min=0, max=1),
    ] = 1.0,
    root: RootOption = DEFAULT_ROOT,
) -> None:
    """Serve pushed models over gRPC, and REST with --rest-port, until interrupted."""
    from millrace.pipeline import given
    from millrace.pipeline.pushed import write_model_config

    if not address.strip():
        raise UsageError(
            "--address: expected an address to listen on. Received: an empty one. Give 127.0.0.1 "
            "for this machine alone, or 0.0.0.0 for all."
        )
    place = open_root(root)
    folder = given.resolved(log, "--log") if log is not None else None
    config = write_model_config(place, models or [], folder, log_rate)
    _check_whole(place, models or [])
    flags = [f"--port={port}", f"--bind_address={address}", f"--model_config_file={config}"]
    flags += [f"--rest_api_port={rest_port}"] if rest_port else []
    # The server takes this process's place, so that signals reach it and nothing else.
    os.execv(sys.executable, [sys.executable, "-m", "millrace.serving.server", *flags])  # noqa: S606


@app.command(rich_help_panel="Models")
def predict(
    model: ModelArgument,
    given: Annotated[
        list[str] | None,
        typer.Argument(metavar="[COLUMN=VALUE…]", help="A row's columns; or image files."),
    ] = None,
    image: Annotated[list[str] | None, typer.Option(metavar="PATH", help="An image file.")] = None,
    text: Annotated[
        list[str] | None, typer.Option(help="A text to classify; `-`: lines of stdin.")
    ] = None,
    csv: Annotated[
        str | None,
        typer.Option(
            metavar="PATH", help="Rows like those learnt from; of a series, its latest. `-`: stdin."
        ),
    ] = None,
    window: Annotated[
        list[str] | None,
        typer.Option(help="Past numbers 1,2,3; rows parted by `;`; or a CSV file that ends so."),
    ] = None,
    prompt: Annotated[list[str] | None, typer.Option(help="A text to continue.")] = None,
    length: Annotated[
        int | None, typer.Option(help="Tokens to add to a prompt.", min=0, max=_INT32)
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(help="0 takes the likeliest token, 1 samples.", min=0),
    ] = None,
    top_k: Annotated[
        int | None, typer.Option(help="Sample among the K likeliest.", min=0, max=_INT32)
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="The same seed gives the same text.", min=-_INT32, max=_INT32),
    ] = None,
    sample: Annotated[
        int | None, typer.Option(help="Ask about N test rows of the last run.", min=1)
    ] = None,
    target: Annotated[str, typer.Option(help="HOST:PORT of a server that is up.")] = "",
    wait: Annotated[
        float,
        typer.Option(metavar="SECONDS", help="Wait so long for it to have the model.", min=0),
    ] = 0.0,
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Ask a served model; without --target a server is started for it.

    What to ask by depends on the model: `--image`, `--text`, `--prompt`, `--window`, `--csv`,
    or `column=value` for a row. `--sample` works with every model of this root.
    """
    from millrace.pipeline import asking, question_files, questions
    from millrace.pipeline.console import stdout_console

    place = open_root(root)
    columns = [each for each in given or [] if "=" in each]
    asked = asking.Asked(
        images=[*(image or []), *(each for each in given or [] if "=" not in each)],
        texts=text or [],
        prompts=prompt or [],
        rows=[questions.from_columns(columns)] if columns else [],
        windows=window or [],
        csv=csv,
        sample=sample,
        scalars={"length": length, "temperature": temperature, "top_k": top_k, "seed": seed},
    )
    answers = asking.predict(
        place,
        model,
        asked,
        target,
        wait=wait,
        open_store=partial(open_store, place, must_exist=True),
        check=partial(_check_whole, place, [model]),
        tell=tell,
    )
    for item in answers.rejected:
        warn(f"left out: {question_files.described(item)}")
    if as_json:
        print_json(answers.as_json())
    else:
        answers.show(stdout_console())


def _check_whole(place: "Root", models: list[str]) -> None:
    """Refuse damaged versions; a server needs no store, so one out of reach is only reported."""
    from millrace.pipeline import pushed
    from millrace.pipeline.store import Store

    if not Store.is_there(place):
        return
    try:
        pushed.check_whole(open_store(place), place, models or pushed.pushed_models(place))
    except StoreError as error:
        warn(f"not compared with what was pushed, as the store cannot be read. {error}")


@app.command(rich_help_panel="Models")
def doctor(root: RootOption = DEFAULT_ROOT, as_json: JsonOption = False) -> None:
    """Say what is installed, what can be reached, what is missing and how to get it."""
    from millrace.pipeline import doctor as checks
    from millrace.pipeline.console import print_table, stdout_console

    rows = checks.examine(open_root(root))
    columns = ("what", "state", "found", "advice")
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table(stdout_console(), columns, rows)
    if any(row[1] == "broken" for row in rows):
        raise typer.Exit(1)
