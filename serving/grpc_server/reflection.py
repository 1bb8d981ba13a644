"""The standard reflection service, which lists the services for tools such as grpcurl.

This project's messages have a protobuf package of their own, because TensorFlow's messages in the
same process have the names used on the wire. Here they are described by the names on the wire, in
a separate descriptor pool.
Source: tensorflow_serving/apis/prediction_service.proto and model_service.proto.
"""

from collections.abc import Iterable

import grpc
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, wrappers_pb2
from grpc_health.v1 import health_pb2

from millrace.serving.grpc_server.profiler import SERVICE
from millrace.serving.grpc_server.servicer import MODEL_SERVICE, PREDICTION_SERVICE
from millrace.serving.protos import (
    example_pb2,
    model_server_config_pb2,
    model_service_pb2,
    prediction_service_pb2,
    profiler_service_pb2,
    signature_pb2,
    tensor_pb2,
)

_OURS, _TENSORFLOW, _SERVING = "millrace.wire", "tensorflow", "tensorflow.serving"
_FILES = (
    *(tensor_pb2, example_pb2, signature_pb2, prediction_service_pb2),
    *(model_server_config_pb2, model_service_pb2, profiler_service_pb2),
)
_OF_TENSORFLOW = (tensor_pb2, example_pb2, signature_pb2, profiler_service_pb2)
_NOT_OF_TENSORFLOW = ("SignatureDefMap",)
_METHODS = {
    PREDICTION_SERVICE: {
        "Classify": ("ClassificationRequest", "ClassificationResponse"),
        "Regress": ("RegressionRequest", "RegressionResponse"),
        "Predict": ("PredictRequest", "PredictResponse"),
        "MultiInference": ("MultiInferenceRequest", "MultiInferenceResponse"),
        "GetModelMetadata": ("GetModelMetadataRequest", "GetModelMetadataResponse"),
    },
    MODEL_SERVICE: {
        "GetModelStatus": ("GetModelStatusRequest", "GetModelStatusResponse"),
        "HandleReloadConfigRequest": ("ReloadConfigRequest", "ReloadConfigResponse"),
    },
    SERVICE: {
        "Profile": ("ProfileRequest", "ProfileResponse"),
        "Terminate": ("TerminateRequest", "TerminateResponse"),
        "Monitor": ("MonitorRequest", "MonitorResponse"),
    },
}
# Fields with Examples, which are bytes in this project's messages.
_EXAMPLES = ("examples", "context")
_File = descriptor_pb2.FileDescriptorProto
_Field = descriptor_pb2.FieldDescriptorProto


def add(server: grpc.Server, others: Iterable[str] = (), *, profiler: bool = False) -> None:
    """Make `server` list its services, and the services `others`.

    `profiler` is whether it has the profiler's service.
    """
    from grpc_reflection.v1alpha import reflection, reflection_pb2

    pool = described()
    pool.AddSerializedFile(reflection_pb2.DESCRIPTOR.serialized_pb)
    served = [name for name in _METHODS if profiler or name != SERVICE]
    names = (*served, *others, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server, pool)


def described() -> descriptor_pool.DescriptorPool:
    """Returns a pool of the services and messages by their names on the wire, and of health."""
    pool = descriptor_pool.DescriptorPool()
    for module in (any_pb2, wrappers_pb2, health_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    for file in files():
        pool.AddSerializedFile(file.SerializeToString())
    return pool


def files() -> tuple[_File, _File]:
    """Returns a file for each of the two packages on the wire, with messages and services."""
    tensorflow = _File(name="tensorflow.proto", package=_TENSORFLOW, syntax="proto3")
    serving = _File(
        name="tensorflow_serving.proto",
        package=_SERVING,
        syntax="proto3",
        dependency=[tensorflow.name, any_pb2.DESCRIPTOR.name, wrappers_pb2.DESCRIPTOR.name],
    )
    for module in _FILES:
        file = _File.FromString(module.DESCRIPTOR.serialized_pb)
        home = tensorflow if module in _OF_TENSORFLOW else serving
        home.enum_type.extend(file.enum_type)
        for message in file.message_type:
            (serving if message.name in _NOT_OF_TENSORFLOW else home).message_type.append(message)
    _rename_all(tensorflow, serving)
    for service, methods in _METHODS.items():
        package, _, bare = service.rpartition(".")
        described = (serving if package == _SERVING else tensorflow).service.add(name=bare)
        for name, (request, response) in methods.items():
            described.method.add(
                name=name, input_type=f".{package}.{request}", output_type=f".{package}.{response}"
            )
    return tensorflow, serving


def _rename_all(*files: _File) -> None:
    packages = {one.name: file.package for file in files for one in file.message_type}
    packages |= {one.name: file.package for file in files for one in file.enum_type}
    for file in files:
        for message in file.message_type:
            _rename(message, packages)


def _rename(message: descriptor_pb2.DescriptorProto, packages: dict[str, str]) -> None:
    """Rename the types of the fields of `message` to those on the wire."""
    for field in message.field:
        if field.name in _EXAMPLES and field.type == _Field.TYPE_BYTES:
            field.type, field.type_name = _Field.TYPE_MESSAGE, f".{_TENSORFLOW}.Example"
        elif field.type_name.startswith(f".{_OURS}."):
            name = field.type_name.removeprefix(f".{_OURS}.")
            field.type_name = f".{packages[name.partition('.')[0]]}.{name}"
    for nested in message.nested_type:
        _rename(nested, packages)
