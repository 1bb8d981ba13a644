"""Locks on files, by which processes of one machine tell the living from the dead.

The kernel lets go of a lock when its process ends, however it ends.
"""

import contextlib
import fcntl
import os
import pathlib
import socket
from collections.abc import Iterator
from typing import IO, TypeAlias

from etils.epath import Path

AnyPath: TypeAlias = pathlib.Path | Path

_PROCESSES = pathlib.Path("/proc")  # where Linux tells of each process which files it has locked


@contextlib.contextmanager
def lock(path: AnyPath, *, wait: bool = False, shared: bool = False) -> Iterator[bool]:
    """Hold a lock on the file `path`, if it is free; yields whether it was.

    It is free for a `shared` one while others hold shared ones alone.

    Only who holds the lock may remove the file, so one that was removed between opening and
    locking is opened again.
    """
    while True:
        with _opened(pathlib.Path(path)) as file:
            taken = _is_taken(file.fileno(), wait=wait, shared=shared)
            if not taken or _is_at(file.fileno(), path):
                try:
                    yield taken
                finally:
                    if taken:  # at once: a process forked meanwhile has the file open, too
                        fcntl.flock(file.fileno(), fcntl.LOCK_UN)
                return


def sign(path: AnyPath, *, shared: bool = False) -> None:
    """Write into the lock `path`, which this process holds, who it is; beside others if shared."""
    with contextlib.suppress(OSError), pathlib.Path(path).open("a" if shared else "w") as file:
        file.write(f"{os.getpid()} {socket.gethostname()}\n")


def signed(path: AnyPath) -> list[tuple[int, str]]:
    """Who has signed the lock `path`: processes, and their machines. Some may have ended."""
    try:
        lines = pathlib.Path(path).read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    found = [line.partition(" ") for line in lines]
    return [(int(number), machine) for number, _, machine in found if number.isdecimal()]


def can_tell() -> bool:
    """Whether this system says who holds a lock."""
    return (_PROCESSES / "self" / "fdinfo").exists()


def is_held_by(process: int, path: AnyPath) -> bool:
    """Whether the `process` of this machine holds a lock on the file `path`.

    A number that another process has got meanwhile, or that is one of another machine, is none
    that holds it.

    Raises:
        PermissionError: the process is another user's.
    """
    status = pathlib.Path(path).stat()
    for descriptor in _listed(_PROCESSES / str(process) / "fd"):
        with contextlib.suppress(FileNotFoundError):  # closed, or ended, since it was listed
            if os.path.samestat(descriptor.stat(), status):
                told = _PROCESSES / str(process) / "fdinfo" / descriptor.name
                if "FLOCK" in told.read_text():
                    return True
    return False


def _listed(folder: pathlib.Path) -> list[pathlib.Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


def _opened(path: pathlib.Path) -> IO[str]:
    try:
        return path.open("a")
    except OSError:  # another user's, or on a read-only disk: it can be locked all the same
        return path.open()


def _is_taken(descriptor: int, *, wait: bool, shared: bool) -> bool:
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(descriptor, kind | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def _is_at(descriptor: int, path: AnyPath) -> bool:
    """Whether the open file is still the one at `path`."""
    try:
        return os.path.samestat(os.fstat(descriptor), pathlib.Path(path).stat())
    except FileNotFoundError:
        return False
