"""The REST port: how connections are taken, how long they are kept, and what is no HTTP.

A connection that makes no progress is closed: one without a request after so many seconds by
aiohttp, one whose answer nobody takes by the kernel.
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
_SHORT = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_MOMENT = 0.9  # seconds, less than asyncio's until it tries again
_SELDOM = 60.0  # seconds between two lines of the log that say the same
_log = logging.getLogger(__name__)


class _Listener(socket.socket):
    """A socket that, without descriptors for more connections, has none for a moment.

    asyncio takes up to a backlog of connections in a row. Each one that fails for want of a
    descriptor it logs, and tries again a second later by a timer of its own, for a backlog each:
    the tries would multiply.
    """

    _again = 0.0

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection.

        Raises:
            BlockingIOError: there is none, or the last one could not be taken.
            OSError: it cannot be taken.
        """
        if time.monotonic() < self._again:
            raise BlockingIOError
        try:
            return super().accept()
        except OSError as error:
            if error.errno in _SHORT:
                self._again = time.monotonic() + _MOMENT
            raise


def bind(host: str, port: int, *, shared: bool) -> socket.socket:
    """Take a port, without listening yet; other processes may listen on a `shared` one.

    Raises:
        ServerError: it is not free.
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
    """Take connections at `bound` from now on."""
    await web.SockSite(runner, bound, backlog=_BACKLOG).start()
    asyncio.get_running_loop().set_exception_handler(_Complaints())


class Server(web.Server):
    """aiohttp's server, of connections that refuse in the API's own form."""

    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(RequestHandler):
    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; an answer that nobody takes is waited with no longer than for a request."""
        option = getattr(socket, "TCP_USER_TIMEOUT", None)  # other systems have none
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
        """Answer what is no HTTP, and close."""
        if request.writer.output_size > 0:
            raise ConnectionError("An answer was begun already")
        _log.debug("Not HTTP, from %s: %s", request.remote, message, exc_info=exc)
        told = " ".join((message or HTTPStatus(status).phrase).split())
        reply = api.refusal(InvalidArgumentError(f"Malformed HTTP: {told}"))
        response = web.Response(body=reply.body, status=status, content_type="application/json")
        response.force_close()
        return response


class _Complaints:
    """Logs what goes wrong in an event loop, the same thing once a minute."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, OSError):
            loop.default_exception_handler(context)
            return
        text = f"{context['message']}: {error}"
        now = time.monotonic()
        if now - self._last.get(text, -_SELDOM) >= _SELDOM:
            self._last[text] = now
            _log.error("REST: %s. Trying again all the while; told once a minute", text)
