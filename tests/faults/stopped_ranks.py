"""Training on two ranks, one of which stops answering: SIGSTOP, so that its ports stay open.

    python -m tests.faults.stopped_ranks [--seconds 300]

Each case is a training in processes of its own, on this machine, of which the other rank or the
first one is stopped while it trains. What must hold: the step ends within `--seconds`, with an
error that names the rank; and the other rank, where it was not stopped, ends as well.
"""

import argparse
import json
import logging
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from millrace.components.artifacts import Analysis, Examples
from millrace.components.features import spec
from millrace.components.features.image_spec import ImageSpec
from millrace.components.files.tfrecord import write_records
from millrace.components.models.layer_options import Dense
from millrace.components.trainer import trainer
from millrace.serving.example import encode
from tests.serving.conftest import free_port

RANKS = "millrace.components.training.ranks"
CASES = {  # the rank that is stopped, and after which line of the first one's
    "the other one, while it trains": (1, "examples/s"),
    "the first one, while it trains": (0, "examples/s"),
}


def train(folder: Path) -> None:
    """The step of the first rank: pictures of noise, for far longer than a trial takes."""
    examples, analysis = Examples(folder / "examples"), Analysis(folder / "analysis")
    for each in (analysis.path, folder / "out", folder / "resume"):
        each.mkdir(parents=True)
    spec.write(ImageSpec(("a", "b"), 2, 2, 1), analysis.file)
    examples.split_path("train").mkdir(parents=True)
    records = [encode({"image": os.urandom(4), "label": n % 2}) for n in range(256)]
    write_records(examples.shard("train", 0, 1), records)
    examples.write_summary({"train": len(records)})
    try:
        trainer(
            examples,
            analysis,
            None,
            folder / "out",
            folder / "resume",
            epochs=1_000_000,
            batch_size=4,
            model=Dense(units=(4,)),
            strategy="multi_worker",
        )
    except Exception as error:
        print(f"ENDED {type(error).__name__}: {error}", flush=True)


def environment(index: int, addresses: list[str]) -> dict[str, str]:
    """Of the rank `index`."""
    task = {"type": "worker", "index": index}
    config = {"cluster": {"worker": addresses}, "task": task}
    return {**os.environ, "TF_CONFIG": json.dumps(config), "TF_CPP_MIN_LOG_LEVEL": "3"}


def first_rank_of(step: int) -> int:
    """The process that is the first rank: the child of the step that was given its work."""
    for line in Path(f"/proc/{step}/task/{step}/children").read_text().split():
        if "--work" in Path(f"/proc/{line}/cmdline").read_text():
            return int(line)
    raise LookupError(step)


def trial(case: str, limit: float) -> str:
    """What the step said when it ended, and after how long; else what went wrong."""
    stopped, after = CASES[case]
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        log, other_log = ((folder / name).open("w+") for name in ("step.log", "other.log"))
        other = subprocess.Popen(
            [sys.executable, "-m", RANKS, "--once"],
            env=environment(1, addresses),
            stdout=other_log,
            stderr=other_log,
        )
        step = subprocess.Popen(
            [sys.executable, "-m", __spec__.name, "--step", scratch],
            env=environment(0, addresses),
            stdout=log,
            stderr=log,
        )
        found = 0
        try:
            wait_for(folder / "step.log", after, 300)
            found = other.pid if stopped else first_rank_of(step.pid)
            os.kill(found, signal.SIGSTOP)
            begun = time.monotonic()
            said = wait_for(folder / "step.log", "ENDED", limit)
            took = time.monotonic() - begun
            if not stopped:
                other.wait(limit)
            ended = next(line for line in said.splitlines() if line.startswith("ENDED"))
            is_named = re.search(rf"rank {stopped} at {addresses[stopped]}", ended)
            return f"{'ok' if is_named else 'NOT NAMED'} after {took:.0f} s: {ended}"
        except (TimeoutError, subprocess.TimeoutExpired) as error:
            return f"HANGS: {error}\n{(folder / 'other.log').read_text()[-2000:]}"
        finally:
            for pid in {found, other.pid, step.pid} - {0}:
                kill(pid)
            other.wait()
            step.wait()


def kill(pid: int) -> None:
    """End the process `pid`, if it is there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def wait_for(file: Path, text: str, limit: float) -> str:
    """What `file` holds, once that has `text`."""
    begun = time.monotonic()
    while text not in (found := file.read_text()):
        if time.monotonic() - begun > limit:
            raise TimeoutError(f"no {text!r} within {limit:.0f} s; last: {found[-1500:]}")
        time.sleep(0.2)
    return found


def main() -> None:
    """Run the trials."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--case", choices=CASES, action="append")
    parser.add_argument("--step", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.step:
        logging.basicConfig(level=logging.INFO)
        train(asked.step)
        return
    for case in asked.case or CASES:
        print(f"{case}: {trial(case, asked.seconds)}", flush=True)


if __name__ == "__main__":
    main()
