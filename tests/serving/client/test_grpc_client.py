"""The gRPC clients, with our server and with one built from TensorFlow Serving's own stubs."""

import asyncio
import http.server
import subprocess
import sys
import threading
import time
from concurrent import futures
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import get_model_status_pb2, predict_pb2
from tensorflow_serving.apis.model_service_pb2_grpc import (
    ModelServiceServicer,
    add_ModelServiceServicer_to_server,
)
from tensorflow_serving.apis.prediction_service_pb2_grpc import (
    PredictionServiceServicer,
    add_PredictionServiceServicer_to_server,
)

from millrace.serving.client import AsyncClient, Class, Client
from millrace.serving.errors import (
    AbortedError,
    CancelledError,
    ClientError,
    DeadlineExceededError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    RpcError,
    UnavailableError,
    UnimplementedError,
    WireError,
)
from tests.serving.conftest import free_port, until

ROOT = Path(__file__).parents[2]


def test_predict_takes_numpy_and_returns_numpy_and_the_version(client):
    answer = client.predict("half", {"x": np.array([[1, 2], [3, 4]], np.float32)[0]})
    assert answer["y"].tolist() == [2.5, 3.0]
    assert (answer["y"].dtype, answer.version) == (np.float32, 123)
    assert client.predict("half", {"x": [1.0]}, version=7).version == 7
    assert client.predict("half", {"x": [1.0]}, label="stable").version == 7


def test_predict_selects_a_signature_and_outputs(client):
    answer = client.predict(
        "half", {"word": ["one", b"two"]}, signature="look_up", output_filter=["value"]
    )
    assert list(answer) == ["value"]
    assert answer["value"].tolist() == [1.0, 2.0]


def test_classify_and_regress_take_mappings_or_bytes(client):
    record = tf.train.Example()
    record.features.feature["x"].float_list.value.append(3.0)
    examples = [{"x": 1.0}, record.SerializeToString()]
    assert client.classify("half", examples, signature="classify") == [
        [Class("up", 1.0), Class("down", -1.0)],
        [Class("up", 3.0), Class("down", -3.0)],
    ]
    values = client.regress("half", examples, signature="regress")
    assert (values.dtype, values.tolist()) == (np.float32, [2.5, 3.5])
    shared = client.regress("half", [{}, {"x": 1.0}], signature="regress", context={"x": 5.0})
    assert shared.tolist() == [4.5, 2.5]


def test_metadata_describes_a_models_inputs_and_outputs(client):
    metadata = client.metadata("half")
    assert metadata.version == 123
    info = metadata.signatures["serving_default"].inputs["x"]
    assert (info.name, info.dtype, info.shape) == ("serving_default_x:0", "float32", (None,))


def test_status_and_health(client, serve, push, tmp_path):
    assert [(one.version, one.state, one.error) for one in client.status("half")] == [
        (123, "AVAILABLE", ""),
        (7, "AVAILABLE", ""),
    ]
    assert client.healthy()
    push(tmp_path / "half", 1)
    with Client(serve(tmp_path / "half")) as plain, pytest.raises(UnimplementedError):
        plain.healthy()


def test_errors_are_typed_and_carry_the_servers_own_text(client):
    with pytest.raises(NotFoundError) as failure:
        client.predict("none", {"x": [1.0]})
    assert str(failure.value) == "Servable not found for request: Latest(none)"
    assert (failure.value.code, failure.value.details) == ("NOT_FOUND", str(failure.value))
    assert isinstance(failure.value, RpcError)
    with pytest.raises(InvalidArgumentError, match=r"^Expects arg\[0\] to be float but string"):
        client.predict("half", {"x": [b"1"]})


def test_an_input_that_cannot_be_encoded_is_refused_before_it_is_sent(client):
    with pytest.raises(WireError, match="Input 'x': expected bytes, text or one of"):
        client.predict("half", {"x": object()})


def test_inputs_without_names_are_refused_before_they_are_sent(client):
    with pytest.raises(WireError) as failure:
        client.predict("half", [1.0])
    assert str(failure.value) == (
        "Inputs: expected a mapping from names to values, such as {'text': ['one', 'two']}. "
        "Received: list. Name the input; `metadata(model)` lists them."
    )


