"""The Beam steps of a recipe on each engine: equal artifacts, processes for each pass, seconds.

    python -m benchmarks.engines RECIPE [--data DATA] [--set STEP.OPTION=VALUE]… [--to STEP]…
        [--prism PRISM]

Runs the recipe up to the steps named, or to `transform`, each time below a fresh root, on the
in-process runner, on Beam's `multi_processing`, on Dask (a scheduler and two workers) and on Prism
(with a pool that starts its workers); all on this machine, with two workers each. Each row compares
a step's artifact with that of the in-process run, byte by byte and record by record.
"""

import argparse
import contextlib
import functools
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from benchmarks.digests import compared
from millrace.pipeline.console import print_table, stdout_console
from millrace.serving import lifeline

MILLRACE = pathlib.Path(sys.executable).parent / "millrace"
_IN_PROCESS = "in process"
_PASS = re.compile(r" INFO [\w.]+: (\w+): (\d+) shards by (\d+) processes")
_POOL = "apache_beam.runners.worker.worker_pool_main"
_SECONDS = 60.0  # for an engine to start


def main() -> None:
    """Print one row for each step on each engine."""
    arguments = _arguments()
    rows = []
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        first = folder / _IN_PROCESS
        for engine, flags in _engines(stack, folder, arguments.prism).items():
            root = folder / engine
            seconds = _run(arguments, root, flags)
            outcomes = dict(compared(first, root))
            for step, taken in seconds.items():
                if passes := _passes(root, step):
                    rows.append((step, engine, f"{taken:.1f}", passes, outcomes.get(step, "-")))
    print_table(stdout_console(), ("step", "engine", "s", "processes", "artifact"), sorted(rows))


def _run(arguments: argparse.Namespace, root: pathlib.Path, flags: list[str]) -> dict[str, float]:
    """Run the recipe below `root`; returns the seconds of each step that ran."""
    command = [MILLRACE, "run", arguments.recipe, "--root", root, "--json"]
    for step in arguments.to or ["transform"]:
        command += ["--to", step]
    if arguments.data:
        command += ["--data", arguments.data]
    for setting in arguments.set:
        command += ["--set", setting]
    done = subprocess.run(
        [*command, "--", *flags] if flags else command, capture_output=True, check=False, text=True
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}:\n{done.stderr[-2000:]}")
    steps = json.loads(done.stdout)["steps"]
    return {step["step"]: step["seconds"] for step in steps if step["status"] == "ran"}


def _passes(root: pathlib.Path, step: str) -> str:
    """How many processes worked on each pass of `step`, and on how many shards."""
    (log,) = root.glob(f"runs/*/{step}.log")
    found = _PASS.findall(log.read_text())
    return ", ".join(f"{label} {workers} of {shards}" for label, shards, workers in found)


def _engines(
    stack: contextlib.ExitStack, folder: pathlib.Path, prism: str | None
) -> dict[str, list[str]]:
    """The flags of each engine, by its name; what they need runs until `stack` is left."""
    output = stack.enter_context((folder / "output").open("wb"))
    path = os.pathsep.join((str(MILLRACE.parent), os.environ["PATH"]))

    def start(command: list[str]) -> None:
        process = stack.enter_context(lifeline.start(command, output, PATH=path))
        stack.callback(lifeline.end, process, 5.0)

    file = folder / "scheduler.json"
    place = ("--scheduler-file", str(file), "--host", "127.0.0.1", "--no-dashboard")
    start(lifeline.module("dask", "scheduler", *place, "--port", "0"))
    for _ in range(2):
        start(lifeline.module("dask", "worker", *place, "--nthreads", "1", "--no-nanny"))
    _wait(file.exists)
    address = json.loads(file.read_text())["address"]
    engines = {
        _IN_PROCESS: ["--direct_num_workers=1"],
        "multi_processing": ["--direct_running_mode=multi_processing", "--direct_num_workers=2"],
        "Dask": ["--runner=DaskRunner", f"--dask_client_address={address}"],
    }
    if prism:
        job, pool = _free_port(), _free_port()
        start(lifeline.program(prism, "--job_port", str(job), "--serve_http=false"))
        start(lifeline.module(_POOL, f"--service_port={pool}"))
        for port in (job, pool):
            _wait(functools.partial(_listens, port))
        engines["Prism"] = [
            "--runner=PortableRunner",
            f"--job_endpoint=127.0.0.1:{job}",
            "--environment_type=EXTERNAL",
            f"--environment_config=127.0.0.1:{pool}",
            "--sdk_worker_parallelism=2",
        ]
    return engines


def _wait(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + _SECONDS
    while not happened():
        if time.monotonic() > end:
            raise SystemExit("an engine has not started")
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("recipe", metavar="RECIPE")
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--set", action="append", default=[], metavar="STEP.OPTION=VALUE")
    parser.add_argument("--to", action="append", default=[], metavar="STEP")
    parser.add_argument("--prism", default=shutil.which("prism"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
