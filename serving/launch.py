"""Starts a model server for one model, waits until it is ready, and stops it afterwards.

There are three engines: the embedded server, a `tensorflow_model_server` binary, and the
`tensorflow/serving` image.
"""

import contextlib
import dataclasses
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path as LocalPath
from typing import Literal

from etils.epath import Path

from millrace.serving import lifeline, remote, warm
from millrace.serving.client import Client
from millrace.serving.errors import LaunchError, RpcError

Engine = Literal["embedded", "binary", "image"]
IMAGE = "tensorflow/serving:2.21.0"
_HOST = "127.0.0.1"
_TAIL_BYTES = 4000
_STOP_SECONDS, _HURRY_SECONDS = 40.0, 2.0
_ONCE = "--max_num_load_retries=0"  # a model that cannot be loaded ends the server at once
_REFUSED = "Failed to start server. Error: "


@dataclasses.dataclass(frozen=True)
class Launched:
    """A server that is ready: its address, its process and its log file."""

    target: str
    process: subprocess.Popen[bytes] | warm.Forked
    log: LocalPath


@contextlib.contextmanager
def launch(
    base_path: Path | str,
    model_name: str,
    *,
    engine: Engine = "embedded",
    binary: str = "tensorflow_model_server",
    image: str = IMAGE,
    port: int = 0,
    timeout: float = 120.0,
    log: LocalPath | None = None,
) -> Iterator[Launched]:
    """Serve the versions below `base_path` as `model_name` while the block runs.

    Args:
        base_path: the folder that holds the version folders.
        model_name: the name of the model in requests.
        engine: which server to run.
        binary: the program of the engine `binary`.
        image: the image of the engine `image`; requires Docker.
        port: TCP port on this machine; 0 picks a free one.
        timeout: seconds within which the model must become available.
        log: file for the output of the server, which is kept; by default a temporary one.

    Raises:
        LaunchError: the server cannot be started, ended, or was not ready in time; the error has
            the end of its log. A model that cannot be loaded ends the server at once.
    """
    chosen = port or free_port()
    command = _command(engine, remote.path(base_path), model_name, chosen, binary, image)
    with contextlib.ExitStack() as stack:
        if log is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="model_server_"))
            log = LocalPath(folder) / "server.log"
        process = stack.enter_context(running(command, log))
        launched = Launched(f"{_HOST}:{chosen}", process, log)
        _wait(launched, model_name, timeout)
        yield launched


def _command(
    engine: Engine, base_path: Path, model_name: str, port: int, binary: str, image: str
) -> list[str]:
    """Returns the command line of the server."""
    is_remote = remote.is_remote(base_path)
    path = remote.url(base_path if is_remote else base_path.expanduser().resolve())
    flags = [f"--model_name={model_name}", f"--port={port}", f"--model_base_path={path}", _ONCE]
    if engine == "embedded":
        return lifeline.module("millrace.serving.server", *flags)
    program = "docker" if engine == "image" else binary
    found = shutil.which(program)
    if found is None:
        raise LaunchError(
            f"Engine {engine}: expected the program {program} on the PATH. Received: none. "
            "Install it, give another, or use the engine `embedded`."
        )
    if engine == "binary":
        return lifeline.program(found, *flags)
    inside = f"/models/{model_name}"
    return lifeline.program(
        *(found, "run", "--rm", "--init", f"--publish={_HOST}:{port}:8500"),
        f"--mount=type=bind,source={path},target={inside},readonly",
        *("--env", f"MODEL_NAME={model_name}", image, _ONCE),
    )


@contextlib.contextmanager
def running(command: list[str], log: LocalPath) -> Iterator[subprocess.Popen[bytes] | warm.Forked]:
    """Run `command`, made by `lifeline`, as a child; stop it when the block ends."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as sink, warm.start(command, sink) as process:
        patience = _STOP_SECONDS
        try:
            yield process
        except (KeyboardInterrupt, SystemExit):  # do not wait for requests that still run
            patience = _HURRY_SECONDS
            raise
        finally:
            lifeline.end(process, patience)


def _wait(launched: Launched, model_name: str, timeout: float) -> None:
    """Wait until the model is available; fail at once if the server ends."""
    deadline = time.monotonic() + timeout
    with Client(launched.target) as client:
        while True:
            remaining = deadline - time.monotonic()
            status = launched.process.poll()
            if status is not None or remaining <= 0:
                end = "no answer" if status is None else f"it ended with status {status}"
                raise LaunchError(
                    f"{shlex.join(launched.process.args)}: expected model {model_name} to be "  # type: ignore[arg-type]
                    f"available within {timeout:g} s. Received: {end}. "
                    f"Its log ends:\n{tail(launched.log)}",
                    _reason(launched.log),
                )
            try:
                client.wait_until_available(model_name, timeout=min(1.0, remaining))
            except RpcError:
                continue  # not yet: check the process and the clock again
            return


def tail(log: LocalPath) -> str:
    """The end of a server's log."""
    return log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace")


def _reason(log: LocalPath) -> str:
    """Returns why the server did not start, from the one line that all engines log."""
    _, refused, reason = tail(log).rpartition(_REFUSED)
    return reason.partition("\n")[0].strip() if refused else ""


def free_port() -> int:
    """A TCP port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])
