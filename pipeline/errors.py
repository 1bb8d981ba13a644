"""The errors of the pipeline floor.

PipelineError
+-- UsageError      what was asked for cannot be understood or does not exist (exit 2)
+-- WiringError     a component or a recipe is written wrongly
+-- StoreError      the record of runs cannot be read or written
"""

import errno

from serving.errors import MillraceError


class PipelineError(MillraceError):
    """Anything that the engine refuses."""


class UsageError(PipelineError):
    """What was asked for cannot be understood or does not exist."""


class WiringError(PipelineError):
    """A component's signature or a recipe's wiring is not as it must be."""


class StoreError(PipelineError):
    """The record of runs cannot be read or written."""


def describe_error(error: BaseException) -> str:
    """One or two lines for a person; the traceback is in the step's log."""
    if isinstance(error, MillraceError):
        return str(error)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"The disk is full: {error}. Free some space, or give another --root."
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted."
    return f"{type(error).__name__}: {error}"
