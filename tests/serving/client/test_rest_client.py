"""The REST client: the same answers and errors as over gRPC, with real and scripted servers."""

import http.server
import json
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from millrace.serving import example
from millrace.serving.client import Client, rest_messages
from millrace.serving.client.calls import Class
from millrace.serving.client.rest_client import RestClient
from millrace.serving.errors import (
    AbortedError,
    DeadlineExceededError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    UnauthenticatedError,
    UnavailableError,
    UnimplementedError,
    WireError,
)
from millrace.serving.signature import TensorInfo
from tests.serving.conftest import free_port
from tests.serving.rest.conftest import serve_rest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def client(rest):
    with RestClient(rest.url) as client:
        yield client


def test_outputs_have_their_names_types_and_version(client):
    answer = client.predict("half", {"x": [1.0, 5.0]})
    assert answer["y"].dtype == np.float32
    assert (answer["y"].tolist(), answer.version) == ([2.5, 4.5], 123)
    assert client.predict("half", {"x": np.array([1.0])}, version=7).version == 7
    assert client.predict("half", {"x": [1.0]}, label="stable").version == 7


def test_text_bytes_and_scalars_go_both_ways(client):
    answer = client.predict("half", {"word": ["one", b"\xff"]}, signature="look_up")
    assert answer["word"].tolist() == [b"ONE", b"\xff"]
    assert answer["value"].tolist() == [1.0, -1.0]
    answer = client.predict("half", {"n": 5}, signature="count")
    assert (answer["i"].shape, answer["i"].dtype, int(answer["i"])) == ((), np.int32, 5)


def test_nan_and_infinity_go_both_ways(client):
    x = np.array([np.nan, np.inf, -np.inf], np.float32)
    assert np.array_equal(client.predict("half", {"x": x})["y"], x, equal_nan=True)


def test_an_empty_output_keeps_its_shape(client):
    assert client.predict("half", {"x": np.zeros(0, "f4")})["y"].shape == (0,)
    info = TensorInfo("y:0", "float32", (None, None, 3))
    assert rest_messages.from_json([[], []], info).shape == (2, 0, 3)


def test_an_output_filter_selects_and_refuses_as_the_server_would(client):
    inputs = {"a": np.ones((2, 2), "f4"), "b": np.ones((2, 3), "f4")}
    answer = client.predict("half", inputs, signature="multiply", output_filter=["rows"])
    assert list(answer) == ["rows"]
    with pytest.raises(InvalidArgumentError, match=r"^output tensor alias not found in signature"):
        client.predict("half", {"x": [1.0]}, output_filter=["q"])


def test_both_clients_answer_the_same(client, target):
    records = [{"x": 1.0}, example.encode({"x": [2.5]})]
    with Client(target) as grpc_client:
        for one in (client, grpc_client):
            assert one.classify("half", records, signature="classify") == [
                [Class("up", 1.0), Class("down", -1.0)],
                [Class("up", 2.5), Class("down", -2.5)],
            ]
            values = one.regress("half", [{}, {"x": 1.0}], signature="regress", context={"x": 5.0})
            assert (values.dtype, values.tolist()) == (np.float32, [4.5, 2.5])
        assert client.status("half") == grpc_client.status("half")
        assert client.status("half", version=7) == grpc_client.status("half", version=7)
        ours, theirs = client.metadata("half"), grpc_client.metadata("half")
        assert ours.version == theirs.version
        assert ours.signatures.keys() == theirs.signatures.keys()
        for name in theirs.signatures:
            assert ours.signatures[name].inputs == theirs.signatures[name].inputs
            assert ours.signatures[name].outputs == theirs.signatures[name].outputs
        assert ours.signatures["biased"].defaults == {"bias": np.float32(2.0)}


def test_many_requests_are_answered_in_order(client):
    requests = ({"x": [float(n)]} for n in range(0, 60, 2))
    answers = client.predict_many("half", requests, in_flight=4)
    assert [float(one["y"][0]) for one in answers] == [n / 2 + 2 for n in range(0, 60, 2)]
    failing = client.predict_many("half", [{"x": [1.0]}, {"z": [1.0]}], in_flight=2)
    assert next(failing)["y"].tolist() == [2.5]
    with pytest.raises(InvalidArgumentError, match="Missing named input: x"):
        next(failing)


