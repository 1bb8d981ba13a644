"""The REST API, the metrics and the probes on a port of their own, over aiohttp.

One thread runs the event loop and moves bytes; requests are answered in a pool of threads, because
JSON and TensorFlow would block the loop. Unknown paths get the error page of the real server's
HTTP library.
"""

import asyncio
import dataclasses
import gzip
import logging
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from aiohttp import hdrs, web
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader
from etils.epath import Path

from millrace.serving import monitoring
from millrace.serving.errors import CancelledError, RpcError, UnauthenticatedError, UnavailableError
from millrace.serving.flags import Options
from millrace.serving.rest import accepting, api, bodies, paths
from millrace.serving.rest.api import Caller, Reply, RestApi
from millrace.serving.rest.bodies import BodyReader
from millrace.serving.rest.bounded_pool import BoundedPool
from millrace.serving.rest.probes import Probes
from millrace.serving.security import UNAUTHENTICATED, Gate

_COMPRESS_FROM = 1024  # bytes
_MOST_WAITING = 256  # threads that only wait for a batch
_LINGER = 10.0  # seconds to keep reading from a refused client, so that it sees the response
_MOST_SCRAPING = 16  # clients that may wait for the metrics
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}
_PAGE = "<HTML><HEAD>\n<TITLE>{0} {1}</TITLE>\n</HEAD><BODY>\n<H1>{1}</H1>\n</BODY></HTML>\n"
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class RestSettings:
    """The settings of a RestServer.

    Attributes:
        host: address to listen on.
        port: TCP port.
        threads: requests that may be answered at the same time.
        queued: requests that may wait for one of the threads.
        timeout: seconds that a request may take after it was received; None for no limit.
        max_body_bytes: the largest body of a request, before decompression.
        patience: seconds that a connection may be without progress.
        cors: whether to allow scripts of other origins.
        metrics_path: the path of the metrics; none if empty.
        drain: seconds for running requests to finish when the server stops.
        shared: whether other processes may listen on the same port.
    """

    host: str
    port: int
    threads: int
    queued: int
    timeout: float | None
    max_body_bytes: int
    patience: float
    cors: bool = False
    metrics_path: str = ""
    drain: float = 30.0
    shared: bool = False


def rest_settings(options: Options, waiting: int) -> RestSettings:
    """Returns the settings in the flags.

    Args:
        options: the flags.
        waiting: requests that may wait for a batch, in addition to those that run.

    Raises:
        ServerError: `--monitoring_config_file` cannot be read.
    """
    file, timeout = options.monitoring_config_file, options.rest_api_timeout_in_ms
    return RestSettings(
        host=options.bind_address,
        port=options.rest_api_port,
        threads=options.rest_api_num_threads + min(waiting, _MOST_WAITING),
        queued=options.rest_api_max_queued_requests,
        timeout=timeout / 1000 if timeout > 0 else None,
        max_body_bytes=options.rest_api_max_body_bytes,
        patience=options.rest_api_idle_timeout_seconds,
        cors=options.rest_api_enable_cors_support,
        metrics_path=monitoring.prometheus_path(Path(file)) if file else "",
        shared=options.workers > 1,
    )