def test_an_exceeded_deadline_is_reported_with_its_length(client):
    with pytest.raises(DeadlineExceededError) as failure:
        client.predict("half", {"n": 2**31 - 1}, signature="count", timeout=0.2)
    assert str(failure.value).startswith(f"{client.target}: expected an answer within 0.2 s.")
    assert str(failure.value).endswith("Allow more time with `timeout=`, or send less at once.")


def test_an_address_without_a_server_is_reported_with_advice():
    port = free_port()
    with Client(f"127.0.0.1:{port}") as client, pytest.raises(UnavailableError) as failure:
        client.predict("half", {"x": [1.0]})
    text = str(failure.value)
    assert text.startswith(f"127.0.0.1:{port}: expected a model server. Received: ")
    assert text.endswith(
        "Start one there, e.g. `millrace-model-server`, use another address, or pass `tls=` if it "
        "requires TLS."
    )


def test_a_servers_own_text_is_not_changed(scripted):
    scripted.failures = [grpc.StatusCode.UNAVAILABLE]
    with Client(scripted.target, attempts=1) as client, pytest.raises(UnavailableError) as failure:
        client.predict("half", {})
    assert str(failure.value) == "not now"


def test_a_rest_port_is_reported_as_such():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with (
            Client(f"127.0.0.1:{server.server_port}", attempts=1) as client,
            pytest.raises(UnavailableError, match=r"expected a model server's gRPC port\."),
        ):
            client.predict("half", {})
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_closing_cancels_calls_in_flight(scripted):
    scripted.gate.clear()
    client = Client(scripted.target)
    answers = client.predict_many("half", [{}] * 2, in_flight=2)
    first = futures.ThreadPoolExecutor(1).submit(next, answers)
    until(lambda: len(scripted.requests) == 2)
    client.close()
    scripted.gate.set()
    with pytest.raises(CancelledError):
        first.result(10)


def test_waiting_for_a_model(client):
    assert client.wait_until_available("half", timeout=5).version == 123
    with pytest.raises(DeadlineExceededError) as unknown:
        client.wait_until_available("none", timeout=0.3)
    assert unknown.value.details == (
        f"{client.target}: expected model none to be available within 0.3 s. Received: a server "
        "that answers, and has no version of such a model. Correct the name, give the server that "
        "model, or allow more time."
    )
    target = f"127.0.0.1:{free_port()}"
    with Client(target) as nobody, pytest.raises(DeadlineExceededError) as late:
        nobody.wait_until_available("half", timeout=0.3)
    assert late.value.details == (
        f"{target}: expected model half to be available within 0.3 s. Received: no answer. "
        "Start a server there, use another address, or allow more time."
    )


class Scripted(PredictionServiceServicer, ModelServiceServicer):
    """TensorFlow Serving's own interface, with responses set by a test."""

    def __init__(self):
        self.requests, self.failures, self.statuses, self.headers = [], [], [], []
        self.gate = threading.Event()
        self.gate.set()
        self.answer = predict_pb2.PredictResponse()

    def Predict(self, request, context):  # noqa: N802 - the interface's name
        self.requests.append(request)
        self.headers.append(dict(context.invocation_metadata()).get("authorization"))
        self.gate.wait(10)
        if self.failures:
            context.abort(self.failures.pop(0), "not now")
        return self.answer

    def GetModelStatus(self, request, context):  # noqa: N802
        if self.failures:
            context.abort(self.failures.pop(0), "not now")
        if not self.statuses:
            context.abort(grpc.StatusCode.NOT_FOUND, "Could not find any versions of model half")
        return self.statuses.pop(0)


@pytest.fixture
def scripted():
    service = Scripted()
    limits = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(futures.ThreadPoolExecutor(4), options=limits)
    add_PredictionServiceServicer_to_server(service, server)
    add_ModelServiceServicer_to_server(service, server)
    service.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield service
    server.stop(0).wait()


def test_a_real_server_understands_the_request_and_the_client_its_response(scripted):
    scripted.answer.outputs["y"].CopyFrom(tf.make_tensor_proto([[1.5, 2.5]]))
    scripted.answer.model_spec.version.value = 9
    with Client(scripted.target) as client:
        answer = client.predict(
            "half",
            {"x": np.array([1.0], np.float64), "s": [b"\0a"]},
            signature="S",
            version=9,
            output_filter=["y"],
        )
    assert (answer["y"].tolist(), answer.version) == ([[1.5, 2.5]], 9)
    (request,) = scripted.requests
    assert tf.make_ndarray(request.inputs["x"]).dtype == np.float64
    assert tf.make_ndarray(request.inputs["s"]).tolist() == [b"\0a"]
    spec = request.model_spec
    assert (spec.name, spec.signature_name, spec.version.value) == ("half", "S", 9)
    assert list(request.output_filter) == ["y"]


