"""Other processes of this machine that join a pass over shards which takes long.

Each takes the next shard that nobody has taken yet, and so does Beam's in-process runner in the
process that started them: all are at work until none is left, however long each shard takes. A
shard is taken by making a file that is not there yet. What they print and log goes where this
process's standard error does.

Beam's `multi_processing` deals the shards out beforehand, starts one process more, since this one
only waits, and imports Beam in each: a second of CPU, where a table's work imports half a second.

`python -m millrace.components.beam.joining FOLDER COUNT` is such a process.
"""

import contextlib
import functools
import logging
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from etils.epath import Path

from millrace.components.beam import notes
from millrace.components.beam.notes import Work
from millrace.serving import cores, lifeline

if TYPE_CHECKING:
    from millrace.serving import warm

Run: TypeAlias = Callable[[Callable[[int], None], Sequence[int]], None]
_Process: TypeAlias = "subprocess.Popen[bytes] | warm.Forked"

_MODULE = "millrace.components.beam.joining"
_PATIENCE = 5.0  # seconds to end after SIGTERM
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


logger = logging.getLogger(__name__)


def work_through(
    folder: Path, work: Work, count: int, after: float, *, forked: bool, run: Run
) -> None:
    """Do `work` on the `count` shards in `folder`, joined by a process for each other core.

    What one of those leaves undone is done here, so that an error of the code is raised here.

    Args:
        folder: with the shards; on a disk of this machine.
        work: the function; others can join only if it can be pickled.
        count: of the shards.
        after: so many seconds they join; 0: at once.
        forked: whether they are forked from a process that has imported TensorFlow, if a run has
            one. It is waited for while it does so.
        run: calls a function with each of the shards' numbers, in this process.
    """
    # Imported here: the engine reads signatures of steps without NumPy.
    from millrace.serving import warm

    start = warm.start if forked else lifeline.start
    with _joined(folder, work, count, after, start):
        run(functools.partial(_work_if_free, folder, work), range(count))
    if left := [index for index in range(count) if not notes.is_done(folder, index)]:
        run(functools.partial(notes.work_on, folder, work), left)


def _work_if_free(folder: Path, work: Work, index: int) -> None:
    if _take(folder, index):
        notes.work_on(folder, work, index)


def _take(folder: Path, index: int) -> bool:
    """Whether the shard is this process's to work on: nobody else has taken it."""
    try:
        os.close(os.open(notes.file(folder, "taken", index), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


@contextlib.contextmanager
def _joined(
    folder: Path, work: Work, count: int, after: float, start: "Callable[..., _Process]"
) -> Iterator[None]:
    """Let others join while the block runs, and wait for them at its end."""
    others = min(cores.available(), count) - 1
    if others < 1:
        yield
        return
    started: list[_Process] = []
    call = threading.Timer(after, _start, (started, start, folder, work, count, others))
    call.start()
    try:
        yield
        call.cancel()
        call.join()
        for process in started:
            if code := process.wait():
                logger.warning("a process that joined ended with %d; its work is redone", code)
    finally:
        call.cancel()
        call.join()
        for process in started:
            with process:  # closes its lifeline
                lifeline.end(process, _PATIENCE)


def _start(
    started: "list[_Process]",
    start: "Callable[..., _Process]",
    folder: Path,
    work: Work,
    count: int,
    others: int,
) -> None:
    """Start the others, if there is something left for them; adds them to `started`."""
    left = sum(not notes.file(folder, "taken", index).exists() for index in range(count))
    if not left:
        return
    try:
        (folder / notes.WORK).write_bytes(pickle.dumps(work))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        logger.debug("in this process alone: %s", error)
        return
    command = lifeline.module(_MODULE, str(folder), str(count))
    paths = os.pathsep.join(filter(None, sys.path))  # a person's own code is found as here
    with os.fdopen(os.dup(2), "wb") as output:
        for _ in range(min(others, left)):
            started.append(start(command, output, PYTHONPATH=paths))
    logger.info(
        "in %d processes, since it takes long; `-- --direct_num_workers=1` keeps to one",
        1 + len(started),
    )


def main() -> None:
    """Work on the shards that nobody has taken of the folder that the command names."""
    logging.basicConfig(format=_FORMAT)
    logging.getLogger("millrace.components").setLevel(logging.INFO)
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path += [path for path in paths if path not in sys.path]  # which a fork does not read
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    work = notes.load(folder / notes.WORK)
    for index in range(count):
        _work_if_free(folder, work, index)


if __name__ == "__main__":
    main()
