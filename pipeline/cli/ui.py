"""Commands that serve pages to look at on this machine: ui, tensorboard."""

import os
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

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@app.command(rich_help_panel="Look back")
def ui(
    root: Annotated[
        list[str] | None,
        typer.Option(
            "--root",
            envvar="MILLRACE_ROOT",
            metavar="PATH",
            help="Whose runs and models to show; several if given again.",
        ),
    ] = None,
    port: Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=65535)] = 8080,
    address: Annotated[
        str, typer.Option(help="Address to listen on; elsewhere than here it wants a token.")
    ] = "127.0.0.1",
    host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A name by which browsers elsewhere ask for it."),
    ] = None,
    target: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT", help="A model server to try models at; by default one is started."
        ),
    ] = "",
) -> None:
    """Look at runs, data and models in a browser, and try the models, until interrupted."""
    from aiohttp import web

    from millrace.pipeline.ui import server, templates
    from millrace.pipeline.ui.site import Site

    if not address.strip():
        raise UsageError(
            "--address: expected an address to listen on. Received: an empty one. Give 127.0.0.1 "
            "for this machine alone, or 0.0.0.0 for all."
        )
    site = Site([open_root(one) for one in root or [DEFAULT_ROOT]], target)
    token = "" if address in _LOOPBACK else templates.new_secret()
    names = [*(host or []), *([] if address in _LOOPBACK else [address])]
    listening = server.listen(address, port)
    at = f"{host[0] if host else address}:{listening.getsockname()[1]}"
    say(f"http://{at}/{f'?token={token}' if token else ''}  (end it with Ctrl-C)")
    web.run_app(server.application(site, token=token, hosts=names), sock=listening, print=None)


@app.command(rich_help_panel="Look back")
def tensorboard(
    run_id: RunArgument,
    step: Annotated[
        str, typer.Argument(metavar="[STEP]", help="One step; by default the first with logs.")
    ] = "",
    port: Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=65535)] = 6006,
    root: RootOption = DEFAULT_ROOT,
) -> None:
    """Open TensorBoard on the logs of a run, also one at work, until interrupted."""
    import tensorboard  # noqa: F401  # `main` says what to do where it is not installed

    from millrace.pipeline import tensorboard_logs

    place = open_root(root)
    logs = tensorboard_logs.folder(open_store(place, must_exist=True), place, run_id, step)
    say(f"TensorBoard on {logs}  (end it with Ctrl-C)")
    sys.stdout.flush()
    flags = ["--logdir", str(logs), "--host", "127.0.0.1", "--port", str(port)]
    # It takes this process's place, so that signals reach it and nothing else.
    os.execv(sys.executable, [sys.executable, "-m", "tensorboard.main", *flags])  # noqa: S606
