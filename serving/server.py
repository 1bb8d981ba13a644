"""The embedded model server: `millrace-model-server`, or `python -m serving.server`.

Same flags, wire and lifecycle as `tensorflow_model_server`: the port opens once every model has
an available version, SIGTERM lets the requests that run finish.
"""

import gc
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from concurrent import futures
from importlib import metadata
from typing import NoReturn

import grpc
from etils.epath import Path
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from serving import flags, servicer
from serving.errors import MillraceError, ServerError
from serving.flags import Options
from serving.inference import Call
from serving.lifecycle import Servable
from serving.repository import Repository
from serving.service import Service

MAX_MESSAGE_BYTES = 2**31 - 1
_DRAIN_SECONDS = 30.0  # for requests to end by themselves, before they are cancelled
_CLOSE_SECONDS = 5.0
_log = logging.getLogger(__name__)


class Server:
    """A repository of models, and the gRPC server in front of it."""

    def __init__(self, options: Options) -> None:
        """Hold `options`; nothing is loaded or opened yet."""
        self._options = options
        self._repository = Repository(
            self._load,
            max_num_load_retries=options.max_num_load_retries,
            load_retry_interval=options.load_retry_interval_micros / 1e6,
            num_load_threads=options.num_load_threads,
        )
        self._health = health.HealthServicer()
        self._grpc: grpc.Server | None = None
        self._stopping, self._stopped = threading.Event(), threading.Event()

    def start(self) -> bool:
        """Load every model, then open the port; False if stopped before.

        Raises:
            MillraceError: the flags, a model or the port is not as it must be.
        """
        options = self._options
        models = options.models()
        if options.port:
            _check_free(options.bind_address, options.port)
        self._repository.start(models, poll_seconds=options.file_system_poll_wait_seconds)
        if not self._repository.wait_until_available():
            return False
        if not options.allow_version_labels_for_unavailable_models:
            self._repository.check_labels()
        self._grpc = self._listen()
        self._grpc.start()
        self._health.set("", health_pb2.HealthCheckResponse.SERVING)
        return True

    def wait(self) -> None:
        """Return once the server has stopped."""
        self._stopped.wait()

    def stop(self) -> None:
        """Take no more requests, let those that run finish, and free the models."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._health.enter_graceful_shutdown()
        if self._grpc is not None:
            self._grpc.stop(_DRAIN_SECONDS).wait()
        if not self._repository.close(_CLOSE_SECONDS):
            _log.warning("Requests or loads still run: ending without them")
        self._stopped.set()

    def _load(self, path: Path) -> Servable:
        from serving.model import LoadedModel  # TensorFlow takes seconds; flags are checked first

        if not gc.get_freeze_count():
            gc.freeze()  # what TensorFlow's import made: a collection after an unload skips it
        options = self._options
        model = LoadedModel(path, tags=options.saved_model_tags.split(","))
        try:
            if options.enable_model_warmup:
                model.warm_up(Call(None, options.enable_signature_method_name_check))
        except MillraceError:
            model.close()
            raise
        return model

    def _listen(self) -> grpc.Server:
        options = self._options
        server = grpc.server(
            futures.ThreadPoolExecutor(options.grpc_max_threads, "grpc"),
            options=[
                ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
                ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
                ("grpc.so_reuseport", 0),  # a port in use is an error, not a shared one
                *channel_arguments(options.grpc_channel_arguments),
            ],
        )
        check = options.enable_signature_method_name_check
        service = Service(self._repository, check_method_name=check)
        server.add_generic_rpc_handlers(servicer.handlers(service))
        if options.enable_grpc_healthcheck_service:
            health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        if options.port:
            _open(server, f"{options.bind_address}:{options.port}")
        if options.grpc_socket_path:
            _open(server, f"unix:{options.grpc_socket_path}")
        return server


def channel_arguments(text: str) -> list[tuple[str, int | str]]:
    """`key=value` pairs, comma separated, with whole numbers as such."""
    pairs = [pair.partition("=") for pair in text.split(",") if pair]
    for key, separator, value in pairs:
        if not separator:
            raise ServerError(
                f"--grpc_channel_arguments: expected key=value. Received: {key}{value}. "
                "Write e.g. grpc.max_connection_age_ms=2000."
            )
    return [(key, int(value) if value.lstrip("-").isdigit() else value) for key, _, value in pairs]


def _check_free(host: str, port: int) -> None:
    """See before models are loaded, which may take long, that the port can be opened after."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, OverflowError) as error:
        raise _not_free(f"{host}:{port}", error) from error


def _open(server: grpc.Server, address: str) -> None:
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:
        raise _not_free(address, error) from error
    _log.info("Running gRPC ModelServer at %s ...", address)


def _not_free(address: str, error: Exception) -> ServerError:
    return ServerError(
        f"{address}: expected a free address of this machine. Received: {error}. "
        "Choose another --port, --bind_address or --grpc_socket_path."
    )


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
        server = Server(options)
        _stop_on_signals(server)
        if server.start():
            server.wait()
    except MillraceError as error:
        print(f"Failed to start server. Error: {error}", file=sys.stderr)
        return 1
    return 0


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
