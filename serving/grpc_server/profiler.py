"""TensorFlow's profiler at the gRPC port: `tensorflow.ProfilerService`.

TensorBoard's profile plugin and `tf.profiler.experimental.client` call it at the address of a
model server. TensorFlow's own service would open another port on every network, not protected by
the token, so the requests are answered here, with TensorFlow's tracer.
A request names the folder of this machine that its trace is written to.
Source: tsl/profiler/rpc/profiler_service_impl.cc.
"""

import contextlib
import functools
import tempfile
import threading
from collections.abc import Callable, Iterator

import grpc
from etils.epath import Path
from google.protobuf.message import Message

from millrace.serving.grpc_server.servicer import read
from millrace.serving.pool import blocked
from millrace.serving.protos import profiler_service_pb2 as messages

SERVICE = "tensorflow.ProfilerService"
_LEVELS = ("host_tracer_level", "device_tracer_level", "python_tracer_level")


class Profiler:
    """Takes one profile at a time."""

    def __init__(self) -> None:
        self._ends: dict[str, set[threading.Event]] = {}  # session -> profiles in progress
        self._lock = threading.Lock()

    def handler(self) -> grpc.GenericRpcHandler:
        """Returns the handler for a gRPC server."""
        methods: dict[str, tuple[Callable[..., Message], type[Message]]] = {
            "Profile": (self.profile, messages.ProfileRequest),
            "Terminate": (self.terminate, messages.TerminateRequest),
            "Monitor": (self.monitor, messages.MonitorRequest),
        }
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                name: grpc.unary_unary_rpc_method_handler(
                    answer,
                    request_deserializer=functools.partial(read, kind),
                    response_serializer=kind.SerializeToString,
                )
                for name, (answer, kind) in methods.items()
            },
        )

    def profile(
        self, request: messages.ProfileRequest, context: grpc.ServicerContext
    ) -> messages.ProfileResponse:
        """Trace for the requested time and write the trace to the requested folder."""
        end = threading.Event()
        if not context.add_callback(end.set):  # a caller who cancels ends the profile
            end.set()
        with self._under_way(request.session_id, end):
            trace = self._trace(request, context, end)
        if not context.is_active():
            context.abort(grpc.StatusCode.CANCELLED, "The caller cancelled the request")
        folder = Path(request.repository_root) / request.session_id
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{request.host_name.replace(':', '_')}.xplane.pb").write_bytes(trace)
        except OSError as error:
            context.abort(grpc.StatusCode.INTERNAL, f"The trace cannot be written: {error}")
        return messages.ProfileResponse(
            empty_trace=_is_empty(trace), xspace=trace if request.emit_xspace else b""
        )

    def terminate(
        self, request: messages.TerminateRequest, context: grpc.ServicerContext
    ) -> messages.TerminateResponse:
        """End the profiles of a session early."""
        del context
        with self._lock:
            for end in self._ends.get(request.session_id, ()):
                end.set()
        return messages.TerminateResponse()

    def monitor(
        self, request: messages.MonitorRequest, context: grpc.ServicerContext
    ) -> messages.MonitorResponse:
        """Refuse, as TensorFlow does."""
        del request
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "unimplemented.")
        return messages.MonitorResponse()  # not reached: abort ends the handler

    @contextlib.contextmanager
    def _under_way(self, session: str, end: threading.Event) -> Iterator[None]:
        with self._lock:
            self._ends.setdefault(session, set()).add(end)
        try:
            yield
        finally:
            with self._lock:
                self._ends[session].discard(end)
                if not self._ends[session]:
                    del self._ends[session]

    def _trace(
        self,
        request: messages.ProfileRequest,
        context: grpc.ServicerContext,
        end: threading.Event,
    ) -> bytes:
        """Returns an XSpace of what runs until `end` is set or the requested time is over."""
        import tensorflow as tf  # imported already, since a model is loaded
        from tensorflow.python.profiler.internal import _pywrap_profiler

        session = _pywrap_profiler.ProfilerSession()
        with tempfile.TemporaryDirectory(prefix="profile-") as folder:
            try:
                session.start(folder, _levels(request.opts))
            except tf.errors.OpError as error:  # another profile is in progress
                context.abort(grpc.StatusCode.INTERNAL, error.message)
            with blocked():
                seconds = (request.opts.duration_ms or request.duration_ms) / 1000
                end.wait(min(seconds, threading.TIMEOUT_MAX))
            session.export_to_tb()  # `stop` returns an older format
            (trace,) = Path(folder).glob("plugins/profile/*/*.xplane.pb")
            return trace.read_bytes()


def _levels(options: messages.ProfileOptions) -> dict[str, int]:
    """Returns the tracer levels; TensorFlow's defaults if the options have no version."""
    return {name: getattr(options, name) for name in _LEVELS} if options.version else {}


def _is_empty(trace: bytes) -> bool:
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace.FromString(trace)
    return not any(line.events for plane in space.planes for line in plane.lines)
