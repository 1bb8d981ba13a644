"""The standard health service: what a probe is told of the process and of its two services.

The names are those that the real server sets (tensorflow_serving/model_servers/server.cc); the
empty one stands for the process.
"""

import threading

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from millrace.serving.servicer import MODEL_SERVICE, PREDICTION_SERVICE

SERVICE = health.SERVICE_NAME
_NAMES = ("", MODEL_SERVICE, PREDICTION_SERVICE)


class Health(health.HealthServicer):
    """Answers `Check` and `Watch`; watching takes no thread."""

    def __init__(self) -> None:
        """Serve nothing yet."""
        super().__init__()
        self._watching: set[grpc.ServicerContext] = set()
        self._among = threading.Lock()
        for name in _NAMES:
            self.set(name, health_pb2.HealthCheckResponse.NOT_SERVING)

    def add_to(self, server: grpc.Server) -> None:
        """Let `server` answer probes."""
        health_pb2_grpc.add_HealthServicer_to_server(self, server)

    def start(self) -> None:
        """Tell that the models are served."""
        for name in _NAMES:
            self.set(name, health_pb2.HealthCheckResponse.SERVING)

    def Watch(  # noqa: N802 - gRPC's name
        self,
        request: health_pb2.HealthCheckRequest,
        context: grpc.ServicerContext,
        *callbacks: object,
    ) -> object:
        """Tell the status of a service now and whenever it changes."""
        with self._among:
            self._watching.add(context)
        if not context.add_callback(lambda: self._forget(context)):  # it has ended already
            self._forget(context)
        return super().Watch(request, context, *callbacks)

    def hang_up(self) -> None:
        """End the streams of those who watch: the server would wait for them as it stops."""
        with self._among:
            watching = list(self._watching)
        for context in watching:
            context.cancel()

    def _forget(self, context: grpc.ServicerContext) -> None:
        with self._among:
            self._watching.discard(context)
