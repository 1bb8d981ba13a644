"""The server as a whole: hot swap, warm-up, refusals at start, sockets, signals."""

import functools
import logging
import shutil
import signal
import socket
import subprocess
import sys
import threading
import types
from pathlib import Path

import pytest

from millrace.serving import warmup
from millrace.serving.client import Client
from millrace.serving.client.rest_client import RestClient
from millrace.serving.errors import (
    FailedPreconditionError,
    NotFoundError,
    ServerError,
    UnavailableError,
)
from millrace.serving.flags import Options
from millrace.serving.grpc_server.listening import channel_arguments
from millrace.serving.server import ModelServer, run
from tests.serving.conftest import free_port, until

ROOT = Path(__file__).parents[2]


def slope(client, **spec):
    return round(float(client.predict("half", {"x": [6.0]}, **spec)["y"][0] - 2) / 6, 3)


def states(client):
    return {one.version: one.state for one in client.status("half")}


def test_a_pushed_version_takes_over_while_requests_keep_arriving(
    serve, push, third_plus_two, tmp_path
):
    base = tmp_path / "half"
    push(base, 1)
    wrong, done = [], threading.Event()

    def ask(client):
        while not done.is_set():
            answer = client.predict("half", {"x": [6.0]})
            expected = {1: 5.0, 2: 4.0}[answer.version]
            if answer["y"][0] != expected:
                wrong.append((answer.version, answer["y"]))

    with Client(serve(base)) as client:
        asking = threading.Thread(target=ask, args=(client,))
        asking.start()
        push(base, 2, third_plus_two)
        until(lambda: states(client) == {2: "AVAILABLE", 1: "END"})
        done.set()
        asking.join()
        assert wrong == []
        assert slope(client) == 0.333
        with pytest.raises(NotFoundError, match=r"Specific\(half, 1\)$"):
            slope(client, version=1)


def test_a_request_in_flight_finishes_on_the_version_that_it_began_on(serve, push, hold, tmp_path):
    base = tmp_path / "half"
    push(base, 1)
    target = serve(base)
    with Client(target) as client:
        held = hold(target)
        push(base, 2)
        until(lambda: states(client) == {2: "AVAILABLE", 1: "UNLOADING"})
        assert client.predict("half", {"x": [1.0]}).version == 2
        assert held.let_go().version == 1
        until(lambda: states(client) == {2: "AVAILABLE", 1: "END"})


def test_a_broken_version_changes_only_its_own_status(serve, push, tmp_path):
    base = tmp_path / "half"
    push(base, 1)
    with Client(serve(base, max_num_load_retries=0)) as client:
        (base / "2").mkdir()
        until(lambda: states(client).get(2) == "END")
        (broken,) = client.status("half", version=2)
        assert f"{base}/2: expected a SavedModel with tags {{serve}}" in broken.error
        assert client.predict("half", {"x": [1.0]}).version == 1


def test_a_failing_warm_up_fails_the_load_unless_disabled(serve, push, half_plus_two, tmp_path):
    cold = shutil.copytree(half_plus_two, tmp_path / "cold")
    (cold / "assets.extra").mkdir()
    (cold / warmup.FILE).write_bytes(b"not a record")
    base = tmp_path / "half"
    push(base, 1, cold)
    options = Options(
        port=free_port(), model_name="half", model_base_path=str(base), max_num_load_retries=0
    )
    server = ModelServer(options)
    with pytest.raises(ServerError, match="expected requests that the model can answer"):
        server.start()
    server.stop()
    with Client(serve(base, enable_model_warmup=False)) as client:
        assert slope(client) == 0.5


def test_labels_at_startup_need_available_versions(push, tmp_path, half_plus_two):
    base = tmp_path / "half"
    push(base, 1)
    file = tmp_path / "models.config"
    file.write_text(
        f'model_config_list {{ config {{ name: "half" base_path: "{base}" model_platform: '
        '"tensorflow" version_labels { key: "next" value: 2 } } }'
    )
    port = free_port()
    refused = ModelServer(Options(port=port, model_config_file=str(file)))
    with pytest.raises(FailedPreconditionError, match="not currently available for inference"):
        refused.start()
    refused.stop()
    server = ModelServer(
        Options(
            port=port, model_config_file=str(file), allow_version_labels_for_unavailable_models=True
        )
    )
    assert server.start()
    with Client(f"127.0.0.1:{port}") as client:
        with pytest.raises(NotFoundError, match=r"Specific\(half, 2\)$"):
            slope(client, label="next")
        push(base, 2)
        until(lambda: states(client).get(2) == "AVAILABLE")
        assert client.predict("half", {"x": [1.0]}, label="next").version == 2
    server.stop()


