"""What the light client costs: its import, and encoding and decoding an array.

    python -m benchmarks.client [--runs N]

The import is that of `millrace.serving.client` in fresh processes: its CPU and wall seconds, and
the resident memory after it (Linux: from getrusage). The array has 150,000 float32 values, the
pixels of a photo of 224x224, encoded into the bytes of a PredictRequest and decoded from those of a
PredictResponse by the calls that the client makes.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time

import numpy as np

from millrace.serving import wire
from millrace.serving.client import calls, channel
from millrace.serving.protos import prediction_service_pb2 as messages

_VALUES = 150_000
_WARM = 50  # round trips that only warm up
_SECONDS, _MEBIBYTES, _MILLISECONDS = 0.25, 60.0, 0.2  # the targets
_IMPORT = """
import json, resource, sys, time
start = time.perf_counter()
import millrace.serving.client
wall = time.perf_counter() - start
used = resource.getrusage(resource.RUSAGE_SELF)
assert "tensorflow" not in sys.modules
print(json.dumps([wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""


def main() -> None:
    """Print the figures as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="processes; hundreds of round trips")
    runs = parser.parse_args().runs
    wall, cpu, memory = map(
        statistics.median, zip(*(_imported() for _ in range(runs)), strict=True)
    )
    encode, decode = _round_trips(100 * runs)
    both = encode + decode
    print("| what | target | median | met |\n| --- | --- | --- | --- |")
    for what, most, found, unit in (
        ("import of millrace.serving.client, wall", _SECONDS, wall, "s"),
        ("its CPU, including the interpreter's start", _SECONDS, cpu, "s"),
        ("resident memory after it", _MEBIBYTES, memory, "MiB"),
        ("encode and decode 150,000 floats", _MILLISECONDS, both, "ms"),
    ):
        met = "yes" if found <= most else "no"
        print(f"| {what} | {most:g} {unit} | {found:.3g} {unit} | {met} |")
    print(f"\nEncoding is {encode:.3f} ms of it, decoding {decode:.3f} ms.")


def _imported() -> tuple[float, float, float]:
    """Seconds, CPU seconds and MiB of one import."""
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT], capture_output=True, text=True, check=True
    )
    wall, cpu, memory = json.loads(done.stdout)
    return wall, cpu, memory


def _round_trips(times: int) -> tuple[float, float]:
    """Milliseconds of encoding and of decoding, medians."""
    array = np.random.default_rng(0).random((1, _VALUES), np.float32)
    response = messages.PredictResponse()
    wire.fill(response.outputs["scores"], array, name="scores")
    answer = response.SerializeToString()
    encoding, decoding = [], []
    for _ in range(_WARM + times):
        start = time.perf_counter()
        call = calls.predict(calls.Spec("photos"), {"pixels": array}, ())
        channel.serialize(call.request)
        middle = time.perf_counter()
        call.read(answer)
        encoding.append(middle - start)
        decoding.append(time.perf_counter() - middle)
    return (
        statistics.median(encoding[_WARM:]) * 1e3,
        statistics.median(decoding[_WARM:]) * 1e3,
    )


if __name__ == "__main__":
    main()
