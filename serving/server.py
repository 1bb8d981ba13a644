"""The embedded model server: `millrace-model-server`, or `python -m millrace.serving.server`.

Same flags, wire and lifecycle as `tensorflow_model_server`: the port opens once every model has
an available version, SIGTERM lets the requests that run finish.
"""

import contextlib
import logging
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from importlib import metadata
from typing import TYPE_CHECKING, NoReturn

import grpc
from etils.epath import Path

from millrace.serving import (
    batching_parameters,
    config,
    flags,
    health,
    listening,
    monitoring,
    profiler,
    reflection,
    security,
    servicer,
    workers,
)
from millrace.serving.batching import Batching
from millrace.serving.batching_parameters import Parameters
from millrace.serving.errors import MillraceError, RpcError, ServerError
from millrace.serving.flags import Options
from millrace.serving.inference import Call
from millrace.serving.lifecycle import ModelConfig
from millrace.serving.loading import Loader
from millrace.serving.peers import Peers
from millrace.serving.repository import Repository
from millrace.serving.request_log import RequestLog
from millrace.serving.rest.api import Api
from millrace.serving.rest.probes import Probes
from millrace.serving.security import Gate
from millrace.serving.service import Service

if TYPE_CHECKING:
    from millrace.serving.rest.server import RestServer

_DRAIN_SECONDS = 30.0  # for requests to end by themselves, before they are cancelled
_CLOSE_SECONDS = 5.0
_REFUSE_SECONDS = 0.1  # gRPC itself cancels what reaches it as it ends: callers are told before
_log = logging.getLogger(__name__)


