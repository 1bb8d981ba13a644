"""Flags that change how a running server answers, tested over the wire."""

import contextlib
import socket
import time
from concurrent import futures

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from millrace.serving import cores, security
from millrace.serving.batching.parameters import PER_MODEL
from millrace.serving.client import Client
from millrace.serving.errors import (
    DeadlineExceededError,
    FailedPreconditionError,
    InvalidArgumentError,
    ResourceExhaustedError,
    ServerError,
)
from millrace.serving.flags import Options
from millrace.serving.grpc_server import listening, servicer
from millrace.serving.loading import session_config
from millrace.serving.protos import prediction_service_pb2 as messages
from millrace.serving.server import ModelServer
from tests.serving import http2
from tests.serving.conftest import free_port
from tests.serving.test_contract import predict_request


def test_numbers_are_returned_in_tensor_content_if_enabled(serve, push, tmp_path):
    push(tmp_path / "half", 1)
    target = serve(tmp_path / "half", enable_serialization_as_tensor_content=True)
    with grpc.insecure_channel(target) as channel:
        output = PredictionServiceStub(channel).Predict(predict_request(x=[1.0])).outputs["y"]
    assert output.tensor_content == np.float32(2.5).tobytes()
    assert list(output.float_val) == []
    assert tf.make_ndarray(output).tolist() == [2.5]


def test_method_names_are_checked_only_if_enabled(serve, push, tmp_path):
    push(tmp_path / "half", 1)
    too_many = pytest.raises(InvalidArgumentError, match="Expected one output Tensor")
    with Client(serve(tmp_path / "half")) as client, too_many:
        client.regress("half", [{"x": 1.0}], signature="classify")
    target = serve(tmp_path / "half", enable_signature_method_name_check=True)
    with Client(target) as client, pytest.raises(InvalidArgumentError) as refusal:
        client.regress("half", [{"x": 1.0}], signature="classify")
    assert str(refusal.value) == (
        "Expected regression signature method_name to be tensorflow/serving/regress. "
        "Was: tensorflow/serving/classify"
    )


def test_health_is_served_only_if_enabled(serve, push, tmp_path):
    push(tmp_path / "half", 1)
    for enabled in (False, True):
        target = serve(tmp_path / "half", enable_grpc_healthcheck_service=enabled)
        with grpc.insecure_channel(target) as channel:
            check = channel.unary_unary("/grpc.health.v1.Health/Check")
            if enabled:
                assert check(b"", timeout=20) == b"\x08\x01"  # SERVING
                continue
            with pytest.raises(grpc.RpcError) as refusal:
                check(b"", timeout=20)
            assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_channel_arguments_reach_grpc_and_an_oversize_message_is_refused(serve, push, tmp_path):
    assert listening.MAX_MESSAGE_BYTES == 2**31 - 1
    push(tmp_path / "half", 1)
    limit = "grpc.max_receive_message_length=1000"
    with Client(serve(tmp_path / "half", grpc_channel_arguments=limit)) as client:
        assert client.predict("half", {"x": [1.0]})["y"] == 2.5
        with pytest.raises(ResourceExhaustedError, match="larger than max"):
            client.predict("half", {"x": [1.0] * 1000})


@pytest.mark.parametrize(
    "sent", [b"", http2.half_a_message()], ids=["headers alone", "half a message"]
)
def test_who_never_sends_the_rest_is_disconnected(serve, push, tmp_path, sent):
    push(tmp_path / "half", 1)
    age = "grpc.max_connection_age_ms=50,grpc.max_connection_age_grace_ms=50"
    target = serve(tmp_path / "half", grpc_channel_arguments=age)
    host, _, port = target.partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(http2.headers() + sent)
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(2**16):
                pass
    with Client(target) as client:
        assert client.predict("half", {"x": [1.0]})["y"] == 2.5


def test_connections_end_in_half_an_hour_unless_a_flag_says_otherwise(monkeypatch):
    given = []
    monkeypatch.setattr(
        grpc, "server", lambda *_, options, **more: given.append(dict(options[::-1]))
    )
    for arguments in ("", "grpc.max_connection_age_ms=1000"):
        options = Options(grpc_channel_arguments=arguments)
        listening.grpc_server(options, [], security.Gate(), 0)
    ages = [each["grpc.max_connection_age_ms"] for each in given]
    assert ages == [1_800_000, 1_000]
    assert {each["grpc.max_connection_age_grace_ms"] for each in given} == {600_000}


def test_a_unix_socket_is_taken_over_from_an_earlier_server(serve, push, tmp_path):
    push(tmp_path / "half", 1)
    path = tmp_path / "socket"  # all servers of the real one's tests share one
    for _ in range(2):
        serve(tmp_path / "half", grpc_socket_path=str(path))
        with Client(f"unix:{path}") as client:
            assert client.predict("half", {"x": [1.0]})["y"] == 2.5


