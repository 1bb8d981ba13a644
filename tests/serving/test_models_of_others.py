"""Models with unusual types, ranks, assets and names, over both protocols.

One server has one model, whose signatures test one feature each. What the real server cannot
express in JSON is refused with its text.
"""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from millrace.serving.flags import Options
from millrace.serving.server import ModelServer
from tests.serving.conftest import free_port, spec
from tests.serving.rest.conftest import Rest
from tests.serving.test_contract import predict_request

ECHOED = {
    **{name: getattr(tf, name) for name in ("bool", "int8", "int16", "int32", "int64", "uint8")},
    **{name: getattr(tf, name) for name in ("uint32", "uint64", "float32", "float64", "string")},
    **{name: getattr(tf, name) for name in ("float16", "bfloat16", "uint16", "complex64")},
}
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint32", "uint64")
IN_JSON = {
    **{name: [1, 2] for name in INTEGERS},
    **{"bool": [True, False], "float32": [0.5, 2.0], "float64": [0.5, 2.0], "string": ["a", "é"]},
}
NOT_IN_JSON = {  # and TensorFlow's names
    **{"float16": "half", "bfloat16": "bfloat16", "uint16": "uint16", "complex64": "complex64"}
}


class Odd(tf.Module):
    """A model with unusual signatures."""

    def __init__(self, vocabulary):
        super().__init__()
        self.file = tf.saved_model.Asset(str(vocabulary))
        words = tf.lookup.TextFileInitializer(
            *(self.file, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE),
            *(tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER),
        )
        self.table = tf.lookup.StaticVocabularyTable(words, 1)

    def echo(self, dtype):
        return tf.function(
            lambda x: {"y": tf.identity(x)}, input_signature=[spec(dtype, None, name="x")]
        )

    @tf.function(input_signature=[spec(tf.string, None, name="words")])
    def look_up(self, words):
        return {"ids": self.table.lookup(words)}

    @tf.function(input_signature=[spec(tf.string, None, name="line")])
    def ragged(self, line):
        split = tf.strings.split(line)
        return {
            "words": split.values,
            "row_splits": split.row_splits,
            "dense": split.to_tensor("-"),
        }

    @tf.function(input_signature=[spec(tf.float32, None, 2, 2, name="x")])
    def many(self, x):
        return {"raw_bytes": tf.strings.as_string(x[:, 0, 0]), "sum": tf.reduce_sum(x, [1, 2])}

    @tf.function(input_signature=[])
    def constant(self):
        return {"y": tf.constant([7.0])}

    @tf.function(input_signature=[spec(tf.float32, name="x"), spec(tf.float32, name="bias")])
    def scalar(self, x, bias):
        return {"y": x + bias, "nothing": tf.zeros([0, 3]), "nan": x / 0.0 * 0.0}


class Served:
    """A server, called with the stock stub and with plain HTTP."""

    def __init__(self, port, rest_port):
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self._stub, self._rest = PredictionServiceStub(self._channel), Rest(rest_port)

    def grpc(self, signature, **inputs):
        outputs = self._stub.Predict(predict_request(signature, **inputs), 20).outputs
        return {alias: tf.make_ndarray(outputs[alias]) for alias in outputs}

    def rest(self, signature, **fields):
        answer = self._rest.post("half:predict", {"signature_name": signature, **fields})
        return answer.json if answer.status == 200 else answer.error

    def close(self):
        self._channel.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("others")
    words = folder / "words.txt"
    words.write_text("one\ntwo\n")
    module = Odd(words)
    signatures = {
        **{f"echo_{name}": module.echo(dtype) for name, dtype in ECHOED.items()},
        **{"look_up": module.look_up, "ragged": module.ragged, "many": module.many},
        **{"constant": module.constant, "scalar": module.scalar},
    }
    tf.saved_model.save(module, str(folder / "half" / "1"), signatures=signatures)
    words.unlink()  # the model has its own
    port, rest_port = free_port(), free_port()
    base = str(folder / "half")
    server = ModelServer(
        Options(port=port, rest_api_port=rest_port, model_name="half", model_base_path=base)
    )
    assert server.start()
    found = Served(port, rest_port)
    yield found
    found.close()
    server.stop()


@pytest.mark.parametrize("dtype", ECHOED)
def test_every_type_passes_over_grpc_unchanged(served, dtype):
    values = [b"a", b"\xff\0"] if dtype == "string" else [1, 0]
    array = np.array(values, ECHOED[dtype].as_numpy_dtype)
    (y,) = served.grpc(f"echo_{dtype}", x=array).values()
    assert (y.dtype, y.tolist()) == (array.dtype, array.tolist())


@pytest.mark.parametrize("dtype", IN_JSON)
def test_the_types_of_json_pass_over_rest(served, dtype):
    values = IN_JSON[dtype]
    assert served.rest(f"echo_{dtype}", instances=values) == {"predictions": values}
    assert served.rest(f"echo_{dtype}", inputs=values) == {"outputs": values}


@pytest.mark.parametrize("dtype", NOT_IN_JSON)
def test_types_that_the_real_server_cannot_read_from_json_are_refused_with_its_text(served, dtype):
    assert served.rest(f"echo_{dtype}", inputs=[1]) == (
        501,
        f"Conversion of JSON Value: 1 to type: {NOT_IN_JSON[dtype]}",
    )


def test_an_asset_is_found_in_the_version_folder(served):
    (ids,) = served.grpc("look_up", words=["two", "one", "ten"]).values()
    assert ids.tolist() == [1, 0, 2]
    assert served.rest("look_up", inputs=["two", "ten"]) == {"outputs": [1, 2]}


def test_ragged_outputs_are_returned_as_their_flat_parts(served):
    found = served.grpc("ragged", line=["a b c", "d"])
    assert found["words"].tolist() == [b"a", b"b", b"c", b"d"]
    assert found["row_splits"].tolist() == [0, 3, 4]
    assert found["dense"].tolist() == [[b"a", b"b", b"c"], [b"d", b"-", b"-"]]
    assert served.rest("ragged", inputs={"line": ["a b", "d"]}) == {
        "outputs": {
            "words": ["a", "b", "d"],
            "row_splits": [0, 2, 3],
            "dense": [["a", "b"], ["d", "-"]],
        }
    }
    code, text = served.rest("ragged", instances=["a b", "d"])
    assert code == 400
    assert "has inconsistent batch size" in text


def test_several_outputs_are_objects_and_bytes_are_base64(served):
    rows = [[[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [0.0, 1.5]]]
    assert served.rest("many", instances=[{"x": row} for row in rows]) == {
        "predictions": [
            {"raw_bytes": {"b64": "MS4wMDAwMDA="}, "sum": 10.0},
            {"raw_bytes": {"b64": "MC4wMDAwMDA="}, "sum": 1.5},
        ]
    }


def test_scalars_empty_outputs_and_nan_pass(served):
    found = served.grpc("scalar", x=np.float32(1), bias=np.float32(2))
    assert (found["y"].tolist(), found["nothing"].shape) == (3.0, (0, 3))
    assert np.isnan(found["nan"])
    answer = served.rest("scalar", inputs={"x": 1, "bias": 2})["outputs"]
    assert (answer["y"], answer["nothing"], str(answer["nan"])) == (3.0, [], "nan")


def test_a_signature_without_inputs_is_served_over_grpc_only(served):
    assert served.grpc("constant")["y"].tolist() == [7.0]
    assert served.rest("constant", inputs={}) == (
        400,
        "Failed to get input map for signature: constant",
    )
