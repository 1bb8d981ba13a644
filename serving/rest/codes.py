"""Maps gRPC's canonical codes to HTTP's and back, for server and client.

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
    """A body over the server's limit."""


class TooSlowError(DeadlineExceededError):
    """A body that arrived too slowly."""


# Errors with an HTTP status of their own; the real server has no such limits.
_OWN: dict[type[RpcError], int] = {TooLargeError: 413, TooSlowError: 408}
# Of several codes with one status, the first in the table is the most likely.
_CODES = {status: code for code, status in reversed(_STATUS.items())} | {
    status: kind.code for kind, status in _OWN.items()
}


def status_of(error: RpcError) -> int:
    """Returns the HTTP status for `error`."""
    return _OWN.get(type(error)) or _STATUS.get(error.code, _OTHERS)


def error_of(status: int, text: str) -> RpcError:
    """Returns the error for a response with this HTTP `status`."""
    return rpc_error(_CODES.get(status, "INTERNAL"), text)


def error_text(body: bytes) -> str:
    """Returns the text in the body of an error; the body itself if it has another format."""
    text = body.decode(errors="replace")
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return text
