"""Many runs on one root at once, each of them twice, beside whoever else uses the root.

    python -m tests.faults.together [--runs 10] [--rounds 20] [--postgresql]

In a round, so many processes run the small pipeline of `tests.faults.points` on one root, two with
the same data and model each; others push and take back versions of one more model, verify the
root, and ask the pages of `millrace ui` for the runs, again and again until all runs have ended.
The store is SQLite's file, or a PostgreSQL server of its own. What must hold:

- all end within two minutes, and none of them with an error;
- every run is recorded as done, with every step, and each step's output is there and whole;
- what is made of the same data is the same, and each model is pushed once, though two pushed it;
- nothing is left in `staging/`, `resume/` or hidden in `serving/`, and no lock is held.
"""

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from etils import epath

from millrace.components.errors import DataError
from millrace.components.pusher import rollback
from millrace.components.pushing.versions import Versions
from millrace.pipeline import verification
from millrace.pipeline.console import print_table, stdout_console
from tests import servers
from tests.faults.kill import MILLRACE, Lost, check_locks, check_store, leftovers, versions
from tests.faults.points import wired
from tests.pipeline.conftest import Toy

SECONDS = 120.0  # after which whoever is at work is taken for stuck
STEPS = {"read", "count", "infer", "train", "judge", "exported", "pusher"}


class Child:
    """A forked process that does `work`, and tells what it raised."""

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self.name = name
        read, write = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            told = ""
            try:
                work()
            except BaseException as error:
                told = f"{type(error).__name__}: {error}"
            with os.fdopen(write, "w", errors="replace") as pipe:
                pipe.write(told)
            os._exit(0)
        os.close(write)
        self._read = os.fdopen(read)

    def has_ended(self) -> bool:
        return self.pid == 0 or self._wait(os.WNOHANG)

    def _wait(self, options: int = 0) -> bool:
        if os.waitpid(self.pid, options)[0]:
            self.pid = 0
        return self.pid == 0

    def kill(self) -> None:
        if not self.has_ended():
            os.kill(self.pid, signal.SIGKILL)
            self._wait()
        self._read.close()

    def told(self) -> str:
        """What it raised, "" if nothing; it has ended."""
        return self._read.read()


def run_toy(folder: Path, pair: int) -> None:
    """Run the pipeline with the data and the model of that pair."""
    toy = Toy(folder)
    toy.data = folder / f"data-{pair}"
    result = toy.carry_out(wired(toy, f"toy-{pair}"), f"toy-{pair}")
    if result.status != "done":
        raise Lost("; ".join(f"{step.step}: {step.error}" for step in result.steps if step.error))


def push_and_take_back(folder: Path, ended: Path) -> None:
    """Push versions of a model and take them back, two pushes for each rollback."""
    serving, number = folder / "root" / "serving", 0
    while not ended.exists():
        source = folder / f"spare-{os.getpid()}-{number}"
        source.mkdir()
        (source / "saved_model.pb").write_text(source.name)
        Versions(serving, "spare").push(epath.Path(source))
        Versions(serving, "spare").prune(5)
        number += 1
        if number % 2 == 0:
            with contextlib.suppress(DataError):  # no version before it
                rollback(str(serving), "spare")


def verify(folder: Path, ended: Path) -> None:
    """Verify the root again and again.

    Raises:
        Lost: something is damaged.
    """
    toy = Toy(folder)
    while not ended.exists():
        found = verification.verify(toy.store, toy.root, repair=False)
        if found.damaged:
            raise Lost(f"verify: {'; '.join(map(str, found.damaged))}")
        time.sleep(0.05)


def look(page: str, ended: Path) -> None:
    """Ask for the runs again and again."""
    while not ended.exists():
        with urllib.request.urlopen(page) as answer:  # noqa: S310 - an address of our own
            answer.read()
        time.sleep(0.05)


