"""The REST port: accepting connections, closing idle ones, and refusing what is not HTTP.

A connection without progress is closed after a while: by aiohttp if it sends no request, by the
kernel if it does not read its response.
"""

import asyncio
import errno
import logging
import socket
import time
from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from millrace.serving.errors import InvalidArgumentError, ServerError
from millrace.serving.rest import api

_BACKLOG = 1024
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_PAUSE = 0.9  # seconds; less than the one second after which asyncio tries again
_LOG_INTERVAL = 60.0  # seconds between equal log lines
_log = logging.getLogger(__name__)


class _Listener(socket.socket):
    """A listening socket that pauses when the process is out of file descriptors.

    asyncio accepts up to a backlog of connections in a row. For each that fails for lack of a
    descriptor it logs an error and starts a timer to accept another backlog a second later, so
    the attempts would multiply.
    """

    _paused_until = 0.0

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept the next connection.

        Raises:
            BlockingIOError: there is none, or accepting is paused.
            OSError: it cannot be accepted.
        """
        if time.monotonic() < self._paused_until:
            raise BlockingIOError
        try:
            return super().accept()
        except OSError as error:
            if error.errno in _EXHAUSTED:
                self._paused_until = time.monotonic() + _PAUSE
            raise


def bind(host: str, port: int, *, shared: bool) -> socket.socket:
    """Bind a port without listening yet; other processes may listen on a `shared` one, too.

    Raises:
        ServerError: it is in use.
    """
    address = host.strip("[]")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    bound = _Listener(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind((address, port))
    except (OSError, OverflowError) as error:
        bound.close()
        raise ServerError(
            f"{host}:{port}: expected a free address of this machine. "
            f"Received: {error}. Choose another --rest_api_port or --bind_address."
        ) from error
    return bound


async def listen(runner: web.ServerRunner, bound: socket.socket) -> None:
    """Accept connections at `bound` from now on."""
    await web.SockSite(runner, bound, backlog=_BACKLOG).start()
    asyncio.get_running_loop().set_exception_handler(_ErrorLog())


class HttpServer(web.Server):
    """aiohttp's server, with errors for malformed HTTP in the API's form."""

    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(RequestHandler):
    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; limit the time for reading a response to that for sending a request."""
        option = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux only
        if option is not None:
            milliseconds = round(self.keepalive_timeout * 1000)
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, option, milliseconds)
        super().connection_made(transport)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a request that is not HTTP, and close the connection."""
        if request.writer.output_size > 0:
            raise ConnectionError("A response was begun already")
        _log.debug("Not HTTP, from %s: %s", request.remote, message, exc_info=exc)
        problem = " ".join((message or HTTPStatus(status).phrase).split())
        reply = api.refusal(InvalidArgumentError(f"Malformed HTTP: {problem}"))
        response = web.Response(body=reply.body, status=status, content_type="application/json")
        response.force_close()
        return response


class _ErrorLog:
    """Logs the errors of an event loop, equal ones once a minute."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, OSError):
            loop.default_exception_handler(context)
            return
        text = f"{context['message']}: {error}"
        now = time.monotonic()
        if now - self._last.get(text, -_LOG_INTERVAL) >= _LOG_INTERVAL:
            self._last[text] = now
            _log.error("REST: %s. Retrying; logged once a minute", text)
