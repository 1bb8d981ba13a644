"""Structured and random requests at the gRPC port: each gets a response of the contract.

The server is a separate process, so that a crash would be noticed. The number of requests and of
each kind of response is printed (`pytest -s`).
"""

import collections

import grpc
import pytest
from google.protobuf.message import DecodeError
from hypothesis import assume, given
from hypothesis import strategies as st

from millrace.serving.protos import model_service_pb2, prediction_service_pb2, tensor_pb2
from tests.serving import fuzzing
from tests.serving.fuzzing import FUZZ
from tests.serving.test_contract import example, predict_request

# Errors that a client can cause.
REFUSALS = {
    *("INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "OUT_OF_RANGE", "UNIMPLEMENTED"),
    *("RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"),
}
UNREADABLE = ("INTERNAL", "Exception deserializing request!")  # as in gRPC for C++
PREDICTION, MODEL = "tensorflow.serving.PredictionService", "tensorflow.serving.ModelService"
# In our messages an Example is bytes, which TensorFlow's kernel parses in both servers.
METHODS = {
    f"/{PREDICTION}/Predict": prediction_service_pb2.PredictRequest,
    f"/{PREDICTION}/Classify": prediction_service_pb2.ClassificationRequest,
    f"/{PREDICTION}/Regress": prediction_service_pb2.RegressionRequest,
    f"/{PREDICTION}/MultiInference": prediction_service_pb2.MultiInferenceRequest,
    f"/{PREDICTION}/GetModelMetadata": prediction_service_pb2.GetModelMetadataRequest,
    f"/{MODEL}/GetModelStatus": model_service_pb2.GetModelStatusRequest,
    f"/{MODEL}/HandleReloadConfigRequest": model_service_pb2.ReloadConfigRequest,
}


class Fuzzed:
    """A server process, and a count of its responses."""

    def __init__(self, process, target):
        self.process, self.answers = process, collections.Counter()
        self.channel = grpc.insecure_channel(target)

    def ask(self, method, request):
        """Send one request as bytes; its response must be one of the contract."""
        code, text = "OK", ""
        try:
            self.channel.unary_unary(method)(request, timeout=10)
        except grpc.RpcError as error:
            code, text = error.code().name, error.details()
        self.answers[code] += 1
        assert self.process.poll() is None
        if is_readable(method, request):
            assert code == "OK" or code in REFUSALS, (code, text)
            assert code == "OK" or text
        else:
            assert (code, text) == UNREADABLE
        return code


def is_readable(method, request):
    try:
        METHODS[method].FromString(request)
    except DecodeError:
        return False
    return True


@pytest.fixture(scope="module")
def fuzzed(half_plus_two, tmp_path_factory):
    with fuzzing.server(half_plus_two, tmp_path_factory.mktemp("fuzz")) as (process, target):
        found = Fuzzed(process, target)
        yield found
        found.channel.close()
    print(f"\n{found.answers.total()} requests, by code: {dict(sorted(found.answers.items()))}")


NAMES = st.sampled_from(["half", "half", "half", "", "none", "../half", "half\0", "é" * 700])
SIGNATURES = st.sampled_from(
    [
        *("", "serving_default", "biased", "multiply", "look_up", "regress", "classify"),
        *("__saved_model_init_op", "S"),
    ]
)
SIZES = st.sampled_from([1, 2, 1, 2, 0, 3, -1, -(2**63), 2**31, 2**33, 2**62, 2**63 - 1])
SHAPES = st.lists(SIZES, max_size=4)
INT32 = st.integers(-(2**31), 2**31 - 1)
WRITTEN = {
    "float_val": st.floats(width=32),
    "double_val": st.floats(),
    "int_val": INT32,
    "int64_val": st.integers(-(2**63), 2**63 - 1),
    "half_val": INT32,
    "bool_val": st.booleans(),
    "string_val": st.binary(max_size=5),
    "scomplex_val": st.floats(width=32),
    "dcomplex_val": st.floats(),
    "uint32_val": st.integers(0, 2**32 - 1),
    "uint64_val": st.integers(0, 2**64 - 1),
}


@st.composite
def specs(draw):
    spec = prediction_service_pb2.ModelSpec()
    spec.name, spec.signature_name = draw(NAMES), draw(SIGNATURES)
    match draw(st.sampled_from(["", "", "", "version", "label"])):
        case "version":
            spec.version.value = draw(st.sampled_from([1, 0, -1, 2**63 - 1]))
        case "label":
            spec.version_label = draw(st.text(max_size=3))
    return spec


@st.composite
def tensors(draw):
    proto = tensor_pb2.TensorProto(
        dtype=draw(st.sampled_from([1, 1, 7, 3]) | st.integers(0, 130)),
        tensor_content=draw(st.just(b"") | st.binary(max_size=16)),
    )
    proto.tensor_shape.unknown_rank = draw(st.sampled_from([False] * 9 + [True]))
    for size in draw(SHAPES):
        proto.tensor_shape.dim.add().size = size
    for field in draw(st.lists(st.sampled_from(sorted(WRITTEN)), max_size=2, unique=True)):
        getattr(proto, field).extend(draw(st.lists(WRITTEN[field], max_size=4)))
    return proto


@st.composite
def predicts(draw):
    request = prediction_service_pb2.PredictRequest(model_spec=draw(specs()))
    aliases = st.sampled_from(["x", "a", "b", "bias", "word", "inputs", ""])
    for alias in draw(st.lists(aliases, max_size=3, unique=True)):
        request.inputs[alias].CopyFrom(draw(tensors()))
    request.output_filter.extend(draw(st.lists(st.sampled_from(["y", "product", "q"]), max_size=2)))
    return request


@st.composite
def nearly_good(draw):
    """A request for `serving_default` whose single tensor may be odd; many of these succeed."""
    request = predict_request()
    proto = request.inputs["x"]
    proto.dtype = 1
    for size in draw(SHAPES):
        proto.tensor_shape.dim.add().size = size
    proto.float_val.extend(draw(st.lists(st.floats(width=32), max_size=5)))
    return request


EXAMPLES = (
    st.floats(width=32).map(example).map(lambda one: one.SerializeToString())
    | st.binary(max_size=8)
    | st.integers(0, 20).map(lambda size: example(1.0).SerializeToString()[:size])
)


@st.composite
def inputs(draw):
    source = prediction_service_pb2.Input()
    match draw(st.sampled_from(["list", "list", "context", ""])):
        case "list":
            source.example_list.examples.extend(draw(st.lists(EXAMPLES, max_size=3)))
        case "context":
            source.example_list_with_context.examples.extend(draw(st.lists(EXAMPLES, max_size=3)))
            source.example_list_with_context.context = draw(EXAMPLES)
    return source


@FUZZ
@given(st.sampled_from(sorted(METHODS)), st.binary(max_size=60))
def test_random_bytes_are_answered(fuzzed, method, raw):
    if method.endswith("ReloadConfigRequest") and is_readable(method, raw):
        assume(not METHODS[method].FromString(raw).config.HasField("model_config_list"))
    fuzzed.ask(method, raw)


@FUZZ
@given(predicts())
def test_structured_predicts_are_answered(fuzzed, request_):
    fuzzed.ask(f"/{PREDICTION}/Predict", request_.SerializeToString())


@FUZZ
@given(nearly_good())
def test_tensors_with_wrong_shapes_are_answered(fuzzed, request_):
    fuzzed.ask(f"/{PREDICTION}/Predict", request_.SerializeToString())


@FUZZ
@given(predicts() | nearly_good(), st.data())
def test_broken_predicts_are_answered(fuzzed, request_, data):
    raw = bytearray(request_.SerializeToString())
    assume(raw)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    fuzzed.ask(f"/{PREDICTION}/Predict", bytes(raw[: data.draw(st.integers(1, len(raw)))]))


@FUZZ
@given(st.sampled_from(["Classify", "Regress"]), specs(), inputs())
def test_examples_whole_and_truncated_are_answered(fuzzed, method, spec, source):
    request = METHODS[f"/{PREDICTION}/{method}"](model_spec=spec, input=source)
    fuzzed.ask(f"/{PREDICTION}/{method}", request.SerializeToString())


@FUZZ
@given(
    st.lists(
        st.tuples(specs(), st.sampled_from(["classify", "regress", "predict", ""])), max_size=3
    ),
    inputs(),
)
def test_multi_inferences_are_answered(fuzzed, tasks, source):
    request = prediction_service_pb2.MultiInferenceRequest(input=source)
    for spec, method in tasks:
        request.tasks.add(model_spec=spec, method_name=f"tensorflow/serving/{method}")
    fuzzed.ask(f"/{PREDICTION}/MultiInference", request.SerializeToString())


@FUZZ
@given(specs(), st.lists(st.text(max_size=5) | st.just("signature_def"), max_size=2))
def test_requests_for_status_and_metadata_are_answered(fuzzed, spec, fields):
    request = METHODS[f"/{PREDICTION}/GetModelMetadata"](model_spec=spec, metadata_field=fields)
    fuzzed.ask(f"/{PREDICTION}/GetModelMetadata", request.SerializeToString())
    status = METHODS[f"/{MODEL}/GetModelStatus"](model_spec=spec)
    fuzzed.ask(f"/{MODEL}/GetModelStatus", status.SerializeToString())


def test_a_giant_batch_is_answered(fuzzed):
    request = predict_request(x=[1.0] * 500_000)
    assert fuzzed.ask(f"/{PREDICTION}/Predict", request.SerializeToString()) == "OK"
    many = prediction_service_pb2.RegressionRequest()
    many.model_spec.name, many.model_spec.signature_name = "half", "regress"
    many.input.example_list.examples.extend([example(1.0).SerializeToString()] * 50_000)
    assert fuzzed.ask(f"/{PREDICTION}/Regress", many.SerializeToString()) == "OK"
