"""The servers that benchmarks call, as separate processes on loopback, and what they use."""

import contextlib
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

import grpc

from benchmarks import load, peer, served
from millrace.serving.client import Client, calls

ROOT = pathlib.Path(__file__).parents[1]
BATCHING = {"max_batch_size": 64, "batch_timeout_micros": 1000, "max_enqueued_batches": 64}
_METRICS = "/monitoring/prometheus/metrics"
_PROCESSED = re.compile(r"processed_batch_size_(sum|count)\{[^}]*\} (\S+)")
_START_SECONDS = 120.0


class RunningServer:
    """A server that listens: its address and its process."""

    def __init__(self, target: str, process: int, metrics: str = "") -> None:
        self.target, self.process, self._metrics = target, process, metrics

    def batches(self) -> tuple[float, float]:
        """The rows in all batches so far, and the number of batches."""
        if not self._metrics:
            return 0.0, 0.0
        with urllib.request.urlopen(self._metrics) as page:  # noqa: S310 - a URL of our own
            found = dict(_PROCESSED.findall(page.read().decode()))
        return float(found.get("sum", 0)), float(found.get("count", 0))


@contextlib.contextmanager
def millrace(folder: pathlib.Path, *, batching: bool) -> Iterator[RunningServer]:
    """The model server with all models, perhaps with `BATCHING`."""
    port, rest = free_port(), free_port()
    name = "on" if batching else "off"
    models = folder / f"{name}.config"
    configs = (
        f'config {{ name: "{m}" base_path: "{folder / m}" model_platform: "tensorflow" }}'
        for m in served.MODELS
    )
    models.write_text(f"model_config_list {{ {' '.join(configs)} }}")
    monitoring = folder / "monitoring.config"
    monitoring.write_text("prometheus_config { enable: true }")
    flags = [
        f"--port={port}",
        f"--rest_api_port={rest}",
        f"--model_config_file={models}",
        f"--monitoring_config_file={monitoring}",
    ]
    if batching:
        parameters = folder / "batching.config"
        parameters.write_text("\n".join(f"{k} {{ value: {v} }}" for k, v in BATCHING.items()))
        flags += ["--enable_batching", f"--batching_parameters_file={parameters}"]
    command = [sys.executable, "-m", "millrace.serving.server", *flags]
    with running(command, folder / f"{name}.log") as process:
        target = f"127.0.0.1:{port}"
        wait_for(target, process, folder / f"{name}.log")
        with Client(target) as client:
            for model in served.MODELS:
                client.wait_until_available(model, timeout=_START_SECONDS)
        yield RunningServer(target, process.pid, f"http://127.0.0.1:{rest}{_METRICS}")


@contextlib.contextmanager
def echo(folder: pathlib.Path, answers_of: RunningServer) -> Iterator[RunningServer]:
    """The bare server, which repeats one answer of `answers_of` for each model."""
    with grpc.insecure_channel(answers_of.target) as channel:
        ask = channel.unary_unary(f"/{calls.PREDICTION_SERVICE}/Predict")
        for model in served.MODELS:
            answer = ask(load.request_bytes(folder, model))
            (folder / f"{model}.answer").write_bytes(answer)
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.echo", str(port), str(folder)]
    with running(command, folder / "echo.log") as process:
        wait_for(f"127.0.0.1:{port}", process, folder / "echo.log")
        yield RunningServer(f"127.0.0.1:{port}", process.pid)


@contextlib.contextmanager
def mlserver(folder: pathlib.Path, python: pathlib.Path) -> Iterator[RunningServer]:
    """MLServer in the environment of `python`."""
    port = free_port()
    settings = folder / "mlserver"
    peer.configure(settings, folder, served.MODELS, port)
    command = [str(python.parent / "mlserver"), "start", str(settings)]
    with running(command, folder / "mlserver.log") as process:
        target = f"127.0.0.1:{port}"
        wait_for(target, process, folder / "mlserver.log")
        yield RunningServer(target, process.pid)


@contextlib.contextmanager
def running(command: list[str], log: pathlib.Path) -> Iterator[subprocess.Popen[bytes]]:
    """`command` as a child process that finds this project, ended with the block."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    with log.open("wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=sink, env=environment, cwd=ROOT)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(target: str, process: subprocess.Popen[bytes], log: pathlib.Path) -> None:
    """Return once a gRPC server listens at `target`."""
    end = time.monotonic() + _START_SECONDS
    with grpc.insecure_channel(target) as channel:
        nobody = channel.unary_unary("/nobody/Answers")
        while process.poll() is None and time.monotonic() < end:
            try:
                nobody(b"", wait_for_ready=True, timeout=1.0)
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
                    return  # any other error is an answer
    raise SystemExit(
        f"{target}: the server did not start. Its log ends:\n{log.read_text()[-2000:]}"
    )


class Process:
    """What a process of this machine uses, as Linux reports it."""

    def __init__(self, number: int) -> None:
        self._folder = pathlib.Path(f"/proc/{number}")

    def memory(self) -> float:
        """Resident memory, MiB."""
        return self._status("VmRSS") / 1024

    def threads(self) -> int:
        """The number of threads."""
        return self._status("Threads")

    def files(self) -> int:
        """The number of open files, including sockets."""
        return len(list((self._folder / "fd").iterdir()))

    def _status(self, field: str) -> int:
        for line in (self._folder / "status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name == field:
                return int(value.split()[0])
        raise KeyError(field)


class Worker:
    """A process that does the jobs of `load`, one after another."""

    def __init__(self, python: str, log: pathlib.Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
        self._log = log
        with log.open("wb") as sink:
            self._process = subprocess.Popen(
                [python, "-m", "benchmarks.load"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=sink,
                env=environment,
                cwd=ROOT,
                text=True,
            )

    def do(self, job: load.LoadJob) -> load.Measured:
        """Do one job."""
        assert self._process.stdin
        assert self._process.stdout
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(vars(job)), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{job}: failed. Its log ends:\n{self._log.read_text()[-2000:]}")
        return load.Measured(**json.loads(line))

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def free_port() -> int:
    """A free TCP port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
