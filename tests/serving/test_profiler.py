"""TensorFlow's profiler, asked at the server's own port."""

import threading

import grpc
import pytest
import tensorflow as tf

from serving import profiler
from serving.client import Client


@pytest.fixture
def busy(serve, push, tmp_path):
    """The address of a server that answers requests all the while."""
    push(tmp_path / "half", 1)
    target, done = serve(tmp_path / "half"), threading.Event()

    def ask():
        with Client(target) as client:
            while not done.wait(0.01):
                client.predict("half", {"x": [1.0]})

    asking = threading.Thread(target=ask)
    asking.start()
    yield target
    done.set()
    asking.join()


def test_a_trace_is_captured_at_the_serving_port(busy, tmp_path):
    tf.profiler.experimental.client.trace(f"grpc://{busy}", str(tmp_path / "logs"), 500)
    (trace,) = (tmp_path / "logs").rglob("*.xplane.pb")
    assert b"Session::Run" in trace.read_bytes() or b"SessionRun" in trace.read_bytes()


def test_what_tensorflow_refuses_is_refused_in_its_own_words(serve, push, tmp_path):
    push(tmp_path / "half", 1)
    with grpc.insecure_channel(serve(tmp_path / "half")) as channel:
        with pytest.raises(grpc.RpcError) as refusal:
            channel.unary_unary(f"/{profiler.SERVICE}/Monitor")(b"", timeout=20)
        assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert refusal.value.details() == "unimplemented."
        assert channel.unary_unary(f"/{profiler.SERVICE}/Terminate")(b"", timeout=20) == b""


def test_the_profiler_can_be_switched_off(serve, push, tmp_path):
    push(tmp_path / "half", 1)
    target = serve(tmp_path / "half", enable_profiler=False)
    with grpc.insecure_channel(target) as channel, pytest.raises(grpc.RpcError) as refusal:
        channel.unary_unary(f"/{profiler.SERVICE}/Terminate")(b"", timeout=20)
    assert (refusal.value.code(), refusal.value.details()) == (
        grpc.StatusCode.UNIMPLEMENTED,
        "Method not found!",
    )
