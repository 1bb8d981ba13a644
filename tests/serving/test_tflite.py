"""TFLite models, with and without signature definitions in their files."""

from concurrent import futures

import flatbuffers
import numpy as np
import pytest
import tensorflow as tf
from flatbuffers import flexbuffers
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.lite.python import schema_py_generated as schema

from millrace.serving.client import Client
from millrace.serving.errors import InternalError, InvalidArgumentError, ModelLoadError
from millrace.serving.inference import RequestOptions
from millrace.serving.tflite import FILE, TfLiteModel

CALL = RequestOptions()


class Half(tf.Module):
    """A model of TFLite's built-in operations only."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def predict(self, x):
        return {"y": 0.5 * x + 2.0}


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    folder, module = tmp_path_factory.mktemp("tflite"), Half()
    tf.saved_model.save(module, str(folder), signatures=module.predict)
    return tf.lite.TFLiteConverter.from_saved_model(str(folder)).convert()


def with_signatures(content, **signatures):
    """`content` with signatures in its metadata, as `SetSignatureDefMap` writes them."""
    builder = flexbuffers.Builder()
    with builder.Map():
        for key in sorted(signatures):
            builder.Key(key)
            raw = signatures[key].SerializeToString()
            builder._WriteBlob(raw, append_zero=True, type_=flexbuffers.Type.STRING)
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(bytes(builder.Finish()), np.uint8)
    model.buffers.append(buffer)
    entry.name, entry.buffer = b"signature_defs_metadata", len(model.buffers) - 1
    model.metadata.append(entry)
    packed = flatbuffers.Builder(1024)
    packed.Finish(model.Pack(packed), b"TFL3")
    return bytes(packed.Output())


def signature(tensor="serving_default_x:0"):
    found = meta_graph_pb2.SignatureDef(method_name="tensorflow/serving/predict")
    found.inputs["tflite_input"].name = tensor
    found.inputs["tflite_input"].dtype = tf.float32.as_datatype_enum
    found.outputs["tflite_output"].name = "PartitionedCall:0"
    found.outputs["tflite_output"].dtype = tf.float32.as_datatype_enum
    return found


@pytest.fixture
def load(tmp_path):
    def run(content, **options):
        (tmp_path / FILE).write_bytes(content)
        return TfLiteModel(tmp_path, **options)

    return run


def test_without_signatures_tensors_are_named_by_themselves(load, converted):
    model = load(converted)
    (found,) = model.signatures.values()
    assert (found.name, found.method_name) == ("serving_default", "tensorflow/serving/predict")
    assert list(found.inputs) == ["serving_default_x:0"]
    info = found.inputs["serving_default_x:0"]
    assert (info.name, info.dtype, info.shape) == ("serving_default_x:0", "float32", (None,))
    assert list(found.outputs) == ["PartitionedCall:0"]


@pytest.mark.parametrize("rows", [1, 3, 2])
def test_any_number_of_rows_is_answered(load, converted, rows):
    x = np.arange(rows, dtype=np.float32)
    (y,) = load(converted).run({"serving_default_x:0": x}, ["PartitionedCall:0"], CALL)
    assert y.tolist() == (x / 2 + 2).tolist()


def test_signatures_in_the_file_name_inputs_and_outputs(load, converted):
    model = load(with_signatures(converted, serving_default=signature(), other=signature()))
    assert list(model.signatures) == ["other", "serving_default"]
    found = model.signatures["other"]
    assert found.inputs["tflite_input"].name == "serving_default_x:0"
    assert found.outputs["tflite_output"].name == "PartitionedCall:0"


def test_a_signature_with_an_unknown_tensor_is_refused(load, converted):
    with pytest.raises(ModelLoadError, match="tflite_input references an unknown tensor: z:0"):
        load(with_signatures(converted, serving_default=signature("z:0")))


@pytest.mark.parametrize("content", [b"", b"junk" * 100])
def test_a_file_that_is_not_a_model_is_refused(load, content):
    with pytest.raises(ModelLoadError, match=r"model\.tflite: expected a TFLite model\. "):
        load(content)


def test_metadata_that_is_not_a_signature_is_refused(load, converted):
    class Garbage:
        def SerializeToString(self):  # noqa: N802 - the message's name
            return b"\xff\xff"

    with pytest.raises(ModelLoadError, match=r"model\.tflite: expected a TFLite model\. "):
        load(with_signatures(converted, serving_default=Garbage()))


def test_an_array_of_another_type_is_refused_and_the_interpreter_still_works(load, converted):
    model = load(converted)
    feeds = {"serving_default_x:0": np.array([1.0])}
    with pytest.raises(InvalidArgumentError, match="FLOAT64 but expected type FLOAT32"):
        model.run(feeds, ["PartitionedCall:0"], CALL)
    feeds = {"serving_default_x:0": np.array([1.0], np.float32)}
    assert model.run(feeds, ["PartitionedCall:0"], CALL)[0].tolist() == [2.5]


def test_threads_share_the_interpreters_and_get_their_own_outputs(load, converted):
    model = load(converted, interpreters=2)

    def ask(size):
        x = np.full(size + 1, size, np.float32)
        return model.run({"serving_default_x:0": x}, ["PartitionedCall:0"], CALL)[0].tolist()

    with futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(50)))
    assert answers == [[n / 2 + 2] * (n + 1) for n in range(50)]


def test_a_request_waits_no_longer_than_its_time_for_an_interpreter(load, converted):
    model = load(converted)
    held = model._idle.get()
    with pytest.raises(InternalError, match="waiting for a TFLite interpreter"):
        model.run({}, [], RequestOptions(timeout=0.05))
    model._idle.put(held)
    model.close()


@pytest.mark.timeout(60)
def test_a_server_prefers_tflite_if_enabled(serve, push, converted, tmp_path):
    version = push(tmp_path / "half", 1)
    (version / FILE).write_bytes(with_signatures(converted, serving_default=signature()))
    with Client(serve(tmp_path / "half", prefer_tflite_model=True)) as client:
        answer = client.predict("half", {"tflite_input": [2.0, 4.0]})
        assert answer["tflite_output"].tolist() == [3.0, 4.0]
    with Client(serve(tmp_path / "half")) as client:
        assert client.predict("half", {"x": [2.0]})["y"].tolist() == [3.0]


def test_a_version_without_tflite_is_loaded_as_a_saved_model(serve, push, tmp_path):
    push(tmp_path / "half", 1)
    with Client(serve(tmp_path / "half", prefer_tflite_model=True)) as client:
        assert client.predict("half", {"x": [2.0]})["y"].tolist() == [3.0]
