"""A tiny SavedModel with every kind of signature, and servers for it."""

import shutil
import socket
import threading
import time
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from millrace.serving.client import Client
from millrace.serving.flags import Options
from millrace.serving.server import ModelServer

CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"


def spec(dtype, *shape, name=None):
    return tf.TensorSpec(shape, dtype, name)


class HalfPlusTwo(tf.Module):
    """`y = slope * x + 2`, and signatures that test one feature each."""

    def __init__(self, slope=0.5):
        super().__init__()
        self.slope = tf.Variable(slope)
        words = tf.lookup.KeyValueTensorInitializer(["one", "two"], [1.0, 2.0])
        self.table = tf.lookup.StaticHashTable(words, -1.0)

    @tf.function(input_signature=[spec(tf.float32, None, name="x")])
    def predict(self, x):
        return {"y": self.slope * x + 2.0}

    @tf.function(input_signature=[spec(tf.float32, None, name="x"), spec(tf.float32, name="bias")])
    def biased(self, x, bias):
        return {"y": self.slope * x + bias}

    @tf.function(input_signature=[spec(tf.float32, None, 2), spec(tf.float32, None, 3)])
    def multiply(self, a, b):
        return {"product": tf.matmul(a, b), "rows": tf.shape(a)[0]}

    @tf.function(input_signature=[spec(tf.string, None)])
    def look_up(self, word):
        return {"value": self.table.lookup(word), "word": tf.strings.upper(word)}

    @tf.function(input_signature=[spec(tf.int32)])
    def count(self, n):
        body = tf.while_loop(lambda i: i < n, lambda i: (i + 1,), [0], parallel_iterations=1)
        return {"i": body[0]}

    @tf.function(input_signature=[spec(tf.string)])
    def wait(self, path):
        """Run until the file `path` says `go`."""

        def waiting(looks):
            same = tf.strings.join([path, tf.strings.substr(tf.strings.as_string(looks), 0, 0)])
            return tf.io.read_file(same) != b"go"

        return {"looks": tf.while_loop(waiting, lambda looks: (looks + 1,), [0])[0]}

    @tf.function(input_signature=[spec(tf.string, None)])
    def regress(self, inputs):
        return {"outputs": self.slope * self._parse(inputs) + 2.0}

    @tf.function(input_signature=[spec(tf.string, None)])
    def classify(self, inputs):
        x = self._parse(inputs)
        scores = tf.concat([x, -x], axis=1)
        return {"classes": tf.tile([["up", "down"]], [tf.shape(x)[0], 1]), "scores": scores}

    def _parse(self, inputs):
        feature = tf.io.FixedLenFeature([1], tf.float32)
        return tf.io.parse_example(inputs, {"x": feature})["x"]


def export(path, slope=0.5):
    """Save the model; returns `path`."""
    module = HalfPlusTwo(slope)
    signatures = {
        "serving_default": module.predict,
        "biased": module.biased,
        "multiply": module.multiply,
        "look_up": module.look_up,
        "count": module.count,
        "wait": module.wait,
        "regress": module.regress,
        "classify": module.classify,
    }
    tf.saved_model.save(module, str(path), signatures=signatures)
    edit(path, _set_method_names)
    return path


def edit(path, change):
    """Apply `change` to the signatures of a SavedModel."""
    from tensorflow.core.protobuf import saved_model_pb2

    file = Path(path) / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    change(model.meta_graphs[0].signature_def)
    file.write_bytes(model.SerializeToString())


def _set_method_names(signatures):
    signatures["classify"].method_name = CLASSIFY
    signatures["regress"].method_name = REGRESS
    signatures["biased"].defaults["bias"].CopyFrom(tf.make_tensor_proto(2.0))


@pytest.fixture(scope="session")
def half_plus_two(tmp_path_factory):
    """The folder of a SavedModel; do not change it."""
    return export(tmp_path_factory.mktemp("half_plus_two") / "model")


@pytest.fixture(scope="session")
def third_plus_two(tmp_path_factory):
    """The same with another slope, to tell versions apart."""
    return export(tmp_path_factory.mktemp("third_plus_two") / "model", slope=1 / 3)


@pytest.fixture
def push(half_plus_two):
    """Create a version by a rename, like the pusher."""

    def run(base, version, model=half_plus_two):
        staged = base.parent / f".staged-{base.name}-{version}"
        shutil.copytree(model, staged)
        base.mkdir(exist_ok=True)
        return staged.rename(base / str(version))

    return run


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(condition, seconds=60):
    """Wait for `condition`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


class Held:
    """A request that runs on the server until it is released."""

    def __init__(self, target, gate):
        self._gate, self._target, self.answers = gate, target, []
        gate.write_text("stop")
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()
        time.sleep(0.2)

    def _ask(self):
        with Client(self._target) as client:
            path = np.array(str(self._gate).encode(), object)
            self.answers.append(client.predict("half", {"path": path}, signature="wait"))

    def let_go(self):
        self._gate.write_text("go")
        self._thread.join(30)
        (answer,) = self.answers
        return answer


@pytest.fixture
def hold(tmp_path):
    """Send requests that run until they are released."""
    held = []

    def run(target):
        held.append(Held(target, tmp_path / f"gate-{len(held)}"))
        return held[-1]

    yield run
    for one in held:
        if not one.answers:
            one.let_go()


@pytest.fixture
def serve():
    """Start servers in this process that stop at the end of the test."""
    running = []

    def run(base, **options):
        port = free_port()
        server = ModelServer(
            Options(port=port, model_name="half", model_base_path=str(base), **options)
        )
        running.append(server)
        assert server.start()
        return f"127.0.0.1:{port}"

    yield run
    for server in running:
        server.stop()


@pytest.fixture(scope="session")
def target(half_plus_two, tmp_path_factory):
    """A server of versions 7 and 123 of the model `half`, the second in the folder 00000123."""
    base = tmp_path_factory.mktemp("models") / "half"
    base.mkdir()
    for folder in ("7", "00000123"):
        (base / folder).symlink_to(half_plus_two)
    file = base.parent / "models.config"
    file.write_text(
        f'model_config_list {{ config {{ name: "half" base_path: "{base}" '
        'model_platform: "tensorflow" model_version_policy { all {} } '
        'version_labels { key: "stable" value: 7 } } }'
    )
    port = free_port()
    server = ModelServer(
        Options(port=port, model_config_file=str(file), enable_grpc_healthcheck_service=True)
    )
    assert server.start()
    yield f"127.0.0.1:{port}"
    server.stop()


@pytest.fixture(scope="session")
def channel(target):
    limits = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(target, limits) as channel:
        yield channel


@pytest.fixture(scope="session")
def stub(channel):
    """TensorFlow Serving's own generated client, connected to our server."""
    return PredictionServiceStub(channel)


@pytest.fixture(scope="session")
def model_stub(channel):
    return ModelServiceStub(channel)


@pytest.fixture(scope="session")
def client(target):
    with Client(target) as client:
        yield client
