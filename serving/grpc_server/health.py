"""The standard gRPC health service: the status of the process and of its two services.

The names are those of the real server (tensorflow_serving/model_servers/server.cc); the empty
name is the process.
"""

import threading

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from millrace.serving.grpc_server.servicer import MODEL_SERVICE, PREDICTION_SERVICE

SERVICE = health.SERVICE_NAME
_NAMES = ("", MODEL_SERVICE, PREDICTION_SERVICE)


class HealthService(health.HealthServicer):
    """Answers `Check` and `Watch`; a watch occupies no thread."""

    def __init__(self) -> None:
        """Start as NOT_SERVING."""
        super().__init__()
        self._watching: set[grpc.ServicerContext] = set()
        self._watching_lock = threading.Lock()
        for name in _NAMES:
            self.set(name, health_pb2.HealthCheckResponse.NOT_SERVING)

    def add_to(self, server: grpc.Server) -> None:
        """Register the service with `server`."""
        health_pb2_grpc.add_HealthServicer_to_server(self, server)

    def start(self) -> None:
        """Report SERVING from now on."""
        for name in _NAMES:
            self.set(name, health_pb2.HealthCheckResponse.SERVING)

    def Watch(  # noqa: N802 - gRPC's name
        self,
        request: health_pb2.HealthCheckRequest,
        context: grpc.ServicerContext,
        *callbacks: object,
    ) -> object:
        """Report the status of a service now and whenever it changes."""
        with self._watching_lock:
            self._watching.add(context)
        if not context.add_callback(lambda: self._forget(context)):  # it has ended already
            self._forget(context)
        return super().Watch(request, context, *callbacks)

    def end_watches(self) -> None:
        """End all watches: the server would wait for them when it stops."""
        with self._watching_lock:
            watching = list(self._watching)
        for context in watching:
            context.cancel()

    def _forget(self, context: grpc.ServicerContext) -> None:
        with self._watching_lock:
            self._watching.discard(context)
