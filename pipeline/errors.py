"""The errors of the pipeline floor.

PipelineError
+-- UsageError      what was asked for cannot be understood or does not exist (exit 2)
+-- WiringError     a component or a recipe is written wrongly
+-- StoreError      the record of runs cannot be read or written

Stopped is none of these: it ends the process, as SystemExit does, when a signal asks for that.
"""

import errno
import signal

from serving.errors import MillraceError


class PipelineError(MillraceError):
    """Anything that the engine refuses."""


class UsageError(PipelineError):
    """What was asked for cannot be understood or does not exist."""


class WiringError(PipelineError):
    """A component's signature or a recipe's wiring is not as it must be."""


class StoreError(PipelineError):
    """The record of runs cannot be read or written."""


class Stopped(SystemExit):
    """A signal such as SIGTERM asks the process to end; its exit code is 128 + the number."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.signal = signal.Signals(number)


def describe_error(error: BaseException) -> str:
    """One or two lines for a person; the traceback is in the step's log."""
    if isinstance(error, MillraceError):
        return str(error)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"The disk is full: {error}. Free some space, or give another --root."
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted."
    if isinstance(error, Stopped):
        return f"Stopped by {error.signal.name}."
    return f"{type(error).__name__}: {error}"
