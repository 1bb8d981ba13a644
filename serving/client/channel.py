"""Channel settings, addresses and error messages, shared by the gRPC clients."""

import dataclasses
import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import grpc
from google.protobuf.message import Message

from millrace.serving.client import calls
from millrace.serving.client.calls import Answer
from millrace.serving.errors import (
    ClientError,
    DeadlineExceededError,
    NotFoundError,
    RpcError,
    UnavailableError,
    rpc_error,
)

PORT = "8500"  # a model server's default
MOST_PORT = 65535
POLL = 0.1  # seconds between checks of a model's status

MOST_ATTEMPTS = 5  # gRPC's own limit
_SERVICES = [{"service": calls.PREDICTION_SERVICE}, {"service": calls.MODEL_SERVICE}]


_RESOLVED = ("unix:", "unix-abstract:", "dns:", "ipv4:", "ipv6:", "vsock:", "xds:")
_ADDRESS = re.compile(
    r"(?P<bare>[0-9a-fA-F]*:[0-9a-fA-F:.%]*:[0-9a-fA-F:.%\w]*)"
    r"|(?P<host>\[[^\]\s]+\]|[^:/\[\]\s]+)(:(?P<port>\d{1,5}))?",
    re.ASCII,
)
# gRPC's own messages if no server has answered.
_NOBODY = re.compile(
    "failed to connect|errors resolving|resolution failed|all backends|Connection refused"
    "|Connection reset|Socket closed|recvmsg|sendmsg|GOAWAY|Broken pipe|keepalive|ping timeout"
    "|Network is unreachable|No route to host|Transport closed|Endpoint",
    re.IGNORECASE,
)


@dataclasses.dataclass(frozen=True)
class Tls:
    """How a client verifies its server and authenticates itself; each value is PEM.

    Attributes:
        ca: certificates of the trusted authorities; the system's own if None.
        certificate: the client's certificate, if the server requires one.
        key: the private key of that certificate.
        server_name: the name in the server's certificate, if it differs from the address.
    """

    ca: bytes | None = None
    certificate: bytes | None = None
    key: bytes | None = None
    server_name: str = ""

    @classmethod
    def read(
        cls,
        ca: str | os.PathLike[str] | None = None,
        *,
        certificate: str | os.PathLike[str] | None = None,
        key: str | os.PathLike[str] | None = None,
        server_name: str = "",
    ) -> Self:
        """Read each value from a file."""
        contents = (None if file is None else Path(file).read_bytes() for file in (ca, key))
        chain = None if certificate is None else Path(certificate).read_bytes()
        ca_pem, key_pem = contents
        return cls(ca_pem, chain, key_pem, server_name)

    def credentials(self) -> grpc.ChannelCredentials:
        """Returns the credentials for a gRPC channel."""
        return grpc.ssl_channel_credentials(self.ca, self.key, self.certificate)


@dataclasses.dataclass(frozen=True)
class Observation:
    """One finished call.

    Attributes:
        method: e.g. `Predict`.
        model: the name of the model.
        seconds: from the request to the response or the error, retries included.
        code: the canonical status code, `OK` for success.
    """

    method: str
    model: str
    seconds: float
    code: str


Observe = Callable[[Observation], None]


def ignore(observation: Observation) -> None:
    """Discard an observation."""
    del observation


def observed(call: calls.Call[Answer], seconds: float, code: str) -> Observation:
    """Returns the observation of a finished `call`."""
    return Observation(call.path.rpartition("/")[2], call.model, seconds, code)


def address(target: str) -> str:
    """Returns `target` in gRPC's form, with a model server's default port if it names none.

    Raises:
        ClientError: it is a URL, which gRPC would look up as a host name; or its host or port is
            invalid.
    """
    if target.startswith(("http://", "https://")):
        raise ClientError(
            f"Target: expected host:port. Received: {target!r}. Leave out the scheme, or use REST "
            "with `millrace.serving.client.RestClient`."
        )
    if target.startswith(_RESOLVED):
        return target
    matched = _ADDRESS.fullmatch(target)
    port = "" if matched is None else (matched["port"] or PORT)
    if matched is None or not 1 <= int(port) <= MOST_PORT:
        raise ClientError(
            f"Target: expected host:port, with a port from 1 to {MOST_PORT}. Received: {target!r}. "
            f"Correct it, e.g. 127.0.0.1:{PORT}."
        )
    host = matched["bare"] or matched["host"]
    return f"[{host}]:{port}" if matched["bare"] else f"{host}:{port}"