def test_batching_answers_each_caller_and_refuses_like_the_real_server(serve, push, tmp_path):
    push(tmp_path / "half", 1)
    file = tmp_path / "batching.txt"
    file.write_text("max_batch_size { value: 4 } batch_timeout_micros { value: 1000 }")
    target = serve(tmp_path / "half", enable_batching=True, batching_parameters_file=str(file))
    with Client(target) as client:

        def ask(x):
            return client.predict("half", {"x": [x, x + 2.0]})["y"].tolist()

        with futures.ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(ask, [2.0 * n for n in range(64)]))
        assert answers == [[n + 2.0, n + 3.0] for n in range(64)]
        labels = client.classify("half", [{"x": 1.0}, {"x": 2.0}], signature="classify")
        assert [classes[0].score for classes in labels] == [1.0, 2.0]
        with pytest.raises(InvalidArgumentError) as refusal:
            client.predict("half", {"x": [1.0] * 5})
        assert str(refusal.value) == "Task size 5 is larger than maximum input batch size 4"
        with pytest.raises(InvalidArgumentError, match="tensors must have at least one dimension"):
            client.predict("half", {"n": 3}, signature="count")
        ones = {"a": np.ones((2, 2), "f4"), "b": np.ones((2, 3), "f4")}
        with pytest.raises(FailedPreconditionError, match="output tensor has 0 dimensions"):
            client.predict("half", ones, signature="multiply", output_filter=["rows"])


def test_only_models_with_their_own_parameters_are_batched_if_enabled(serve, push, tmp_path):
    (push(tmp_path / "half", 1) / PER_MODEL).write_text("max_batch_size { value: 1 }")
    options = {"enable_batching": True, "enable_per_model_batching_parameters": True}
    too_many = pytest.raises(InvalidArgumentError, match="maximum input batch size 1")
    with Client(serve(tmp_path / "half", **options)) as client, too_many:
        client.predict("half", {"x": [1.0, 2.0]})
    push(tmp_path / "plain", 1)
    with Client(serve(tmp_path / "plain", **options)) as client:
        assert client.predict("half", {"n": 3}, signature="count")["i"] == 3


def test_a_request_cancelled_while_it_waited_for_a_thread_is_not_run(serve, push, hold, tmp_path):
    push(tmp_path / "half", 1)
    log = tmp_path / "ran"
    target = serve(tmp_path / "half", grpc_max_threads=1)
    held = hold(target)  # the only thread
    with Client(target) as client:
        log.write_text("stop")  # a run would go on until its own time is over
        late = {"path": np.array(str(log).encode(), object)}
        with pytest.raises(DeadlineExceededError):
            client.predict("half", late, signature="wait", timeout=0.2)
        assert held.let_go().version == 1
        start = time.monotonic()
        assert client.predict("half", {"x": [1.0]}, timeout=10)["y"] == 2.5
        assert time.monotonic() - start < 1


def test_a_cancelled_request_does_not_reach_the_service():
    class Gone:
        def is_active(self):
            return False

        def abort(self, code, details):
            raise RuntimeError(code.name)

    handled = []
    handler = servicer._unary(lambda *request: handled.append(request), messages.PredictRequest)
    with pytest.raises(RuntimeError, match="CANCELLED"):
        handler.unary_unary(messages.PredictRequest(), Gone())
    assert handled == []


def test_sessions_get_the_threads_of_the_flags(tmp_path):
    def threads(**options):
        config = session_config(Options(model_base_path="/m", **options))
        return config.intra_op_parallelism_threads, config.inter_op_parallelism_threads

    every = cores.available()
    assert threads() == (max(1, every // 2), every)
    assert session_config(Options(model_base_path="/m")).experimental.disable_thread_spinning
    assert threads(workers=2 * every) == (1, 1)
    assert threads(tensorflow_session_parallelism=3) == (3, 3)
    assert threads(tensorflow_intra_op_parallelism=5) == (5, every)
    file = tmp_path / "session.txt"
    file.write_text("intra_op_parallelism_threads: 7 inter_op_parallelism_threads: 8")
    assert threads(tensorflow_session_config_file=str(file)) == (7, 8)
    both = {"tensorflow_session_config_file": str(file), "tensorflow_inter_op_parallelism": 2}
    assert threads(**both) == (7, 2)
    fraction = session_config(Options(per_process_gpu_memory_fraction=0.5))
    assert fraction.gpu_options.per_process_gpu_memory_fraction == 0.5


def test_a_session_file_that_does_not_parse_is_refused_at_once(tmp_path):
    file = tmp_path / "session.txt"
    file.write_text("threads: many")
    options = Options(
        port=free_port(), model_base_path="/m", tensorflow_session_config_file=str(file)
    )
    with pytest.raises(ServerError, match=r"expected a text-format ConfigProto\. Received: 1:1"):
        ModelServer(options)


def test_a_containers_limit_counts_as_its_cores(tmp_path):
    limit = tmp_path / "cpu.max"
    bound = cores.available(tmp_path / "none")
    for text, expected in (("max 100000", bound), ("50000 100000", 1), ("99999999 1000", bound)):
        limit.write_text(text + "\n")
        assert cores.available(limit) == expected


def test_requests_that_wait_for_a_thread_are_bounded(serve, push, tmp_path, hold):
    push(tmp_path / "half", 1)
    target = serve(tmp_path / "half", grpc_max_threads=1, grpc_max_queued_requests=1)
    running, waiting = hold(target), hold(target)
    time.sleep(1)  # until both have arrived, on a busy machine as well
    with (
        Client(target, attempts=1) as client,
        pytest.raises(ResourceExhaustedError, match="Concurrent RPC limit exceeded"),
    ):
        client.predict("half", {"x": [1.0]})
    assert running.let_go()["looks"] > 0
    assert list(waiting.let_go()) == ["looks"]
    with Client(target) as client:
        assert client.predict("half", {"x": [1.0]})["y"] == 2.5