def test_a_unix_socket_serves_too(serve, push, tmp_path):
    push(tmp_path / "half", 1)
    path = tmp_path / "socket"
    serve(tmp_path / "half", grpc_socket_path=str(path))
    with Client(f"unix:{path}") as client:
        assert slope(client) == 0.5


def test_channel_arguments_are_integers_or_text():
    assert channel_arguments("") == []
    assert channel_arguments("grpc.max_connection_age_ms=2000,a=b") == [
        ("grpc.max_connection_age_ms", 2000),
        ("a", "b"),
    ]
    with pytest.raises(ServerError, match=r"expected key=value\. Received: grpc\.x\. "):
        channel_arguments("grpc.x")


@pytest.fixture
def command(monkeypatch, capfd):
    """The command in this process, its signal handlers and log set-up left out."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)

    def call(*arguments):
        status = run(arguments)
        return status, capfd.readouterr()

    return call


def test_a_port_in_use_is_reported_on_one_line_before_anything_is_loaded(command):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, output = command(f"--port={port}", "--model_base_path=/models/none")
    assert status == 1
    assert output.err == (
        f"Failed to start server. Error: 127.0.0.1:{port}: expected a free address of this "
        "machine. Received: [Errno 98] Address already in use. Choose another --port, "
        "--bind_address or --grpc_socket_path.\n"
    )


def test_a_model_that_cannot_be_loaded_ends_the_server_with_its_reason(command, tmp_path):
    (tmp_path / "1").mkdir()
    status, output = command(
        *(f"--model_base_path={tmp_path}", f"--port={free_port()}", "--max_num_load_retries=0")
    )
    assert status == 1
    start = "Failed to start server. Error: 1 servable(s) did not become available: {"
    assert f"{start}{{{{name: default version: 1}} due to error: {tmp_path}/1: expected a" in (
        output.err
    )


def test_version_prints_the_servers_and_tensorflows_version(command):
    status, output = command("--version")
    assert status == 0
    assert output.out.splitlines()[0].startswith("TensorFlow ModelServer: millrace ")
    assert output.out.splitlines()[1] == "TensorFlow Library: 2.21.0"


@pytest.fixture
def child(tmp_path):
    """The server in a process of its own."""
    running = []

    def start(base, *arguments):
        port = free_port()
        flags = [f"--port={port}", "--model_name=half", f"--model_base_path={base}", *arguments]
        log = (tmp_path / "log").open("wb")
        process = subprocess.Popen(
            [sys.executable, "-m", "millrace.serving.server", *flags],
            cwd=ROOT,
            stderr=log,
            stdout=log,
        )
        running.append((process, log))
        return f"127.0.0.1:{port}", process

    yield start
    for process, log in running:
        process.kill()
        process.wait()
        log.close()


def test_sigterm_lets_running_requests_finish(child, push, hold, tmp_path):
    push(tmp_path / "half", 1)
    target, process = child(tmp_path / "half")
    with Client(target) as client:
        client.wait_until_available("half", timeout=120)
        held = hold(target)
        process.send_signal(signal.SIGTERM)
        until(lambda: b"SIGTERM: draining" in (tmp_path / "log").read_bytes())
        with pytest.raises(UnavailableError):
            client.predict("half", {"x": [1.0]})
        assert process.poll() is None
        assert held.let_go()["looks"] > 0
    assert process.wait(30) == 0


def test_callers_get_unavailable_while_the_server_stops_and_afterwards(push, tmp_path, monkeypatch):
    push(tmp_path / "half", 1)
    port, rest_port, refusing, end = free_port(), free_port(), threading.Event(), threading.Event()

    def pause(_):
        refusing.set()
        end.wait(60)

    monkeypatch.setattr("millrace.serving.server.time", types.SimpleNamespace(sleep=pause))
    base = str(tmp_path / "half")
    options = Options(port=port, rest_api_port=rest_port, model_name="half", model_base_path=base)
    server = ModelServer(options)
    assert server.start()
    stopping = threading.Thread(target=server.stop)
    with (
        Client(f"127.0.0.1:{port}", attempts=1) as client,
        RestClient(f"http://127.0.0.1:{rest_port}", attempts=1) as rest,
    ):
        asking = [functools.partial(one.predict, "half", {"x": [1.0]}) for one in (client, rest)]
        assert [ask()["y"].tolist() for ask in asking] == [[2.5], [2.5]]
        stopping.start()
        refusing.wait(60)
        for ask in asking:
            with pytest.raises(UnavailableError, match="The server is shutting down"):
                ask()
        end.set()
        stopping.join()
        for ask in asking:
            with pytest.raises(UnavailableError, match=r"Received: (?!The server is shutting)"):
                ask()


def test_sigterm_while_waiting_for_a_model_stops_the_server(child, tmp_path):
    (tmp_path / "half").mkdir()
    _, process = child(tmp_path / "half")
    until(lambda: b"No versions of servable half" in (tmp_path / "log").read_bytes())
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
