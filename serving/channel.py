"""What a client's channel is set to, and how its failures are told; shared by both clients."""

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

from millrace.serving import calls
from millrace.serving.calls import Answer
from millrace.serving.errors import ClientError, DeadlineExceededError, RpcError, rpc_error

PORT = "8500"  # of a model server that is asked to listen on no other
MOST_PORT = 65535
POLL = 0.1  # seconds between two looks at a model's status

MOST_ATTEMPTS = 5  # gRPC makes no more
_SERVICES = [{"service": calls.PREDICTION_SERVICE}, {"service": calls.MODEL_SERVICE}]


_RESOLVED = ("unix:", "unix-abstract:", "dns:", "ipv4:", "ipv6:", "vsock:", "xds:")
_ADDRESS = re.compile(
    r"(?P<bare>[0-9a-fA-F]*:[0-9a-fA-F:.%]*:[0-9a-fA-F:.%\w]*)"
    r"|(?P<host>\[[^\]\s]+\]|[^:/\[\]\s]+)(:(?P<port>\d{1,5}))?",
    re.ASCII,
)
# gRPC's own words where no server has answered.
_NOBODY = re.compile(
    "failed to connect|errors resolving|resolution failed|all backends|Connection refused"
    "|Connection reset|Socket closed|recvmsg|sendmsg|GOAWAY|Broken pipe|keepalive|ping timeout"
    "|Network is unreachable|No route to host|Transport closed|Endpoint",
    re.IGNORECASE,
)


@dataclasses.dataclass(frozen=True)
class Tls:
    """How a client knows its server, and shows who it is; PEM each.

    Attributes:
        ca: certificates of the authorities that are trusted; the machine's own where None.
        certificate: the client's, where the server asks for one.
        key: that certificate's.
        server_name: the name in the server's certificate, if it is not the address.
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
        """Read each from its file."""
        contents = (None if file is None else Path(file).read_bytes() for file in (ca, key))
        chain = None if certificate is None else Path(certificate).read_bytes()
        ca_pem, key_pem = contents
        return cls(ca_pem, chain, key_pem, server_name)

    def credentials(self) -> grpc.ChannelCredentials:
        """The same for gRPC."""
        return grpc.ssl_channel_credentials(self.ca, self.key, self.certificate)


@dataclasses.dataclass(frozen=True)
class Observation:
    """One call that ended.

    Attributes:
        method: such as `Predict`.
        model: its name.
        seconds: from the request to the answer or the error, retries included.
        code: the canonical code, `OK` for an answer.
    """

    method: str
    model: str
    seconds: float
    code: str


Observe = Callable[[Observation], None]


def nobody(observation: Observation) -> None:
    """Let an observation go."""
    del observation


def observed(call: calls.Call[Answer], seconds: float, code: str) -> Observation:
    """What there is to tell of `call`."""
    return Observation(call.path.rpartition("/")[2], call.model, seconds, code)


def address(target: str) -> str:
    """`target` as gRPC takes it: with the model server's own port where it names none.

    Raises:
        ClientError: it is a web page's address, which gRPC would look up as a host's name; or its
            host or port cannot be one.
    """
    if target.startswith(("http://", "https://")):
        raise ClientError(
            f"Target: expected host:port. Received: {target!r}. Leave the scheme out, or ask over "
            "REST by `millrace.serving.client.RestClient`."
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
    """The value of `authorization` that brings `token`.

    Raises:
        ClientError: it is not printable ASCII, which no header carries.
    """
    if not token.isascii() or not token.isprintable():
        raise ClientError(
            "Token: expected printable ASCII. Received: other characters, such as a line's end. "
            "Pass what the server's --api_token_file holds, without it."
        )
    return f"Bearer {token}"


def closed(target: str) -> ClientError:
    """The error of a call by a client that was closed."""
    return ClientError(
        f"{target}: expected a client that is open. Received: a call after its close. Make another "
        "client, or close this one later."
    )


def options(attempts: int, tls: Tls | None) -> list[tuple[str, int | str]]:
    """The channel's arguments; UNAVAILABLE is tried `attempts` times in all.

    So is CANCELLED, which a gRPC server sends to calls that reach it in the moment of its end;
    what this side cancels is not tried again. gRPC itself waits between attempts, each time a
    random part of a longer and longer time, and no longer than the call's own deadline.
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
    """The seconds left of those `allowed` since `start`, a time of `time.monotonic`."""
    return None if allowed is None else max(0.0, start + allowed - time.monotonic())


def metadata(token: str) -> tuple[tuple[str, str], ...]:
    """What each call carries beside its request."""
    return (("authorization", token_header(token)),) if token else ()


def serialize(request: Message) -> bytes:
    """The bytes of a request of whatever kind."""
    return request.SerializeToString()


def failure(error: grpc.RpcError, target: str, timeout: float | None) -> RpcError:
    """The project's own error for a failed call to `target`."""
    code, details = error.code().name, error.details() or ""
    if code == "UNAVAILABLE":
        details = _unavailable(target, details)
    elif code == "DEADLINE_EXCEEDED":
        details = (
            f"{target}: expected an answer within {timeout} s. Received: {details}. "
            "Allow more time with `timeout=`, or send less at once."
        )
    return rpc_error(code, details)


def _unavailable(target: str, details: str) -> str:
    """What to do about a server that cannot be reached; the server's own text where it can."""
    if "handshake failed" in details.lower():
        return (
            f"{target}: expected a TLS handshake. Received: {details}. Trust the server's "
            'authority with `tls=Tls.read("ca.pem")`, name what its certificate says by '
            "`server_name`, or leave `tls` out if the server speaks plain text."
        )
    if "Failed parsing HTTP/2" in details:
        return (
            f"{target}: expected a model server's gRPC port. Received: {details}. Name that port, "
            "or ask over REST by `millrace.serving.client.RestClient`."
        )
    if _NOBODY.search(details):
        return (
            f"{target}: expected a model server. Received: {details}. Start one there, e.g. "
            "`millrace-model-server`, name another address, or give `tls=` if it asks for that."
        )
    return details


def too_late(target: str, model: str, timeout: float) -> DeadlineExceededError:
    """The error of a wait for a model that did not come."""
    return DeadlineExceededError(
        f"{target}: expected model {model} to be available within {timeout} s. "
        "Received: no available version. Look at the server's log, or allow more time."
    )
