"""Every call of both gRPC clients, with a server of TensorFlow Serving's own generated classes.

The server decodes requests and encodes responses with TensorFlow's own code only.
"""

import asyncio
from concurrent import futures

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import json_format
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)
from tensorflow_serving.apis.model_service_pb2_grpc import (
    ModelServiceServicer,
    add_ModelServiceServicer_to_server,
)
from tensorflow_serving.apis.prediction_service_pb2_grpc import (
    PredictionServiceServicer,
    add_PredictionServiceServicer_to_server,
)

from millrace.serving.client import AsyncClient, Class, Client
from millrace.serving.client.calls import VersionStatus
from millrace.serving.errors import NotFoundError

EXOTIC = (np.float16, np.int8, np.uint64, np.complex64, np.bool_, tf.bfloat16.as_numpy_dtype)


class Stock(PredictionServiceServicer, ModelServiceServicer):
    """Half plus two, in the real server's classes."""

    def __init__(self):
        self.requests = []

    def Predict(self, request, context):  # noqa: N802 - the interface's name
        self.requests.append(request)
        response = predict_pb2.PredictResponse(model_spec=request.model_spec)
        response.model_spec.version.value = 9
        for alias, tensor in request.inputs.items():
            array = tf.make_ndarray(tensor)
            changed = array if array.dtype == object else array / 2 + 2
            answer = tf.make_tensor_proto(array if alias == "same" else changed, tensor.dtype)
            response.outputs[alias].CopyFrom(answer)
        return response

    def Classify(self, request, context):  # noqa: N802
        self.requests.append(request)
        response = classification_pb2.ClassificationResponse()
        for x in _numbers(request.input):
            response.result.classifications.add().classes.add(label="half", score=x / 2)
        return response

    def Regress(self, request, context):  # noqa: N802
        self.requests.append(request)
        response = regression_pb2.RegressionResponse()
        for x in _numbers(request.input):
            response.result.regressions.add(value=x / 2 + 2)
        return response

    def MultiInference(self, request, context):  # noqa: N802
        self.requests.append(request)
        response = inference_pb2.MultiInferenceResponse()
        for task in request.tasks:
            result = response.results.add(model_spec=task.model_spec)
            answer = self.Regress if task.method_name.endswith("/regress") else self.Classify
            name = f"{'regression' if answer == self.Regress else 'classification'}_result"
            getattr(result, name).CopyFrom(answer(request, context).result)
        return response

    def GetModelMetadata(self, request, context):  # noqa: N802
        self.requests.append(request)
        found = get_model_metadata_pb2.SignatureDefMap()
        found.signature_def["serving_default"].CopyFrom(SIGNATURE)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.version.value = 9
        response.metadata["signature_def"].Pack(found)
        return response

    def GetModelStatus(self, request, context):  # noqa: N802
        self.requests.append(request)
        if request.model_spec.name != "half":
            context.abort(grpc.StatusCode.NOT_FOUND, "Could not find any versions of model m")
        response = get_model_status_pb2.GetModelStatusResponse()
        response.model_version_status.add(version=9, state="AVAILABLE")
        failed = response.model_version_status.add(version=8, state="END")
        failed.status.error_message = "broken"
        return response


SIGNATURE = json_format.ParseDict(
    {
        "inputs": {
            "x": {"name": "x:0", "dtype": "DT_FLOAT", "tensorShape": {"dim": [{"size": -1}]}}
        },
        "outputs": {
            "y": {"name": "y:0", "dtype": "DT_STRING", "tensorShape": {"unknownRank": True}}
        },
        "methodName": "tensorflow/serving/predict",
    },
    meta_graph_pb2.SignatureDef(),
)


def _numbers(source):
    """The feature `x` of each Example, or of the context if it has none."""
    listed = (
        source.example_list_with_context if source.HasField("example_list_with_context") else None
    )
    context = list(listed.context.features.feature["x"].float_list.value) if listed else []
    for example in (listed or source.example_list).examples:
        yield (list(example.features.feature["x"].float_list.value) or context)[0]


