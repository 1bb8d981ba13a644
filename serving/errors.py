"""The errors that this project raises on purpose, and those of the serving floor.

    MillraceError               every error whose text alone tells a person what to do
    +-- ServingError            serving floor
    |   +-- WireError           a value has no place in a message, or a message no value
    |   +-- ClientError         a client cannot be made or used so
    |   +-- ModelLoadError      a SavedModel folder cannot be loaded
    |   +-- ServerError         a model server cannot start as it was asked to
    |   +-- LaunchError         a server did not become ready
    |   +-- RpcError            a request failed; one class for each canonical code below it
    +-- ComponentError          millrace.components.errors
    +-- PipelineError           millrace.pipeline.errors

Their texts follow one form: *where*: expected X. Received: Y. What to do. Only RpcErrors, which
carry a model server's own texts from one end of the wire to the other, do not.
"""

from typing import ClassVar


class MillraceError(Exception):
    """An error to be shown as its text, without a traceback."""


class ServingError(MillraceError):
    """Anything that the serving floor refuses."""


class WireError(ServingError):
    """A value cannot be put into a message, or a message holds no readable value."""


class ClientError(ServingError):
    """A client cannot be made, or used, as it was: its address, or a call after its end."""


class ModelLoadError(ServingError):
    """A SavedModel folder cannot be loaded or lacks what it is asked for."""


class ServerError(ServingError):
    """A model server cannot start as it was asked to."""


class LaunchError(ServingError):
    """A model server could not be started or did not become ready in time.

    `reason` is what the server itself gave as the reason; empty where it said none.
    """

    def __init__(self, text: str, reason: str = "") -> None:
        super().__init__(text)
        self.reason = reason


class RpcError(ServingError):
    """A request failed: the server's text, under one of gRPC's canonical codes.

    The service raises these, the servicer sends them, and the client raises them again.
    """

    code: ClassVar[str] = "UNKNOWN"

    @property
    def details(self) -> str:
        """The text alone."""
        return str(self.args[0]) if self.args else ""


class CancelledError(RpcError):
    """The caller gave the request up."""

    code = "CANCELLED"


class InvalidArgumentError(RpcError):
    """The request is wrong whatever the server's state."""

    code = "INVALID_ARGUMENT"


class DeadlineExceededError(RpcError):
    """No answer within the time that the caller allowed."""

    code = "DEADLINE_EXCEEDED"


class NotFoundError(RpcError):
    """No such model or version."""

    code = "NOT_FOUND"


class AlreadyExistsError(RpcError):
    """What was to be made is there already."""

    code = "ALREADY_EXISTS"


class PermissionDeniedError(RpcError):
    """The caller may not do this."""

    code = "PERMISSION_DENIED"


class ResourceExhaustedError(RpcError):
    """A message over the size limit, or no memory left."""

    code = "RESOURCE_EXHAUSTED"


class FailedPreconditionError(RpcError):
    """The server or its model is not in a state for this request."""

    code = "FAILED_PRECONDITION"


class AbortedError(RpcError):
    """The request ran into another."""

    code = "ABORTED"


class OutOfRangeError(RpcError):
    """A value past the end of what is valid."""

    code = "OUT_OF_RANGE"


class UnimplementedError(RpcError):
    """The server has no such method."""

    code = "UNIMPLEMENTED"


class InternalError(RpcError):
    """The server or its model broke a promise of its own."""

    code = "INTERNAL"


class UnavailableError(RpcError):
    """No server answers at the address, for now."""

    code = "UNAVAILABLE"


class DataLossError(RpcError):
    """Stored data does not match its checksum."""

    code = "DATA_LOSS"


class UnauthenticatedError(RpcError):
    """The caller did not prove who it is."""

    code = "UNAUTHENTICATED"


# In the order of their numbers on the wire, from 1; UNKNOWN is 2 and the root itself.
_CODES: tuple[type[RpcError], ...] = (
    CancelledError,
    RpcError,
    InvalidArgumentError,
    DeadlineExceededError,
    NotFoundError,
    AlreadyExistsError,
    PermissionDeniedError,
    ResourceExhaustedError,
    FailedPreconditionError,
    AbortedError,
    OutOfRangeError,
    UnimplementedError,
    InternalError,
    UnavailableError,
    DataLossError,
    UnauthenticatedError,
)


def rpc_error(code: str | int, details: str) -> RpcError:
    """The error of the class that stands for `code`: a canonical name, or its number."""
    for number, kind in enumerate(_CODES, start=1):
        if code in (number, kind.code):
            return kind(details)
    return RpcError(details)


def code_number(error: RpcError) -> int:
    """The number of `error`'s code on the wire."""
    return _CODES.index(type(error)) + 1
