"""The REST API and the metrics on a port of their own, over aiohttp.

One thread runs the event loop and moves bytes; requests are answered in a pool of threads, as
JSON and TensorFlow would hold the loop up. What no handler is for gets the page of the real
server's HTTP library.
"""

import asyncio
import dataclasses
import functools
import gzip
import logging
import socket
import threading
import zlib
from collections.abc import Callable
from concurrent import futures
from http import HTTPStatus
from typing import Any

from aiohttp import hdrs, web
from aiohttp.http_parser import RawRequestMessage
from aiohttp.http_writer import HttpVersion11
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler
from etils.epath import Path

from serving import monitoring
from serving.errors import (
    InvalidArgumentError,
    ResourceExhaustedError,
    ServerError,
    UnauthenticatedError,
)
from serving.flags import Options
from serving.rest import api, paths
from serving.rest.api import Api, Reply
from serving.security import UNAUTHENTICATED, Gate

MAX_BODY_BYTES = 2**31 - 1
MAX_UNPACKED_BYTES = 100 * 2**20  # of a gzip body, as ZLib::kMaxUncompressedBytes
_WORTH_PACKING = 1024  # bytes
_MOST_WAITING = 256  # threads that only wait for their batch
_BACKLOG = 1024
_GZIP = 16 + zlib.MAX_WBITS  # zlib: a header of gzip, nothing else
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}
_PAGE = "<HTML><HEAD>\n<TITLE>{0} {1}</TITLE>\n</HEAD><BODY>\n<H1>{1}</H1>\n</BODY></HTML>\n"
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a RestServer listens and answers.

    Attributes:
        host: address to listen on.
        port: TCP port.
        threads: requests that may be answered at the same time.
        cors: allow scripts of other origins.
        metrics_path: where metrics are; nowhere if empty.
        drain: seconds that requests have to end when the server stops.
        shared: other processes may listen on the same port.
    """

    host: str
    port: int
    threads: int
    cors: bool = False
    metrics_path: str = ""
    drain: float = 30.0
    shared: bool = False


def settings(options: Options, waiting: int) -> Settings:
    """What the flags say.

    Args:
        options: the flags.
        waiting: requests that may wait for a batch, beside those that run.

    Raises:
        ServerError: `--monitoring_config_file` cannot be read.
    """
    file = options.monitoring_config_file
    return Settings(
        host=options.bind_address,
        port=options.rest_api_port,
        threads=options.rest_api_num_threads + min(waiting, _MOST_WAITING),
        cors=options.rest_api_enable_cors_support,
        metrics_path=monitoring.prometheus_path(Path(file)) if file else "",
        shared=options.workers > 1,
    )


class RestServer:
    """Listens for HTTP in a thread of its own."""

    def __init__(
        self, rest_api: Api, settings: Settings, gate: Gate, page: Callable[[], str]
    ) -> None:
        """Take the port, without listening yet: who comes is still refused; `page` has the metrics.

        Raises:
            ServerError: it is not free.
        """
        self._api, self._settings, self._gate, self._page = rest_api, settings, gate, page
        self._socket = _bind(settings)
        self._pool = futures.ThreadPoolExecutor(settings.threads, "rest")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="rest", daemon=True)
        self._runner: web.ServerRunner | None = None

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()
        where = f"{self._settings.host}:{self._settings.port}"
        _log.info("Exporting HTTP/REST API at:%s ...", where)

    def stop(self) -> None:
        """Take no more requests, let those that run finish, and give the port back."""
        if self._runner is not None:
            asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()
        self._socket.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _open(self) -> None:
        server = _Server(
            self._handle,
            request_factory=self._request,
            access_log=None,
            auto_decompress=False,  # how far, and what of a broken one, is ours to say
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=self._settings.drain)
        await self._runner.setup()
        await web.SockSite(self._runner, self._socket, backlog=_BACKLOG).start()

    def _request(
        self, message: RawRequestMessage, payload: StreamReader, protocol: Any, *others: Any
    ) -> web.BaseRequest:
        writer, task = others
        loop = self._loop
        return web.BaseRequest(
            message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY_BYTES
        )

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        """Answer one request."""
        path = request.raw_path
        is_metrics = _without_query(path) == self._settings.metrics_path
        if not is_metrics and not paths.is_ours(path):
            return _page(HTTPStatus.NOT_FOUND)
        if not self._gate.authorized(request.headers.get(hdrs.AUTHORIZATION)):
            return self._response(request, api.refusal(UnauthenticatedError(UNAUTHENTICATED)))
        if is_metrics:
            return await self._loop.run_in_executor(self._pool, self._metrics, path)
        if self._settings.cors and request.method == hdrs.METH_OPTIONS:
            return self._response(request, Reply(200, b""))
        await _invite(request)
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return self._response(request, api.refusal(_too_large("body", MAX_BODY_BYTES)))
        return await self._loop.run_in_executor(
            self._pool, functools.partial(self._answer, request, path, body)
        )

    def _answer(self, request: web.BaseRequest, path: str, body: bytes) -> web.Response:
        if "gzip" in request.headers.get(hdrs.CONTENT_ENCODING, ""):
            unpacked = _unpack(body)
            if unpacked is None:
                return self._response(
                    request, api.refusal(_too_large("unpacked body", MAX_UNPACKED_BYTES))
                )
            body = unpacked
        reply = self._api.answer(request.method, path, body, lambda: request.transport is not None)
        return self._response(request, reply)

    def _metrics(self, path: str) -> web.Response:
        if path == self._settings.metrics_path:
            return web.Response(text=self._page())
        text = f"Unexpected path: {path}. Should be {self._settings.metrics_path}"
        return web.Response(text=text.encode(errors="replace").decode(), status=400)

    def _response(self, request: web.BaseRequest, reply: Reply) -> web.Response:
        headers: dict[str, str] = {hdrs.CONTENT_TYPE: "application/json"}
        if self._settings.cors:
            headers.update(_CORS)
        body = reply.body
        if len(body) >= _WORTH_PACKING and _takes_gzip(request):
            headers[hdrs.CONTENT_ENCODING] = "gzip"
            body = gzip.compress(body, 1)
        return web.Response(body=body, status=reply.status, headers=headers)


class _Server(web.Server):
    """aiohttp's server, of connections that refuse in the API's own form."""

    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(RequestHandler):
    __slots__ = ()

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


async def _invite(request: web.BaseRequest) -> None:
    """Ask for the body of a caller who waits for that."""
    expects = request.headers.get(hdrs.EXPECT, "").lower() == "100-continue"
    if expects and request.version == HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer itself has not begun


def _bind(settings: Settings) -> socket.socket:
    host = settings.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if settings.shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind((host, settings.port))
    except (OSError, OverflowError) as error:
        bound.close()
        raise ServerError(
            f"{settings.host}:{settings.port}: expected a free address of this machine. "
            f"Received: {error}. Choose another --rest_api_port or --bind_address."
        ) from error
    return bound


def _unpack(body: bytes) -> bytes | None:
    """`body` without its gzip; None if it is too large, nothing if it is broken.

    The real server goes on with an empty document where it cannot unpack one.
    """
    packed = zlib.decompressobj(_GZIP)
    try:
        unpacked = packed.decompress(body, MAX_UNPACKED_BYTES)
    except zlib.error:
        return b""
    if packed.unconsumed_tail:
        return None
    return unpacked if packed.eof else b""


def _too_large(what: str, limit: int) -> ResourceExhaustedError:
    return ResourceExhaustedError(f"Received a {what} larger than max ({limit} bytes)")


def _takes_gzip(request: web.BaseRequest) -> bool:
    for choice in request.headers.get(hdrs.ACCEPT_ENCODING, "").lower().split(","):
        name, _, quality = choice.replace(" ", "").partition(";q=")
        if name == "gzip":
            return quality.strip("0.") != "" or not quality
    return False


def _without_query(path: str) -> str:
    return path.partition("?")[0].partition("#")[0]


def _page(status: HTTPStatus) -> web.Response:
    return web.Response(
        text=_PAGE.format(status.value, status.phrase), status=status, content_type="text/html"
    )
