"""Numbered pieces of work done in this process, and in more of them once it takes long.

The processes share a folder. A file there says that a piece is taken, and by whom: only one of
them can make it. A piece whose process died is done again by the first process.
"""

import contextlib
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from millrace.serving import cores, lifeline

Work = Callable[[int], None]

_ALONE = 3.0  # seconds before others are started: they need a second or two to import what they use
_MOST = 8  # processes; each may hold TensorFlow and a batch of records
_PATIENCE = 5.0  # seconds for one to end
_WORK = "work"


def run(work: Work, count: int, folder: Path) -> None:
    """Call `work` with each number below `count`, in this process and maybe in others.

    Args:
        work: sent to the other processes where it can be pickled; may be called again with a
            number whose process died.
        count: of pieces.
        folder: for this function's files, `taken-…`, `done-…` and `work`.
    """
    if count > 1:
        with _others(work, count, folder) as finished:
            for number in _taken(folder, count):
                work(number)
                _done(folder, number).touch()
            finished()
    for number in range(count):
        if not _done(folder, number).exists():
            work(number)


def main(arguments: list[str]) -> int:
    """What another process does: `FOLDER COUNT`."""
    folder, count = Path(arguments[0]), int(arguments[1])
    try:
        paths, pickled = pickle.loads((folder / _WORK).read_bytes())  # noqa: S301 - ours
        sys.path[:] = paths
        work = pickle.loads(pickled)  # noqa: S301 - ours
    except Exception:  # such as a function of a script, which no other process can import
        return 1
    for number in _taken(folder, count):
        work(number)
        _done(folder, number).touch()
    return 0


@contextlib.contextmanager
def _others(work: Work, count: int, folder: Path) -> Iterator[Callable[[], None]]:
    """Start other processes after a while; gives what waits for the pieces that they have taken."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        with contextlib.suppress(Exception):  # what cannot be pickled stays here
            (folder / _WORK).write_bytes(pickle.dumps((sys.path, pickle.dumps(work))))
            left = sum(not _claim(folder, number).exists() for number in range(count))
            command = lifeline.module(__name__, str(folder), str(count))
            for _ in range(min(cores.available() - 1, left, _MOST - 1)):
                with os.fdopen(os.dup(2), "wb") as output:
                    started.append(lifeline.start(command, output))

    def finish() -> None:
        timer.cancel()
        timer.join()
        owners = {
            _claim(folder, n).read_text() for n in range(count) if not _done(folder, n).exists()
        }
        for process in started:
            if str(process.pid) in owners:
                process.wait()

    timer = threading.Timer(_ALONE, start)
    timer.start()
    try:
        yield finish
    finally:
        timer.cancel()
        timer.join()
        for process in started:
            process.terminate()  # all at once; those that do not listen are killed below
        for process in started:
            with process:
                lifeline.end(process, _PATIENCE)


def _taken(folder: Path, count: int) -> Iterator[int]:
    """The numbers that no other process has, each as it is taken."""
    for number in range(count):
        try:
            with _claim(folder, number).open("x") as file:
                file.write(str(os.getpid()))
        except FileExistsError:
            continue
        yield number


def _claim(folder: Path, number: int) -> Path:
    return folder / f"taken-{number:05d}"


def _done(folder: Path, number: int) -> Path:
    return folder / f"done-{number:05d}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
