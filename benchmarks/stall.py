"""What the callers of one model notice while the server loads another.

    python -m benchmarks.stall [--versions 6] [--network ResNet101V2]

Paced callers in a separate process query a small model all the time, in three phases: nothing is
loaded; another process loads versions of a large model, which takes CPU and disk but nothing else
from the server; the server itself loads them. The second compared with the first is what any load
costs on these cores; the third compared with the second is what loading in the server adds: the
interpreter lock.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks import large, served, servers
from millrace.serving.client import Client

_CALLERS, _PAUSE = 4, 0.005  # seconds between two requests of one caller
_QUIET_SECONDS = 4.0
_SETTLE_SECONDS = 1.0
_POLL = 0.05  # seconds between two checks of the large model's state


def main() -> None:
    """Print what the callers noticed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--versions", type=int, default=6, help="loads of each kind")
    parser.add_argument("--network", default="ResNet101V2", help="of keras.applications")
    parser.add_argument("--call", metavar="TARGET", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.call:
        _call(arguments.call)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        served.export_all(folder)
        large.export(arguments.network, folder / "model")
        print(f"{arguments.network}: {large.size(folder / 'model'):.0f} MiB on disk")
        _measure(folder, arguments.versions)


def _measure(folder: pathlib.Path, versions: int) -> None:
    here, elsewhere = servers.free_port(), servers.free_port()
    for base in ("large", "other"):
        large.push(folder / "model", folder / base, 1)
    commands = {
        here: _command(folder, here, "large"),
        elsewhere: _command(folder, elsewhere, "other"),
    }
    logs = {port: folder / f"{port}.log" for port in commands}
    with (
        servers.running(commands[here], logs[here]) as first,
        servers.running(commands[elsewhere], logs[elsewhere]) as second,
    ):
        servers.wait_for(f"127.0.0.1:{here}", first, logs[here])
        servers.wait_for(f"127.0.0.1:{elsewhere}", second, logs[elsewhere])
        callers = Callers(f"127.0.0.1:{here}")
        time.sleep(_SETTLE_SECONDS)
        spans = {"nothing is loaded": [_wait() for _ in range(versions)]}
        spans["another process loads"] = _load(folder, "other", elsewhere, versions)
        spans["the server loads"] = _load(folder, "large", here, versions)
        samples = callers.end()
    _print(samples, spans)


def _load(folder: pathlib.Path, base: str, port: int, versions: int) -> list[tuple[float, float]]:
    """Push versions one by one; returns when each load and the unload after it began and ended."""
    spans = []
    with Client(f"127.0.0.1:{port}") as client:
        for version in range(2, versions + 2):
            start = time.monotonic()
            large.push(folder / "model", folder / base, version)
            while not large.is_alone(client, base, version):
                time.sleep(_POLL)
            spans.append((start, time.monotonic()))
            time.sleep(_SETTLE_SECONDS)
    return spans


def _command(folder: pathlib.Path, port: int, base: str) -> list[str]:
    file = folder / f"{port}.config"
    configs = (
        f'config {{ name: "{m}" base_path: "{folder / m}" model_platform: "tensorflow" }}'
        for m in ("dense", base)
    )
    file.write_text(f"model_config_list {{ {' '.join(configs)} }}")
    return [
        *(sys.executable, "-m", "millrace.serving.server", f"--port={port}"),
        f"--model_config_file={file}",
    ]


def _wait() -> tuple[float, float]:
    """Wait about as long as a load takes; returns when that began and ended."""
    start = time.monotonic()
    time.sleep(_QUIET_SECONDS)
    return start, time.monotonic()


class Callers:
    """A process of callers that runs until `end`."""

    def __init__(self, target: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.stall", "--call", target],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=servers.ROOT,
            env={**os.environ, "PYTHONPATH": str(servers.ROOT)},
            text=True,
        )

    def end(self) -> np.ndarray:
        """When each request began and how long it took, seconds, float64 [requests, 2]."""
        out, _ = self._process.communicate("end\n")
        return np.array(json.loads(out))


def _call(target: str) -> None:
    """Send requests until a line comes in; print the measurements."""
    samples: list[tuple[float, float]] = []
    ending = threading.Event()
    with Client(target) as client:
        inputs = {"features": np.zeros((1, 16), np.float32)}

        def send() -> None:
            while not ending.wait(_PAUSE):
                start = time.monotonic()
                client.predict("dense", inputs)
                samples.append((start, time.monotonic() - start))

        threads = [threading.Thread(target=send) for _ in range(_CALLERS)]
        for thread in threads:
            thread.start()
        sys.stdin.readline()
        ending.set()
        for thread in threads:
            thread.join()
    print(json.dumps(samples))


def _print(samples: np.ndarray, spans: dict[str, list[tuple[float, float]]]) -> None:
    """A line per phase: the medians over its loads."""
    began, took = samples[:, 0], samples[:, 1] * 1e3
    print(f"{'ms, while':24}{'times':>6}{'s each':>8}{'p50':>8}{'p99':>8}{'longest':>9}")
    found = {}
    for phase, times in spans.items():
        inside = [took[(began >= start) & (began < end)] for start, end in times]
        each = [np.percentile(one, [50, 99, 100]) for one in inside]
        found[phase] = p50, p99, longest = np.median(each, axis=0)
        seconds = np.median([end - start for start, end in times])
        print(f"{phase:24}{len(times):6}{seconds:8.1f}{p50:8.1f}{p99:8.1f}{longest:9.1f}")
    quiet, elsewhere, here = found.values()
    any_load, here_too = elsewhere[1] / quiet[1], here[1] / elsewhere[1]
    print(f"p99 rises {any_load:.1f} times by any load, {here_too:.1f} times more by one here")


if __name__ == "__main__":
    main()
