"""The Beam steps of a recipe on each engine: equal artifacts, processes for each pass, seconds.

    python -m benchmarks.engines RECIPE [--data DATA] [--set STEP.OPTION=VALUE]… [--to STEP]…
        [--infer DATA] [--prism PRISM]

Runs the recipe up to the steps named, or to `transform`, each time below a fresh root, on the
in-process runner, on Beam's `multi_processing`, on Dask (a scheduler and two workers) and on Prism
(with a pool that starts its workers); all on this machine, with two workers each. With `--infer` it
pushes the model too and runs `millrace infer` of DATA with it. Each row compares a step's artifact
with that of the in-process run, byte by byte and record by record.
"""

import argparse
import contextlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from benchmarks.digests import compared
from millrace.pipeline.console import print_table, stdout_console
from tests import engines

MILLRACE = pathlib.Path(sys.executable).parent / "millrace"
_IN_PROCESS = "in process"
_PASS = re.compile(r" INFO [\w.]+: (\w+): (\d+) shards by (\d+) processes")
_MODEL, _INFERRER = "engines", "bulk_inferrer"


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


def _run(
    arguments: argparse.Namespace, root: pathlib.Path, flags: Sequence[str]
) -> dict[str, float]:
    """Run the recipe below `root`, and infer; returns the seconds of each step that ran."""
    command = ["run", arguments.recipe, "--name", _MODEL]
    for step in [*(arguments.to or ["transform"]), *(["pusher"] if arguments.infer else [])]:
        command += ["--to", step]
    if arguments.data:
        command += ["--data", arguments.data]
    of_infer = [each for each in arguments.set if each.startswith(f"{_INFERRER}.")]
    for setting in arguments.set:
        command += ["--set", setting] if setting not in of_infer else []
    seconds = _called(command, root, flags)
    if arguments.infer:
        command = ["infer", _MODEL, "--data", arguments.infer]
        for setting in of_infer:
            command += ["--set", setting]
        seconds |= _called(command, root, flags)
    return seconds


def _called(
    command: list[str | pathlib.Path], root: pathlib.Path, flags: Sequence[str]
) -> dict[str, float]:
    """The seconds of each step that a command of `millrace` has run."""
    command = [MILLRACE, *command, "--root", root, "--json"]
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
) -> dict[str, Sequence[str]]:
    """The flags of each engine, by its name; what they need runs until `stack` is left."""

    def place(name: str) -> pathlib.Path:
        (made := folder / f"{name}'s").mkdir()
        return made

    flags: dict[str, Sequence[str]] = {
        _IN_PROCESS: ("--direct_num_workers=1",),
        "multi_processing": ("--direct_running_mode=multi_processing", "--direct_num_workers=2"),
        "Dask": stack.enter_context(engines.dask(place("Dask"))).flags,
    }
    if prism:
        flags["Prism"] = stack.enter_context(engines.prism(prism, place("Prism"))).flags
    return flags


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("recipe", metavar="RECIPE")
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--set", action="append", default=[], metavar="STEP.OPTION=VALUE")
    parser.add_argument("--to", action="append", default=[], metavar="STEP")
    parser.add_argument("--infer", type=pathlib.Path, metavar="DATA")
    parser.add_argument("--prism", default=shutil.which("prism"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