@contextlib.contextmanager
def pages(root: Path) -> Iterator[str]:
    """The address of the list of runs, by `millrace ui`."""
    with subprocess.Popen(
        [MILLRACE, "ui", "--root", root, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            told = process.stdout.readline()
            yield f"{re.search('http://[^/ ]+', told)[0]}/{root.name}/runs"
        finally:
            process.terminate()


def round_of(folder: Path, runs: int) -> None:
    """Let them all work on a fresh root in `folder`, and see what they left.

    Raises:
        Lost: something that must hold does not.
    """
    ended, root = folder / "ended", folder / "root"
    for pair in range((runs + 1) // 2):
        (folder / f"data-{pair}").mkdir()
        (folder / f"data-{pair}" / "a.txt").write_text(f"text {pair}")
    root.mkdir()
    with pages(root) as page:
        runners = [Child(f"run {n}", lambda n=n: run_toy(folder, n // 2)) for n in range(runs)]
        others = [
            Child("pushes", lambda: push_and_take_back(folder, ended)),
            Child("more pushes", lambda: push_and_take_back(folder, ended)),
            Child("verify", lambda: verify(folder, ended)),
            Child("pages", lambda: look(page, ended)),
        ]
        _wait_for(runners, "still at work")
        ended.touch()
        _wait_for(others, "did not end")
    for child in [*runners, *others]:
        if told := child.told():
            raise Lost(f"{child.name}: {told}")
    check(folder, runs)


def _wait_for(children: list[Child], stuck: str) -> None:
    end = time.monotonic() + SECONDS
    while [child for child in children if not child.has_ended()]:
        if time.monotonic() > end:
            names = [child.name for child in children if not child.has_ended()]
            for child in children:
                child.kill()
            raise Lost(f"{', '.join(names)}: {stuck} after {SECONDS:.0f} s")
        time.sleep(0.05)


def check(folder: Path, runs: int) -> None:
    """What `runs` runs at once must have left.

    Raises:
        Lost: they have not.
    """
    toy, root = Toy(folder), folder / "root"
    check_records(toy, runs)
    found = verification.verify(toy.store, toy.root, repair=False)
    toy.store.engine.dispose()
    if found.damaged:
        raise Lost(f"verify: {'; '.join(map(str, found.damaged))}")
    pushed = Counter(place.parent.name for place in versions(root))
    if twice := [name for name, number in pushed.items() if name != "spare" and number > 1]:
        raise Lost(f"pushed twice: {', '.join(sorted(twice))}")
    if len(pushed) != (runs + 1) // 2 + 1:
        raise Lost(f"pushed are {', '.join(sorted(pushed))} alone")
    if left := leftovers(root):
        raise Lost(f"{', '.join(sorted(left))} is left")
    check_locks(root)
    check_store(root)


def check_records(toy: Toy, runs: int) -> None:
    """Every run is recorded with all its steps, and what two made is the same.

    Raises:
        Lost: a record is missing, or not as it should be.
    """
    made: dict[tuple[str, str], set[str]] = {}
    with toy.store.session() as session:
        recorded = [run for run in toy.store.runs(session) if run.root == toy.root.name]
        if [run.status for run in recorded] != ["done"] * runs:
            raise Lost(f"recorded: {[run.status for run in recorded]}")
        for run in recorded:
            steps = {each.step: each for each in run.executions}
            if set(steps) != STEPS or {each.status for each in steps.values()} - {"ran", "cached"}:
                raise Lost(f"{run.id}: {[(each.step, each.status) for each in run.executions]}")
            for name, each in steps.items():
                made.setdefault((run.recipe, name), set()).add(each.output.digest)
    others = {key for key, digests in made.items() if len(digests) > 1 and key[1] != "pusher"}
    if others:
        raise Lost(f"made twice and not the same: {others}")


def main() -> int:
    """Print one row; returns 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--postgresql", action="store_true")
    arguments = parser.parse_args()
    lost = 0
    with contextlib.ExitStack() as stack:
        if arguments.postgresql:
            os.environ["MILLRACE_STORE"] = stack.enter_context(servers.postgresql())
        for number in range(arguments.rounds):
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
                try:
                    round_of(Path(name), arguments.runs)
                except Lost as error:
                    lost += 1
                    print(f"round {number}: {error}", file=sys.stderr, flush=True)
    rows = [
        ("PostgreSQL" if arguments.postgresql else "SQLite", arguments.rounds, arguments.runs, lost)
    ]
    heads = ("store", "rounds", "runs at once", "rounds with a loss")
    print_table(stdout_console(), heads, rows)
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