def test_errors_are_raised_with_the_servers_text(client):
    with pytest.raises(NotFoundError, match=r"^Servable not found for request: Latest\(none\)$"):
        client.predict("none", {"x": [1.0]})
    with pytest.raises(InvalidArgumentError, match=r'^Serving signature name: "S" not found'):
        client.predict("half", {"x": [1.0]}, signature="S")
    with pytest.raises(InvalidArgumentError, match=r"^Unrecognized servable version label: c$"):
        client.predict("half", {"x": [1.0]}, label="c")
    with pytest.raises(NotFoundError, match=r"^Could not find any versions of model a/b: c$"):
        client.status("a/b: c")


def test_values_that_json_cannot_hold_are_refused_by_the_client(client):
    with pytest.raises(WireError) as refusal:
        client.predict("half", {"x": np.zeros(1, complex)})
    assert str(refusal.value) == (
        "Input 'x': expected numbers or text for REST. Received: complex128 values. "
        "Convert them first, or use gRPC."
    )


def test_inputs_without_names_are_refused_by_the_client(client):
    with pytest.raises(WireError, match=r"^Inputs: expected a mapping .*Received: ndarray\."):
        client.predict("half", np.zeros(1))


def test_an_exceeded_deadline_is_reported_with_its_length(client):
    with pytest.raises(DeadlineExceededError) as failure:
        client.predict("half", {"n": 2**31 - 1}, signature="count", timeout=0.3)
    assert str(failure.value).startswith(f"{client.target}: expected an answer within 0.3 s.")


def test_an_address_without_a_server_is_reported_with_advice():
    url = f"http://127.0.0.1:{free_port()}"
    with RestClient(url, attempts=2) as client, pytest.raises(UnavailableError) as failure:
        client.status("half")
    assert str(failure.value).startswith(f"{url}: expected a model server. Received: ")


def test_waiting_for_a_model(client):
    assert client.wait_until_available("half", timeout=5).version == 123
    with pytest.raises(DeadlineExceededError, match="expected model none to be available within"):
        client.wait_until_available("none", timeout=0.3)


def test_calls_are_observed(rest):
    seen = []
    with RestClient(rest.url, observe=seen.append) as client:
        client.predict("half", {"x": [1.0]})
        with pytest.raises(NotFoundError):
            client.status("none")
    assert [(one.method, one.model, one.code) for one in seen] == [
        ("Predict", "half", "OK"),
        ("GetModelStatus", "none", "NOT_FOUND"),
    ]
    assert all(one.seconds > 0 for one in seen)


def test_a_token_is_sent_with_each_request(half_plus_two, tmp_path):
    (tmp_path / "token").write_text("s3cret")
    server, rest = serve_rest(half_plus_two, tmp_path, api_token_file=str(tmp_path / "token"))
    try:
        with RestClient(rest.url, token="s3cret") as client:
            assert client.predict("half", {"x": [1.0]})["y"].tolist() == [2.5]
        with RestClient(rest.url) as client, pytest.raises(UnauthenticatedError):
            client.predict("half", {"x": [1.0]})
    finally:
        server.stop()


def test_a_new_version_is_used_a_moment_after_it_is_served(
    push, third_plus_two, tmp_path, free_rest
):
    base = tmp_path / "half"
    push(base, 1)
    with RestClient(free_rest(base)) as client:
        assert client.predict("half", {"x": [6.0]}).version == 1
        push(base, 2, third_plus_two)
        client.wait_until_available("half")
        versions, end = set(), time.monotonic() + 20
        while 2 not in versions:
            assert time.monotonic() < end
            answer = client.predict("half", {"x": [6.0]})
            versions.add(answer.version)
            assert answer["y"].tolist() == [{1: 5.0, 2: 4.0}[answer.version]]


@pytest.fixture
def free_rest(serve):
    def run(base):
        port = free_port()
        serve(base, rest_api_port=port)
        return f"http://127.0.0.1:{port}"

    return run


