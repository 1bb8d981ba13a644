"""The files of a pass over shards: what is handed to workers, and what they report.

All lie in one folder that every worker can read and write:

    shard-000000007    what the work is given, pickled
    note-000000007     which process did it, and what it returned, or
    error-000000007    the error it raised, which is about the data, and its traceback
    taken-000000007    that a process of this machine is at it or has done it (`joining`)
    work               the function, for processes that join (`joining`) and for an engine's workers
    code.zip           a person's own modules, for an engine's workers
"""

import functools
import hashlib
import logging
import os
import pickle
import socket
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from etils.epath import Path

from millrace.components.user_code import packed
from millrace.serving.errors import MillraceError

logger = logging.getLogger(__name__)


class AtWorkerError(Exception):
    """The traceback, as text, of an error that was raised where a shard was worked on."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


Work = Callable[[Any], Any]
FOLDER = ".notes"  # below the folder that a pass writes to; gone at the end
WORK, CODE = "work", "code.zip"
_handing = threading.Lock()  # an engine's worker may have several threads


def hand_out(folder: Path, shards: Iterable[Any]) -> int:
    """Write `shards` into `folder`, which is made; returns how many there are."""
    folder.mkdir(parents=True)
    count = 0
    for count, shard in enumerate(shards, start=1):
        file(folder, "shard", count - 1).write_bytes(pickle.dumps(shard))
    return count


def work_on(folder: Path, work: Work, index: int) -> None:
    """Do `work` on a shard, and note what it returns, or the error that it raises of the data."""
    kind, found = outcome(work, load(file(folder, "shard", index)))
    file(folder, kind, index).write_bytes(pickle.dumps(found))


def outcome(work: Work, shard: Any) -> tuple[str, tuple[Any, Any]]:
    """What becomes of a shard: of which kind its file is, and what that holds."""
    try:
        note = work(shard)
    except MillraceError as error:
        return "error", (error, "".join(traceback.format_exception(error)))
    return "note", (f"{socket.gethostname()}:{os.getpid()}", note)


def hand_over(folder: Path, work: Work) -> Callable[[int], None]:
    """What an engine's workers do with the number of a shard: `work`, which stays in `folder`.

    So an engine need not find a person's own modules to pass the work on, and a worker finds them.
    """
    from apache_beam.internal.cloudpickle import cloudpickle

    pickled = cloudpickle.dumps(work)
    (folder / WORK).write_bytes(pickled)
    (folder / CODE).write_bytes(packed.pack(pickled))
    return functools.partial(_at_worker, folder, hashlib.sha256(pickled).hexdigest())


def _at_worker(folder: Path, digest: str, index: int) -> None:
    with _handing:
        work = _handed_over(folder, digest)
    work_on(folder, work, index)


@functools.lru_cache(1)
def _handed_over(folder: Path, digest: str) -> Work:
    """The work in `folder`; `digest` tells one pass from the next by the same folder."""
    packed.unpack((folder / CODE).read_bytes())
    return load(folder / WORK)


def is_done(folder: Path, index: int) -> bool:
    """Whether a shard has been worked on to the end."""
    return any(file(folder, kind, index).exists() for kind in ("note", "error"))


def done(folder: Path) -> int:
    """How many shards have been worked on to the end."""
    return sum(entry.name.startswith(("note-", "error-")) for entry in os.scandir(folder))


def collect(folder: Path, count: int, label: str = "") -> Iterator[Any]:
    """The notes of `count` shards in their order, read one by one; then `folder` is gone.

    Args:
        folder: with the notes.
        count: of the shards.
        label: logs under this name how many processes worked on them; not where it is empty.

    Raises:
        MillraceError: of the first shard that has one; at once.
    """
    for failure in sorted(folder.glob("error-*")):
        error, told = load(failure)
        raise error from AtWorkerError(told)
    return _read(folder, count, label)


def _read(folder: Path, count: int, label: str) -> Iterator[Any]:
    workers = set()
    for index in range(count):
        worker, note = load(file(folder, "note", index))
        workers.add(worker)
        yield note
    folder.rmtree()
    if label:
        logger.info("%s: %d shards by %d processes", label, count, len(workers))


def load(path: Path) -> Any:
    """What is pickled in a file of the folder."""
    return unpickled(path.read_bytes())


def unpickled(content: bytes) -> Any:
    """What this pass has pickled."""
    return pickle.loads(content)  # noqa: S301 - written by this pass


def file(folder: Path, kind: str, index: int) -> Path:
    """The file of a shard; sorted by name they are in the order of the shards."""
    return folder / f"{kind}-{index:09d}"
