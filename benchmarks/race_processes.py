"""A command, and what it and the processes below it use from moment to moment (Linux: /proc).

CPU is that of all of them, those that have ended included. Memory is resident: what is a process's
own, of all of them, and once what they map from files, of the one that maps the most, since these
are the same libraries. Pages that a process shares with the one it was forked from count in both.
"""

import bisect
import contextlib
import dataclasses
import os
import pathlib
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

_POLL = 0.05  # seconds
_TRIES = 5
_TICKS = os.sysconf("SC_CLK_TCK")  # a second


@dataclasses.dataclass(frozen=True)
class Spent:
    """Wall and CPU seconds, and the most memory in between, MiB."""

    wall: float
    cpu: float
    memory: float


@dataclasses.dataclass(frozen=True)
class Moment:
    """CPU seconds used up to the time `at`, in seconds since 1970, and MiB in use then."""

    at: float
    cpu: float
    memory: float


def watched(
    command: Sequence[str],
    log: pathlib.Path,
    *,
    limit: float,
    environment: Mapping[str, str],
    folder: pathlib.Path,
) -> list[Moment]:
    """Run `command` in `folder` and look at it until it ends; it may not take over `limit` seconds.

    Raises:
        SystemExit: it took longer, or failed; with the end of its `log`.
    """
    moments = [Moment(time.time(), 0.0, 0.0)]
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command,
            stdout=sink,
            stderr=sink,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )
        try:
            while process.poll() is None and moments[-1].at - moments[0].at < limit:
                moments.append(_moment(process.pid))
                time.sleep(_POLL)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    moments.append(dataclasses.replace(moments[-1], at=time.time()))
    if process.returncode:
        after = f"after {moments[-1].at - moments[0].at:.0f} s of at most {limit:.0f}"
        end = log.read_text(errors="replace")[-2000:]
        raise SystemExit(f"{' '.join(command)}: exit status {process.returncode} {after}\n{end}")
    return moments


def spent(moments: Sequence[Moment], start: float, end: float) -> Spent:
    """What was used from `start` to `end`: CPU between two moments is taken to grow evenly.

    Where it shrinks, a process has ended whose parent did not wait for it.
    """
    at = [moment.at for moment in moments]
    grown = np.maximum(np.diff([moment.cpu for moment in moments], prepend=0.0), 0.0)
    cpu = np.interp([start, end], at, grown.cumsum())
    around = moments[max(bisect.bisect(at, start) - 1, 0) : bisect.bisect_left(at, end) + 1]
    return Spent(end - start, float(cpu[1] - cpu[0]), max(one.memory for one in around))


def _moment(root: int) -> Moment:
    """One in which no process has ended: the CPU of such a one goes to its parent's."""
    processes = list(_family(root))
    for _ in range(_TRIES):
        found = _used(processes)
        before, processes = processes, list(_family(root))
        if processes == before:
            break
    return found


def _used(processes: Iterable[int]) -> Moment:
    cpu = own = mapped = 0.0
    for process in processes:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            folder = pathlib.Path(f"/proc/{process}")
            # utime, stime, cutime and cstime, 11th after the name, which may hold blanks.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            cpu += sum(map(int, fields[11:15])) / _TICKS
            lines = (folder / "status").read_text().splitlines()
            sizes = {name: rest for name, _, rest in (line.partition(":") for line in lines)}
            if "RssAnon" in sizes:  # a process that has ended has none
                anonymous, file, shared = (
                    int(sizes[f"Rss{kind}"].split()[0]) / 1024 for kind in ("Anon", "File", "Shmem")
                )
                own += anonymous + shared
                mapped = max(mapped, file)
    return Moment(time.time(), cpu, own + mapped)


def _family(process: int) -> Iterator[int]:
    """`process` and all below it, those that end meanwhile left out."""
    yield process
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for thread in pathlib.Path(f"/proc/{process}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                for child in (thread / "children").read_text().split():
                    yield from _family(int(child))
