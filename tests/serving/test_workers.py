"""Several processes as one server."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from pathlib import Path

import grpc
import pytest
from google.protobuf import text_format
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub

from millrace.serving.client import Client
from tests.serving.conftest import free_port, until

ROOT = Path(__file__).parents[2]

SCRIPT = """
import os, signal, sys, time
from pathlib import Path
from millrace.serving.workers import supervise

folder = Path({folder!r})

def work():
    (folder / f"{{os.getpid()}}.up").touch()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    {body}

sys.exit(supervise({count}, work))
"""


@pytest.fixture
def supervised(tmp_path):
    running = []

    def start(body="time.sleep(60)", count=2):
        script = textwrap.dedent(SCRIPT).format(folder=str(tmp_path), body=body, count=count)
        running.append(subprocess.Popen([sys.executable, "-c", script], cwd=ROOT))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()


def pids(folder):
    return {int(file.stem) for file in folder.glob("*.up")}


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_worker_that_dies_is_restarted_and_sigterm_stops_all(supervised, tmp_path):
    supervisor = supervised()
    until(lambda: len(pids(tmp_path)) == 2)
    first = pids(tmp_path)
    os.kill(min(first), signal.SIGKILL)
    until(lambda: len(pids(tmp_path)) == 3)
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(20) == 0
    until(lambda: not any(map(alive, pids(tmp_path))))


def test_a_worker_that_refuses_to_start_stops_all_with_its_status(supervised, tmp_path):
    supervisor = supervised("return 3", count=3)
    assert supervisor.wait(20) == 3
    assert not any(map(alive, pids(tmp_path)))


def test_workers_end_when_the_supervisor_is_killed(supervised, tmp_path):
    supervisor = supervised()
    until(lambda: len(pids(tmp_path)) == 2)
    supervisor.kill()
    supervisor.wait()
    until(lambda: not any(map(alive, pids(tmp_path))))


def test_a_worker_that_dies_at_startup_is_not_restarted_in_a_loop(supervised, tmp_path):
    supervised("os.kill(os.getpid(), signal.SIGKILL)", count=1)
    until(lambda: len(pids(tmp_path)) >= 2)
    time.sleep(1)
    assert len(pids(tmp_path)) <= 6  # 0.1 s, then twice as long each time


def entry(base):
    return f'config {{ name: "{base.name}" base_path: "{base}" model_platform: "tensorflow" }}'


@pytest.fixture
def two(push, tmp_path):
    """A server of two workers, its ports and its log."""
    push(tmp_path / "half", 1)
    port, rest_port, log = free_port(), free_port(), tmp_path / "log"
    monitoring = tmp_path / "monitoring.config"
    monitoring.write_text("prometheus_config { enable: true }")
    flags = [f"--port={port}", "--model_name=half", f"--model_base_path={tmp_path / 'half'}"]
    flags += [f"--rest_api_port={rest_port}", f"--monitoring_config_file={monitoring}"]
    with log.open("wb") as sink:
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "millrace.serving.server", *flags),
                *("--workers=2", "--enable_grpc_healthcheck_service"),
            ],
            cwd=ROOT,
            stdout=sink,
            stderr=sink,
        )
    until(lambda: log.read_bytes().count(b"Exporting HTTP/REST API") == 2, seconds=120)
    yield server, port, rest_port, log
    server.kill()
    server.wait()


def test_workers_act_as_one_server_and_survive_the_loss_of_one(two, push, tmp_path):
    server, port, rest_port, log = two
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port))

    def ask(model):
        for _ in range(20):  # each on its own connection
            with Client(f"127.0.0.1:{port}") as client:
                assert client.predict(model, {"x": [1.0]}, timeout=20)["y"] == 2.5

    def counted(model):
        url = f"http://127.0.0.1:{rest_port}/monitoring/prometheus/metrics"
        page = urllib.request.urlopen(url, timeout=20).read().decode()
        sample = f':tensorflow:serving:request_count{{model_name="{model}",status="OK"}} '
        return [int(line.removeprefix(sample)) for line in page.splitlines() if sample in line]

    for _ in range(10):  # whichever worker answers
        request = HealthCheckRequest(service="tensorflow.serving.PredictionService")
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            assert HealthStub(channel).Check(request, timeout=20).status == 1  # SERVING
    ask("half")
    assert [counted("half") for _ in range(10)] == [[20]] * 10  # whichever worker answers

    push(tmp_path / "other", 1)
    request = text_format.Parse(
        f"config {{ model_config_list {{ {entry(tmp_path / 'other')} }} }}", ReloadConfigRequest()
    )
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        ModelServiceStub(channel).HandleReloadConfigRequest(request, timeout=60)
    ask("other")
    assert counted("other") == [20]

    line = next(line for line in log.read_text().splitlines() if "Worker 1" in line)
    os.kill(int(line.split()[-1]), signal.SIGKILL)
    until(lambda: log.read_bytes().count(b"Exporting HTTP/REST API") == 3, seconds=120)
    ask("other")  # the new worker has the reloaded configuration
    assert "ended with SIGKILL: restarting it" in log.read_text()
    server.send_signal(signal.SIGTERM)
    assert server.wait(40) == 0
