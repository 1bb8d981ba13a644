"""The REST client with responses in TensorFlow Serving's exact layout.

The bodies are from its documentation: tensorflow_serving/g3doc/api_rest.md and serving_basic.md.
"""

import http.server
import json
import threading

import pytest

from millrace.serving.client.calls import Class, VersionStatus
from millrace.serving.client.rest_client import RestClient
from millrace.serving.errors import NotFoundError

METADATA = """{
"model_spec":{
 "name": "half",
 "signature_name": "",
 "version": "123"
}
,
"metadata": {"signature_def": {
 "signature_def": {
  "serving_default": {
   "inputs": {
    "x": {
     "dtype": "DT_FLOAT",
     "tensor_shape": {
      "dim": [
       {
        "size": "-1",
        "name": ""
       }
      ],
      "unknown_rank": false
     },
     "name": "x:0"
    }
   },
   "outputs": {
    "y": {
     "dtype": "DT_FLOAT",
     "tensor_shape": {
      "dim": [],
      "unknown_rank": true
     },
     "name": "y:0"
    }
   },
   "method_name": "tensorflow/serving/predict"
  }
 }
}
}
}
"""
STATUS = """{
 "model_version_status": [
  {
   "version": "123",
   "state": "AVAILABLE",
   "status": {
    "error_code": "OK",
    "error_message": ""
   }
  }
 ]
}
"""
ANSWERS = {
    ("GET", "/v1/models/half"): STATUS,
    ("GET", "/v1/models/half/metadata"): METADATA,
    ("GET", "/v1/models/half/labels/stable/metadata"): METADATA,
    ("POST", "/v1/models/half/versions/123:predict"): '{\n    "outputs": [2.5, 3.0]\n}',
    ("POST", "/v1/models/half:classify"): '{\n    "results": [[["up", 0.5], ["down", -1.0]]]\n}',
    ("POST", "/v1/models/half:regress"): '{\n    "results": [2.5, 3.5]\n}',
}
UNKNOWN = '{ "error": "Servable not found for request: Latest(m)" }'


class TensorFlowServing(http.server.BaseHTTPRequestHandler):
    """Answers from the table; keeps the requests."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.received.append((self.path, json.loads(body) if body else None))
        answer = ANSWERS.get((self.command, self.path))
        raw = (answer or UNKNOWN).encode()
        self.send_response(200 if answer else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    do_POST = do_GET  # noqa: N815 - the name that http.server looks for

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), TensorFlowServing)
    server.received = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(server):
    server.received.clear()
    with RestClient(f"http://127.0.0.1:{server.server_port}") as client:
        yield client


def test_predict_calls_the_version_whose_metadata_is_known(client, server):
    answer = client.predict("half", {"x": [1.0, 2.0]}, label="stable", signature="serving_default")
    assert (answer["y"].tolist(), answer.version) == ([2.5, 3.0], 123)
    assert answer["y"].dtype.name == "float32"
    assert server.received == [
        ("/v1/models/half/labels/stable/metadata", None),
        (
            "/v1/models/half/versions/123:predict",
            {"signature_name": "serving_default", "inputs": {"x": [1.0, 2.0]}},
        ),
    ]


def test_classify_and_regress(client, server):
    examples = [{"x": 1.0, "name": b"\xff"}]
    assert client.classify("half", examples) == [[Class("up", 0.5), Class("down", -1.0)]]
    assert client.regress("half", examples, context={"n": 3}).tolist() == [2.5, 3.5]
    example = {"name": [{"b64": "/w=="}], "x": [1.0]}
    assert server.received[0][1] == {"examples": [example]}
    assert server.received[1][1] == {"examples": [example], "context": {"n": [3]}}


def test_metadata_and_status(client):
    metadata = client.metadata("half")
    signature = metadata.signatures["serving_default"]
    assert (metadata.version, signature.method_name) == (123, "tensorflow/serving/predict")
    assert (signature.inputs["x"].dtype, signature.inputs["x"].shape) == ("float32", (None,))
    assert signature.outputs["y"].shape is None
    assert client.status("half") == [VersionStatus(123, "AVAILABLE")]
    assert client.wait_until_available("half") == VersionStatus(123, "AVAILABLE")


def test_an_error_is_raised_with_its_code_and_text(client):
    with pytest.raises(NotFoundError, match=r"^Servable not found for request: Latest\(m\)$"):
        client.regress("m", [{"x": 1.0}])
