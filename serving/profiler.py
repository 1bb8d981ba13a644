"""TensorFlow's profiler service on the gRPC port: `tensorflow.ProfilerService`, passed through.

TensorBoard's profile plugin and `tf.profiler.experimental.client` ask for it at the address of a
model server. TensorFlow answers on a port of its own only, which it opens on every network and
closes with the process: so it is opened when the first request comes, and not before.
Source: tsl/profiler/protobuf/profiler_service.proto.
"""

import functools
import logging
import socket

import grpc

SERVICE = "tensorflow.ProfilerService"
_METHODS = (
    "Profile",
    "Terminate",
    "Monitor",
    "StartContinuousProfiling",
    "StopContinuousProfiling",
    "GetSnapshot",
)
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_log = logging.getLogger(__name__)


def handler() -> grpc.GenericRpcHandler:
    """The handler that passes requests on, as the bytes that they are."""
    return grpc.method_handlers_generic_handler(
        SERVICE,
        {name: grpc.unary_unary_rpc_method_handler(_pass_on(name)) for name in _METHODS},
    )


def _pass_on(method: str) -> "grpc.UnaryUnaryMethod":
    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        call = (
            _channel()
            .unary_unary(f"/{SERVICE}/{method}")
            .future(request, timeout=context.time_remaining(), wait_for_ready=True)
        )
        context.add_callback(call.cancel)  # a caller who goes ends the profile
        try:
            return call.result()
        except grpc.RpcError:
            context.abort(call.code(), call.details())
            raise  # not reached: abort ends the handler

    return answer


@functools.cache
def _channel() -> grpc.Channel:
    """To TensorFlow's own profiler server, which is started once."""
    import tensorflow as tf  # a model is loaded, so it is here already

    with socket.socket() as probe:
        probe.bind(("", 0))
        port = probe.getsockname()[1]
    tf.profiler.experimental.server.start(port)
    _log.warning(
        "TensorFlow's profiler listens on port %d of every network until this process ends", port
    )
    return grpc.insecure_channel(f"localhost:{port}", _UNLIMITED)
