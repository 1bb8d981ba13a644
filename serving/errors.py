"""The errors that this project raises on purpose, and those of the serving floor.

    MillraceError               every error whose text alone tells a person what to do
    +-- ServingError            serving floor
    |   +-- WireError           a value has no place in a message, or a message no value
    |   +-- ModelLoadError      a SavedModel folder cannot be loaded
    |   +-- LaunchError         a server did not become ready
    |   +-- RpcError            a server's answer was an error; carries the gRPC code
    +-- ComponentError          components.errors
    +-- PipelineError           pipeline.errors

Their texts follow one form: *where*: expected X. Received: Y. What to do.
"""


class MillraceError(Exception):
    """An error to be shown as its text, without a traceback."""


class ServingError(MillraceError):
    """Anything that the serving floor refuses."""


class WireError(ServingError):
    """A value cannot be put into a message, or a message holds no readable value."""


class ModelLoadError(ServingError):
    """A SavedModel folder cannot be loaded or lacks what it is asked for."""


class LaunchError(ServingError):
    """A model server could not be started or did not become ready in time."""
