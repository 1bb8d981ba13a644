"""A process that has made its imports already, from which others fork in milliseconds.

A process that loads a model spends its first seconds on importing TensorFlow. A run that will need
some begins this one while its earlier steps still work. A fork of it has what a new process would
have: arguments, environment, folder, descriptors and a lifeline of its own, and nothing of the run.

multiprocessing's forkserver would do, but its children import the caller's `__main__`: a person's
script that calls `millrace.run` outside of `if __name__ == "__main__"` would begin anew in each.

`python -m millrace.serving.warm DESCRIPTOR MODULES…` imports the modules, each with a function
`main`, and then serves the socket DESCRIPTOR. A request is a byte with three descriptors: standard
input, output, and a socket. On that the fork is sent its arguments, environment and folder as JSON,
and the caller the fork's process id and, once it has ended, its exit code: 8 bytes each.
"""

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any

from millrace.serving import lifeline, tensorflow_import

_NUMBER = struct.Struct("!q")
_MODULE = lifeline.module("")[:-1]  # how a command that runs a module begins
_begun: list["_WarmProcess"] = []


def begin(modules: Iterable[str]) -> None:
    """From now on let `start` fork the processes that run one of `modules`.

    Does nothing where a process cannot be forked safely after such imports: macOS's frameworks
    do not survive it.
    """
    end()
    if sys.platform == "linux" and (wanted := sorted(modules)):
        _begun.append(_WarmProcess(wanted))


def end() -> None:
    """End what `begin` began; the processes that were forked live on."""
    while _begun:
        _begun.pop().close()


def start(
    command: Sequence[str], output: IO[bytes], **more: str
) -> "subprocess.Popen[bytes] | Forked":
    """As `lifeline.start`, by a fork where `begin` has seen to it."""
    for process in _begun:
        if forked := process.fork(command, output, more):
            return forked
    return lifeline.start(command, output, **more)


class Forked:
    """A process that another one has forked, with the methods of `subprocess.Popen`."""

    def __init__(self, args: Sequence[str], pid: int, stdin: int, status: socket.socket) -> None:
        """Take over `stdin`, the end of its lifeline, and `status`, on which its code is sent."""
        self.args, self.pid = args, pid
        self.returncode: int | None = None
        self._stdin, self._status = stdin, status

    def poll(self) -> int | None:
        """Its exit code, once it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0.0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; returns the exit code, negative after a signal.

        Raises:
            subprocess.TimeoutExpired: it still runs after `timeout` seconds.
        """
        if self.returncode is None:
            self._status.settimeout(timeout)
            try:
                code = _received(self._status)
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0) from None
            if code is None:  # the process that forked it was killed, and cannot tell
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGKILL)
                code = -signal.SIGKILL
            self.returncode = code
            self._status.close()
            self._cut()
        return self.returncode

    def terminate(self) -> None:
        """Send it SIGTERM, unless it has ended."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """Send it SIGKILL, unless it has ended."""
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _cut(self) -> None:
        descriptor, self._stdin = self._stdin, -1
        if descriptor >= 0:
            lifeline.release(descriptor)

    def __enter__(self) -> "Forked":
        return self

    def __exit__(self, *_: object) -> None:
        self._cut()
        self.wait()


class _WarmProcess:
    """The caller's side of `main`."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._modules = modules
        self._requests, theirs = socket.socketpair()
        lifeline.hold(self._requests.fileno())
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno()), *modules],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=lifeline.environment({}),
                pass_fds=[theirs.fileno()],
            )

    def fork(
        self, command: Sequence[str], output: IO[bytes], more: Mapping[str, str]
    ) -> Forked | None:
        """A process that does as `command` says.

        None if that is not for one of its modules, or if it has ended: a module that cannot be
        imported says why in a process of its own.
        """
        kind, (name, *arguments) = command[: len(_MODULE)], command[len(_MODULE) :]
        if kind != _MODULE or name not in self._modules:
            return None
        request = json.dumps([name, arguments, lifeline.environment(more), os.getcwd()])  # noqa: PTH109
        with contextlib.ExitStack() as undone:
            reader, stdin = lifeline.pipe()
            undone.callback(lifeline.release, stdin)
            status, theirs = socket.socketpair()
            undone.enter_context(status)
            try:
                with theirs:
                    descriptors = [reader, output.fileno(), theirs.fileno()]
                    socket.send_fds(self._requests, [b"f"], descriptors)
                status.sendall(request.encode())
                status.shutdown(socket.SHUT_WR)
                pid = _received(status)
            except OSError:
                return None
            finally:
                os.close(reader)
            if pid is None:
                return None
            undone.pop_all()
            return Forked(command, pid, stdin, status)

    def close(self) -> None:
        """End the process."""
        lifeline.release(self._requests.detach())
        self._process.terminate()
        self._process.wait()


def _received(status: socket.socket) -> int | None:
    """The number that is sent next; None if there will be none."""
    sent = status.recv(_NUMBER.size)
    return _NUMBER.unpack(sent)[0] if sent else None


class _Server:
    """Forks a process for each request; all of it runs in the main thread."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._callers: dict[int, socket.socket] = {}  # by the id of the process that they wait for

    def serve(self) -> list[Any] | None:
        """Returns None when the caller has ended, and in each fork what it was asked to run."""
        signal.signal(signal.SIGCHLD, self._tell)
        while True:
            sent, descriptors, _, _ = socket.recv_fds(self._requests, 1, 3)
            if not sent:
                return None
            # `_tell` must know the caller before it is told of the end.
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
            with warnings.catch_warnings():
                # Python counts the threads of OpenBLAS, which has its own handlers for a fork.
                warnings.simplefilter("ignore", DeprecationWarning)
                pid = os.fork()
            if pid == 0:
                return self._forked(*descriptors)
            stdin, output, caller = descriptors
            os.close(stdin)
            os.close(output)
            self._callers[pid] = socket.socket(fileno=caller)
            _send(self._callers[pid], pid)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])

    def _tell(self, *_: object) -> None:
        while self._callers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            with self._callers.pop(pid) as caller:
                _send(caller, os.waitstatus_to_exitcode(status))

    def _forked(self, stdin: int, output: int, caller: int) -> list[Any]:
        """Take over the descriptors of a request; returns what it says."""
        self._requests.close()
        for other in self._callers.values():
            other.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        for descriptor, number in ((stdin, 0), (output, 1), (output, 2)):
            os.dup2(descriptor, number)
        os.close(stdin)
        os.close(output)
        with socket.socket(fileno=caller) as talk, talk.makefile("rb") as file:
            asked: list[Any] = json.loads(file.read())
        return asked


def _send(caller: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # it has ended
        caller.sendall(_NUMBER.pack(number))


def main(descriptor: int, modules: Sequence[str]) -> None:
    """Import `modules`, then serve `descriptor`; in a fork, run the module that it is asked to."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the caller, too
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    tensorflow_import.load()
    for module in modules:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # a collection in a fork would copy the pages that it shares
    asked = _Server(socket.socket(fileno=descriptor)).serve()
    if asked is None:
        return
    name, arguments, environment, folder = asked
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    importlib.import_module("numpy").random.seed()  # TensorFlow has imported it
    lifeline.watch()
    sys.argv[:] = [name, *arguments]
    importlib.import_module(name).main()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