class Scripted(http.server.BaseHTTPRequestHandler):
    """Answers with the (status, body) pairs that a test set; closes the connection for None."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.received.append(self.path)
        answer = self.server.answers.pop(0)
        if answer is None:
            self.close_connection = True
            return
        status, body = answer
        raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_):
        pass


@pytest.fixture
def scripted():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    server.received, server.answers = [], []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with RestClient(f"http://127.0.0.1:{server.server_port}/before/") as client:
        server.client = client
        yield server
    server.shutdown()
    thread.join()
    server.server_close()


STATUS = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
GOOD = (200, {"model_version_status": [STATUS]})


def test_a_path_prefix_in_the_target_is_kept(scripted):
    scripted.answers = [GOOD]
    assert scripted.client.status("m")[0].version == 1
    assert scripted.received == ["/before/v1/models/m"]


def test_only_unavailable_is_retried(scripted):
    scripted.answers = [(503, {"error": "not now"})] * 2 + [GOOD]
    assert scripted.client.status("m")[0].state == "AVAILABLE"
    scripted.answers = [(409, {"error": "not now"})]
    with pytest.raises(AbortedError, match=r"^not now$"):
        scripted.client.status("m")
    assert len(scripted.received) == 4


def test_retries_are_limited(scripted):
    scripted.answers = [(503, "not a model server's")] * 9
    with pytest.raises(UnavailableError, match=r"^not a model server's$"):
        scripted.client.status("m")
    assert len(scripted.received) == 4


def test_a_connection_closed_while_idle_is_reopened(scripted):
    scripted.answers = [GOOD, None, GOOD]
    scripted.client.status("m")
    assert scripted.client.status("m")[0].version == 1


@pytest.mark.parametrize(
    "answer",
    ["<html>", '{"model_version_status": [{"version": "1"}]}', '{"model_version_status": 1}'],
)
def test_a_response_of_another_kind_of_server_is_reported(scripted, answer):
    scripted.answers = [(200, answer)]
    with pytest.raises(InternalError) as failure:
        scripted.client.status("m")
    assert str(failure.value) == (
        f"Response: expected JSON with 'model_version_status'. Received: {answer.encode()!r}. "
        "Check that a model server is at this address."
    )


@pytest.mark.parametrize("read", [rest_messages.classes, rest_messages.metadata])
@pytest.mark.parametrize(
    "raw", [b"[" * 99_999, b'{"results": [[1]], "metadata": {"signature_def": {"a": 1}}}']
)
def test_a_response_that_no_server_would_give_is_reported(read, raw):
    with pytest.raises(InternalError, match="expected JSON with"):
        read(raw)


def test_threads_may_share_a_client(client):
    wrong = []

    def ask(number):
        answer = client.predict("half", {"x": [float(number)]})["y"].tolist()
        if answer != [number / 2 + 2]:
            wrong.append((number, answer))

    threads = [threading.Thread(target=ask, args=(2 * n,)) for n in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_importing_the_client_is_light_and_imports_no_server():
    code = (
        "import sys; import millrace.serving.client.rest_client;"
        "print(open('/proc/self/statm').read().split()[1]);"  # resident pages
        "print([m for m in sys.modules if m.split('.')[0] in"
        " ('tensorflow', 'keras', 'aiohttp', 'apache_beam') or m == 'millrace.serving.server'])"
    )
    output = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True)
    pages, modules = output.splitlines()
    assert modules == "[]"
    assert int(pages) * resource.getpagesize() < 60 * 2**20


def test_readiness_is_that_of_the_whole_server(scripted):
    refused = (400, {"error": "Malformed request"})  # by TensorFlow Serving
    scripted.answers = [(200, ""), (503, {"error": "not yet"}), refused]
    assert scripted.client.healthy() is True
    assert scripted.client.healthy() is False  # sent once: 503 is the answer
    with pytest.raises(UnimplementedError, match=r"expected an answer to /v2/health/ready\. "):
        scripted.client.healthy()
    with pytest.raises(UnimplementedError, match=r"Received: 'half'\. Leave it out, or use gRPC"):
        scripted.client.healthy(service="half")
    assert scripted.received == ["/before/v2/health/ready"] * 3


def test_a_failed_tls_handshake_is_reported_as_such(rest):
    with (
        RestClient(rest.url.replace("http", "https"), attempts=1) as client,
        pytest.raises(UnavailableError, match=r": expected a TLS handshake\. Received: .*SSL"),
    ):
        client.status("half")