def test_only_unavailable_is_retried(scripted):
    with Client(scripted.target) as client:
        scripted.failures = [grpc.StatusCode.UNAVAILABLE] * 2
        client.predict("half", {})
        assert len(scripted.requests) == 3
        scripted.failures = [grpc.StatusCode.ABORTED]
        with pytest.raises(AbortedError, match=r"^not now$"):
            client.predict("half", {})
    assert len(scripted.requests) == 4


def test_retries_are_limited(scripted):
    scripted.failures = [grpc.StatusCode.UNAVAILABLE] * 9
    with Client(scripted.target) as client, pytest.raises(UnavailableError, match="not now"):
        client.predict("half", {})
    assert len(scripted.requests) == 4


def test_responses_over_four_mebibytes_are_accepted(scripted):
    scripted.answer.outputs["y"].CopyFrom(tf.make_tensor_proto(np.ones(2_000_000, np.float32)))
    with Client(scripted.target) as client:
        assert client.predict("half", {"x": np.ones(2_000_000, np.float32)})["y"].sum() == 2e6


def status(state, error=""):
    response = get_model_status_pb2.GetModelStatusResponse()
    one = response.model_version_status.add(version=1, state=state)
    one.status.error_message = error
    return response


def test_waiting_ignores_loading_and_ends_at_a_failure(scripted):
    with Client(scripted.target) as client:
        scripted.statuses = [status(10), status(20), status(30)]
        assert client.wait_until_available("half", timeout=5).state == "AVAILABLE"
        scripted.statuses = [status(20), status(50, "broken")]
        with pytest.raises(FailedPreconditionError) as failure:
            client.wait_until_available("half", timeout=5)
    assert str(failure.value) == (
        "Model half, version 1: expected it to become available. "
        "Received: broken. Export the model again."
    )


def test_waiting_outlasts_a_server_that_is_unavailable_more_often_than_calls_are_retried(scripted):
    scripted.failures = [grpc.StatusCode.UNAVAILABLE] * 5
    scripted.statuses = [status(30)]
    with Client(scripted.target) as client:
        assert client.wait_until_available("half", timeout=20).state == "AVAILABLE"
    assert scripted.failures == []


def test_threads_may_share_a_client(client):
    even = [float(x) for x in range(0, 80, 2)]
    with futures.ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda x: client.predict("half", {"x": [x]})["y"][0], even)
    assert [float(one) for one in answers] == [x / 2 + 2 for x in range(0, 80, 2)]


def test_the_asyncio_client_does_the_same(target):
    async def ask():
        async with AsyncClient(target) as client:
            both = await asyncio.gather(
                client.predict("half", {"x": [1.0]}),
                client.predict("half", {"x": [3.0]}, version=7),
            )
            assert [(one["y"].tolist(), one.version) for one in both] == [([2.5], 123), ([3.5], 7)]
            labels = await client.classify("half", [{"x": 1.0}], signature="classify")
            assert labels == [[Class("up", 1.0), Class("down", -1.0)]]
            values = await client.regress("half", [{"x": 1.0}], signature="regress")
            assert values.tolist() == [2.5]
            assert (await client.metadata("half")).version == 123
            assert (await client.status("half"))[0].state == "AVAILABLE"
            assert await client.healthy()
            assert (await client.wait_until_available("half")).version == 123
            with pytest.raises(NotFoundError, match=r"^Servable not found for request: Latest"):
                await client.predict("none", {"x": [1.0]})
            with pytest.raises(DeadlineExceededError, match="expected model none"):
                await client.wait_until_available("none", timeout=0.2)

    asyncio.run(ask())


def test_a_cancelled_asyncio_call_is_cancelled_on_the_server(target):
    async def ask():
        async with AsyncClient(target) as client:
            slow = client.predict("half", {"n": 2**31 - 1}, signature="count", timeout=3)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(slow, 0.1)

    asyncio.run(ask())


def test_many_requests_are_answered_in_order_a_few_at_a_time(client):
    taken = []

    def requests():
        for x in range(100):
            taken.append(x)
            yield {"x": [2.0 * x]}

    answers = client.predict_many("half", requests(), in_flight=8)
    assert next(answers)["y"].tolist() == [2.0]
    assert taken == list(range(8))
    assert [one["y"].tolist() for one in answers] == [[x + 2.0] for x in range(1, 100)]


