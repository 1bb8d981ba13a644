"""TensorFlow's profiler at the server's own port."""

import contextlib
import threading
from concurrent import futures
from pathlib import Path

import grpc
import pytest
import tensorflow as tf

from millrace.serving.client import Client
from millrace.serving.grpc_server import profiler
from millrace.serving.protos import profiler_service_pb2 as messages
from tests.serving.conftest import until


@pytest.fixture
def busy(serve, push, tmp_path):
    """The address of a server that answers requests continuously."""
    push(tmp_path / "half", 1)
    target, done = serve(tmp_path / "half", enable_profiler=True), threading.Event()

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


def test_requests_that_tensorflow_refuses_are_refused_with_its_text(serve, push, tmp_path):
    push(tmp_path / "half", 1)
    with grpc.insecure_channel(serve(tmp_path / "half", enable_profiler=True)) as channel:
        with pytest.raises(grpc.RpcError) as refusal:
            channel.unary_unary(f"/{profiler.SERVICE}/Monitor")(b"", timeout=20)
        assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert refusal.value.details() == "unimplemented."
        assert channel.unary_unary(f"/{profiler.SERVICE}/Terminate")(b"", timeout=20) == b""


def test_the_profiler_is_off_by_default(serve, push, tmp_path):
    push(tmp_path / "half", 1)
    target = serve(tmp_path / "half")
    with grpc.insecure_channel(target) as channel, pytest.raises(grpc.RpcError) as refusal:
        channel.unary_unary(f"/{profiler.SERVICE}/Terminate")(b"", timeout=20)
    assert (refusal.value.code(), refusal.value.details()) == (
        grpc.StatusCode.UNIMPLEMENTED,
        "Method not found!",
    )


def listening():
    """All listening TCP sockets of this machine."""
    tables = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
    lines = [line.split() for table in tables for line in table.read_text().splitlines()[1:]]
    return {line[9] for line in lines if line[3] == "0A"}  # inodes, in the state LISTEN


def of_this_process():
    found = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the listing's own
            found.add(str(descriptor.readlink()).removeprefix("socket:[").removesuffix("]"))
    return found


@pytest.fixture
def ask(serve, push, tmp_path):
    """Call the profiler of a server that requires a token; returns the response, or the code."""
    push(tmp_path / "half", 1)
    (tmp_path / "token").write_text("s3cret")
    flags = {"enable_profiler": True, "api_token_file": str(tmp_path / "token")}
    channel = grpc.insecure_channel(serve(tmp_path / "half", **flags))

    def run(method, request, given="s3cret"):
        call = channel.unary_unary(
            f"/{profiler.SERVICE}/{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=messages.ProfileResponse.FromString,
        )
        try:
            return call(request, timeout=20, metadata=[("authorization", f"Bearer {given}")])
        except grpc.RpcError as error:
            return error.code(), error.details()

    yield run
    channel.close()


def wanted(tmp_path, session="s", milliseconds=10, **more):
    return messages.ProfileRequest(
        opts=messages.ProfileOptions(duration_ms=milliseconds, version=1, host_tracer_level=2),
        repository_root=str(tmp_path / "traces"),
        session_id=session,
        host_name="host:8500",
        **more,
    )


def test_no_port_is_opened_and_the_token_covers_it(ask, tmp_path):
    before = listening() & of_this_process()
    answer = ask("Profile", wanted(tmp_path, emit_xspace=True))
    file = tmp_path / "traces" / "s" / "host_8500.xplane.pb"
    assert answer.xspace == file.read_bytes() != b""
    assert listening() & of_this_process() == before
    file.unlink()
    code, _ = ask("Profile", wanted(tmp_path), "wrong")
    assert code is grpc.StatusCode.UNAUTHENTICATED
    assert not file.exists()


def test_only_one_profile_runs_and_it_ends_when_its_session_is_terminated(ask, tmp_path):
    with futures.ThreadPoolExecutor() as pool:
        busy = (grpc.StatusCode.INTERNAL, "Another profiling session active.")
        longest = pool.submit(ask, "Profile", wanted(tmp_path, "long", 60_000))

        def is_alone():
            nonlocal longest
            if longest.done() and longest.result() == busy:  # a short profile was in progress
                longest = pool.submit(ask, "Profile", wanted(tmp_path, "long", 60_000))
            return ask("Profile", wanted(tmp_path, "other", 0)) == busy and not longest.done()

        until(is_alone, seconds=60)
        ended = ask("Terminate", messages.TerminateRequest(session_id="long"))
        assert ended == messages.ProfileResponse()
        assert isinstance(longest.result(20), messages.ProfileResponse)
    assert isinstance(ask("Profile", wanted(tmp_path, "other", 0)), messages.ProfileResponse)


def test_a_trace_that_cannot_be_written_is_reported(ask, tmp_path):
    (tmp_path / "traces").write_text("no folder")
    code, text = ask("Profile", wanted(tmp_path))
    assert code is grpc.StatusCode.INTERNAL
    assert text.startswith("The trace cannot be written: ")


def test_two_profiles_of_one_session_are_both_ended_with_it():
    served, ends = profiler.Profiler(), [threading.Event(), threading.Event()]
    with served._under_way("s", ends[0]):
        with served._under_way("s", ends[1]):
            pass
        served.terminate(messages.TerminateRequest(session_id="s"), None)
        assert [end.is_set() for end in ends] == [True, False]
    assert served._ends == {}


def test_a_profile_of_the_longest_possible_duration_ends_when_it_is_terminated(ask, tmp_path):
    with futures.ThreadPoolExecutor() as pool:
        longest = pool.submit(ask, "Profile", wanted(tmp_path, "long", 2**64 - 1))
        until(
            lambda: (
                ask("Terminate", messages.TerminateRequest(session_id="long")) and longest.done()
            )
        )
        assert isinstance(longest.result(), messages.ProfileResponse)
