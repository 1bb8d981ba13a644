"""The gRPC server of a model server: addresses and limits."""

import logging
import socket
from collections.abc import Sequence

import grpc

from millrace.serving import security
from millrace.serving.errors import ServerError
from millrace.serving.flags import Options
from millrace.serving.pool import ThreadPool

MAX_MESSAGE_BYTES = 2**31 - 1
_MOST_WAITING = 256  # threads that only wait for a batch
_KEEPALIVE_MS = 60_000  # a connection with requests that is silent for so long is asked for a sign
_CONNECTION_MS = 30 * 60_000  # after which callers are asked to connect anew, which gRPC does
_LAST_REQUESTS_MS = 10 * 60_000  # that the requests on it have to end
_CYTHON, _NO_TEXT = "grpc._cython.cygrpc", "Invalid encoding on "
_log = logging.getLogger(__name__)


def grpc_server(
    options: Options, handlers: Sequence[grpc.GenericRpcHandler], gate: security.Gate, waiting: int
) -> grpc.Server:
    """Returns a server with `handlers` that does not listen yet.

    Args:
        options: the flags.
        handlers: the services.
        gate: checks the callers' token.
        waiting: requests that may wait for a batch, in addition to those that run.
    """
    logging.getLogger(_CYTHON).addFilter(_is_not_caused_by_callers)
    threads = options.grpc_max_threads + min(waiting, _MOST_WAITING)
    return grpc.server(
        ThreadPool(threads, "grpc"),
        handlers=handlers,
        maximum_concurrent_rpcs=threads + options.grpc_max_queued_requests,
        interceptors=[] if gate.is_open else [security.TokenInterceptor(gate)],
        options=[
            # First, because gRPC uses the first value of a name.
            *channel_arguments(options.grpc_channel_arguments),
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            # Callers that vanish without a word in the middle of a request are noticed; gRPC's own
            # value is two hours.
            ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
            # Those that stay, and never send the rest or read their answers, are not for ever.
            ("grpc.max_connection_age_ms", _CONNECTION_MS),
            ("grpc.max_connection_age_grace_ms", _LAST_REQUESTS_MS),
            # A port in use is an error, unless the workers share it.
            ("grpc.so_reuseport", int(options.workers > 1)),
        ],
    )


def listen(
    server: grpc.Server, options: Options, credentials: grpc.ServerCredentials | None
) -> None:
    """Listen on the port and the socket that the flags name.

    Raises:
        ServerError: one is not available.
    """
    if options.port:
        _open(server, f"{options.bind_address}:{options.port}", credentials)
    if options.grpc_socket_path:
        _open(server, f"unix:{options.grpc_socket_path}", credentials)


def channel_arguments(text: str) -> list[tuple[str, int | str]]:
    """Parse comma-separated `key=value` pairs; integers become int."""
    pairs = [pair.partition("=") for pair in text.split(",") if pair]
    for key, separator, value in pairs:
        if not separator:
            raise ServerError(
                f"--grpc_channel_arguments: expected key=value. Received: {key}{value}. "
                "Write e.g. grpc.max_connection_age_ms=2000."
            )
    return [(key, int(value) if value.lstrip("-").isdigit() else value) for key, _, value in pairs]


def check_free(host: str, port: int) -> None:
    """Check that the port is free, before models are loaded, which may take long.

    Raises:
        ServerError: it is in use, or the machine has no such address.
    """
    _bound(host, port, socket.SO_REUSEADDR).close()


def reserve(host: str, port: int) -> socket.socket:
    """Reserve a free port for the worker processes that share it, until the socket is closed.

    Raises:
        ServerError: it is in use, or the machine has no such address.
    """
    check_free(host, port)
    return _bound(host, port, socket.SO_REUSEPORT)


def _is_not_caused_by_callers(record: logging.LogRecord) -> bool:
    """Filters gRPC's log.

    gRPC logs a traceback and the value for each header that is not text, so any caller could fill
    the log. It decodes the value as Latin-1, which the token is then compared with.
    """
    return not str(record.msg).startswith(_NO_TEXT)


def _bound(host: str, port: int, option: int) -> socket.socket:
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind)
    except (OSError, OverflowError) as error:
        raise _not_free(f"{host}:{port}", error) from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, option, 1)
        bound.bind(address)
    except (OSError, OverflowError) as error:
        bound.close()
        raise _not_free(f"{host}:{port}", error) from error
    return bound


def _open(server: grpc.Server, address: str, credentials: grpc.ServerCredentials | None) -> None:
    try:
        if credentials is None:
            server.add_insecure_port(address)
        else:
            server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise _not_free(address, error) from error
    _log.info("Running gRPC ModelServer at %s ...", address)


def _not_free(address: str, error: Exception) -> ServerError:
    return ServerError(
        f"{address}: expected a free address of this machine. Received: {error}. "
        "Choose another --port, --bind_address or --grpc_socket_path."
    )
