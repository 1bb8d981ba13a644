"""Runs killed by SIGKILL at random moments, run again, and compared with an unbroken one.

    python -m tests.faults.kill [--times 200] [--seed 7] [KIND …]

Each kind of data has a small recipe. Its unbroken run says how long it takes and what it makes.
Then runs on one root are killed, each at a moment of the seed's between the start and that long,
before one may end. What must hold:

- after each kill: no process of the run is left, no version below `serving/` and no output below
  `artifacts/` is half, what is there is what the unbroken run made, and SQLite finds its file
  whole;
- after the last run: every output is that of the unbroken run, byte for byte (but for what holds
  the time or is random: see `VOLATILE`), nothing is in `staging/` or `resume/`, or hidden in
  `serving/`, that the unbroken run does not leave, no lock is held, no run counts as running, and
  `millrace verify` finds no damage.

One row per kind; the exit status is 1 if anything was lost, and each loss is told as it is found.
"""

import argparse
import contextlib
import csv
import dataclasses
import fcntl
import json
import math
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from etils import epath

from millrace.components.pushing import sameness
from millrace.pipeline.console import print_table, stdout_console

MILLRACE = Path(sys.executable).parent / "millrace"
VOLATILE = {
    "fingerprint.pb": "TensorFlow's, random",
    "server.log": "what a server said, with times",
    "pushed.json": "the second of the push",
    "metadata.json": "within a .keras file: the time",
    # Nodes and variables in any order: compared by `pushing/sameness.py`. Bytes of weights are
    # compared in the `.keras` file.
    "saved_model.pb": "TensorFlow's, by sameness",
    "variables.index": "by sameness",
    "variables.data-00000-of-00001": "by sameness",
}
ADDRESS = re.compile(rb'"shared_object_id": \d+')  # where Keras had the object in memory
PATIENCE = 60.0  # seconds for processes to end whose parent was killed


@dataclasses.dataclass(frozen=True)
class Kind:
    """A small recipe for a kind of data."""

    recipe: str
    settings: tuple[str, ...] = ()
    data: str = ""  # the name of the function that writes it

    def command(self, folder: Path, root: Path) -> list[str | Path]:
        given = ["--data", folder / "data.csv"] if self.data else []
        settings = [word for setting in self.settings for word in ("--set", setting)]
        return [MILLRACE, "run", self.recipe, *given, *settings, "--root", root, "--json"]


KINDS = {
    "line": Kind("line-fit", ("trainer.epochs=30",)),
    "table": Kind("penguins", ("trainer.epochs=5",), "table"),
    "series": Kind("airline", ("trainer.epochs=5",), "series"),
    "text": Kind("reviews", ("trainer.epochs=2",)),
    "image": Kind("digits", ("trainer.epochs=2",)),
}


def write_table(file: Path) -> None:
    """240 penguins of three species, told by four measures."""
    draw = random.Random(1)
    names = ("culmen_length_mm", "culmen_depth_mm", "flipper_length_mm", "body_mass_g", "species")
    with file.open("w", newline="") as opened:
        rows = csv.writer(opened)
        rows.writerow(names)
        for number in range(240):
            kind = number % 3
            rows.writerow([f"{kind + draw.gauss(0, 0.2):.3f}" for _ in names[1:]] + [kind])


def write_series(file: Path) -> None:
    """Twelve years of months, a trend and a season."""
    with file.open("w", newline="") as opened:
        rows = csv.writer(opened)
        rows.writerow(("Month", "Passengers"))
        for number in range(144):
            value = 100 + number + 20 * math.sin(number * math.pi / 6) + number % 5
            rows.writerow((f"{1949 + number // 12}-{number % 12 + 1:02}", round(value)))


WRITERS = {"table": write_table, "series": write_series}


