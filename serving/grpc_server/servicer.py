"""The gRPC side of the service: method paths, deadlines, status codes.

The services are registered as generic handlers by their paths: the messages are this project's
own, so there is no generated servicer of `tensorflow.serving`.
"""

import functools
from collections.abc import Callable

import grpc
from google.protobuf.message import DecodeError, Message

from millrace.serving import metered, pool
from millrace.serving.errors import RpcError
from millrace.serving.protos import model_service_pb2 as model_messages
from millrace.serving.protos import prediction_service_pb2 as messages
from millrace.serving.service import Service

PREDICTION_SERVICE = "tensorflow.serving.PredictionService"
MODEL_SERVICE = "tensorflow.serving.ModelService"
MAX_STATUS_BYTES = 1024
_LONGEST = 365 * 24 * 3600.0  # seconds; gRPC reports centuries where there is no deadline


_Inference = messages.PredictRequest | messages.ClassificationRequest | messages.RegressionRequest
_Methods = dict[str, tuple[Callable[..., Message], type[Message]]]


def handlers(service: Service) -> tuple[grpc.GenericRpcHandler, ...]:
    """Returns the handlers that make a gRPC server a model server."""
    prediction: _Methods = {
        "Predict": (_metered("Predict", service.predict), messages.PredictRequest),
        "Classify": (_metered("Classify", service.classify), messages.ClassificationRequest),
        "Regress": (_metered("Regress", service.regress), messages.RegressionRequest),
        "MultiInference": (service.multi_inference, messages.MultiInferenceRequest),
        "GetModelMetadata": (service.get_model_metadata, messages.GetModelMetadataRequest),
    }
    model: _Methods = {
        "GetModelStatus": (service.get_model_status, model_messages.GetModelStatusRequest),
        "HandleReloadConfigRequest": (
            service.handle_reload_config,
            model_messages.ReloadConfigRequest,
        ),
    }
    return tuple(
        grpc.method_handlers_generic_handler(
            name, {method: _unary(*answer) for method, answer in methods.items()}
        )
        for name, methods in ((PREDICTION_SERVICE, prediction), (MODEL_SERVICE, model))
    )


def _metered(api: str, answer: Callable[..., Message]) -> Callable[..., Message]:
    """Returns `answer` with each request counted and timed."""

    def run(request: _Inference, *others: object) -> Message:
        name = request.model_spec.name
        call = functools.partial(answer, request, *others)
        return metered.request(call, model=name, api=api, entrypoint="GRPC")

    return run


def _unary(answer: Callable[..., Message], request_type: type[Message]) -> grpc.RpcMethodHandler:
    def handle(request: Message, context: grpc.ServicerContext) -> Message:
        pool.received()
        if not context.is_active():  # cancelled while it waited for a thread
            context.abort(grpc.StatusCode.CANCELLED, "The caller cancelled the request")
        remaining = context.time_remaining()
        timeout = remaining if remaining < _LONGEST else None
        try:
            return answer(request, timeout, context.is_active)
        except RpcError as error:
            context.abort(grpc.StatusCode[error.code], truncate(str(error)))
            raise  # not reached: abort ends the handler

    return grpc.unary_unary_rpc_method_handler(
        handle,
        request_deserializer=functools.partial(read, request_type),
        response_serializer=request_type.SerializeToString,
    )


def read(kind: type[Message], raw: bytes) -> Message | None:
    """Parse `raw` as a message; returns None, which gRPC refuses as INTERNAL, if it is invalid."""
    try:
        return kind.FromString(raw)
    except DecodeError:
        return None


def truncate(text: str) -> str:
    """Returns `text`, truncated to 1,024 bytes with a marker if it is longer."""
    raw = text.encode()
    if len(raw) <= MAX_STATUS_BYTES:
        return text
    return raw[:MAX_STATUS_BYTES].decode(errors="ignore") + "...TRUNCATED"
