"""Child processes that end when their parent ends, even if it is killed.

A child's standard input is a pipe that nobody writes to. The kernel closes the other end when the
parent ends, even by SIGKILL. A thread in the child waits for that and then ends the child as
SIGTERM does. Linux's PR_SET_PDEATHSIG would need no thread, but it fires when the *thread* that
started the child ends, is cleared by `exec` of set-user-ID programs, and does not exist on macOS.

`python -m millrace.serving.lifeline module NAME ARGUMENTS…` runs a Python module this way.
`python -m millrace.serving.lifeline program NAME ARGUMENTS…` guards another program.
This module uses the standard library only.
"""

import contextlib
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, Protocol

_GRACE = 45.0  # seconds to end after SIGTERM; longer than a model server drains its requests
_PROGRAM_GRACE = 30.0  # the same for another program, which its guard must outlive
_KILL_SECONDS = 1.0  # for the kernel to end a killed process
_CANNOT_RUN = 126  # as in shells
_SOURCES = str(Path(__file__).parents[2])  # the folder that holds millrace
_inherited: set[int] = set()  # write ends of the pipes of `inherited`
# All ends that a process forked from this one must not keep open.
_held: set[int] = set()
_started: weakref.WeakSet[subprocess.Popen[bytes]] = weakref.WeakSet()


class Process(Protocol):
    """What `end` needs of a `subprocess.Popen`, or of what stands for one."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, or raise `subprocess.TimeoutExpired`."""

    def terminate(self) -> None:
        """Send it SIGTERM."""

    def kill(self) -> None:
        """Send it SIGKILL."""


def module(name: str, *arguments: str) -> list[str]:
    """Returns the command that runs `python -m name arguments` on a lifeline."""
    return [sys.executable, "-m", "millrace.serving.lifeline", "module", name, *arguments]


def program(name: str, *arguments: str) -> list[str]:
    """Returns the command that guards another program; it exits with the program's status."""
    return [sys.executable, "-m", "millrace.serving.lifeline", "program", name, *arguments]


def start(command: Sequence[str], output: IO[bytes], **more: str) -> subprocess.Popen[bytes]:
    """Start `command`, made by `module` or `program`, with all its output going to `output`.

    `more` is added to its environment, in which millrace is found where this process found it.
    The lifeline is the process's `stdin`.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=environment(more),
    )
    _started.add(process)
    return process


def run(
    command: Sequence[str], *, timeout: float | None = None, **more: str
) -> "subprocess.CompletedProcess[str]":
    """Run `command`, made by `module` or `program`; like `subprocess.run` with captured text.

    `subprocess.run` itself would close the child's standard input, and would kill it after the
    timeout, leaving a guard no time to end its program.

    Raises:
        subprocess.TimeoutExpired: it ran longer than `timeout` seconds and was terminated.
    """
    reader, writer = pipe()
    try:
        with subprocess.Popen(
            command,
            stdin=reader,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(more),
        ) as process:
            try:
                output, errors = process.communicate(timeout=timeout)
            except BaseException:
                process.terminate()
                raise
        return subprocess.CompletedProcess(command, process.returncode, output, errors)
    finally:
        os.close(reader)
        release(writer)


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child, with `more`; it finds millrace where this process found it."""
    variables = {**os.environ, **more}
    paths = (variables.get("PYTHONPATH"), _SOURCES)  # a person's own folders come first
    return {**variables, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


@contextlib.contextmanager
def inherited() -> Iterator[None]:
    """Make a lifeline this process's standard input, for children that a library starts."""
    if not _is_open(0):
        os.open(os.devnull, os.O_RDONLY)  # becomes descriptor 0, or the pipe below would
    kept = os.dup(0)
    reader, writer = pipe()
    os.dup2(reader, 0)
    os.close(reader)
    _inherited.add(writer)
    try:
        yield
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        _close(writer)


def cut() -> None:
    """End the children that a library started, which this process may be waiting for."""
    for writer in list(_inherited):
        _close(writer)


def _close(writer: int) -> None:
    try:
        _inherited.remove(writer)
    except KeyError:  # closed by another thread
        return
    release(writer)


def pipe() -> tuple[int, int]:
    """Returns a pipe whose write end is closed in processes forked from this one."""
    reader, writer = os.pipe()
    hold(writer)
    return reader, writer


def hold(descriptor: int) -> None:
    """Have `descriptor` closed in processes forked from this one."""
    _held.add(descriptor)


def release(descriptor: int) -> None:
    """Close what `pipe` made or `hold` was given."""
    _held.discard(descriptor)
    os.close(descriptor)


def _let_go() -> None:
    """In a forked process, close the lifelines: the children belong to its parent."""
    for process in list(_started):
        if process.stdin is not None:
            process.stdin.close()
    for descriptor in _held:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _held.clear()
    _inherited.clear()


os.register_at_fork(after_in_child=_let_go)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def end(process: Process, patience: float) -> None:
    """Terminate `process`, started here, kill it after `patience` seconds, and wait for its end.

    The second SIGTERM makes a guard kill its program.
    """
    for seconds in (patience, _KILL_SECONDS):
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        return
    process.kill()
    process.wait()


def watch(descriptor: int = 0) -> None:
    """Send this process SIGTERM once the other end of the pipe is closed.

    If it has not ended after a while, it is killed.
    """
    threading.Thread(target=_end_with, args=(descriptor,), name="lifeline", daemon=True).start()


def _end_with(descriptor: int) -> None:
    os.read(descriptor, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE)
    os.kill(os.getpid(), signal.SIGKILL)


class _Guard:
    """Runs a program, passes SIGTERM on to it, and ends it with the lifeline."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = False

    def run(self, command: list[str]) -> int:
        """Run `command` to its end; returns its exit status as shells report it."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the program, too
        watch()
        try:
            self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        except OSError as error:
            print(f"{command[0]}: cannot be run: {error.strerror}", file=sys.stderr)
            return _CANNOT_RUN
        if self._stopping:  # the signal arrived before `_child` was set
            _end(self._child)
        code = self._child.wait()
        return code if code >= 0 else 128 - code

    def _stop(self, _: int, __: FrameType | None) -> None:
        if self._child is not None and self._stopping:
            self._child.kill()
        elif self._child is not None:
            _end(self._child)
        self._stopping = True


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    later = threading.Timer(_PROGRAM_GRACE, child.kill)
    later.daemon = True
    later.start()


def _main(kind: str, name: str, *arguments: str) -> int:
    if kind == "program":
        return _Guard().run([name, *arguments])
    watch()
    sys.argv[:] = [name, *arguments]
    runpy.run_module(name, run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
