"""Kill the recipe `digits` with SIGKILL inside each step, run it again, compare the results.

    python -m benchmarks.kill [STEP…]

Each step has a fresh root; the run is killed as soon as the step's log appears (a little later for
training, so that some epochs are done). Then nothing half-written may be visible, and the same
command must end with the metrics of an undisturbed run.
"""

import json
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

from millrace.pipeline.console import print_table, stdout_console

MILLRACE = pathlib.Path(sys.executable).parent / "millrace"
DELAY = {"trainer": 3.5}  # seconds from the start of a step to the kill


def main(chosen: list[str]) -> None:
    """Print one row per step."""
    folder = pathlib.Path(tempfile.mkdtemp())
    whole = _finish(folder / "whole")
    rows = []
    for step in chosen or [step["step"] for step in whole["steps"]]:
        root = folder / step
        visible = _kill_in(root, step)
        again = _finish(root)
        ran = sum(one["status"] == "ran" for one in again["steps"])
        same = again["metrics"] == whole["metrics"]
        rows.append((step, visible, ran, "same" if same else f"DIFFERENT: {again['metrics']}"))
        shutil.rmtree(root)
    print_table(stdout_console(), ("killed in", "half-written", "steps run after", "metrics"), rows)


def _kill_in(root: pathlib.Path, step: str) -> str:
    """Start a run, kill it in `step`; returns what of the step's output is visible."""
    process = subprocess.Popen(
        [MILLRACE, "run", "digits", "--root", root], stdout=subprocess.DEVNULL
    )
    while not list(root.glob(f"runs/*/{step}.log")):
        if process.poll() is not None:
            raise SystemExit(f"{step}: the run ended before it could be killed")
        time.sleep(0.002)
    time.sleep(DELAY.get(step, 0.0))
    process.send_signal(signal.SIGKILL)
    process.wait()
    pushed = list(root.glob("serving/digits/[0-9]*"))
    partial = [entry for entry in pushed if not (entry / "saved_model.pb").exists()]
    outputs = list(root.glob(f"artifacts/{step}/*"))
    return ", ".join(map(str, outputs + partial)) or "nothing"


def _finish(root: pathlib.Path) -> dict[str, Any]:
    done = subprocess.run(
        [MILLRACE, "run", "digits", "--root", root, "--json"], capture_output=True, check=True
    )
    return json.loads(done.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
