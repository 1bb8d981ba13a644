"""TensorFlow Serving's own integration test, run against our server.

Each kind of model has its own server process, with that test's flags; all are started at the same
time. Requests use the stock stubs over gRPC and plain HTTP over REST. Source:
tensorflow_serving/model_servers/tensorflow_model_server_test.py and test_util/.
"""

import contextlib
import json
import subprocess
import sys
import time

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    regression_pb2,
)
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from tests.serving import half_plus_two
from tests.serving.conftest import until
from tests.serving.processes import ROOT, Servers, configuration, verify_predict

MONITORING = 'prometheus_config: {\n  enable: true,\n  path: "/monitoring/prometheus/metrics"\n}\n'
BATCHING = (
    "max_batch_size { value: 100 } batch_timeout_micros { value: 0 } "
    "max_enqueued_batches { value: 1000000 } num_batch_threads { value: 8 }"
)
CHANNEL = "grpc.max_connection_age_ms=2000,grpc.lb_policy_name=grpclb"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("integration")


@pytest.fixture(scope="module")
def bases(folder):
    """The base paths of the models, by name."""
    builders = {
        "tf1": half_plus_two.tf1,
        "half_plus_three": lambda base: half_plus_two.tf1(base, bias=3.0),
        "tf2": half_plus_two.tf2,
        "one_signature": half_plus_two.one_signature,
        "several_signatures": half_plus_two.several_signatures,
        "keras2": half_plus_two.keras2,
        "keras3": half_plus_two.keras3,
        "tflite": half_plus_two.tflite,
        "tflite_with_sigdef": lambda base: half_plus_two.tflite(base, signatures=True),
    }
    built = {}
    for name, build in builders.items():
        (folder / name).mkdir()
        built[name] = build(folder / name)
    return built


@pytest.fixture(scope="module")
def servers(folder, bases):
    """All servers, by purpose; they load at the same time."""
    found = Servers(folder)
    half, three = bases["tf1"], bases["half_plus_three"]
    good = configuration(half_plus_two=half, half_plus_three=three)
    saved = {name: bases[name] for name in bases if name not in ("tf1", "tf2", "half_plus_three")}
    monitoring = found.file("monitoring_config.txt", MONITORING)
    batching = found.file("batching_config.txt", BATCHING)

    def of_file(name, text, *flags):
        return found.start(name, f"--model_config_file={found.file(name + '.txt', text)}", *flags)

    def of_model(name, base, *flags):
        return found.start(name, "--model_name=default", f"--model_base_path={base}", *flags)

    with contextlib.ExitStack() as stack:
        stack.callback(found.stop)
        yield {
            "tf1": of_model(
                *("tf1", half, f"--monitoring_config_file={monitoring}", "--enable_profiler")
            ),
            "tf2": of_model("tf2", bases["tf2"], f"--grpc_channel_arguments={CHANNEL}"),
            "good config": of_file(
                *("good", good, "--model_config_file_poll_wait_seconds=1", "--enable_batching"),
                f"--batching_parameters_file={batching}",
            ),
            "saved": of_file(
                *("saved", configuration(**saved), "--prefer_tflite_model=true"),
                "--model_config_file_poll_wait_seconds=0",
            ),
        }


@pytest.fixture(scope="module")
def server(servers):
    """Wait for the server of a purpose."""
    return lambda name: servers[name].wait()


def example_request(message, signature):
    request = message()
    request.model_spec.name, request.model_spec.signature_name = "default", signature
    example = request.input.example_list.examples.add()
    example.features.feature["x"].float_list.value.append(2.0)
    return request


def named(spec):
    return spec.name, spec.signature_name, spec.version.value


BOTH = pytest.mark.parametrize("kind", ["tf1", "tf2"])


@BOTH
def test_predict(server, kind):
    for specify_output in (True, False):
        verify_predict(server(kind).prediction, 3.0, specify_output=specify_output)


@BOTH
def test_classify(server, kind):
    request = example_request(classification_pb2.ClassificationRequest, "classify_x_to_y")
    result = server(kind).prediction.Classify(request, 20.0)
    (row,) = result.result.classifications
    assert [(one.label, one.score) for one in row.classes] == [("", 3.0)]
    assert named(result.model_spec) == ("default", "classify_x_to_y", 123)


