"""Beam's engines on loopback, for tests and benchmarks: Dask, and Prism with a pool of workers.

Each has two workers, which end with the block. Scratch folders of theirs lie in the folder given.
"""

import contextlib
import functools
import json
import os
import pathlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from millrace.serving import lifeline

_SECONDS = 60.0  # for an engine to start
_PATIENCE = 5.0  # seconds to end after SIGTERM
_POOL = "apache_beam.runners.worker.worker_pool_main"


class Engine(NamedTuple):
    """An engine at work.

    Attributes:
        flags: Beam's, that a pass takes to run there.
        workers: the processes to end for a worker to die; Prism's pool is one.
        scratch: the folders that `workers` have for copies.
    """

    flags: tuple[str, ...]
    workers: list["subprocess.Popen[bytes]"]
    scratch: list[pathlib.Path]


def hiding(folders: Sequence[pathlib.Path], command: list[str]) -> list[str]:
    """`command` in a mount namespace in which `folders` are empty; by root."""
    if not folders:
        return command
    empty = " && ".join(f'mount -t tmpfs none "{folder}"' for folder in folders)
    return ["unshare", "--mount", "--", "sh", "-c", f'{empty} && exec "$@"', "sh", *command]


@contextlib.contextmanager
def dask(
    folder: pathlib.Path, hidden: Sequence[pathlib.Path] = (), **environment: str
) -> Iterator[Engine]:
    """A scheduler, and two workers to which the folders `hidden` are empty."""
    with _starting(folder, hidden, environment) as start:
        file = folder / "scheduler.json"
        place = ("--scheduler-file", str(file), "--host", "127.0.0.1", "--no-dashboard")
        start(lifeline.module("dask", "scheduler", *place, "--port", "0"))
        until(lambda: is_written(file))
        address = json.loads(file.read_text())["address"]
        workers, scratch = [], []
        for number in range(2):
            own = folder / f"worker-{number}"
            more = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory")
            command = lifeline.module("dask", "worker", address, *more, str(own))
            workers.append(start(command, own))
            scratch.append(own)
        flags = ("--runner=DaskRunner", f"--dask_client_address={address}")
        yield Engine(flags, workers, scratch)


@contextlib.contextmanager
def prism(
    program: str,
    folder: pathlib.Path,
    hidden: Sequence[pathlib.Path] = (),
    **environment: str,
) -> Iterator[Engine]:
    """Prism, and a pool that starts two workers for each pass, to which `hidden` are empty."""
    with _starting(folder, hidden, environment) as start:
        job, pool = _free_port(), _free_port()
        start(lifeline.program(program, "--job_port", str(job), "--serve_http=false"))
        started = start(lifeline.module(_POOL, f"--service_port={pool}"), folder / "pool")
        for port in (job, pool):
            until(functools.partial(_listens, port))
        flags = (
            "--runner=PortableRunner",
            f"--job_endpoint=127.0.0.1:{job}",
            "--environment_type=EXTERNAL",
            f"--environment_config=127.0.0.1:{pool}",
            "--sdk_worker_parallelism=2",
        )
        yield Engine(flags, [started], [folder / "pool"])


@contextlib.contextmanager
def _starting(
    folder: pathlib.Path, hidden: Sequence[pathlib.Path], environment: dict[str, str]
) -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """A function that starts a command on a lifeline, as a worker where it gets a folder."""
    path = os.pathsep.join((str(pathlib.Path(sys.executable).parent), os.environ["PATH"]))
    with contextlib.ExitStack() as stack:
        output = stack.enter_context((folder / "output").open("wb"))

        def start(
            command: list[str], scratch: pathlib.Path | None = None
        ) -> "subprocess.Popen[bytes]":
            own = {"PATH": path, **environment}
            if scratch:
                scratch.mkdir()
                own |= {"MILLRACE_SCRATCH": str(scratch), "TMPDIR": str(scratch)}
                command = hiding(hidden, command)
            process = stack.enter_context(lifeline.start(command, output, **own))
            stack.callback(lifeline.end, process, _PATIENCE)
            return process

        yield start


def until(happened: Callable[[], bool]) -> None:
    """Wait until it has.

    Raises:
        TimeoutError: it has not for a minute.
    """
    end = time.monotonic() + _SECONDS
    while not happened():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {_SECONDS:g} s")
        time.sleep(0.05)


def is_written(file: pathlib.Path) -> bool:
    """Whether `file` holds a whole JSON value; it is there before its content."""
    try:
        json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return False
    return True


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
