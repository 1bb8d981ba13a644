"""The errors of the pipeline floor.

PipelineError
+-- UsageError      what was asked for cannot be understood or does not exist (exit 2)
+-- WiringError     a component or a recipe is written wrongly
+-- StoreError      the record of runs cannot be read or written
"""

from serving.errors import MillraceError


class PipelineError(MillraceError):
    """Anything that the engine refuses."""


class UsageError(PipelineError):
    """What was asked for cannot be understood or does not exist."""


class WiringError(PipelineError):
    """A component's signature or a recipe's wiring is not as it must be."""


class StoreError(PipelineError):
    """The record of runs cannot be read or written."""
