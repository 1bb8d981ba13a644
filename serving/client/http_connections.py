"""A client's HTTP connections: kept open, each used by one thread at a time, with retries.

The standard library's HTTP client is enough for one server and keeps the client light.
"""

import http.client
import queue
import random
import ssl
import time
import urllib.parse
from collections.abc import Callable
from typing import NamedTuple, Self, TypeVar

from millrace.serving.client import channel
from millrace.serving.errors import (
    ClientError,
    DeadlineExceededError,
    RpcError,
    UnavailableError,
    UnimplementedError,
)
from millrace.serving.rest import codes

_FIRST_WAIT, _LONGEST_WAIT = 0.1, 2.0  # seconds between attempts, before jitter
_KEPT = 32  # idle connections
_STALE = (ConnectionError, http.client.BadStatusLine)  # errors of a connection closed while idle


Answer = TypeVar("Answer")


class HttpRequest(NamedTuple):
    """A request; `body` is JSON."""

    verb: str
    path: str
    body: bytes | None = None


class Deadline(NamedTuple):
    """How many seconds were allowed, and when they end; None for no limit."""

    allowed: float | None
    end: float | None

    @classmethod
    def start(cls, allowed: float | None) -> Self:
        """Allow `allowed` seconds from now on."""
        return cls(allowed, None if allowed is None else time.monotonic() + allowed)

    def remaining(self) -> float | None:
        """Returns the seconds left.

        Raises:
            TimeoutError: none are left.
        """
        if self.end is None:
            return None
        remaining = self.end - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("timed out")
        return remaining


class Connections:
    """Connections to one server; thread-safe."""

    def __init__(
        self, target: str, *, token: str, attempts: int, context: ssl.SSLContext | None
    ) -> None:
        """Open nothing yet; the arguments are those of `RestClient`."""
        parts = _parts(target)
        if attempts < 1:
            raise ClientError(
                f"Attempts: expected 1 or more. Received: {attempts}. 1 means no retries."
            )
        self._target, self._host, self._port = target, parts.hostname or "", parts.port
        self._is_closed = False
        self._prefix = parts.path.rstrip("/")
        self._attempts = attempts
        secure = context or ssl.create_default_context()
        self._context = secure if parts.scheme == "https" else None
        self._headers = {"Content-Type": "application/json"}
        if token:
            self._headers["Authorization"] = channel.token_header(token)
        self._idle: queue.LifoQueue[http.client.HTTPConnection] = queue.LifoQueue(_KEPT)

    def send(self, request: HttpRequest, deadline: Deadline) -> bytes:
        """Returns the body of the response to `request`.

        Raises:
            ClientError: the client was closed.
            RpcError: the server refused the request or did not answer in time.
        """
        return self._with_retries(lambda: _body(*self._send_once(request, deadline)), deadline)

    def is_ready(self, request: HttpRequest, deadline: Deadline) -> bool:
        """Whether the server answers `request` with 200 rather than 503.

        Raises:
            UnimplementedError: it does not know this request.
            RpcError: it refused otherwise, or did not answer in time.
        """
        status, body = self._with_retries(lambda: self._send_once(request, deadline), deadline)
        if status in (http.client.BAD_REQUEST, http.client.NOT_FOUND):
            raise UnimplementedError(
                f"{self._target}: expected an answer to {request.path}. Received: status {status}. "
                "Get the `status` of a model instead."
            )
        if status != http.client.SERVICE_UNAVAILABLE:
            _body(status, body)
        return status == http.client.OK

    def _with_retries(self, send: Callable[[], Answer], deadline: Deadline) -> Answer:
        wait = _FIRST_WAIT
        for attempt in range(1, self._attempts + 1):
            try:
                return send()
            except TimeoutError as error:
                raise self._too_late(deadline, error) from error
            except (OSError, http.client.HTTPException) as error:
                refusal: RpcError = self._unreachable(error)
            except UnavailableError as error:
                refusal = error
            pause = random.uniform(0, wait)  # noqa: S311 - jitter, not cryptography
            late = deadline.end is not None and time.monotonic() + pause > deadline.end
            if attempt == self._attempts or late:
                break
            time.sleep(pause)
            wait = min(2 * wait, _LONGEST_WAIT)
        raise refusal

    def close(self) -> None:
        """Close the idle connections, and send nothing more."""
        self._is_closed = True
        while not self._idle.empty():
            self._idle.get_nowait().close()

    def _send_once(self, request: HttpRequest, deadline: Deadline) -> tuple[int, bytes]:
        """Returns the status and the body of the response."""
        if self._is_closed:
            raise channel.closed(self._target)
        connection = self._take()
        was_open = connection.sock is not None
        try:
            try:
                status, body = self._exchange(connection, request, deadline)
            except _STALE:
                connection.close()
                if not was_open:
                    raise
                # The server closed the connection while it was idle, which is normal.
                status, body = self._exchange(connection, request, deadline)
        except BaseException:
            connection.close()
            raise
        self._keep(connection)
        return status, body

    def _exchange(
        self, connection: http.client.HTTPConnection, request: HttpRequest, deadline: Deadline
    ) -> tuple[int, bytes]:
        connection.timeout = deadline.remaining()
        if connection.sock is not None:
            connection.sock.settimeout(connection.timeout)
        path = self._prefix + request.path
        connection.request(request.verb, path, request.body, self._headers)
        response = connection.getresponse()
        return response.status, response.read()

    def _take(self) -> http.client.HTTPConnection:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            if self._context is not None:
                return http.client.HTTPSConnection(self._host, self._port, context=self._context)
            return http.client.HTTPConnection(self._host, self._port)

    def _keep(self, connection: http.client.HTTPConnection) -> None:
        try:
            self._idle.put_nowait(connection)
        except queue.Full:
            connection.close()
        if self._is_closed:  # meanwhile
            self.close()

    def _unreachable(self, error: Exception) -> UnavailableError:
        if isinstance(error, ssl.SSLError):
            return UnavailableError(
                f"{self._target}: expected a TLS handshake. Received: {error}. Trust the server's "
                "authority with `context=ssl.create_default_context(cafile=...)`; or use http:// "
                "if the server uses plain text."
            )
        return UnavailableError(
            f"{self._target}: expected a model server. Received: {error}. "
            "Start one there, e.g. `millrace-model-server --rest_api_port=8501`, or use another "
            "address."
        )

    def _too_late(self, deadline: Deadline, error: Exception) -> DeadlineExceededError:
        return DeadlineExceededError(
            f"{self._target}: expected an answer within {deadline.allowed} s. Received: {error}. "
            "Allow more time with `timeout=`, or send less at once."
        )


def _parts(target: str) -> urllib.parse.SplitResult:
    try:
        parts = urllib.parse.urlsplit(target)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts
    except ValueError:  # an invalid port, or an incomplete IPv6 address
        pass
    raise ClientError(
        f"Target: expected a URL such as http://localhost:8501. Received: {target!r}. "
        "Give its scheme, host and port."
    )


def _body(status: int, body: bytes) -> bytes:
    """Returns the body of a successful response; raises the error of another."""
    if status != http.client.OK:
        raise codes.error_of(status, codes.error_text(body))
    return body
