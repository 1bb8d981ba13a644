"""What tools such as grpcurl see, requested with the stock client of reflection."""

import grpc
import pytest
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from tensorflow.core.example import example_pb2
from tensorflow_serving.apis import classification_pb2
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from millrace.serving.grpc_server import reflection
from millrace.serving.protos import profiler_service_pb2
from tests.serving.test_protos import THEIRS


def enabled(serve, push, tmp_path, **options):
    push(tmp_path / "half", 1)
    return grpc.insecure_channel(serve(tmp_path / "half", **options))


def test_reflection_is_off_by_default(serve, push, tmp_path):
    with enabled(serve, push, tmp_path) as channel, pytest.raises(grpc.RpcError) as refusal:
        ProtoReflectionDescriptorDatabase(channel).get_services()
    assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_stock_client_finds_the_services_and_calls_them(serve, push, tmp_path):
    flags = {"enable_grpc_reflection": True, "enable_grpc_healthcheck_service": True}
    flags["enable_profiler"] = True
    with enabled(serve, push, tmp_path, **flags) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert list(database.get_services()) == [
            "grpc.health.v1.Health",
            "grpc.reflection.v1alpha.ServerReflection",
            "tensorflow.ProfilerService",
            "tensorflow.serving.ModelService",
            "tensorflow.serving.PredictionService",
        ]
        pool = descriptor_pool.DescriptorPool(database)
        profiler = pool.FindServiceByName("tensorflow.ProfilerService")
        assert [method.name for method in profiler.methods] == ["Profile", "Terminate", "Monitor"]
        options = profiler.methods_by_name["Profile"].input_type.fields_by_name["opts"]
        assert options.message_type.full_name == "tensorflow.ProfileOptions"
        assert pool.FindMessageTypeByName("grpc.health.v1.HealthCheckRequest")
        service = pool.FindServiceByName("tensorflow.serving.PredictionService")
        predict = service.methods_by_name["Predict"]
        assert predict.input_type.full_name == "tensorflow.serving.PredictRequest"
        request = message_factory.GetMessageClass(predict.input_type)()
        request.model_spec.name = "half"
        request.inputs["x"].dtype = 1
        request.inputs["x"].tensor_shape.dim.add(size=1)
        request.inputs["x"].float_val.append(1.0)
        ask = channel.unary_unary(
            f"/{service.full_name}/{predict.name}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=message_factory.GetMessageClass(predict.output_type).FromString,
        )
        assert list(ask(request).outputs["y"].float_val) == [2.5]


def test_only_registered_services_are_listed(serve, push, tmp_path):
    with enabled(serve, push, tmp_path, enable_grpc_reflection=True) as channel:
        assert list(ProtoReflectionDescriptorDatabase(channel).get_services()) == [
            "grpc.reflection.v1alpha.ServerReflection",
            "tensorflow.serving.ModelService",
            "tensorflow.serving.PredictionService",
        ]


def test_reflection_needs_the_token(serve, push, tmp_path):
    (tmp_path / "token").write_text("s3cret")
    flags = {"enable_grpc_reflection": True, "api_token_file": str(tmp_path / "token")}
    with enabled(serve, push, tmp_path, **flags) as channel, pytest.raises(grpc.RpcError) as no:
        ProtoReflectionDescriptorDatabase(channel).get_services()
    assert no.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_every_method_of_the_stock_stubs_is_described():
    pool = reflection.described()
    stub = PredictionServiceStub(grpc.insecure_channel("localhost:1"))
    service = pool.FindServiceByName("tensorflow.serving.PredictionService")
    assert set(service.methods_by_name) == set(vars(stub))


def messages(files):
    for file in files:
        for message in file.message_type:
            yield f"{file.package}.{message.name}"


# Their files are not in the wheel; tests/serving/test_protos.py checks what is known of them.
PROFILER = {f"tensorflow.{name}" for name in profiler_service_pb2.DESCRIPTOR.message_types_by_name}


@pytest.mark.parametrize("name", sorted({*messages(reflection.files())} - PROFILER))
def test_messages_have_their_names_and_fields_on_the_wire(name):
    ours, theirs = reflection.described().FindMessageTypeByName(name), THEIRS[name.split(".")[-1]]
    assert name == theirs.full_name
    for field in ours.fields:
        known = theirs.fields_by_number[field.number]
        assert (field.name, field.is_repeated) == (known.name, known.is_repeated)
        if field.message_type:
            assert field.message_type.full_name == known.message_type.full_name


def test_examples_are_described_although_the_server_only_forwards_their_bytes():
    pool = reflection.described()
    kind = pool.FindMessageTypeByName("tensorflow.serving.ClassificationRequest")
    request = message_factory.GetMessageClass(kind)()
    feature = request.input.example_list.examples.add().features.feature["x"]
    feature.float_list.value.append(2.0)
    theirs = classification_pb2.ClassificationRequest.FromString(request.SerializeToString())
    (example,) = theirs.input.example_list.examples
    assert isinstance(example, example_pb2.Example)
    assert list(example.features.feature["x"].float_list.value) == [2.0]
