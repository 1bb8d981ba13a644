"""Our messages and TensorFlow's have the same fields with the same numbers."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2
from tensorflow.core.example import example_pb2, feature_pb2
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2
from tensorflow.core.protobuf import (
    error_codes_pb2,
    meta_graph_pb2,
    saved_model_pb2,
    tensor_bundle_pb2,
)
from tensorflow.tsl.profiler.protobuf import profiler_options_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    input_pb2,
    logging_pb2,
    model_management_pb2,
    model_pb2,
    predict_pb2,
    prediction_log_pb2,
    regression_pb2,
    status_pb2,
)
from tensorflow_serving.config import (
    file_system_storage_path_source_pb2,
    log_collector_config_pb2,
    logging_config_pb2,
    model_server_config_pb2,
)

from millrace.serving import errors

ROOT = Path(__file__).parents[2]
PROTOS = sorted(path.stem for path in (ROOT / "serving/protos").glob("*.proto"))
THEIRS = {
    name: message
    for module in (
        *(example_pb2, feature_pb2, tensor_pb2, tensor_shape_pb2, types_pb2, meta_graph_pb2),
        *(classification_pb2, get_model_metadata_pb2, get_model_status_pb2, inference_pb2),
        *(input_pb2, logging_pb2, model_management_pb2, model_pb2, predict_pb2, regression_pb2),
        *(saved_model_pb2, tensor_bundle_pb2),
        *(prediction_log_pb2, status_pb2, file_system_storage_path_source_pb2, health_pb2),
        *(log_collector_config_pb2, logging_config_pb2, model_server_config_pb2),
    )
    for name, message in module.DESCRIPTOR.message_types_by_name.items()
}
# Text files of the server, and TensorFlow's profiler; their messages are not in the wheel.
NOT_IN_THE_WHEEL = {"batching_parameters", "monitoring_config", "ssl_config", "profiler_service"}
# Kept as the bytes or the number on the wire.
AS_BYTES = {
    ("ExampleList", "examples"),
    ("ExampleListWithContext", "examples"),
    ("ExampleListWithContext", "context"),
    ("CompositeTensor", "type_spec"),
    ("SavedModel", "meta_graphs"),
    ("BundleEntryProto", "slices"),
    ("PredictionLog", "session_run_log"),
    ("PredictionLog", "predict_streamed_log"),
    ("StatusProto", "error_code"),
}


def module(name):
    return importlib.import_module(f"millrace.serving.protos.{name}_pb2")


def messages(container, theirs):
    for name, message in container.items():
        yield message, theirs[name]
        yield from messages(message.nested_types_by_name, theirs[name].nested_types_by_name)


def wire_form(field):
    """Number, label and type, messages and enums by their bare names."""
    kind = field.message_type or field.enum_type
    return field.number, field.is_repeated, field.type, kind.name if kind else "", field.is_packed


@pytest.mark.parametrize("name", sorted(set(PROTOS) - NOT_IN_THE_WHEEL))
def test_every_field_is_as_in_tensorflow(name):
    for ours, theirs in messages(module(name).DESCRIPTOR.message_types_by_name, THEIRS):
        for field in ours.fields:
            twin = theirs.fields_by_name[field.name]
            if (ours.name, field.name) in AS_BYTES:
                assert (field.number, field.is_repeated) == (twin.number, twin.is_repeated)
            else:
                assert wire_form(field) == wire_form(twin), (ours.name, field.name)


def test_the_profilers_options_are_as_in_tensorflow():
    ours = module("profiler_service").ProfileOptions.DESCRIPTOR
    theirs = profiler_options_pb2.ProfileOptions.DESCRIPTOR
    for field in ours.fields:
        assert wire_form(field) == wire_form(theirs.fields_by_name[field.name]), field.name


def test_enums_have_the_numbers_of_tensorflow():
    ours = dict(module("tensor").DataType.items())
    assert ours == {name: number for name, number in types_pb2.DataType.items() if number < 100}
    states = module("model_service").ModelVersionStatus.State
    assert states.items() == get_model_status_pb2.ModelVersionStatus.State.items()


def test_canonical_codes_have_their_numbers():
    for name, number in error_codes_pb2.Code.items():
        if 0 < number <= 16:
            assert errors.rpc_error(number, "text").code == name
            assert errors.code_number(errors.rpc_error(name, "text")) == number


def test_no_message_is_in_a_package_of_tensorflow():
    assert {module(name).DESCRIPTOR.package for name in PROTOS} == {"millrace.wire"}


def test_the_generated_modules_are_those_of_the_proto_files(tmp_path):
    files = [f"millrace/serving/protos/{name}.proto" for name in PROTOS]
    out = tmp_path / "set"
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", f"--descriptor_set_out={out}"]
    subprocess.run([*command, *files], cwd=ROOT, check=True)
    found = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    for file in found.file:
        generated = descriptor_pb2.FileDescriptorProto()
        module(Path(file.name).stem).DESCRIPTOR.CopyToProto(generated)
        generated.ClearField("source_code_info")
        for item in (file, generated):
            _forget_json_names(item.message_type)
        assert generated == file


def _forget_json_names(messages):
    for message in messages:
        for field in message.field:
            field.ClearField("json_name")
        _forget_json_names(message.nested_type)