def token_header(token: str) -> str:
    """Returns the value of the header `authorization` for `token`.

    Raises:
        ClientError: it is not printable ASCII, so no header can hold it.
    """
    if not token.isascii() or not token.isprintable():
        raise ClientError(
            "Token: expected printable ASCII. Received: other characters, e.g. a newline. "
            "Pass the contents of the server's --api_token_file without its newline."
        )
    return f"Bearer {token}"


def closed(target: str) -> ClientError:
    """Returns the error for a call on a closed client."""
    return ClientError(
        f"{target}: expected an open client. Received: a call after `close`. Create another "
        "client, or close this one later."
    )


def options(attempts: int, tls: Tls | None) -> list[tuple[str, int | str]]:
    """Returns the channel arguments; a call that fails as UNAVAILABLE is sent `attempts` times.

    So is one that fails as CANCELLED, which a gRPC server answers to calls that arrive while it
    shuts down; calls cancelled on this side are not retried. gRPC waits between attempts with
    exponential backoff and jitter, at most until the call's deadline.
    """
    if not 1 <= attempts <= MOST_ATTEMPTS:
        raise ClientError(
            f"Attempts: expected 1 to {MOST_ATTEMPTS}. Received: {attempts}. "
            "Allow more time with `timeout=` instead."
        )
    retry = {
        "maxAttempts": attempts,
        "initialBackoff": "0.1s",
        "maxBackoff": "2s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
    }
    method = {"name": _SERVICES} | ({"retryPolicy": retry} if attempts > 1 else {})
    found: list[tuple[str, int | str]] = [
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", -1),  # the default refuses answers over 4 MiB
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2000),  # the default is two minutes
        ("grpc.enable_retries", int(attempts > 1)),
        ("grpc.service_config", json.dumps({"methodConfig": [method]})),
    ]
    if tls is not None and tls.server_name:
        found.append(("grpc.ssl_target_name_override", tls.server_name))
    return found


def left(allowed: float | None, start: float) -> float | None:
    """Returns the seconds left of those `allowed` since `start`, a `time.monotonic()` value."""
    return None if allowed is None else max(0.0, start + allowed - time.monotonic())


def metadata(token: str) -> tuple[tuple[str, str], ...]:
    """Returns the metadata that each call carries."""
    return (("authorization", token_header(token)),) if token else ()


def serialize(request: Message) -> bytes:
    """Returns the bytes of a request of any type."""
    return request.SerializeToString()


def failure(error: grpc.RpcError, target: str, timeout: float | None) -> RpcError:
    """Returns this project's own error for a failed call to `target`."""
    code, details = error.code().name, error.details() or ""
    if code == "UNAVAILABLE":
        details = _unavailable(target, details)
    elif code == "DEADLINE_EXCEEDED":
        within = "" if timeout is None else f" within {timeout:g} s"
        details = (
            f"{target}: expected an answer{within}. Received: {details}. "
            "Allow more time with `timeout=`, or send less at once."
        )
    return rpc_error(code, details)


def _unavailable(target: str, details: str) -> str:
    """Returns advice if the server cannot be reached, else the server's own text."""
    if "handshake failed" in details.lower():
        return (
            f"{target}: expected a TLS handshake. Received: {details}. Trust the server's "
            'authority with `tls=Tls.read("ca.pem")`, pass the name in its certificate as '
            "`server_name`, or leave out `tls` if the server uses plain text."
        )
    if "Failed parsing HTTP/2" in details:
        return (
            f"{target}: expected a model server's gRPC port. Received: {details}. Use that port, "
            "or use REST with `millrace.serving.client.RestClient`."
        )
    if _NOBODY.search(details):
        return (
            f"{target}: expected a model server. Received: {details}. Start one there, e.g. "
            "`millrace-model-server`, use another address, or pass `tls=` if it requires TLS."
        )
    return details


NOT_YET = (NotFoundError, UnavailableError, DeadlineExceededError)
"""What a server that is not up yet answers, or one that does not have the model yet."""


def too_late(
    target: str, model: str, timeout: float, last: RpcError | None
) -> DeadlineExceededError:
    """Returns the error for a model that did not become available in time.

    Args:
        target: the server's address.
        model: its name.
        timeout: seconds that were waited.
        last: the latest of its errors, one of NOT_YET.
    """
    if last is None:
        received, advice = "no available version", "Check the server's log"
    elif isinstance(last, NotFoundError):
        received = "a server that answers, and has no version of such a model"
        advice = "Correct the name, give the server that model"
    else:
        received, advice = "no answer", "Start a server there, use another address"
    return DeadlineExceededError(
        f"{target}: expected model {model} to be available within {timeout:g} s. "
        f"Received: {received}. {advice}, or allow more time."
    )
