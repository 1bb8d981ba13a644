"""The errors of the pipeline floor.

PipelineError
+-- UsageError      what was requested cannot be understood or does not exist (exit 2)
+-- WiringError     a component or a recipe is written wrongly
+-- StoreError      the record of runs cannot be read or written
+-- RunError        a run that was started from Python ended before its last step

Stopped is none of these: it ends the process, as SystemExit does, when a signal requests it.
"""

import errno
import signal
from typing import TYPE_CHECKING

from etils.epath import Path

from millrace.components.errors import OptionError
from millrace.components.files.printable import one_line, shortened
from millrace.components.user_code import frames
from millrace.serving import remote
from millrace.serving.errors import MillraceError

if TYPE_CHECKING:
    from millrace.pipeline.runs import Run


class PipelineError(MillraceError):
    """Anything that the engine refuses."""


class UsageError(PipelineError):
    """What was requested cannot be understood or does not exist."""


class WiringError(PipelineError):
    """A component's signature or a recipe's wiring is not as it must be."""


class StoreError(PipelineError):
    """The record of runs cannot be read or written."""


class RunError(PipelineError):
    """A run ended before its last step: one failed, or found anomalies that were to end it.

    Attributes:
        run: what there is of it.
        step: the name of the step that ended it.
        reason: why, in words.
        log: what that step printed.
    """

    def __init__(self, run: "Run", step: str, reason: str, log: Path) -> None:
        super().__init__(f"{step}: {reason}\nIts log: {log}")
        self.run = run
        self.step = step
        self.reason = reason
        self.log = log


_RIGHT = "Grant this user the right to do so, or name another place (a root by --root)."
_PLACE = "--root, or MILLRACE_SCRATCH where the root is in an object store"
_FIXES = {
    errno.ENOSPC: f"Free some space on that disk, or give another {_PLACE}.",
    errno.EDQUOT: f"Free some of your quota, or give another {_PLACE}.",
    errno.EROFS: "Give a root that can be written to, with --root or MILLRACE_ROOT.",
    errno.EACCES: _RIGHT,
    errno.EPERM: _RIGHT,
    errno.EIO: "The disk fails: see the system's log.",
    errno.EMFILE: "Allow more open files: `ulimit -n 4096`.",
    errno.ENAMETOOLONG: "Give a shorter name, or a root with a shorter path.",
}


def is_of_the_system(error: OSError) -> bool:
    """Whether `error` is a disk's, a quota's or a missing right's: no fault of any code."""
    return error.errno in _FIXES


class Stopped(SystemExit):
    """A signal such as SIGTERM asks the process to end; its exit code is 128 + the number."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.signal = signal.Signals(number)


def describe_error(error: BaseException) -> str:
    """One or two lines for a person, long words cut; the traceback is in the step's log."""
    if isinstance(error, UsageError | OptionError):  # repeat what was typed, maybe line ends
        return remote.told(shortened(one_line(str(error))))
    if isinstance(error, MillraceError):
        return remote.told(shortened(str(error)))
    if isinstance(error, OSError) and is_of_the_system(error):
        if remote.is_of_scratch(error):
            return remote.scratch_problem(error)
        place = f"{error.filename}: expected to read or write it. " if error.filename else ""
        return f"{place}Received: {error.strerror}. {_FIXES[error.errno or 0]}"
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted."
    if isinstance(error, Stopped):
        return f"Stopped by {error.signal.name}."
    return remote.told(shortened(f"{type(error).__name__}: {error}"))


def describe_failure(error: BaseException) -> str:
    """As `describe_error`; what a person's own code has to do with it comes first.

    Its frames, the lines that they stand at, and its error.
    """
    described, own = describe_error(error), frames.find(error)
    if own is None:
        return described
    return f"{own}\n{described}" if isinstance(error, MillraceError) else str(own)
