"""The root of all errors that this project raises on purpose, and those of the serving floor.

    MillraceError               every error whose text alone says what to do
    +-- ServingError            serving floor
    |   +-- WireError           a value cannot be encoded in a message, or a message decoded
    |   +-- ClientError         a client cannot be created or used this way
    |   +-- ModelLoadError      a SavedModel folder cannot be loaded
    |   +-- ServerError         a model server cannot start as configured
    |   +-- LaunchError         a server did not become ready
    |   +-- RemoteError         an object store cannot be reached or used, or its copies kept
    |   +-- RpcError            a request failed; one subclass for each canonical code
    +-- ComponentError          millrace.components.errors
    +-- PipelineError           millrace.pipeline.errors

Their texts have one form: *where*: expected X. Received: Y. What to do. The exception are
RpcErrors, which carry a model server's own texts to the client.
"""

from collections.abc import Iterable
from typing import ClassVar


class MillraceError(Exception):
    """An error to be shown as its text, without a traceback."""


class ServingError(MillraceError):
    """Any error of the serving floor."""


class WireError(ServingError):
    """A value cannot be encoded in a message, or a message cannot be decoded."""


class ClientError(ServingError):
    """A client cannot be created or used this way: an invalid address, or a call after `close`."""


class ModelLoadError(ServingError):
    """A SavedModel folder cannot be loaded or lacks something that it needs."""


class ServerError(ServingError):
    """A model server cannot start as configured."""


class LaunchError(ServingError):
    """A model server could not be started or did not become ready in time.

    `reason` is the reason that the server itself gave; empty if it gave none.
    """

    def __init__(self, text: str, reason: str = "") -> None:
        super().__init__(text)
        self.reason = reason


class RemoteError(ServingError, OSError):
    """An object store cannot be reached, does not allow it, or changes meanwhile.

    Or copies of what it holds cannot be written here.
    """


class RpcError(ServingError):
    """A request failed: the server's text, with one of gRPC's canonical codes.

    The service raises these, the servicer sends them, and the client raises them again.
    """

    code: ClassVar[str] = "UNKNOWN"

    @property
    def details(self) -> str:
        """The text without the code."""
        return str(self.args[0]) if self.args else ""


class CancelledError(RpcError):
    """The caller cancelled the request."""

    code = "CANCELLED"


class InvalidArgumentError(RpcError):
    """The request is invalid, whatever the server's state."""

    code = "INVALID_ARGUMENT"


class DeadlineExceededError(RpcError):
    """No answer within the time that the caller allowed."""

    code = "DEADLINE_EXCEEDED"


class NotFoundError(RpcError):
    """No such model or version."""

    code = "NOT_FOUND"


class AlreadyExistsError(RpcError):
    """What was to be created exists already."""

    code = "ALREADY_EXISTS"


class PermissionDeniedError(RpcError):
    """The caller may not do this."""

    code = "PERMISSION_DENIED"


class ResourceExhaustedError(RpcError):
    """A message over the size limit, or out of memory."""

    code = "RESOURCE_EXHAUSTED"


class FailedPreconditionError(RpcError):
    """The server or its model is not in a state to serve this request."""

    code = "FAILED_PRECONDITION"


class AbortedError(RpcError):
    """The request conflicted with another."""

    code = "ABORTED"


class OutOfRangeError(RpcError):
    """A value outside the valid range."""

    code = "OUT_OF_RANGE"


class UnimplementedError(RpcError):
    """The server has no such method."""

    code = "UNIMPLEMENTED"


class InternalError(RpcError):
    """The server or its model broke an invariant."""

    code = "INTERNAL"


class UnavailableError(RpcError):
    """No server answers at the address, for now."""

    code = "UNAVAILABLE"


class DataLossError(RpcError):
    """Stored data does not match its checksum."""

    code = "DATA_LOSS"


class UnauthenticatedError(RpcError):
    """The caller did not authenticate itself."""

    code = "UNAUTHENTICATED"


# In the order of gRPC's status codes, from 1; UNKNOWN, 2, is RpcError itself.
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
    """Returns the error for `code`, a canonical name or number."""
    for number, kind in enumerate(_CODES, start=1):
        if code in (number, kind.code):
            return kind(details)
    return RpcError(details)


def code_number(error: RpcError) -> int:
    """Returns the number of `error`'s code."""
    return _CODES.index(type(error)) + 1


def few(names: Iterable[object], most: int = 10) -> str:
    """The first of `names` between commas, and how many there are beside them: for a message.

    A table may have thousands of columns; the first tell which one it is.

    Args:
        names: as they are to be shown.
        most: of them that are shown. One more is, rather than that it is counted.
    """
    shown = list(map(str, names))
    if len(shown) <= most + 1:
        return ", ".join(shown)
    return f"{', '.join(shown[:most])} and {len(shown) - most:,} more"
