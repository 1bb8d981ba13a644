"""What a client's channel is set to, and how its failures are told; shared by both clients."""

import json

import grpc
from google.protobuf.message import Message

from serving import calls
from serving.errors import DeadlineExceededError, RpcError, rpc_error

POLL = 0.1  # seconds between two looks at a model's status

# gRPC itself waits between attempts, each time a random part of a longer and longer time.
_RETRY = {
    "maxAttempts": 4,
    "initialBackoff": "0.1s",
    "maxBackoff": "2s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
_SERVICES = [{"service": calls.PREDICTION_SERVICE}, {"service": calls.MODEL_SERVICE}]
OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),  # the default refuses answers over 4 MiB
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),  # the default is two minutes
    ("grpc.enable_retries", 1),
    (
        "grpc.service_config",
        json.dumps({"methodConfig": [{"name": _SERVICES, "retryPolicy": _RETRY}]}),
    ),
)


def serialize(request: Message) -> bytes:
    """The bytes of a request of whatever kind."""
    return request.SerializeToString()


def failure(error: grpc.RpcError, target: str, timeout: float | None) -> RpcError:
    """The project's own error for a failed call to `target`."""
    code, details = error.code().name, error.details() or ""
    if code == "UNAVAILABLE":
        details = (
            f"{target}: expected a model server. Received: {details}. "
            "Start one there, e.g. `millrace-model-server`, or name another address."
        )
    elif code == "DEADLINE_EXCEEDED":
        details = (
            f"{target}: expected an answer within {timeout} s. Received: {details}. "
            "Allow more time with `timeout=`, or send less at once."
        )
    return rpc_error(code, details)


def too_late(target: str, model: str, timeout: float) -> DeadlineExceededError:
    """The error of a wait for a model that did not come."""
    return DeadlineExceededError(
        f"{target}: expected model {model} to be available within {timeout} s. "
        "Received: no available version. Look at the server's log, or allow more time."
    )
