"""Makes the processes of `--workers` one server: common metrics, and one configuration for all.

Each worker listens on a UNIX socket in a folder that the supervisor created, for the other workers
only. A request that concerns all of them arrives at the worker that the kernel chose, which
forwards it to the rest. The configuration of the last reload is kept in the folder, for workers
that start later.
"""

import contextlib
import fcntl
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from pathlib import Path

import grpc

from millrace.serving.errors import DeadlineExceededError, RpcError, UnavailableError, rpc_error
from millrace.serving.protos import model_service_pb2 as messages

Request = messages.ReloadConfigRequest
Reload = Callable[[Request, float | None], None]
_SERVICE = "millrace.Peers"
_METRICS, _RELOAD = f"/{_SERVICE}/Metrics", f"/{_SERVICE}/Reload"
_METRICS_SECONDS, _LONGEST = 5.0, 24 * 3600.0
_CONFIG, _LOCK = "reload_config_request", "lock"
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_log = logging.getLogger(__name__)


class Peers:
    """One worker's connection to the others, which share `folder` with it."""

    def __init__(self, folder: Path | str, pid: int = 0) -> None:
        """Open nothing yet; `pid` is this process's own by default."""
        self._folder, self._pid = Path(folder), pid or os.getpid()
        self._socket = self._folder / f"{self._pid}.sock"
        self._started = threading.Event()
        self._server: grpc.Server | None = None

    def listen(self, page: Callable[[], str], reload: Reload) -> None:
        """Answer the other workers from now on.

        Args:
            page: returns this worker's own metrics.
            reload: makes this worker serve other models; it is called only after `start`.
        """

        def own_metrics(request: bytes, context: grpc.ServicerContext) -> bytes:
            del request, context
            return page().encode()

        def own_reload(request: bytes, context: grpc.ServicerContext) -> bytes:
            try:
                if not self._started.wait(_remaining(context)):
                    raise DeadlineExceededError("A worker has not loaded its first models yet")
                reload(Request.FromString(request), _remaining(context))
            except RpcError as error:
                context.abort(grpc.StatusCode[error.code], str(error))
            return b""

        methods = {"Metrics": own_metrics, "Reload": own_reload}
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(answer) for name, answer in methods.items()
        }
        self._server = grpc.server(
            futures.ThreadPoolExecutor(2, "peers"),
            handlers=[grpc.method_handlers_generic_handler(_SERVICE, handlers)],
            options=_UNLIMITED,
        )
        self._server.add_insecure_port(f"unix:{self._socket}")
        self._server.start()

    def start(self) -> None:
        """Accept reloads from now on: this worker's first models are loaded."""
        self._started.set()

    def close(self) -> None:
        """Stop answering."""
        if self._server is not None:
            self._server.stop(None)
        self._socket.unlink(missing_ok=True)

    def reload(self, request: Request, timeout: float | None, own: Reload) -> None:
        """Make every worker serve the models in `request`, this one by `own`; one reload at a time.

        Raises:
            RpcError: the first refusal of a worker.
        """
        raw = request.SerializeToString()
        with self._lock(), futures.ThreadPoolExecutor() as pool:
            others = [pool.submit(self._ask, path, _RELOAD, raw, timeout) for path in self._rest()]
            own(request, timeout)
            for one in others:
                with contextlib.suppress(
                    UnavailableError
                ):  # it has ended, and its successor reads the file
                    one.result()
            staged = self._folder / f"{self._pid}.{_CONFIG}"
            staged.write_bytes(raw)
            staged.rename(self._folder / _CONFIG)

    def reloaded(self) -> Request | None:
        """Returns the request of the last reload; None if there was none."""
        try:
            return Request.FromString((self._folder / _CONFIG).read_bytes())
        except FileNotFoundError:
            return None

    def metrics(self, own: str) -> str:
        """Returns the metrics of all workers together, given the page of this one."""
        pages = [own]
        for path in self._rest():
            try:
                pages.append(self._ask(path, _METRICS, b"", _METRICS_SECONDS).decode())
            except RpcError as error:
                _log.warning("The metrics of worker %s are missing: %s", path.stem, error)
        return total(pages)

    def _rest(self) -> list[Path]:
        return [path for path in sorted(self._folder.glob("*.sock")) if path != self._socket]

    def _ask(self, path: Path, method: str, request: bytes, timeout: float | None) -> bytes:
        with grpc.insecure_channel(f"unix:{path}", _UNLIMITED) as channel:
            try:
                return channel.unary_unary(method)(request, timeout=timeout)
            except grpc.RpcError as error:
                if error.code() is grpc.StatusCode.UNAVAILABLE and not _is_alive(path.stem):
                    path.unlink(missing_ok=True)  # left by a killed worker
                raise rpc_error(error.code().name, error.details()) from error

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        with (self._folder / _LOCK).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def total(pages: Sequence[str]) -> str:
    """Returns the sums of the counters and histograms in `pages`, in Prometheus's text format."""
    metrics: dict[str, dict[str, int | float]] = {}
    samples: dict[str, int | float] = {}
    for line in "".join(pages).splitlines():
        if line.startswith("#"):
            samples = metrics.setdefault(line, {})
        else:
            name, _, value = line.rpartition(" ")
            number = int(value) if value.isdigit() else float(value)
            samples[name] = samples.get(name, 0) + number
    lines = []
    for kind, samples in metrics.items():
        lines.append(kind)
        lines += [f"{name} {_format(value)}" for name, value in samples.items()]
    return "".join(f"{line}\n" for line in lines)


def _format(value: int | float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def _remaining(context: grpc.ServicerContext) -> float:
    """Returns the seconds until the deadline; gRPC reports centuries if there is none."""
    return min(context.time_remaining() or _LONGEST, _LONGEST)


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    return True
