"""A client's HTTP connections: kept open, used by one thread at a time, tried again.

The standard library's HTTP is enough for one server and keeps the client light.
"""

import http.client
import queue
import random
import ssl
import time
import urllib.parse
from typing import NamedTuple, Self

from serving.errors import DeadlineExceededError, RpcError, UnavailableError, WireError
from serving.rest import codes

_FIRST_WAIT, _LONGEST_WAIT = 0.1, 2.0  # seconds between two attempts, before chance has its say
_KEPT = 32  # idle connections
_AGAIN = (ConnectionError, http.client.BadStatusLine)  # what a connection gone stale gives


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
        parts = urllib.parse.urlsplit(target)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise WireError(
                f"Target: expected a URL such as http://localhost:8501. Received: {target}. "
                "Write its scheme, host and port."
            )
        self._target, self._host, self._port = target, parts.hostname, parts.port
        self._prefix = parts.path.rstrip("/")
        self._attempts = attempts
        secure = context or ssl.create_default_context()
        self._context = secure if parts.scheme == "https" else None
        self._headers = {"Content-Type": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._idle: queue.LifoQueue[http.client.HTTPConnection] = queue.LifoQueue(_KEPT)

    def ask(self, request: Request, clock: Clock) -> bytes:
        """The body of the answer to `request`.

        Raises:
            RpcError: the server refused, or did not answer in time.
        """
        wait = _FIRST_WAIT
        for attempt in range(1, self._attempts + 1):
            try:
                return self._ask_once(request, clock)
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
        """Close the connections that are not in use."""
        while not self._idle.empty():
            self._idle.get_nowait().close()

    def _ask_once(self, request: Request, clock: Clock) -> bytes:
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
        if status != http.client.OK:
            raise codes.error_of(status, codes.told(body))
        return body

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

    def _nobody(self, error: Exception) -> UnavailableError:
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