class Run:
    """A `millrace run` whose descendants can be found, whoever their parent is by then."""

    def __init__(self, command: list[str | Path], folder: Path) -> None:
        self.mark = f"FAULT_MARK={folder.name}-{time.monotonic_ns()}"
        name, value = self.mark.split("=")
        (folder / "tmp").mkdir(exist_ok=True)
        environment = {**os.environ, name: value, "TMPDIR": str(folder / "tmp")}
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def finish(self) -> dict[str, object]:
        """Wait for its end; returns what it printed.

        Raises:
            Lost: it failed.
        """
        out, said = self.process.communicate()
        if self.process.returncode:
            raise Lost(
                f"the next run ended with {self.process.returncode}: {said[-2000:].decode()}"
            )
        return json.loads(out)

    def kill_after(self, seconds: float) -> bool:
        """Kill it by then; returns whether it was still at work."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.communicate(timeout=seconds)
            return False
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            pipe.close()  # children may still have the other ends
        return True

    def left(self) -> list[str]:
        """The processes that still bear its mark once they have had time to end."""
        end = time.monotonic() + PATIENCE
        while (found := sorted(self._marked())) and time.monotonic() < end:
            time.sleep(0.1)
        return found

    def _marked(self) -> Iterator[str]:
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if self.mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    yield (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()


class Lost(Exception):  # noqa: N818 - no error of the script
    """What must hold does not."""


def contents(place: Path) -> dict[str, bytes]:
    """Every file below `place` by its name, those within a `.keras` file too."""
    found = {}
    for file in sorted(place.rglob("*")):
        name = file.relative_to(place).as_posix()
        if file.suffix == ".keras":
            with zipfile.ZipFile(file) as packed:
                inside = {f"{name}/{one}": packed.read(one) for one in packed.namelist()}
            found |= {one: ADDRESS.sub(b"", data) for one, data in inside.items()}
        elif file.is_file():
            found[name] = file.read_bytes()
    return found


def differences(place: Path, whole: Path) -> list[str]:
    """The files in which `place` is not what the unbroken run has at `whole`."""
    ours, theirs = contents(place), contents(whole)
    names = [
        name
        for name in sorted(ours.keys() | theirs.keys())
        if (name in ours) != (name in theirs)
        or (name.rpartition("/")[2] not in VOLATILE and ours[name] != theirs[name])
    ]
    for model in whole.rglob("saved_model.pb"):
        other = place / model.parent.relative_to(whole)
        if other.is_dir() and not sameness.same(epath.Path(other), epath.Path(model.parent)):
            names.append(f"{other.relative_to(place)}: another model")
    return names


def check_visible(root: Path, whole: Path) -> None:
    """What readers and model servers see is what the unbroken run made.

    Raises:
        Lost: something is half, or other.
    """
    pairs = [(output, whole / "artifacts" / output.parent.name) for output in outputs(root)]
    pairs += [(version, whole / "serving" / version.parent.name) for version in versions(root)]
    for place, folder in pairs:
        (model,) = [each for each in folder.iterdir() if not each.name.startswith(".")]
        if found := differences(place, model):
            raise Lost(f"{place}: differs in {', '.join(found)}")


def outputs(root: Path) -> list[Path]:
    return sorted(root.glob("artifacts/*/*"))


def versions(root: Path) -> list[Path]:
    return sorted(each for each in root.glob("serving/*/*") if each.name.isdecimal())


def check_store(root: Path) -> None:
    """SQLite finds nothing wrong with the store.

    Raises:
        Lost: it does.
    """
    file = root / "millrace.db"
    if file.exists():
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as store:
            found = [
                *store.execute("PRAGMA integrity_check"),
                *store.execute("PRAGMA foreign_key_check"),
            ]
        if found != [("ok",)]:
            raise Lost(f"{file}: {found}")


def check_done(root: Path, whole: Path, result: dict[str, object]) -> None:
    """Nothing is left of what was killed, and everything is as the unbroken run made it.

    Raises:
        Lost: something is not.
    """
    check_visible(root, whole)
    check_store(root)
    made = {Path(one["output"]).parent.name for one in result["steps"]}
    if missing := {path.parent.name for path in outputs(whole)} - made:
        raise Lost(f"{root}: no output of {', '.join(sorted(missing))}")
    if len(versions(root)) != len(versions(whole)):
        raise Lost(f"{root}: {len(versions(root))} versions are pushed")
    if left := leftovers(root) - leftovers(whole):
        raise Lost(f"{root}: {', '.join(sorted(left))} is left")
    check_locks(root)
    statuses = Counter(re.findall(r"\b(running|killed|done|failed)\b", shown("runs", root)))
    if statuses["running"] or statuses["failed"] or not statuses["done"]:
        raise Lost(f"{root}: runs are {dict(statuses)}")
    shown("verify", root)


def leftovers(root: Path) -> set[str]:
    """What stands in the folders of what is not done yet."""
    places = [*root.glob("staging/*"), *root.glob("resume/*"), *root.glob("serving/*/.[!w]*")]
    return {f"{place.parent.name}/{place.name}" for place in places}


def check_locks(root: Path) -> None:
    """No lock is held.

    Raises:
        Lost: one is.
    """
    for lock in [*root.glob("runs/*/*lock"), *root.glob("resume/.*.lock")]:
        with lock.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Lost(f"{lock} is held") from None


def shown(command: str, root: Path) -> str:
    """What a command says of the root.

    Raises:
        Lost: it fails.
    """
    words = [MILLRACE, command, "--root", root]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Lost(f"{command} of {root}: {done.stdout}{done.stderr}")
    return done.stdout


def unbroken(kind: Kind, folder: Path) -> tuple[Path, float]:
    """The root of a run that nobody disturbed, and how many seconds it took."""
    folder.mkdir(parents=True, exist_ok=True)
    if kind.data:
        WRITERS[kind.data](folder / "data.csv")
    root = folder / "whole"
    began = time.monotonic()
    Run(kind.command(folder, root), folder).finish()
    return root, time.monotonic() - began


def killed(kind: Kind, folder: Path, whole: Path, moments: list[float]) -> tuple[int, str]:
    """Kill runs on one root at these moments, then let one end.

    Returns:
        How many were at work when they were killed, and in which steps.

    Raises:
        Lost: something that must hold does not.
    """
    root, hits, steps = folder / "killed", 0, []
    for moment in moments:
        run = Run(kind.command(folder, root), folder)
        if run.kill_after(moment):
            hits += 1
            logs = sorted(root.glob("runs/*/*.log"), key=lambda file: file.stat().st_mtime_ns)
            steps.append(logs[-1].stem if logs else "start")
        if left := run.left():
            raise Lost(f"{root}: still at work: {'; '.join(left)}")
        check_visible(root, whole)
        check_store(root)
    check_done(root, whole, Run(kind.command(folder, root), folder).finish())
    shutil.rmtree(root)
    return hits, " ".join(steps)


@dataclasses.dataclass
class Tally:
    """What became of the kills of a kind."""

    hits: int = 0  # at work when they were killed
    tries: int = 0
    lost: int = 0  # roots
    places: Counter[str] = dataclasses.field(default_factory=Counter)


def tally(name: str, base: Path, times: int, seed: int, per_root: int) -> Tally:
    """Kill runs of that kind so many times in all; tells each loss as it is found."""
    draw, found = random.Random(f"{seed} {name}"), Tally()
    whole, seconds = unbroken(KINDS[name], base / name)
    for _ in range(max(1, times // per_root)):
        moments = [draw.uniform(0, seconds) for _ in range(per_root)]
        found.tries += per_root
        try:
            hits, steps = killed(KINDS[name], base / name, whole, moments)
        except Lost as error:
            found.lost += 1
            after = ", ".join(f"{moment:.3f}" for moment in moments)
            print(f"{name}: killed after {after} s: {error}", file=sys.stderr, flush=True)
            (base / name / "killed").rename(base / name / f"lost-{found.lost}")
            continue
        found.hits += hits
        found.places.update(steps.split())
        print(f"{name}: {found.tries} kills", file=sys.stderr, flush=True)
    return found


def main() -> int:
    """Print one row per kind; returns 1 if anything was lost, and leaves those roots."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=200, help="kills, shared among the kinds")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--per-root", type=int, default=4, help="kills before a run may end")
    parser.add_argument("kinds", nargs="*", default=list(KINDS), metavar="KIND")
    arguments = parser.parse_args()
    base, rows, losses = Path(tempfile.mkdtemp(prefix="kill-")), [], 0
    each = arguments.times // len(arguments.kinds)
    for name in arguments.kinds:
        found = tally(name, base, each, arguments.seed, arguments.per_root)
        inside = " ".join(f"{step} {count}" for step, count in found.places.most_common())
        rows.append((name, found.tries, found.hits, found.lost, inside))
        losses += found.lost
    heads = ("kind", "tries", "killed at work", "roots with a loss", "the step that had begun last")
    print_table(stdout_console(), heads, rows)
    if not losses:
        shutil.rmtree(base)
    return int(losses > 0)


if __name__ == "__main__":
    sys.exit(main())