def test_the_first_failure_of_many_is_raised_in_its_turn_and_cancels_the_rest(client):
    requests = [{"x": [1.0]}, {"x": [3.0]}, {"z": [1.0]}, {"x": [5.0]}]
    answers = client.predict_many("half", requests, in_flight=4)
    assert [next(answers)["y"].tolist() for _ in range(2)] == [[2.5], [3.5]]
    with pytest.raises(InvalidArgumentError, match="Signature input alias: x"):
        next(answers)
    assert list(answers) == []


def test_leaving_the_loop_cancels_calls_in_flight(scripted):
    scripted.gate.clear()
    with Client(scripted.target) as client:
        answers = client.predict_many("half", [{}] * 3, in_flight=2)
        first = futures.ThreadPoolExecutor(1).submit(next, answers)
        until(lambda: len(scripted.requests) == 2)
        scripted.gate.set()
        assert first.result(10) == {}
        answers.close()


def test_the_asyncio_client_answers_many_in_order(target):
    async def generate():
        for x in range(3):
            await asyncio.sleep(0)
            yield {"x": [2.0 * x]}

    async def ask():
        async with AsyncClient(target) as client:
            requests = ({"x": [2.0 * x]} for x in range(30))
            many = client.predict_many("half", requests, in_flight=8)
            assert [one["y"][0] async for one in many] == [x + 2.0 for x in range(30)]
            later = client.predict_many("half", generate(), in_flight=2)
            assert [one["y"][0] async for one in later] == [2.0, 3.0, 4.0]
            failing = client.predict_many("half", [{"x": [1.0]}, {"z": [1.0]}])
            assert (await anext(failing))["y"] == 2.5
            with pytest.raises(InvalidArgumentError):
                await anext(failing)

    asyncio.run(ask())


def test_every_call_is_observed_with_its_code_and_time(target):
    seen = []
    with Client(target, observe=seen.append) as client:
        client.predict("half", {"x": [1.0]})
        client.healthy()
        list(client.predict_many("half", [{"x": [1.0]}]))
        with pytest.raises(NotFoundError):
            client.metadata("none")

    async def ask():
        async with AsyncClient(target, observe=seen.append) as client:
            await client.predict("half", {"x": [1.0]})

    asyncio.run(ask())
    assert [(one.method, one.model, one.code) for one in seen] == [
        ("Predict", "half", "OK"),
        ("Check", "", "OK"),
        ("Predict", "half", "OK"),
        ("GetModelMetadata", "none", "NOT_FOUND"),
        ("Predict", "half", "OK"),
    ]
    assert all(0 < one.seconds < 10 for one in seen)


def test_attempts_can_be_set_and_end_with_the_deadline(scripted):
    unavailable = [grpc.StatusCode.UNAVAILABLE]
    with Client(scripted.target, attempts=1) as client:
        scripted.failures = unavailable * 9
        with pytest.raises(UnavailableError):
            client.predict("half", {})
    assert len(scripted.requests) == 1
    with Client(scripted.target, attempts=5) as client:
        start = time.monotonic()
        with pytest.raises((UnavailableError, DeadlineExceededError)):
            client.predict("half", {}, timeout=0.15)
        assert time.monotonic() - start < 1
    with pytest.raises(ClientError, match=r"expected 1 to 5\. Received: 6\. Allow more time"):
        Client(scripted.target, attempts=6)


def test_a_token_goes_with_every_call(scripted):
    with Client(scripted.target, token="secret") as client:
        client.predict("half", {})
        list(client.predict_many("half", [{}]))
    assert scripted.headers == ["Bearer secret"] * 2


def test_the_client_is_imported_without_tensorflow_or_anything_else_that_is_slow():
    code = (
        "import sys; from millrace.serving.client import AsyncClient, Client;"
        "names = {name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names;"
        "print(*(name for name in names if not name.startswith(('_', 'cython', 'sitecustomize'))),"
        "*(name for name in sys.modules if name.startswith('millrace.serving.server')))"
    )
    output = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True)
    grpcs = {"google", "grpc", "grpc_health", "grpc_reflection", "grpc_tools", "typing_extensions"}
    assert set(output.split()) - grpcs == {"millrace", "numpy"}
