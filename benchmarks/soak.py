"""A long time of mixed load, compressed: every answer is checked, and the memory watched.

    python -m benchmarks.soak [--requests 100000] [--swap-seconds 3]

One model server with two models, one of them batched, on gRPC and REST. While client processes send
requests, bad ones among the good, both models get a new version every few seconds, and other
clients are killed in the middle of their calls. No client retries. Unless all of this holds, the
exit status is 1:

- a good request gets the answer of the version that it reports, and versions only increase;
- a bad request gets its own error, and harms no other;
- resident memory, threads and open files end up as they were after a quarter of the time.
"""

import argparse
import multiprocessing
import os
import pathlib
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from multiprocessing.process import BaseProcess

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks import servers, soak_clients
from benchmarks.servers import Process
from benchmarks.soak_clients import FLAVOURS, MODELS, Results, Where
from millrace.serving.client import Client

_CLIENTS = ("threads", "asyncio", "rest", "plain rest")  # one process each
_KILLED_AFTER, _KILLED_EVERY = 0.3, 1.0  # seconds
_KEPT_VERSIONS = 3
_GROWTH = 0.05  # of the resident memory between the second and the last quarter
_PROCESSES = multiprocessing.get_context("forkserver")  # so that victims do not cost an import each
_PROCESSES.set_forkserver_preload(["benchmarks.soak_clients"])


class Samples:
    """What the server's process uses, sampled every quarter of a second."""

    def __init__(self, process: int) -> None:
        self.process = Process(process)
        self.memory: list[float] = []  # MiB
        self.most_threads = 0

    def take(self) -> None:
        """Take a sample."""
        self.memory.append(self.process.memory())
        self.most_threads = max(self.most_threads, self.process.threads())

    def quarter(self, number: int) -> float:
        """The median of the resident memory in one quarter of the time, from 0; MiB."""
        step = len(self.memory) / 4
        return statistics.median(self.memory[int(number * step) : int((number + 1) * step) or None])


class Swaps(threading.Thread):
    """Keeps pushing a new version of each model, as the pusher does."""

    def __init__(self, folder: pathlib.Path, seconds: float) -> None:
        super().__init__(name="swaps", daemon=True)
        self._folder, self._seconds = folder, seconds
        self.ending = threading.Event()
        self.latest = 0

    def run(self) -> None:
        """Push until `ending` is set."""
        while not self.ending.wait(self._seconds):
            self.push()

    def push(self) -> None:
        """The next version of each model, by one rename; the oldest is removed."""
        self.latest += 1
        for model in MODELS:
            staged = self._folder / f".{model}"
            shutil.copytree(self._folder / "flavours" / str(self.latest % FLAVOURS), staged)
            if model == "batched":
                (staged / "batching_params.pbtxt").write_text(
                    "max_batch_size { value: 64 } batch_timeout_micros { value: 500 }"
                    "max_enqueued_batches { value: 64 }"
                )
            (self._folder / model).mkdir(exist_ok=True)
            staged.rename(self._folder / model / str(self.latest))
            oldest = self._folder / model / str(self.latest - _KEPT_VERSIONS)
            shutil.rmtree(oldest, ignore_errors=True)


class Victims(threading.Thread):
    """Clients that are killed in the middle of their calls, one after another."""

    def __init__(self, where: Where) -> None:
        super().__init__(name="victims", daemon=True)
        self._where = where
        self.ending = threading.Event()
        self.killed = 0

    def run(self) -> None:
        """Start and kill until `ending` is set."""
        while not self.ending.wait(_KILLED_EVERY):
            calling = _PROCESSES.Event()
            victim = _PROCESSES.Process(
                target=soak_clients.be_killed, args=(self._where, calling), daemon=True
            )
            victim.start()
            calling.wait(30)
            time.sleep(_KILLED_AFTER)
            victim.kill()
            victim.join()
            self.killed += victim.exitcode == -signal.SIGKILL


