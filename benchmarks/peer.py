"""The same SavedModels behind MLServer, and a light client of its protocol.

MLServer has no TensorFlow runtime of its own: this one gives it the session that the model server
uses. MLServer is only installed in the environment that `benchmarks.serving --peer` names. The
protocol is the Open Inference Protocol, with numbers as raw bytes, its fastest form.
"""

import json
import pathlib
from typing import Any

import numpy as np

PATH = "/inference.GRPCInferenceService/ModelInfer"
_TYPES = {"float32": "FP32", "object": "BYTES"}
_LENGTH = 4  # bytes before each string


def configure(
    folder: pathlib.Path, models: pathlib.Path, names: tuple[str, ...], port: int
) -> None:
    """Write the files that `mlserver start FOLDER` reads; it uses `port` and the next two."""
    settings = {
        "host": "127.0.0.1",
        "grpc_port": port,
        "http_port": port + 1,
        "metrics_port": port + 2,
        "parallel_workers": 0,  # separate processes only add cost on two cores
    }
    folder.mkdir()
    (folder / "settings.json").write_text(json.dumps(settings))
    for name in names:
        model = {
            "name": name,
            "implementation": "benchmarks.peer_runtime.Session",
            "parameters": {"uri": str(models / name / "1")},
        }
        (folder / name).mkdir()
        (folder / name / "model-settings.json").write_text(json.dumps(model))


def encode(model: str, inputs: dict[str, np.ndarray]) -> Any:
    """A ModelInferRequest."""
    from mlserver.grpc import dataplane_pb2 as messages

    request = messages.ModelInferRequest(model_name=model)
    for name, array in inputs.items():
        request.inputs.add(name=name, datatype=_TYPES[array.dtype.name], shape=array.shape)
        if array.dtype == object:
            raw = b"".join(len(one).to_bytes(_LENGTH, "little") + one for one in array.tolist())
        else:
            raw = array.tobytes()
        request.raw_input_contents.append(raw)
    return request


def decode(raw: bytes) -> dict[str, np.ndarray]:
    """The outputs of a ModelInferResponse, all float32."""
    from mlserver.grpc import dataplane_pb2 as messages

    response = messages.ModelInferResponse.FromString(raw)
    if response.raw_output_contents:
        values = [np.frombuffer(raw, "<f4") for raw in response.raw_output_contents]
    else:
        values = [np.array(one.contents.fp32_contents, "<f4") for one in response.outputs]
    return {
        one.name: value.reshape(one.shape)
        for one, value in zip(response.outputs, values, strict=True)
    }
