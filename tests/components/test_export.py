"""From a trained model to one that a server can load."""

import itertools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from millrace.components.artifacts import Analysis, Model, TrainedModel
from millrace.components.errors import DataError, ModelError
from millrace.components.export import export
from millrace.components.features import spec
from millrace.components.features.image_spec import ImageSpec
from millrace.components.files.tfrecord import read_records
from millrace.components.models.image import build
from millrace.components.models.image_options import Augment, Cnn
from millrace.serving.errors import InvalidArgumentError
from millrace.serving.example import decode, encode
from millrace.serving.model import LoadedModel
from millrace.serving.protos import prediction_log_pb2
from tests.components.pictures import blobs, file, noise, raw, write

NAMES = ("dark", "middle", "light")
SPEC = ImageSpec(NAMES, 8, 8, 1)


def prepare(folder, records=None):
    """A trained model of random weights, its analysis and its raw examples."""
    keras.utils.set_random_seed(3)
    options = Cnn(filters=(2, 3), padding="same", dense=(4,), dropout=0.5)
    augment = Augment(rotation=10, zoom=0.1)
    network = build(options, augment, SPEC, units=3, activation="softmax").inference
    trained, analysis = TrainedModel(folder / "trained"), Analysis(folder / "analysis")
    trained.keras_file.parent.mkdir(parents=True)
    network.save(trained.keras_file)
    analysis.path.mkdir()
    spec.write(SPEC, analysis.file)
    splits = {"train": blobs(3, NAMES), "eval": blobs(12, NAMES, seed=1)}
    return trained, analysis, write(folder / "raw", splits if records is None else records)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    broken = raw(b"junk", "dark")
    eval_records = [broken, *blobs(12, NAMES, seed=1)]
    folder = tmp_path_factory.mktemp("inputs")
    return prepare(folder, {"train": blobs(3, NAMES), "eval": eval_records})


@pytest.fixture(scope="module")
def model(inputs, tmp_path_factory):
    out = tmp_path_factory.mktemp("model")
    return export(*inputs, out, sample=10, warm_up=2)


@pytest.fixture(scope="module")
def loaded(model):
    with LoadedModel(model.saved_model) as found:
        yield found


@pytest.fixture(scope="module")
def rows(inputs):
    records = (decode(record) for path in inputs[2].files("eval") for record in read_records(path))
    return list(itertools.islice(records, 1, 11))  # the first is broken


def files(rows):
    return np.array([row["image/encoded"][0] for row in rows], object)


def test_the_served_answers_are_those_of_the_trained_model(inputs, loaded, rows):
    found = loaded.predict({"image_bytes": files(rows)})
    trained = keras.models.load_model(inputs[0].keras_file)
    pixels = np.stack([tf.io.decode_image(content).numpy() for content in files(rows)])
    expected = trained.predict(pixels, verbose=0)
    np.testing.assert_allclose(found["scores"], expected, atol=1e-6)
    assert found["class"].tolist() == [NAMES[n].encode() for n in expected.argmax(axis=1)]


def test_the_signatures_are_what_servers_insist_on(loaded):
    methods = {n: s.method_name for n, s in loaded.signatures.items() if s.method_name}
    assert methods == {
        "serving_default": "tensorflow/serving/predict",
        "classify": "tensorflow/serving/classify",
        "regress": "tensorflow/serving/regress",
    }
    described = {
        name: (
            {key: (info.dtype, info.shape) for key, info in loaded.signatures[name].inputs.items()},
            {
                key: (info.dtype, info.shape)
                for key, info in loaded.signatures[name].outputs.items()
            },
        )
        for name in methods
    }
    batch, table = (None,), (None, 3)
    assert described == {
        "serving_default": (
            {"image_bytes": ("string", batch)},
            {
                "class": ("string", batch),
                "score": ("float32", batch),
                "scores": ("float32", table),
                "classes": ("string", table),
            },
        ),
        "classify": (
            {"inputs": ("string", batch)},
            {"classes": ("string", table), "scores": ("float32", table)},
        ),
        "regress": ({"inputs": ("string", batch)}, {"outputs": ("float32", batch)}),
    }


