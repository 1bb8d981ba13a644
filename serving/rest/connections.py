"""A client's HTTP connections: kept open, used by one thread at a time, tried again.

The standard library's HTTP is enough for one server and keeps the client light.
"""

import http.client
import queue
import random
import ssl
import time
import urllib.parse
from collections.abc import Callable
from typing import NamedTuple, Self, TypeVar

from millrace.serving import channel
from millrace.serving.errors import (
    ClientError,
    DeadlineExceededError,
    RpcError,
    UnavailableError,
    UnimplementedError,
)
from millrace.serving.rest import codes

_FIRST_WAIT, _LONGEST_WAIT = 0.1, 2.0  # seconds between two attempts, before chance has its say
_KEPT = 32  # idle connections
_AGAIN = (ConnectionError, http.client.BadStatusLine)  # what a connection gone stale gives


Answer = TypeVar("Answer")


class Request(NamedTuple):
    """What is sent; `body` is JSON."""

    verb: str
    path: str
    body: bytes | None = None


class Clock(NamedTuple):
    """How many seconds were allowed, and when they end; None for ever."""

    allowed: float | None
    deadline: float | None

    @classmethod
    def start(cls, allowed: float | None) -> Self:
        """Allow so many seconds from now on."""
        return cls(allowed, None if allowed is None else time.monotonic() + allowed)

    def remaining(self) -> float | None:
        """The seconds left.

        Raises:
            TimeoutError: none are.
        """
        if self.deadline is None:
            return None
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("timed out")
        return remaining


class Connections:
    """To one server; may be shared between threads."""

    def __init__(
        self, target: str, *, token: str, attempts: int, context: ssl.SSLContext | None
    ) -> None:
        """Open nothing yet; the arguments are those of `RestClient`."""
        parts = _parts(target)
        if attempts < 1:
            raise ClientError(
                f"Attempts: expected 1 or more. Received: {attempts}. 1 asks once, without retries."
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

    def ask(self, request: Request, clock: Clock) -> bytes:
        """The body of the answer to `request`.

        Raises:
            ClientError: the client was closed.
            RpcError: the server refused, or did not answer in time.
        """
        return self._again_and_again(lambda: _body(*self._ask_once(request, clock)), clock)

    def is_ready(self, request: Request, clock: Clock) -> bool:
        """Whether the server answers `request` with success, and not that it is unavailable.

        Raises:
            UnimplementedError: it knows no such request.
            RpcError: it refused otherwise, or did not answer in time.
        """
        status, body = self._again_and_again(lambda: self._ask_once(request, clock), clock)
        if status in (http.client.BAD_REQUEST, http.client.NOT_FOUND):
            raise UnimplementedError(
                f"{self._target}: expected an answer to {request.path}. Received: status {status}. "
                "Ask for the `status` of a model instead."
            )
        if status != http.client.SERVICE_UNAVAILABLE:
            _body(status, body)
        return status == http.client.OK

    def _again_and_again(self, ask: Callable[[], Answer], clock: Clock) -> Answer:
        wait = _FIRST_WAIT
        for attempt in range(1, self._attempts + 1):
            try:
                return ask()
            except TimeoutError as error:
                raise self._too_late(clock, error) from error
            except (OSError, http.client.HTTPException) as error:
                refusal: RpcError = self._nobody(error)
            except UnavailableError as error:
                refusal = error
            pause = random.uniform(0, wait)  # noqa: S311 - to spread callers, not to hide
            late = clock.deadline is not None and time.monotonic() + pause > clock.deadline
            if attempt == self._attempts or late:
                break
            time.sleep(pause)
            wait = min(2 * wait, _LONGEST_WAIT)
        raise refusal

    def close(self) -> None:
        """Close the connections that are not in use, and ask no more."""
        self._is_closed = True
        while not self._idle.empty():
            self._idle.get_nowait().close()

    def _ask_once(self, request: Request, clock: Clock) -> tuple[int, bytes]:
        """The answer's status and body."""
        if self._is_closed:
            raise channel.closed(self._target)
        connection = self._take()
        was_open = connection.sock is not None
        try:
            try:
                status, body = self._exchange(connection, request, clock)
            except _AGAIN:
                connection.close()
                if not was_open:
                    raise
                # The server closed it while nobody used it: that says nothing of the server.
                status, body = self._exchange(connection, request, clock)
        except BaseException:
            connection.close()
            raise
        self._keep(connection)
        return status, body

    def _exchange(
        self, connection: http.client.HTTPConnection, request: Request, clock: Clock
    ) -> tuple[int, bytes]:
        connection.timeout = clock.remaining()
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
        if self._is_closed:  # in the meantime
            self.close()

    def _nobody(self, error: Exception) -> UnavailableError:
        if isinstance(error, ssl.SSLError):
            return UnavailableError(
                f"{self._target}: expected a TLS handshake. Received: {error}. Trust the server's "
                "authority with `context=ssl.create_default_context(cafile=...)`; or write http:// "
                "if the server speaks plain text."
            )
        return UnavailableError(
            f"{self._target}: expected a model server. Received: {error}. "
            "Start one there, e.g. `millrace-model-server --rest_api_port=8501`, or name another "
            "address."
        )

    def _too_late(self, clock: Clock, error: Exception) -> DeadlineExceededError:
        return DeadlineExceededError(
            f"{self._target}: expected an answer within {clock.allowed} s. Received: {error}. "
            "Allow more time with `timeout=`, or send less at once."
        )


def _parts(target: str) -> urllib.parse.SplitResult:
    try:
        parts = urllib.parse.urlsplit(target)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts
    except ValueError:  # a port beyond the last, half of an IPv6 address
        pass
    raise ClientError(
        f"Target: expected a URL such as http://localhost:8501. Received: {target!r}. "
        "Write its scheme, host and port."
    )


def _body(status: int, body: bytes) -> bytes:
    """The body of an answer of success; raises the refusal that another one is."""
    if status != http.client.OK:
        raise codes.error_of(status, codes.told(body))
    return body