@BOTH
def test_regress(server, kind):
    request = example_request(regression_pb2.RegressionRequest, "regress_x_to_y")
    result = server(kind).prediction.Regress(request, 20.0)
    assert [one.value for one in result.result.regressions] == [3.0]
    assert named(result.model_spec) == ("default", "regress_x_to_y", 123)


@BOTH
def test_multi_inference(server, kind):
    request = inference_pb2.MultiInferenceRequest()
    for method, signature in (("regress", "regress_x_to_y"), ("classify", "classify_x_to_y")):
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.name, task.model_spec.signature_name = "default", signature
    example = request.input.example_list.examples.add()
    example.features.feature["x"].float_list.value.append(2.0)
    first, second = server(kind).prediction.MultiInference(request, 20.0).results
    assert [one.value for one in first.regression_result.regressions] == [3.0]
    (row,) = second.classification_result.classifications
    assert [one.score for one in row.classes] == [3.0]
    assert named(first.model_spec) == ("default", "regress_x_to_y", 123)
    assert named(second.model_spec) == ("default", "classify_x_to_y", 123)


def test_get_model_status(server):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "default"
    (status,) = (
        ModelServiceStub(server("tf1").channel).GetModelStatus(request, 20.0).model_version_status
    )
    assert (status.version, status.status.error_code) == (123, 0)


def test_get_model_metadata(server):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "default"
    result = server("tf1").prediction.GetModelMetadata(request, 20.0)
    assert (result.model_spec.name, result.model_spec.version.value) == ("default", 123)
    assert list(result.metadata) == ["signature_def"]


def test_a_good_config_file_and_predict_in_batches(server):
    stub = server("good config").prediction
    for specify_output in (True, False):
        form = {"specify_output": specify_output}
        verify_predict(stub, 3.0, model="half_plus_two", **form)
        verify_predict(stub, 4.0, model="half_plus_three", **form)


