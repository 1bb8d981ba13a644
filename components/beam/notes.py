"""The files of a pass over shards: what is handed to workers, and what they report.

All lie in one folder that every worker can read and write:

    shard-000000007    what the work is given, pickled
    note-000000007     what it returned, or
    error-000000007    the error it raised, which is about the data
    taken-000000007    that a process of this machine is at it or has done it (`joining`)
    work               the function, for the processes that join (`joining`)
"""

import pickle
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from etils.epath import Path

from millrace.serving.errors import MillraceError

Work = Callable[[Any], Any]


def hand_out(folder: Path, shards: Iterable[Any]) -> int:
    """Write `shards` into `folder`, which is made; returns how many there are."""
    folder.mkdir(parents=True)
    count = 0
    for count, shard in enumerate(shards, start=1):
        file(folder, "shard", count - 1).write_bytes(pickle.dumps(shard))
    return count


def work_on(folder: Path, work: Work, index: int) -> None:
    """Do `work` on a shard, and note what it returns, or the error that it raises of the data."""
    try:
        note = work(load(file(folder, "shard", index)))
    except MillraceError as error:
        file(folder, "error", index).write_bytes(pickle.dumps(error))
    else:
        file(folder, "note", index).write_bytes(pickle.dumps(note))


def is_done(folder: Path, index: int) -> bool:
    """Whether a shard has been worked on to the end."""
    return any(file(folder, kind, index).exists() for kind in ("note", "error"))


def collect(folder: Path, count: int) -> Iterator[Any]:
    """The notes of `count` shards in their order, read one by one; then `folder` is gone.

    Raises:
        MillraceError: of the first shard that has one; at once.
    """
    for failure in sorted(folder.glob("error-*")):
        raise load(failure)
    return _read(folder, count)


def _read(folder: Path, count: int) -> Iterator[Any]:
    for index in range(count):
        yield load(file(folder, "note", index))
    folder.rmtree()


def load(path: Path) -> Any:
    """What is pickled in a file of the folder."""
    return pickle.loads(path.read_bytes())  # noqa: S301 - written by this pass


def file(folder: Path, kind: str, index: int) -> Path:
    """The file of a shard; sorted by name they are in the order of the shards."""
    return folder / f"{kind}-{index:09d}"
