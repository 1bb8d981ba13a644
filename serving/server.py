"""The embedded model server: `millrace-model-server`, or `python -m millrace.serving.server`.

It has the flags, protocols and lifecycle of `tensorflow_model_server`: the port opens once every
model has an available version, and SIGTERM lets running requests finish.
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

from millrace.serving import config, flags, monitoring, security, workers
from millrace.serving.batching import parameters as batching_parameters
from millrace.serving.batching.model import BatchScheduler
from millrace.serving.batching.parameters import BatchingParameters
from millrace.serving.errors import MillraceError, RpcError, ServerError
from millrace.serving.flags import Options
from millrace.serving.grpc_server import health, listening, profiler, reflection, servicer
from millrace.serving.inference import RequestOptions
from millrace.serving.lifecycle import ModelConfig
from millrace.serving.loading import Loader
from millrace.serving.peers import Peers
from millrace.serving.repository import Repository
from millrace.serving.request_log import RequestLog
from millrace.serving.rest.api import RestApi
from millrace.serving.rest.probes import Probes
from millrace.serving.security import Gate
from millrace.serving.service import Service

if TYPE_CHECKING:
    from millrace.serving.rest.server import RestServer

_DRAIN_SECONDS = 30.0  # for running requests to finish before they are cancelled
_CLOSE_SECONDS = 5.0
_REFUSE_SECONDS = 0.1  # refuse as UNAVAILABLE before gRPC stops, which answers CANCELLED
_log = logging.getLogger(__name__)


class ModelServer:
    """A repository of models, and the gRPC and REST servers in front of it."""

    def __init__(self, options: Options, peers: Peers | None = None) -> None:
        """Prepare a server; nothing is loaded or opened yet.

        Args:
            options: the flags.
            peers: the other workers, if there are several.

        Raises:
            ServerError: a file that a flag names cannot be read.
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
        self._health = health.HealthService()
        self._log = RequestLog(tags=options.saved_model_tags.split(","))
        self._service = Service(
            self._repository,
            RequestOptions(
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
        """Load every model, then open the ports; returns False if stopped before.

        Raises:
            MillraceError: a flag is invalid, a model cannot be loaded, or a port is in use.
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
        """Returns the models of the last reload of all workers, or those of the flags."""
        request = self._peers.reloaded() if self._peers is not None else None
        if request is not None:
            return config.from_proto(request.config.model_config_list)
        return self._options.models()

    def wait(self) -> None:
        """Wait until the server has stopped."""
        self._stopped.wait()

    def stop(self) -> None:
        """Refuse new requests, let running ones finish, and unload the models."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._health.enter_graceful_shutdown()
        self._service.end()
        if self._grpc is not None:
            time.sleep(_REFUSE_SECONDS)
            self._health.end_watches()
        ended = self._grpc.stop(_DRAIN_SECONDS) if self._grpc is not None else None
        if self._rest is not None:
            self._rest.stop()
        if ended is not None:
            ended.wait()
        if self._peers is not None:
            self._peers.close()
        self._log.close()
        if not self._repository.close(_CLOSE_SECONDS):
            _log.warning("Requests or loads are still running: stopping without them")
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
                _log.warning(
                    "--monitoring_config_file: metrics need --rest_api_port, which is not set"
                )
            return None
        from millrace.serving.rest.server import (  # aiohttp is slow to import
            RestServer,
            rest_settings,
        )

        api, probes = RestApi(self._service), Probes(self._service)
        return RestServer(
            api, probes, rest_settings(self._options, self._waiting), gate, self._metrics
        )

    def _metrics(self) -> str:
        own = monitoring.page()
        return own if self._peers is None else self._peers.metrics(own)

    @property
    def _waiting(self) -> int:
        """How many requests may wait for a batch."""
        return 2 * self._batching.parameters.max_batch_size if self._batching else 0

    def _poll_config(self) -> None:
        """Apply the configuration file periodically."""
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


def _batching(options: Options) -> BatchScheduler | None:
    """Returns the scheduler of batches, if batching is enabled."""
    if not options.enable_batching:
        return None
    file = options.batching_parameters_file
    parameters = batching_parameters.read(Path(file)) if file else BatchingParameters()
    return BatchScheduler(parameters, per_model=options.enable_per_model_batching_parameters)


def main() -> NoReturn:
    """The command `millrace-model-server`."""
    status = run(sys.argv[1:])
    logging.shutdown()
    sys.stdout.flush()
    # Threads of TensorFlow and gRPC may still run, and could abort the interpreter's shutdown.
    os._exit(status)


def run(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname).1s %(message)s"
    )
    # A terminal is for this server's own lines; a log has TensorFlow's warnings as well.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3" if os.isatty(2) else "1")
    try:
        options = flags.parse(arguments)
        if options.version:
            print(f"TensorFlow ModelServer: millrace {_installed('tf-millrace')}")
            print(f"TensorFlow Library: {_installed('tensorflow')}")
            return 0
        if options.workers > 1:
            options.models()  # report errors in the file once, not in each worker
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

    `folder` is shared with its peers, if it has any.
    """
    try:
        server = ModelServer(options, Peers(folder) if folder else None)
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
        return "(not installed, run from source)"


def _stop_on_signals(server: ModelServer) -> None:
    def stop(number: int, _: object) -> None:
        _log.info("%s: draining", signal.Signals(number).name)
        threading.Thread(target=server.stop, name="stop").start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


if __name__ == "__main__":
    main()
