"""Every place where a run writes: what if it is killed there, or the disk refuses.

    python -m tests.faults.points [--fault kill] [--times 0] [--seed 7]

Python tells of each file that it opens for writing, renames, makes or removes (audit events). A
small pipeline, from a text to a pushed model, is run once to count those below its root. Then it is
run again and again, each time on a fresh root in a forked process, and at the event of that number
the fault happens: `kill` (SIGKILL), or `full`, `read-only`, `denied`, `broken`: that one call
fails; `full from` and so on: so do all after it. `--times 0` takes every event, else so many of
them, drawn by the seed. What must hold:

- the run that met the fault is done, failed with a text, or raised an error that a command tells;
- then no output and no version is half, and SQLite finds its file whole;
- the next run, undisturbed, is done, makes what an undisturbed one makes, pushes the model once,
  and leaves nothing in `staging/` and `resume/`, and no lock held.
"""

import argparse
import errno
import os
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from etils import epath

from millrace.components.artifacts import Examples, Model
from millrace.components.pusher import pusher
from millrace.pipeline import verification
from millrace.pipeline.console import print_table, stdout_console
from millrace.pipeline.dag import Dag, Source
from millrace.serving.errors import MillraceError
from tests.faults.kill import (
    Lost,
    check_locks,
    check_store,
    check_visible,
    leftovers,
    outputs,
    versions,
)
from tests.pipeline import toys
from tests.pipeline.conftest import Toy

FAULTS = {
    "full": errno.ENOSPC,
    "read-only": errno.EROFS,
    "denied": errno.EACCES,
    "broken": errno.EIO,
}
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Points:
    """Counts what this process changes below a folder, and does something at one of them."""

    def __init__(self, folder: Path, at: Callable[[int], None]) -> None:
        self.folder, self.at, self.count = str(folder), at, 0
        sys.addaudithook(self._hook)  # for good: in a process that ends soon

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        is_writing = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        if (event in CHANGES or is_writing) and self._is_below(event, arguments):
            self.count += 1
            self.at(self.count)

    def _is_below(self, event: str, arguments: tuple[Any, ...]) -> bool:
        path = arguments[0]
        if isinstance(path, int):
            return False
        path = os.fsdecode(path)
        places = {"os.mkdir": 2, "os.remove": 1, "os.rmdir": 1, "os.rename": 2}
        folder = arguments[places[event]] if event in places else -1
        if folder != -1:
            path = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), path)  # noqa: PTH118, PTH115
        return os.path.abspath(path).startswith(self.folder)  # noqa: PTH100


def exported(examples: Examples, out: epath.Path) -> Model:
    """A model folder that a push copies: two files below two folders."""
    made = Model(out)
    made.saved_model.mkdir(parents=True)
    (made.saved_model / "saved_model.pb").write_text((examples.path / "text").read_text())
    (made.saved_model / "variables").mkdir()
    (made.saved_model / "variables" / "variables.index").write_text("index")
    return made


def wired(toy: Toy, model_name: str = "toy") -> Dag:
    """The toy pipeline with a model that is pushed at the end, by that name."""
    dag = Dag("toy")
    examples = dag.step(toys.read, source=Source(str(toy.data)))
    statistics = dag.step(toys.count, examples=examples)
    dag.step(toys.infer, statistics=statistics)
    trained = dag.step(toys.train, examples=examples)
    evaluation = dag.step(toys.judge, model=trained, baseline=None)
    model = dag.step(exported, examples=examples)
    dag.step(
        pusher,
        model=model,
        evaluation=evaluation,
        infra=None,
        model_name=model_name,
        serving_root=str(toy.root.serving),
    )
    return dag


def carried_out(folder: Path) -> str:
    """Run it in this process on the root in `folder`; returns how it ended.

    Raises:
        Exception: what the run raised and no command would tell as a text.
    """
    try:
        toy = Toy(folder)
        result = toy.carry_out(wired(toy))
    except (MillraceError, OSError) as error:
        return f"raised {type(error).__name__}: {error}"
    failed = [step for step in result.steps if step.status == "failed"]
    return result.status if not failed else f"failed {failed[0].step}: {failed[0].error}"