def test_examples_are_answered_as_files_are(loaded, rows):
    scores = loaded.predict({"image_bytes": files(rows)})["scores"]
    examples = np.array([encode({"image/encoded": content}) for content in files(rows)], object)
    classified = loaded.predict({"inputs": examples}, signature="classify")
    np.testing.assert_array_equal(classified["scores"], scores)
    regressed = loaded.predict({"inputs": examples}, signature="regress")
    np.testing.assert_array_equal(regressed["outputs"], scores.max(axis=1))


def test_a_picture_of_another_format_size_and_orientation_is_answered(loaded):
    content = file(noise(30, 20, 3), "JPEG")
    found = loaded.predict({"image_bytes": np.array([content], object)})
    assert found["scores"].sum() == pytest.approx(1.0, abs=1e-6)


def test_an_empty_batch_is_answered_with_nothing(loaded):
    found = loaded.predict({"image_bytes": np.array([], object)})
    assert {name: array.shape for name, array in found.items()} == {
        "class": (0,),
        "score": (0,),
        "scores": (0, 3),
        "classes": (0, 3),
    }


@pytest.mark.parametrize("content", [b"", b"junk", file(noise(8, 8))[:50]])
def test_what_is_no_picture_is_the_callers_fault(loaded, content):
    with pytest.raises(InvalidArgumentError):
        loaded.predict({"image_bytes": np.array([content], object)})


def test_warm_up_asks_every_signature_about_real_rows(model, loaded, rows):
    records = list(read_records(model.saved_model / "assets.extra/tf_serving_warmup_requests"))
    logs = [prediction_log_pb2.PredictionLog.FromString(record) for record in records]
    kinds = [log.WhichOneof("log_type") for log in logs]
    assert kinds == [*["predict_log"] * 3, *["classify_log"] * 2, *["regress_log"] * 2]
    sent = [log.predict_log.request.inputs["image_bytes"].string_val for log in logs[:3]]
    first, second = files(rows)[:2]
    assert [list(values) for values in sent] == [[first], [second], [first, second]]
    assert loaded.warm_up() == 7


def test_every_weight_is_written_once(model, inputs):
    variables = tf.train.list_variables(str(model.saved_model / "variables" / "variables"))
    shapes = sorted(tuple(shape) for name, shape in variables if "VARIABLE_VALUE" in name)
    trained = keras.models.load_model(inputs[0].keras_file)
    assert shapes == sorted(tuple(weight.shape) for weight in trained.weights)


def test_the_model_is_described_for_people(model):
    described = json.loads((model.path / "model.json").read_text())
    assert described["classes"] == list(NAMES)
    assert (described["height"], described["width"], described["channels"]) == (8, 8, 1)
    assert described["signatures"]["classify"]["inputs"] == {
        "inputs": {"dtype": "string", "shape": [None]}
    }
    assert described["check"]["rows"] == 10
    assert 0 <= described["check"]["largest_difference"] <= 1e-5


def test_the_keras_file_goes_along(model, inputs):
    assert model.keras_file.read_bytes() == inputs[0].keras_file.read_bytes()


def test_a_model_that_answers_differently_is_refused(inputs, tmp_path, monkeypatch):
    from millrace.components.exporting import answers

    def other(*_):
        scores = np.full((4, 3), 1 / 3, np.float32)
        names, signatures = np.array(["dark"] * 4), np.array("{}")
        found = {"serving_default/scores": scores, "classify/scores": scores}
        named = {"regress/outputs": scores[:, 0], "serving_default/class": names}
        return {**found, **named, "signatures": signatures}

    monkeypatch.setattr(answers, "collect", other)
    with pytest.raises(ModelError, match="numbers that differ by up to 0"):
        export(*inputs, tmp_path, sample=4, warm_up=0)
    assert not (Model(tmp_path).saved_model / "assets.extra").exists()


def test_a_model_that_cannot_be_loaded_is_refused_with_the_output(tmp_path):
    from millrace.components.exporting import answers

    with pytest.raises(ModelError, match=r"exit code 1: (.|\n)*ModelLoadError"):
        answers.collect(tmp_path / "nothing", [{"image/encoded": [file(noise(8, 8))]}], tmp_path)


def test_no_row_to_ask_about_is_refused(tmp_path):
    inputs = prepare(tmp_path, {"train": [raw(b"junk", "dark")]})
    with pytest.raises(DataError, match=r"rows to check the exported model with\. Received: none"):
        export(*inputs, tmp_path / "out")