class RestServer:
    """Serves HTTP from a thread of its own."""

    def __init__(
        self,
        rest_api: RestApi,
        probes: Probes,
        settings: RestSettings,
        gate: Gate,
        page: Callable[[], str],
    ) -> None:
        """Bind the port without listening yet, so that connections are still refused.

        `page` returns the metrics.

        Raises:
            ServerError: the port is in use.
        """
        self._api, self._probes = rest_api, probes
        self._settings, self._gate, self._page = settings, gate, page
        self._socket = accepting.bind(settings.host, settings.port, shared=settings.shared)
        self._pool = BoundedPool(settings.threads, settings.queued, "rest")
        self._metrics_pool = BoundedPool(1, _MOST_SCRAPING, "metrics")
        self._bodies = BodyReader(settings.max_body_bytes, settings.patience)
        self._cors = _cors(settings, gate)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="rest", daemon=True)
        self._runner: web.ServerRunner | None = None

    def start(self) -> None:
        """Answer requests from now on."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()
        where = f"{self._settings.host}:{self._settings.port}"
        _log.info("Exporting HTTP/REST API at:%s ...", where)

    def stop(self) -> None:
        """Refuse new requests, let running ones finish, and release the port."""
        if self._runner is not None:
            asyncio.run_coroutine_threadsafe(self._close(self._runner), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()
        self._socket.close()
        for pool in (self._pool, self._metrics_pool):
            pool.close()

    async def _open(self) -> None:
        server = accepting.HttpServer(
            self._handle,
            request_factory=self._request,
            handler_cancellation=True,  # a client that disconnects leaves the queue
            keepalive_timeout=self._settings.patience,
            lingering_time=min(_LINGER, self._settings.patience),
            access_log=None,
            auto_decompress=False,  # `bodies` limits the size and handles damaged bodies
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=self._settings.drain)
        await self._runner.setup()
        await accepting.listen(self._runner, self._socket)

    async def _close(self, runner: web.ServerRunner) -> None:
        self._bodies.end()
        await runner.cleanup()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait(left, timeout=1) if left else None  # cancelled, but not finished yet

    def _request(
        self, message: RawRequestMessage, payload: StreamReader, protocol: Any, *others: Any
    ) -> web.BaseRequest:
        writer, task = others
        return web.BaseRequest(message, payload, protocol, writer, task, self._loop)

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        """Answer one request."""
        verb, path = request.method, request.raw_path
        probed = self._probes.answer(verb, path)
        if probed is not None:
            return self._response(request, probed)
        is_metrics = _without_query(path) == self._settings.metrics_path
        if not is_metrics and not paths.is_api(path):
            return _page(HTTPStatus.NOT_FOUND)
        if self._cors and not is_metrics and verb == hdrs.METH_OPTIONS:
            return self._response(request, Reply(200, b""))  # a preflight request carries no token
        if not self._gate.authorized(request.headers.get(hdrs.AUTHORIZATION)):
            return self._response(request, api.refusal(UnauthenticatedError(UNAUTHENTICATED)))
        return await (self._answer_metrics if is_metrics else self._answer)(request, path)

    async def _answer(self, request: web.BaseRequest, path: str) -> web.Response:
        """Read the body, after which the timeout begins, and answer."""
        verb, timeout = request.method, self._settings.timeout
        try:
            compressed = await self._bodies.read(request)
            deadline = None if timeout is None else time.monotonic() + timeout
            await self._pool.wait(deadline)
        except RpcError as error:
            refused = self._response(request, self._api.refuse(verb, path, error))
            if not request.content.is_eof():
                refused.force_close()
            return refused
        except asyncio.CancelledError:
            self._api.refuse(verb, path, CancelledError("The caller cancelled the request"))
            raise
        encoding = request.headers.get(hdrs.CONTENT_ENCODING, "")
        caller = Caller(deadline, lambda: request.transport is not None)

        def answer() -> web.Response:
            reply = self._api.answer(
                verb, path, lambda: bodies.decompress(compressed, encoding), caller
            )
            return self._response(request, reply)

        return await self._pool.run(answer)

    async def _answer_metrics(self, request: web.BaseRequest, path: str) -> web.Response:
        try:
            await self._metrics_pool.wait()
        except UnavailableError as error:
            return self._response(request, api.refusal(error))
        return await self._metrics_pool.run(lambda: self._metrics(path))

    def _metrics(self, path: str) -> web.Response:
        if path == self._settings.metrics_path:
            return web.Response(text=self._page())
        text = f"Unexpected path: {path}. Should be {self._settings.metrics_path}"
        return web.Response(text=text.encode(errors="replace").decode(), status=400)

    def _response(self, request: web.BaseRequest, reply: Reply) -> web.Response:
        headers = {hdrs.CONTENT_TYPE: "application/json", **self._cors}
        body = reply.body
        if len(body) >= _COMPRESS_FROM and _takes_gzip(request):
            headers[hdrs.CONTENT_ENCODING] = "gzip"
            body = gzip.compress(body, 1)
        return web.Response(body=body, status=reply.status, headers=headers)


def _cors(settings: RestSettings, gate: Gate) -> dict[str, str]:
    """Returns the headers that allow scripts of other origins, and their token if required."""
    if not settings.cors:
        return {}
    if gate.is_open:
        return _CORS
    return _CORS | {"Access-Control-Allow-Headers": "Content-Type, Authorization"}


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
