"""Child processes that end with the process that started them, however that one ended.

A child's standard input is a pipe into which nobody writes. The kernel closes the other end when
its parent is no more, SIGKILL included, and the child, which waits for that in a thread, ends as
by SIGTERM. Linux's PR_SET_PDEATHSIG would do it without a thread, but fires when the *thread* that
started the child ends, is lost to `exec` of other users' programs, and is unknown to macOS.

`python -m millrace.serving.lifeline module NAME ARGUMENTS…` runs a module of Python's so;
`python -m millrace.serving.lifeline program NAME ARGUMENTS…` stands beside another program and
ends it.
Standard library only.
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
from typing import IO

_GRACE = 45.0  # seconds to end after SIGTERM: longer than a model server lets its requests run
_PROGRAM_GRACE = 30.0  # the same for another program, whose guard must outlive it
_KILL_SECONDS = 1.0  # for the kernel to take down what was killed
_CANNOT_RUN = 126  # as shells have it
_SOURCES = str(Path(__file__).parents[2])  # the folder that holds millrace
_inherited: set[int] = set()  # the ends of pipes that this process holds for such children
# All that it holds: a process that this one forks must not hold them as well.
_held: set[int] = set()
_started: weakref.WeakSet[subprocess.Popen[bytes]] = weakref.WeakSet()


def module(name: str, *arguments: str) -> list[str]:
    """The command that runs `python -m name arguments` with a lifeline for standard input."""
    return [sys.executable, "-m", "millrace.serving.lifeline", "module", name, *arguments]


def program(name: str, *arguments: str) -> list[str]:
    """The command that runs another program so; it ends with the program's own status."""
    return [sys.executable, "-m", "millrace.serving.lifeline", "program", name, *arguments]


def start(command: Sequence[str], output: IO[bytes], **more: str) -> subprocess.Popen[bytes]:
    """Start `command`, one of those above, all that it prints going to `output`.

    `more` is added to its environment, in which millrace is found where this process found it.
    Its lifeline is the process's `stdin`.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=_environment(more),
    )
    _started.add(process)
    return process


def run(
    command: Sequence[str], *, timeout: float | None = None, **more: str
) -> "subprocess.CompletedProcess[str]":
    """Run `command`, one of those above, to its end; as `subprocess.run` with captured text.

    Not by that itself: it closes the standard input of its child, and what it ends it kills,
    which leaves a guard no time to end its program.

    Raises:
        subprocess.TimeoutExpired: it ran longer than `timeout` seconds; it has ended now.
    """
    reader, writer = _pipe()
    try:
        with subprocess.Popen(
            command,
            stdin=reader,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=_environment(more),
        ) as process:
            try:
                output, errors = process.communicate(timeout=timeout)
            except BaseException:
                process.terminate()
                raise
        return subprocess.CompletedProcess(command, process.returncode, output, errors)
    finally:
        os.close(reader)
        _release(writer)


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    environment = {**os.environ, **more}
    paths = (environment.get("PYTHONPATH"), _SOURCES)  # a person's own folders come first
    return {**environment, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


@contextlib.contextmanager
def inherited() -> Iterator[None]:
    """A lifeline for standard input of this process: for children that a library starts."""
    if not _is_open(0):  # the pipe would take its place
        os.open(os.devnull, os.O_RDONLY)  # which does, as the lowest that is free
    kept = os.dup(0)
    reader, writer = _pipe()
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
    """End the children that a library started, for which this process may wait."""
    for writer in list(_inherited):
        _close(writer)


def _close(writer: int) -> None:
    try:
        _inherited.remove(writer)
    except KeyError:  # another thread was faster
        return
    _release(writer)


def _pipe() -> tuple[int, int]:
    """A pipe whose writing end only this process holds, whoever forks it."""
    reader, writer = os.pipe()
    _held.add(writer)
    return reader, writer


def _release(writer: int) -> None:
    _held.discard(writer)
    os.close(writer)


def _let_go() -> None:
    """In a process that was forked: the children are its parent's."""
    for process in list(_started):
        if process.stdin is not None:
            process.stdin.close()
    for writer in _held:
        with contextlib.suppress(OSError):
            os.close(writer)
    _held.clear()
    _inherited.clear()


os.register_at_fork(after_in_child=_let_go)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def end(process: subprocess.Popen[bytes], patience: float) -> None:
    """Ask `process`, started here, to end, and kill it after so many seconds; returns after it.

    The second SIGTERM has a guard kill its program.
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
    """End this process as by SIGTERM once the other end of the pipe is gone.

    What has not ended by itself after a while is killed.
    """
    threading.Thread(target=_end_with, args=(descriptor,), name="lifeline", daemon=True).start()


def _end_with(descriptor: int) -> None:
    os.read(descriptor, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE)
    os.kill(os.getpid(), signal.SIGKILL)


class _Guard:
    """Stands beside a program: SIGTERM reaches it, and it does not outlive the lifeline."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = False

    def run(self, command: list[str]) -> int:
        """Run `command` to its end; returns its status as a shell tells it."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the program as well
        watch()
        try:
            self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        except OSError as error:
            print(f"{command[0]}: cannot be run: {error.strerror}", file=sys.stderr)
            return _CANNOT_RUN
        if self._stopping:  # the signal came while it was not known yet
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
