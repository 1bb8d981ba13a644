"""How a command ends when a supervisor (SIGTERM) or a terminal that closes (SIGHUP) asks for it.

Both raise `Stopped` where the main thread is, so that every block on the way out clears up. Python
runs a signal's handler only between two of its own instructions, and a step may be in TensorFlow
for minutes: a thread, which the signal wakes by itself, says at once that it has come, and ends a
process that takes too long. (Not after SIGINT, which is Python's own: that person has a keyboard.)
What such an end leaves is what a kill leaves, and the next run clears it up; child processes end
by themselves (`millrace.serving.lifeline`).

A command that ends by itself does so without a last search for garbage: where TensorFlow and Keras
are imported, that and taking the garbage apart takes over a second.
"""

import atexit
import gc
import os
import signal
import threading
import time
from types import FrameType

from millrace.pipeline import own_code
from millrace.pipeline.errors import Stopped
from millrace.serving import lifeline

_CHILDREN = 1.0  # seconds after which nobody waits for a library's child processes any more
_PATIENCE = 8.0  # seconds to end in; Docker kills after 10
_STOPPING = (signal.SIGTERM, signal.SIGHUP)


class _Forking(threading.local):
    """The signals that a thread had blocked before its fork, once for each `listen`."""

    def __init__(self) -> None:
        self.masks: list[set[int]] = []


_asked: list[BaseException] = []  # what a signal has raised
_forking = _Forking()


def listen() -> None:
    """From now on end in order when a signal asks for it; those that are ignored stay so.

    A process that this one forks is no command: signals end it as they do any other.
    """
    # A signal that comes between the fork and `_unlisten` waits for that.
    os.register_at_fork(before=_hold, after_in_parent=_release, after_in_child=_unlisten)
    wanted = [number for number in _STOPPING if signal.getsignal(number) is not signal.SIG_IGN]
    # The steps redirect standard error into their logs: this stays what it was.
    terminal = _copy_of_stderr()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_follow, args=(reader, terminal), name="signals", daemon=True).start()
    for number in wanted:
        signal.signal(number, _stop)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


def end_quickly() -> None:
    """From now on end without looking for garbage, unless a person's own modules may wait for it.

    Call it first of all: what is to be done at the end is done in the opposite order.
    """
    atexit.register(_freeze)


def _freeze() -> None:
    if not own_code.is_imported():  # its finalizers run, and files that it left open are written
        gc.freeze()


def asked() -> BaseException | None:
    """What a signal has raised, wherever that was: libraries wrap it, or drop it."""
    return _asked[0] if _asked else None


def _hold() -> None:
    _forking.masks.append({*signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)})


def _release() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.masks.pop())


def _unlisten() -> None:
    signal.set_wakeup_fd(-1)
    for number in _STOPPING:
        if signal.getsignal(number) is _stop:
            signal.signal(number, signal.SIG_DFL)
    _release()


def _copy_of_stderr() -> int:
    try:
        return os.dup(2)
    except OSError:  # it was closed before the command began
        return -1


def _stop(number: int, _: FrameType | None) -> None:
    for each in _STOPPING:  # the second one would cut short what the first one set going
        signal.signal(each, signal.SIG_IGN)
    _asked.append(Stopped(number))
    raise _asked[0]


def _interrupt(_: int, __: FrameType | None) -> None:
    _asked.append(KeyboardInterrupt())
    raise _asked[0]


def _follow(reader: int, terminal: int) -> None:
    """Say which signal has come, and see that the process ends by it."""
    number = signal.SIGINT
    while number not in _STOPPING:
        number = signal.Signals(os.read(reader, 1)[0])
        if number not in (signal.SIGINT, *_STOPPING):  # a library may have others handled
            continue
        _say(terminal, f"{number.name}: stopping")
        time.sleep(_CHILDREN)
        lifeline.cut()
    time.sleep(_PATIENCE - _CHILDREN)
    _say(terminal, f"not ended in {_PATIENCE:g} s: killed; the next run clears up")
    os._exit(128 + number)


def _say(terminal: int, text: str) -> None:
    """Write to the terminal, which may be gone, past the buffers that the main thread may hold."""
    try:
        os.write(terminal, f"millrace: {text}\n".encode())
    except OSError:
        return