@pytest.fixture(scope="module")
def stock():
    service = Stock()
    server = grpc.server(futures.ThreadPoolExecutor(4))
    add_PredictionServiceServicer_to_server(service, server)
    add_ModelServiceServicer_to_server(service, server)
    healthy = health.HealthServicer()
    healthy.set("half", health_pb2.HealthCheckResponse.SERVING)
    healthy.set("other", health_pb2.HealthCheckResponse.NOT_SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    service.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield service
    server.stop(0).wait()


@pytest.fixture(params=["client", "asyncio client"])
def ask(stock, request):
    """Call a method of one of the clients by name."""
    stock.requests.clear()

    async def later(method, *args, **options):
        async with AsyncClient(stock.target) as client:
            called = getattr(client, method)(*args, **options)
            return [one async for one in called] if method == "predict_many" else await called

    def now(method, *args, **options):
        with Client(stock.target) as client:
            answer = getattr(client, method)(*args, **options)
            return list(answer) if method == "predict_many" else answer

    if request.param == "client":
        return now
    return lambda *args, **options: asyncio.run(later(*args, **options))


def test_predict(ask, stock):
    inputs = {"x": np.float32([[1, 2], [3, 4]]), "words": ["a", b"\0b"], "n": 3}
    answer = ask("predict", "half", inputs, signature="s", label="stable", output_filter=["x"])
    assert answer["x"].tolist() == [[2.5, 3.0], [3.5, 4.0]]
    assert (answer["words"].tolist(), answer["n"].dtype) == ([b"a", b"\0b"], np.int32)
    assert answer.version == 9
    (request,) = stock.requests
    spec = request.model_spec
    assert (spec.name, spec.signature_name, spec.version_label) == ("half", "s", "stable")
    assert list(request.output_filter) == ["x"]


@pytest.mark.parametrize("dtype", EXOTIC)
def test_every_kind_of_number_goes_both_ways(ask, dtype):
    array = np.array([[0, 1, 0]]).astype(dtype)
    answer = ask("predict", "half", {"same": array})["same"]
    assert (answer.dtype, answer.shape, answer.tolist()) == (array.dtype, (1, 3), array.tolist())


def test_predict_many(ask, stock):
    requests = [{"x": np.float32([x])} for x in range(20)]
    answers = ask("predict_many", "half", requests, in_flight=4, version=9)
    assert [one["x"].tolist() for one in answers] == [[x / 2 + 2] for x in range(20)]
    assert {request.model_spec.version.value for request in stock.requests} == {9}


def test_classify_and_regress(ask, stock):
    records = [{"x": 1.0}, tf.train.Example().SerializeToString()]
    options = {"signature": "s", "version": 9, "context": {"x": 3.0}}
    assert ask("classify", "half", records, **options) == [
        [Class("half", 0.5)],
        [Class("half", 1.5)],
    ]
    assert ask("regress", "half", records, **options).tolist() == [2.5, 3.5]
    assert ask("regress", "half", records[:1]).tolist() == [2.5]
    spec = stock.requests[0].model_spec
    assert (spec.name, spec.signature_name, spec.version.value) == ("half", "s", 9)


def test_multi_inference(ask, stock):
    tasks = {"labels": "classify", "scores": "regress"}
    answer = ask("multi_inference", "half", [{"x": 1.0}, {"x": 3.0}], tasks, version=9)
    assert list(answer) == ["labels", "scores"]
    assert answer["labels"] == [[Class("half", 0.5)], [Class("half", 1.5)]]
    assert answer["scores"].tolist() == [2.5, 3.5]
    task = stock.requests[0].tasks[1]
    assert task.method_name == "tensorflow/serving/regress"
    spec = task.model_spec
    assert (spec.name, spec.signature_name, spec.version.value) == ("half", "scores", 9)


def test_metadata(ask, stock):
    metadata = ask("metadata", "half", label="stable")
    signature = metadata.signatures["serving_default"]
    assert (metadata.version, signature.method_name) == (9, "tensorflow/serving/predict")
    assert (signature.inputs["x"].dtype, signature.inputs["x"].shape) == ("float32", (None,))
    assert (signature.outputs["y"].dtype, signature.outputs["y"].shape) == ("string", None)
    (request,) = stock.requests
    assert list(request.metadata_field) == ["signature_def"]
    assert request.model_spec.version_label == "stable"


def test_status_and_waiting(ask, stock):
    available = VersionStatus(9, "AVAILABLE")
    assert ask("status", "half") == [available, VersionStatus(8, "END", "broken")]
    assert ask("wait_until_available", "half") == available
    ask("status", "half", version=8)
    assert stock.requests[-1].model_spec.version.value == 8
    with pytest.raises(NotFoundError, match=r"^Could not find any versions of model m$"):
        ask("status", "m")


def test_health(ask):
    assert ask("healthy", service="half") is True
    assert ask("healthy", service="other") is False
    with pytest.raises(NotFoundError):
        ask("healthy", service="unknown")