def forked(work: Callable[[], str]) -> str:
    """What `work` returns in a process of its own; "killed" where it was.

    Raises:
        Lost: `work` raised.
    """
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            told = f"={work()}"
        except BaseException as error:
            told = f"!{type(error).__name__}: {error}"
        with os.fdopen(write, "w", errors="replace") as pipe:
            pipe.write(told)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    if told.startswith("!"):
        raise Lost(told[1:])
    return told[1:] or "killed"


def fresh(folder: Path) -> Path:
    """An empty folder with the toy's data below it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def counted(folder: Path) -> int:
    """How many places the undisturbed run in `folder` has."""

    def work() -> str:
        points = Points(folder / "root", lambda number: None)
        if (ended := carried_out(folder)) != "done":
            raise Lost(f"undisturbed: {ended}")
        return str(points.count)

    return int(forked(work))


def fault_at(place: int, name: str) -> Callable[[int], None]:
    """What to do at each place so that the fault called `name` happens at this one."""
    kind, _, lasting = name.partition(" ")

    def at(number: int) -> None:
        if number == place or (lasting and number > place):
            if kind == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(FAULTS[kind], os.strerror(FAULTS[kind]))

    return at


def tried(folder: Path, whole: Path, place: int, name: str) -> str:
    """Let the fault happen at that place, then run again; returns how the first run ended.

    Raises:
        Lost: something that must hold does not.
    """

    def disturbed() -> str:
        Points(folder / "root", fault_at(place, name))
        return carried_out(folder)

    fresh(folder)
    ended = forked(disturbed)
    root = folder / "root"
    if root.exists():
        check_visible(root, whole)
        check_store(root)
    again = forked(lambda: carried_out(folder))
    if again != "done":
        raise Lost(f"the run after that: {again}")
    check_visible(root, whole)
    check_store(root)
    made = {place.parent.name for place in outputs(root)}
    if made != {place.parent.name for place in outputs(whole)}:
        raise Lost(f"outputs of {', '.join(sorted(made))} alone")
    if len(versions(root)) != 1:
        raise Lost(f"{len(versions(root))} versions")
    if left := leftovers(root):
        raise Lost(f"{', '.join(sorted(left))} is left")
    check_locks(root)
    if (damaged := forked(lambda: found_damaged(folder))) != "nothing":
        raise Lost(f"verify: {damaged}")
    return ended


def found_damaged(folder: Path) -> str:
    """What `millrace verify` finds damaged under the root in `folder`."""
    toy = Toy(folder)
    found = verification.verify(toy.store, toy.root, repair=False)
    return "; ".join(map(str, found.damaged)) or "nothing"


def main() -> int:
    """Print one row per fault; returns 1 if anything was lost."""
    every = ["kill", *FAULTS, *(f"{name} from" for name in FAULTS)]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fault", action="append", choices=every, metavar="FAULT")
    parser.add_argument("--times", type=int, default=0, help="of each fault; 0: at every place")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    rows, losses = [], 0
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        count = counted(fresh(base / "whole"))
        for fault in arguments.fault or every:
            places = list(range(1, count + 1))
            if arguments.times:
                draw = random.Random(f"{arguments.seed} {fault}")
                places = sorted(draw.sample(places, arguments.times))
            ends, lost = Counter[str](), 0
            for place in places:
                try:
                    ended = tried(base / "tried", base / "whole" / "root", place, fault)
                    ends[ended.split(" ")[0]] += 1
                except Exception as error:
                    lost += 1
                    print(f"{fault} at {place}: {type(error).__name__}: {error}", file=sys.stderr)
            losses += lost
            shown = " ".join(f"{end} {number}" for end, number in ends.most_common())
            rows.append((fault, f"{len(places)} of {count}", len(places) - lost, lost, shown))
    heads = ("fault", "places", "survived", "lost", "how the disturbed run ended")
    print_table(stdout_console(), heads, rows)
    return int(losses > 0)


if __name__ == "__main__":
    sys.exit(main())
