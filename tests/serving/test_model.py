"""A loaded SavedModel: runs, errors, and freed memory."""

import resource
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from millrace.serving import example_inference, warmup
from millrace.serving.errors import (
    DeadlineExceededError,
    FailedPreconditionError,
    InvalidArgumentError,
    ModelLoadError,
)
from millrace.serving.inference import RequestOptions
from millrace.serving.model import LoadedModel
from millrace.serving.protos import prediction_service_pb2 as messages
from tests.serving.conftest import edit


@pytest.fixture(scope="module")
def model(half_plus_two):
    with LoadedModel(half_plus_two) as model:
        yield model


def test_signatures_have_names_types_and_shapes(model):
    signature = model.signatures["biased"]
    assert list(signature.inputs) == ["bias", "x"]
    assert signature.inputs["x"].name == "biased_x:0"
    assert (signature.inputs["x"].dtype, signature.inputs["x"].shape) == ("float32", (None,))
    assert (signature.inputs["bias"].shape, signature.defaults["bias"]) == ((), 2.0)
    assert signature.method_name == "tensorflow/serving/predict"
    assert model.signatures["look_up"].inputs["word"].dtype == "string"


def test_predict_answers_arrays_by_alias(model):
    answer = model.predict({"x": np.array([1, 2], np.float32)})
    assert answer.keys() == {"y"}
    assert answer["y"].dtype == np.float32
    assert answer["y"].tolist() == [2.5, 3.0]


def test_predict_takes_lists_strings_defaults_and_an_output_filter(model):
    assert model.predict({"x": [4.0]}, signature="biased")["y"].tolist() == [4.0]
    words = model.predict({"word": ["one", b"x"]}, signature="look_up", outputs=["word"])
    assert words.keys() == {"word"}
    assert words["word"].tolist() == [b"ONE", b"X"]
    assert model.predict({"n": 3}, signature="count")["i"].shape == ()


def test_predict_refuses_as_the_server_does(model):
    with pytest.raises(FailedPreconditionError, match=r'^Serving signature key "S" not found\.$'):
        model.predict({}, signature="S")
    with pytest.raises(InvalidArgumentError, match=r"^Expects arg\[0\] to be float but double"):
        model.predict({"x": np.array([1.0])})


def test_a_run_ends_at_its_timeout_and_the_model_still_works(model):
    with pytest.raises(DeadlineExceededError):
        model.predict({"n": 2**31 - 1}, signature="count", timeout=0.2)
    assert model.predict({"n": 5}, signature="count", timeout=10)["i"] == 5


