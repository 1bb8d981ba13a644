"""Numbered pieces of work done in this process, and in more of them where it takes long.

The processes share a folder. A file there says that a piece is taken, and by whom: only one of
them can make it. A piece whose process died is done again by the first process.
"""

import contextlib
import math
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from millrace.serving import cores, lifeline

Work = Callable[[int], None]

LONG, SHORT = 10.0, 2.0
"""Seconds of work left for which others are worth their start, with TensorFlow and without."""
_MOST = 8  # processes; each may hold TensorFlow and a batch of records
_PATIENCE = 5.0  # seconds for one to end
_WORK = "work"


def run(work: Work, count: int, folder: Path, worth: float = LONG) -> None:
    """Call `work` with each number below `count`, in this process and maybe in others.

    Args:
        work: sent to the other processes where it can be pickled; may be called again with a
            number whose process died.
        count: of pieces.
        folder: for this function's files, `taken-…`, `done-…` and `work`.
        worth: seconds of work left, by the time of the piece before, for which others are worth
            their start; 0: they start at once.
    """
    if count > 1:
        with _Others(work, count, folder) as others:
            pace = 0.0 if worth else math.inf  # seconds a piece
            for done, number in enumerate(_taken(folder, count)):
                left = count - number - 1
                if pace * left > worth:
                    others.start(left)
                start = time.monotonic()
                work(number)
                _done(folder, number).touch()
                pace = time.monotonic() - start if done else 0.0  # the first one imports, too
            others.wait()
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


class _Others:
    """The other processes; none until they are started."""

    def __init__(self, work: Work, count: int, folder: Path) -> None:
        self._work, self._count, self._folder = work, count, folder
        self._started: list[subprocess.Popen[bytes]] = []
        self._is_asked = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._started:
            process.terminate()  # all at once; those that do not listen are killed below
        for process in self._started:
            with process:
                lifeline.end(process, _PATIENCE)

    def start(self, most: int) -> None:
        """Start one for each further core, `most` at most; once, if the work can be sent."""
        if self._is_asked:
            return
        self._is_asked = True
        with contextlib.suppress(Exception):
            sent = pickle.dumps((sys.path, pickle.dumps(self._work)))
            (self._folder / _WORK).write_bytes(sent)
            command = lifeline.module(__name__, str(self._folder), str(self._count))
            for _ in range(min(cores.available() - 1, most, _MOST - 1)):
                with os.fdopen(os.dup(2), "wb") as output:
                    self._started.append(lifeline.start(command, output))

    def wait(self) -> None:
        """Wait until the pieces that they have taken are done, or they have died."""
        left = [n for n in range(self._count) if not _done(self._folder, n).exists()]
        owners = {_claim(self._folder, number).read_text() for number in left}
        for process in self._started:
            if str(process.pid) in owners:
                process.wait()


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
