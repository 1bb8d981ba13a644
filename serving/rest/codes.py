"""gRPC's canonical codes as HTTP's, and back: the one table for both ends.

Source: ToHTTPStatusCode in tensorflow_serving/model_servers/http_server.cc.
"""

import json

from millrace.serving.errors import (
    DeadlineExceededError,
    ResourceExhaustedError,
    RpcError,
    rpc_error,
)

_STATUS = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
_OTHERS = 500


class TooLargeError(ResourceExhaustedError):
    """A body beyond the server's limit."""


class TooSlowError(DeadlineExceededError):
    """A body that stopped coming."""


# What HTTP has a status of its own for; the real server sets no such limits.
_OWN: dict[type[RpcError], int] = {TooLargeError: 413, TooSlowError: 408}
# Of several codes with one status, the first in the table is the likeliest.
_CODES = {status: code for code, status in reversed(_STATUS.items())} | {
    status: kind.code for kind, status in _OWN.items()
}


def status_of(error: RpcError) -> int:
    """The HTTP status that stands for `error`."""
    return _OWN.get(type(error)) or _STATUS.get(error.code, _OTHERS)


def error_of(status: int, text: str) -> RpcError:
    """The error that an answer with this HTTP `status` stands for."""
    return rpc_error(_CODES.get(status, "INTERNAL"), text)


def told(body: bytes) -> str:
    """The text of a refusal's body; the body itself where it is none of this API's."""
    text = body.decode(errors="replace")
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return text