def test_threads_may_share_a_model(model):
    wrong = []

    def ask(x):
        for _ in range(50):
            if model.predict({"x": [x]})["y"].tolist() != [x / 2 + 2]:
                wrong.append(x)

    threads = [threading.Thread(target=ask, args=(float(2 * n),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_folder_without_a_model_is_refused_with_its_path(tmp_path):
    with pytest.raises(ModelLoadError) as refusal:
        LoadedModel(tmp_path)
    text = str(refusal.value)
    assert text.startswith(f"{tmp_path}: expected a SavedModel with tags {{serve}}. Received: ")
    assert text.endswith(". Export the model again, or use its own tags.")


def test_tags_that_no_graph_has_are_refused(half_plus_two):
    with pytest.raises(ModelLoadError, match=r"tags \{serve, gpu\}.*could not be found"):
        LoadedModel(half_plus_two, tags=("serve", "gpu"))


def damaged(model, tmp_path, file, content):
    copy = shutil.copytree(model, tmp_path / "copy")
    (copy / file).write_bytes(content)
    return copy


def test_a_damaged_graph_is_refused(half_plus_two, tmp_path):
    with pytest.raises(ModelLoadError, match="expected a SavedModel"):
        LoadedModel(damaged(half_plus_two, tmp_path, "saved_model.pb", b"\xff\xff"))


def test_lost_variables_are_refused(half_plus_two, tmp_path):
    copy = damaged(half_plus_two, tmp_path, "variables/variables.index", b"")
    with pytest.raises(ModelLoadError, match="expected a SavedModel"):
        LoadedModel(copy)


class Wide(tf.Module):
    """A variable of 25 MiB."""

    def __init__(self):
        super().__init__()
        self.weights = tf.Variable(tf.ones([2560, 2560]))

    @tf.function(input_signature=[tf.TensorSpec([None, 2560], tf.float32)])
    def sums(self, x):
        return {"sums": tf.reduce_sum(tf.matmul(x, self.weights), axis=1)}


def resident_mebibytes():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
def test_closing_a_model_frees_its_memory(tmp_path):
    module = Wide()
    tf.saved_model.save(module, str(tmp_path), signatures=module.sums)
    closed, before = [], 0.0
    for number in range(8):
        model = LoadedModel(tmp_path)
        assert model.predict(ones(model))
        model.close()
        closed.append(model)
        if number == 1:
            before = resident_mebibytes()
    assert resident_mebibytes() - before < 40  # six more models are 150 MiB


def ones(model):
    (alias,) = model.signatures["serving_default"].inputs
    return {alias: np.ones((1, 2560), np.float32)}


# Warm-up


def predict_log(x, signature=""):
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.model_spec.signature_name = signature
    log.predict_log.request.inputs["x"].CopyFrom(tf.make_tensor_proto(x))
    return log


def example_log(field):
    log = prediction_log_pb2.PredictionLog()
    request = getattr(log, f"{field}_log").request
    request.model_spec.signature_name = field
    example = request.input.example_list.examples.add()
    example.features.feature["x"].float_list.value.append(1.0)
    return log


@pytest.fixture
def with_records(half_plus_two, tmp_path):
    def run(*logs):
        copy = shutil.copytree(half_plus_two, tmp_path / "warm")
        (copy / "assets.extra").mkdir()
        with tf.io.TFRecordWriter(str(copy / warmup.FILE)) as writer:
            for log in logs:
                writer.write(log if isinstance(log, bytes) else log.SerializeToString())
        return LoadedModel(copy)

    return run


def test_a_model_without_warm_up_requests_needs_no_warm_up(model):
    assert model.warm_up() == 0


def test_warm_up_runs_every_kind_of_request(with_records):
    logs = [predict_log([1.0]), example_log("classify"), example_log("regress")]
    empty = prediction_log_pb2.PredictionLog()
    assert with_records(*logs, empty).warm_up() == 4


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (predict_log([b"x"]), "Expects arg[0] to be float but string is provided"),
        (predict_log([1.0], "S"), 'Serving signature key "S" not found.'),
        (b"\xff", "Failed to parse warmup record"),
    ],
)
def test_a_failing_warm_up_request_is_reported(with_records, record, text):
    model = with_records(record)
    with pytest.raises(ModelLoadError) as failure:
        model.warm_up()
    assert str(failure.value).startswith(f"{model.path}/{warmup.FILE}: expected requests that")
    assert text in str(failure.value)


def test_session_logs_are_not_warm_up_requests(with_records):
    log = prediction_log_pb2.PredictionLog()
    log.session_run_log.request.fetch.append("y")
    with pytest.raises(ModelLoadError, match="Unsupported log_type for warmup: session_run_log"):
        with_records(log).warm_up()


def test_more_than_a_thousand_warm_up_requests_are_refused(with_records):
    with pytest.raises(ModelLoadError, match=r"warmup records exceeds the maximum \(1000\)"):
        with_records(*[prediction_log_pb2.PredictionLog()] * 1001).warm_up()


def test_warm_up_checks_method_names_only_if_enabled(with_records):
    log = example_log("regress")
    log.regress_log.request.model_spec.signature_name = "classify"
    model = with_records(log)
    with pytest.raises(ModelLoadError, match="Expected regression signature method_name"):
        model.warm_up()
    with pytest.raises(ModelLoadError, match="Expected one output Tensor"):
        model.warm_up(RequestOptions(check_method_name=False))


def test_a_warm_up_file_that_is_not_a_tfrecord_is_reported(half_plus_two, tmp_path):
    copy = shutil.copytree(half_plus_two, tmp_path / "copy")
    (copy / "assets.extra").mkdir()
    (copy / warmup.FILE).write_bytes(b"not a record")
    with LoadedModel(copy) as model, pytest.raises(ModelLoadError, match="expected requests that"):
        model.warm_up()


def test_checking_of_method_names_can_be_disabled(half_plus_two, tmp_path):
    copy = shutil.copytree(half_plus_two, tmp_path / "copy")

    def forget(signatures):
        signatures["regress"].method_name = "tensorflow/serving/predict"

    edit(copy, forget)
    request = messages.RegressionRequest()
    request.model_spec.signature_name = "regress"
    example = tf.train.Example()
    example.features.feature["x"].float_list.value.append(1.0)
    request.input.example_list.examples.append(example.SerializeToString())
    with LoadedModel(copy) as model:
        with pytest.raises(InvalidArgumentError, match="Expected regression signature method_name"):
            example_inference.regress(model, request)
        unchecked = example_inference.regress(
            model, request, RequestOptions(check_method_name=False)
        )
    assert unchecked.result.regressions[0].value == 2.5


def test_loops_in_the_functions_of_a_saved_model_are_detected(model):
    assert not model._session._is_bounded
