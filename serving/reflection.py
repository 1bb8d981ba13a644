"""The standard reflection service, which tells tools such as grpcurl what can be asked.

Our messages live in a protobuf package of their own, since TensorFlow's, in the same process, have
the names of the wire. Here they are described by those names, in a pool apart from both.
Source: tensorflow_serving/apis/prediction_service.proto and model_service.proto.
"""

from collections.abc import Iterable

import grpc
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, wrappers_pb2
from grpc_health.v1 import health_pb2

from millrace.serving.profiler import SERVICE
from millrace.serving.protos import (
    example_pb2,
    model_server_config_pb2,
    model_service_pb2,
    prediction_service_pb2,
    profiler_service_pb2,
    signature_pb2,
    tensor_pb2,
)
from millrace.serving.servicer import MODEL_SERVICE, PREDICTION_SERVICE

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
# Examples that this server passes on as they are.
_EXAMPLES = ("examples", "context")
_File = descriptor_pb2.FileDescriptorProto
_Field = descriptor_pb2.FieldDescriptorProto


def add(server: grpc.Server, others: Iterable[str] = (), *, profiler: bool = False) -> None:
    """Let `server` tell of its services, and of `others` that it has beside its own.

    `profiler` says whether it has that one too.
    """
    from grpc_reflection.v1alpha import reflection, reflection_pb2

    pool = described()
    pool.AddSerializedFile(reflection_pb2.DESCRIPTOR.serialized_pb)
    served = [name for name in _METHODS if profiler or name != SERVICE]
    names = (*served, *others, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server, pool)


def described() -> descriptor_pool.DescriptorPool:
    """The services and their messages under the names of the wire, and health."""
    pool = descriptor_pool.DescriptorPool()
    for module in (any_pb2, wrappers_pb2, health_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    for file in files():
        pool.AddSerializedFile(file.SerializeToString())
    return pool


def files() -> tuple[_File, _File]:
    """The messages and services by their names on the wire: a file for each of two packages."""
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
    _give_names(tensorflow, serving)
    for service, methods in _METHODS.items():
        package, _, bare = service.rpartition(".")
        described = (serving if package == _SERVING else tensorflow).service.add(name=bare)
        for name, (taken, given) in methods.items():
            described.method.add(
                name=name, input_type=f".{package}.{taken}", output_type=f".{package}.{given}"
            )
    return tensorflow, serving


def _give_names(*files: _File) -> None:
    packages = {one.name: file.package for file in files for one in file.message_type}
    packages |= {one.name: file.package for file in files for one in file.enum_type}
    for file in files:
        for message in file.message_type:
            _rename(message, packages)


def _rename(message: descriptor_pb2.DescriptorProto, packages: dict[str, str]) -> None:
    """Give the fields of `message` the types of the wire."""
    for field in message.field:
        if field.name in _EXAMPLES and field.type == _Field.TYPE_BYTES:
            field.type, field.type_name = _Field.TYPE_MESSAGE, f".{_TENSORFLOW}.Example"
        elif field.type_name.startswith(f".{_OURS}."):
            name = field.type_name.removeprefix(f".{_OURS}.")
            field.type_name = f".{packages[name.partition('.')[0]]}.{name}"
    for nested in message.nested_type:
        _rename(nested, packages)