def test_a_bad_config_file(servers, folder):
    file = folder / "bad_model_config.txt"
    file.write_text("improperly formatted file")
    command = [sys.executable, "-m", "millrace.serving.server", f"--model_config_file={file}"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert b"Error parsing text-format tensorflow.serving.ModelServerConfig" in ended.stderr
    assert ended.returncode != 0


def is_served(stub, model, expected):
    try:
        verify_predict(stub, expected, model=model)
    except grpc.RpcError as error:
        return error.code() is not grpc.StatusCode.NOT_FOUND
    return True


def test_a_config_file_is_read_again_after_its_poll_period(server, folder, bases):
    stub, file = server("good config").prediction, folder / "good.txt"
    good = file.read_text()
    assert is_served(stub, "half_plus_two", 3.0)
    file.write_text(configuration(half_plus_three=bases["half_plus_three"]))
    until(lambda: not is_served(stub, "half_plus_two", 3.0))
    verify_predict(stub, 4.0, model="half_plus_three")
    file.write_text(good)
    until(lambda: is_served(stub, "half_plus_two", 3.0))


def test_a_config_file_is_read_once_with_a_poll_period_of_zero(server, folder, bases):
    stub = server("saved").prediction
    verify_predict(stub, 12.0, model="one_signature")
    (folder / "saved.txt").write_text(configuration(half_plus_three=bases["half_plus_three"]))
    time.sleep(1)
    verify_predict(stub, 12.0, model="one_signature")
    with pytest.raises(grpc.RpcError):
        verify_predict(stub, 4.0, model="half_plus_three")


@BOTH
def test_classify_over_rest(server, kind):
    body = {"signature_name": "classify_x_to_y", "examples": [{"x": 2.0}]}
    answer = server(kind).rest("/v1/models/default:classify", body)
    assert json.loads(answer) == {"results": [[["", 3.0]]]}


@BOTH
def test_regress_over_rest(server, kind):
    body = {"signature_name": "regress_x_to_y", "examples": [{"x": 2.0}]}
    answer = server(kind).rest("/v1/models/default:regress", body)
    assert json.loads(answer) == {"results": [3.0]}


@BOTH
def test_predict_by_rows_over_rest(server, kind):
    answer = server(kind).rest("/v1/models/default:predict", {"instances": [2.0, 3.0, 4.0]})
    assert json.loads(answer) == {"predictions": [3.0, 3.5, 4.0]}


@BOTH
def test_predict_by_columns_over_rest(server, kind):
    answer = server(kind).rest("/v1/models/default:predict", {"inputs": [2.0, 3.0, 4.0]})
    assert json.loads(answer) == {"outputs": [3.0, 3.5, 4.0]}


def test_status_over_rest(server):
    assert json.loads(server("tf1").rest("/v1/models/default")) == {
        "model_version_status": [
            {
                "version": "123",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }


def tensor(name, dtype, *sizes):
    dim = [{"size": str(size), "name": ""} for size in sizes]
    shape = {"dim": dim, "unknown_rank": not sizes}
    return {"dtype": dtype, "tensor_shape": shape, "name": name}


def test_metadata_over_rest(server):
    examples, column = tensor("tf_example:0", "DT_STRING"), ("DT_FLOAT", -1, 1)

    def signature(inputs, outputs, method):
        method_name = f"tensorflow/serving/{method}"
        return {"inputs": inputs, "outputs": outputs, "method_name": method_name, "defaults": {}}

    y, y2 = tensor("y:0", *column), tensor("y2:0", *column)
    signatures = {
        "regress_x2_to_y3": signature(
            {"inputs": tensor("x2:0", *column)}, {"outputs": tensor("y3:0", *column)}, "regress"
        ),
        "serving_default": signature({"x": tensor("x:0", *column)}, {"y": y}, "predict"),
        "classify_x_to_y": signature({"inputs": examples}, {"scores": y}, "classify"),
        "regress_x_to_y2": signature({"inputs": examples}, {"outputs": y2}, "regress"),
        "regress_x_to_y": signature({"inputs": examples}, {"outputs": y}, "regress"),
    }
    assert json.loads(server("tf1").rest("/v1/models/default/metadata")) == {
        "model_spec": {"name": "default", "signature_name": "", "version": "123"},
        "metadata": {"signature_def": {"signature_def": signatures}},
    }


def test_metrics_for_prometheus(server):
    page = server("tf1").rest("/monitoring/prometheus/metrics").decode()
    assert "# TYPE :tensorflow:serving:request_count counter" in page


def test_channel_arguments(server):
    command = server("tf2").process.args
    assert f"--grpc_channel_arguments={CHANNEL}" in command
    verify_predict(server("tf2").prediction, 3.0)


def test_predict_over_a_unix_socket(server, folder):
    server("tf1")
    with grpc.insecure_channel(f"unix:{folder}/tf1.sock") as channel:
        verify_predict(PredictionServiceStub(channel), 3.0)


@pytest.mark.parametrize("model", ["tflite", "tflite_with_sigdef"])
def test_predict_on_tflite(server, model):
    verify_predict(server("saved").prediction, 3.0, model=model)


def test_a_saved_model_with_one_signature(server):
    verify_predict(server("saved").prediction, 12.0, model="one_signature")


def test_a_saved_model_with_several_signatures(server):
    stub, model = server("saved").prediction, "several_signatures"
    signature = "custom_signature_key"
    verify_predict(stub, 2.0, model=model, signature=signature, specify_output=True)
    verify_predict(stub, 1.0, model=model, specify_output=True)


def test_keras_models(server):
    stub = server("saved").prediction
    verify_predict(stub, 3.0, model="keras2", batch=True)
    verify_predict(stub, 3.0, model="keras3", batch=True, output="output_0")


def test_a_profile_is_taken_at_the_serving_port(server, tmp_path):
    one, client = server("tf1"), tf.profiler.experimental.client
    body = json.dumps({"instances": [2.0, 3.0, 4.0]})
    url = f"http://localhost:{one.rest_port}/v1/models/default:predict"
    ask = f"while :; do curl -s {url} -d '{body}' >/dev/null; sleep 0.1; done"
    asking = subprocess.Popen(["bash", "-c", ask])
    try:
        client.trace(f"grpc://localhost:{one.port}", str(tmp_path), 1000, num_tracing_attempts=10)
    finally:
        asking.kill()
        asking.wait()
    assert len(list(tmp_path.rglob("*.xplane.pb"))) == 1


def test_the_log_says_where_the_server_listens(server):
    one = server("tf1")
    until(lambda: "Exporting HTTP/REST API at:" in one.log.read_text())
    assert f"Running gRPC ModelServer at 127.0.0.1:{one.port} ..." in one.log.read_text()
    assert f"Exporting HTTP/REST API at:127.0.0.1:{one.rest_port} ..." in one.log.read_text()
