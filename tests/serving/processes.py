"""Server processes, started and called as in TensorFlow Serving's own integration test.

Source: tensorflow_serving/model_servers/test_util/tensorflow_model_server_test_base.py.
"""

import dataclasses
import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import grpc
import pytest
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from tests.serving import half_plus_two
from tests.serving.conftest import free_port, until

ROOT = Path(__file__).parents[2]


@dataclasses.dataclass
class Served:
    """A server process, its addresses and its log."""

    process: subprocess.Popen
    port: int
    rest_port: int
    log: Path

    def __post_init__(self):
        self.channel = grpc.insecure_channel(f"localhost:{self.port}")
        self.prediction = PredictionServiceStub(self.channel)

    def wait(self):
        """Wait, like the real test, until an unknown model is reported as not found."""
        missing = predict_pb2.PredictRequest()
        missing.model_spec.name = "intentionally_missing_model"
        until(lambda: "Servable" in self._refusal(missing), seconds=120)
        return self

    def _refusal(self, request):
        assert self.process.poll() is None, self.log.read_text()
        with pytest.raises(grpc.RpcError) as refusal:
            self.prediction.Predict(request, 5)
        return refusal.value.details()

    def rest(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        url = f"http://localhost:{self.rest_port}{path}"
        with urllib.request.urlopen(url, data, timeout=20) as answer:
            return answer.read()


class Servers:
    """Starts servers like `RunServer` of the real test."""

    def __init__(self, folder):
        self._folder, self._running = folder, []

    def start(self, name, *flags):
        port, rest_port, log = free_port(), free_port(), self._folder / f"{name}.log"
        command = [
            *(sys.executable, "-m", "millrace.serving.server"),
            *(f"--port={port}", f"--rest_api_port={rest_port}", "--rest_api_timeout_in_ms=5000"),
            f"--grpc_socket_path={self._folder}/{name}.sock",
            *flags,
        ]
        with log.open("wb") as sink:
            process = subprocess.Popen(command, cwd=ROOT, stdout=sink, stderr=sink)
        self._running.append(Served(process, port, rest_port, log))
        return self._running[-1]

    def file(self, name, text):
        path = self._folder / name
        path.write_text(text)
        return path

    def stop(self):
        for one in self._running:
            one.channel.close()
            one.process.terminate()
        for one in self._running:
            try:
                one.process.wait(60)
            finally:
                one.process.kill()


def entry(name, base):
    return (
        f'  config: {{\n    name: "{name}",\n    base_path: "{base}",\n'
        '    model_platform: "tensorflow"\n  }'
    )


def configuration(**bases):
    entries = ",\n".join(entry(name, base) for name, base in bases.items())
    return f"model_config_list: {{\n\n{entries}\n\n}}"


def verify_predict(stub, expected, *, model="default", signature="serving_default", **form):
    """Check one Predict of `x = 2` like the real test; `form` is the type of the input."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = model, signature
    taken = request.inputs[form.get("alias", "x")]
    taken.dtype = types_pb2.DT_FLOAT
    taken.float_val.append(2.0)
    taken.tensor_shape.dim.add().size = 1
    if form.get("batch"):
        taken.tensor_shape.dim.add().size = 1
    output = form.get("output", "y")
    if form.get("specify_output"):
        request.output_filter.append(output)
    result = stub.Predict(request, 20.0)
    assert result.outputs[output].dtype is types_pb2.DT_FLOAT
    assert list(result.outputs[output].float_val) == [expected]
    spec = result.model_spec
    found = (spec.name, spec.signature_name, spec.version.value)
    assert found == (model, signature, half_plus_two.VERSION)