class Server:
    """A repository of models, and the gRPC server in front of it."""

    def __init__(self, options: Options, peers: Peers | None = None) -> None:
        """Hold `options`; nothing is loaded or opened yet.

        Args:
            options: the flags.
            peers: the other workers, where there are several.

        Raises:
            ServerError: a file that they name cannot be read.
        """
        self._options, self._peers = options, peers
        self._batching = _batching(options)
        self._repository = Repository(
            Loader(options, self._batching),
            max_num_load_retries=options.max_num_load_retries,
            load_retry_interval=options.load_retry_interval_micros / 1e6,
            num_load_threads=options.num_load_threads,
            num_unload_threads=options.num_unload_threads,
            allow_unavailable_labels=options.allow_version_labels_for_unavailable_models,
        )
        self._health = health.Health()
        self._log = RequestLog(tags=options.saved_model_tags.split(","))
        self._service = Service(
            self._repository,
            Call(
                check_method_name=options.enable_signature_method_name_check,
                tensor_content=options.enable_serialization_as_tensor_content,
            ),
            log=self._log,
            peers=peers,
        )
        self._grpc: grpc.Server | None = None
        self._rest: RestServer | None = None
        self._stopping, self._stopped = threading.Event(), threading.Event()

    def start(self) -> bool:
        """Load every model, then open the port; False if stopped before.

        Raises:
            MillraceError: the flags, a model or the port is not as it must be.
        """
        options = self._options
        if self._peers is not None:
            self._peers.listen(monitoring.page, self._service.reload)
        models = self._models()
        gate = security.read_gate(options.api_token_file)
        credentials = security.server_credentials(options.ssl_config_file)
        if options.port and options.workers == 1:
            listening.check_free(options.bind_address, options.port)
        self._rest = self._take_rest_port(gate)
        self._repository.start(models, poll_seconds=options.file_system_poll_wait_seconds)
        if not self._repository.wait_until_available():
            return False
        if not options.allow_version_labels_for_unavailable_models:
            self._repository.check_labels()
        self._grpc = self._serve(gate)
        listening.listen(self._grpc, options, credentials)
        self._grpc.start()
        if self._rest is not None:
            self._rest.start()
        self._health.start()
        if self._peers is not None:
            self._peers.start()
        if options.model_config_file and options.model_config_file_poll_wait_seconds:
            threading.Thread(target=self._poll_config, name="poll config", daemon=True).start()
        return True

    def _models(self) -> list[ModelConfig]:
        """What the flags name, or what the last reload of all workers brought."""
        request = self._peers.reloaded() if self._peers is not None else None
        if request is not None:
            return config.from_proto(request.config.model_config_list)
        return self._options.models()

    def wait(self) -> None:
        """Return once the server has stopped."""
        self._stopped.wait()

    def stop(self) -> None:
        """Take no more requests, let those that run finish, and free the models."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._health.enter_graceful_shutdown()
        self._service.end()
        if self._grpc is not None:
            time.sleep(_REFUSE_SECONDS)
            self._health.hang_up()
        ended = self._grpc.stop(_DRAIN_SECONDS) if self._grpc is not None else None
        if self._rest is not None:
            self._rest.stop()
        if ended is not None:
            ended.wait()
        if self._peers is not None:
            self._peers.close()
        self._log.close()
        if not self._repository.close(_CLOSE_SECONDS):
            _log.warning("Requests or loads still run: ending without them")
        self._stopped.set()

    def _serve(self, gate: Gate) -> grpc.Server:
        options = self._options
        handlers = servicer.handlers(self._service)
        if options.enable_profiler:
            handlers = (*handlers, profiler.Profiler().handler())
        server = listening.grpc_server(options, handlers, gate, self._waiting)
        others = []
        if options.enable_grpc_healthcheck_service:
            self._health.add_to(server)
            others.append(health.SERVICE)
        if options.enable_grpc_reflection:
            reflection.add(server, others, profiler=options.enable_profiler)
        return server

    def _take_rest_port(self, gate: Gate) -> "RestServer | None":
        if not self._options.rest_api_port:
            if self._options.monitoring_config_file:
                _log.warning("--monitoring_config_file: metrics need --rest_api_port; none is open")
            return None
        from millrace.serving.rest.server import RestServer, settings  # aiohttp takes a moment

        api, probes = Api(self._service), Probes(self._service)
        return RestServer(api, probes, settings(self._options, self._waiting), gate, self._metrics)

    def _metrics(self) -> str:
        own = monitoring.page()
        return own if self._peers is None else self._peers.metrics(own)

    @property
    def _waiting(self) -> int:
        """Requests that may wait for a batch."""
        return 2 * self._batching.parameters.max_batch_size if self._batching else 0

    def _poll_config(self) -> None:
        """Take on what the configuration file says, as often as the flags say."""
        options = self._options
        while not self._stopping.wait(options.model_config_file_poll_wait_seconds):
            try:
                models = options.models()
            except ServerError as error:
                _log.error("Failed to read ModelServerConfig file: %s", error)
                continue
            try:
                self._repository.reload(models)
            except RpcError as error:
                _log.error("PollFilesystemAndReloadConfig failed to ReloadConfig: %s", error)


def _batching(options: Options) -> Batching | None:
    """How requests are put together, if they are."""
    if not options.enable_batching:
        return None
    file = options.batching_parameters_file
    parameters = batching_parameters.read(Path(file)) if file else Parameters()
    return Batching(parameters, per_model=options.enable_per_model_batching_parameters)


def main() -> NoReturn:
    """The command `millrace-model-server`."""
    status = run(sys.argv[1:])
    logging.shutdown()
    sys.stdout.flush()
    # TensorFlow's and gRPC's own threads may still run, and abort a process that ends in steps.
    os._exit(status)


def run(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname).1s %(message)s"
    )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    try:
        options = flags.parse(arguments)
        if options.version:
            print(f"TensorFlow ModelServer: millrace {_installed('tf-millrace')}")
            print(f"TensorFlow Library: {_installed('tensorflow')}")
            return 0
        if options.workers > 1:
            options.models()  # what is wrong with the file is told once
            with contextlib.ExitStack() as reserved:
                for port in filter(None, (options.port, options.rest_api_port)):
                    reserved.enter_context(listening.reserve(options.bind_address, port))
                folder = reserved.enter_context(tempfile.TemporaryDirectory(prefix="millrace-"))
                return workers.supervise(options.workers, lambda: _serve(options, folder))
    except MillraceError as error:
        return _refuse(error)
    return _serve(options)


def _serve(options: Options, folder: str = "") -> int:
    """Serve in this process until SIGTERM or SIGINT; returns the exit status.

    `folder` is where it meets its peers, if it has any.
    """
    try:
        server = Server(options, Peers(folder) if folder else None)
        _stop_on_signals(server)
        if server.start():
            server.wait()
    except MillraceError as error:
        return _refuse(error)
    return 0


def _refuse(error: MillraceError) -> int:
    print(f"Failed to start server. Error: {error}", file=sys.stderr)
    return 1


def _installed(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "(not installed, run from its source)"


def _stop_on_signals(server: Server) -> None:
    def stop(number: int, _: object) -> None:
        _log.info("%s: draining", signal.Signals(number).name)
        threading.Thread(target=server.stop, name="stop").start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


if __name__ == "__main__":
    main()