def main() -> int:
    """Print what happened; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=100_000, help="answers to check")
    parser.add_argument("--swap-seconds", type=float, default=3.0, help="between two versions")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        soak_clients.export_flavours(folder / "flavours")
        swaps = Swaps(folder, arguments.swap_seconds)
        swaps.push()
        return _soak(folder, swaps, arguments.requests)


def _soak(folder: pathlib.Path, swaps: Swaps, requests: int) -> int:
    port, rest_port = servers.free_port(), servers.free_port()
    log = folder / "server.log"
    with servers.running(_command(folder, port, rest_port), log) as process:
        where = Where(f"127.0.0.1:{port}", f"http://127.0.0.1:{rest_port}")
        servers.wait_for(where.grpc, process, log)
        server = Samples(process.pid)
        idle = server.process.files()
        victims = Victims(where)
        start = time.monotonic()
        results = _load(where, requests, server, swaps, victims)
        seconds = time.monotonic() - start
        time.sleep(2)  # for the last victims' connections to close
        left = server.process.files() - idle
        with Client(where.grpc) as client:
            states = Counter(one.state for model in MODELS for one in client.status(model))
        process.terminate()
        status = process.wait(40)
    _print(results, seconds, server, swaps, victims)
    print(f"versions: {dict(states)}; files open beyond the idle server's: {left}; ended {status}")
    growth = server.quarter(3) / server.quarter(1) - 1
    good = {
        "every answer is right": not results.failures,
        f"memory grows by less than {_GROWTH:.0%}": growth < _GROWTH,
        "files are closed": left <= 0,
        "one version of each model is left": states["AVAILABLE"] == len(MODELS),
        "the server ends by itself": status == 0,
    }
    for guarantee, holds in good.items():
        print("ok    " if holds else "BROKEN", guarantee)
    if not all(good.values()):
        print(f"The server's log ends:\n{log.read_text()[-3000:]}", file=sys.stderr)
    return 0 if all(good.values()) else 1


def _command(folder: pathlib.Path, port: int, rest_port: int) -> list[str]:
    models = folder / "models.config"
    configs = (
        f'config {{ name: "{m}" base_path: "{folder / m}" model_platform: "tensorflow" }}'
        for m in MODELS
    )
    models.write_text(f"model_config_list {{ {' '.join(configs)} }}")
    return [
        *(sys.executable, "-m", "millrace.serving.server", f"--port={port}"),
        *(f"--rest_api_port={rest_port}", f"--model_config_file={models}"),
        *("--enable_batching", "--enable_per_model_batching_parameters"),
    ]


def _load(where: Where, requests: int, server: Samples, swaps: Swaps, victims: Victims) -> Results:
    """Run all clients, and sample the server meanwhile."""
    queue = _PROCESSES.Queue()
    share = -(-requests // len(_CLIENTS))
    clients: list[BaseProcess] = [
        _PROCESSES.Process(target=soak_clients.run, args=(kind, where, share, number, queue))
        for number, kind in enumerate(_CLIENTS)
    ]
    for client in clients:
        client.start()
    swaps.start()
    victims.start()
    results = Results()
    while any(client.is_alive() for client in clients) or not queue.empty():
        server.take()
        if queue.empty():
            time.sleep(0.25)
        else:
            results.add(queue.get())
    for thread in (swaps, victims):
        thread.ending.set()
        thread.join()
    for client, kind in zip(clients, _CLIENTS, strict=True):
        if client.exitcode:
            results.failures[f"{kind}: its process ended with {client.exitcode}"] += 1
    return results


def _print(
    results: Results, seconds: float, server: Samples, swaps: Swaps, victims: Victims
) -> None:
    total = sum(results.answers.values())
    print(f"{total:,} answers in {seconds:.0f} s, {total / seconds:,.0f} per second")
    for what, count in sorted(results.answers.items()):
        print(f"  {what:44}{count:>9,}")
    print(f"failures: {sum(results.failures.values())}")
    for what, count in results.failures.most_common(10):
        print(f"  {what}: {count}")
    print(f"versions of each model: {swaps.latest}; clients killed: {victims.killed}")
    quarters = ", ".join(f"{server.quarter(number):.0f}" for number in range(4))
    print(
        f"resident memory: medians of the quarters {quarters} MiB, most {max(server.memory):.0f}; "
        f"threads: {server.most_threads} at most"
    )


if __name__ == "__main__":
    sys.exit(main())
