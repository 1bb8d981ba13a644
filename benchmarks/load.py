"""Send one request in a loop, some at once, and measure: the client of `benchmarks.serving`.

It runs as a separate process, perhaps in another environment: it takes a `LoadJob` as a line of
JSON and answers with a `Measured`. Requests one at a time go through the clients for threads,
concurrent ones through those for asyncio.
"""

import asyncio
import dataclasses
import functools
import json
import os
import pathlib
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import grpc
import numpy as np

from benchmarks import peer, served
from millrace.serving.client import Client, calls, channel
from millrace.serving.client.async_client import AsyncClient

_FEWEST = 10  # requests to measure, however long they take
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass(frozen=True)
class LoadJob:
    """What to send.

    Attributes:
        kind: `call` runs the session in this process; the others call a server.
        folder: of the models.
        model: one of `served.MODELS`.
        at_once: requests in flight.
        warm_up: seconds before the measurement.
        seconds: to measure.
        rows: of each request.
        target: `host:port` of the server.
        server: its process; its children count too.
    """

    kind: Literal["call", "echo", "millrace", "mlserver"]
    folder: str
    model: str
    at_once: int
    warm_up: float
    seconds: float
    rows: int = 1
    target: str = ""
    server: int = 0


@dataclasses.dataclass(frozen=True)
class Measured:
    """What was measured.

    Attributes:
        requests: answered during the measurement.
        seconds: it took.
        p50: milliseconds from the call to the answer in numpy.
        p99: the same.
        cpu: milliseconds of client and server together, per request.
    """

    requests: int
    seconds: float
    p50: float
    p99: float
    cpu: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


class Stopwatch:
    """When each request began and ended; those during the warm-up are dropped."""

    def __init__(self, job: LoadJob) -> None:
        self._server = job.server
        self._begin = time.perf_counter() + job.warm_up
        self._seconds = job.seconds
        self._cpu = self._began = 0.0
        self._latencies: list[float] = []

    def goes_on(self, started: float) -> bool:
        """Record that a request begun at `started` has its answer; False if that is enough."""
        now = time.perf_counter()
        if self._began:
            self._latencies.append(now - started)
        elif now >= self._begin:
            self._cpu, self._began = self._used(), now
        enough = len(self._latencies) >= _FEWEST and now >= self._began + self._seconds
        return not enough

    def measured(self) -> Measured:
        """The result, right after the last answer."""
        seconds = time.perf_counter() - self._began
        used = self._used() - self._cpu
        p50, p99 = np.percentile(self._latencies, [50, 99]) * 1e3
        count = len(self._latencies)
        return Measured(count, seconds, float(p50), float(p99), used / count * 1e3)

    def _used(self) -> float:
        """CPU seconds of this process and of the server."""
        server = sum(map(_cpu_seconds, family(self._server))) if self._server else 0.0
        return time.process_time() + server


def family(process: int) -> list[int]:
    """A process and all its descendants."""
    children = pathlib.Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [process, *(one for child in children for one in family(int(child)))]


def main() -> None:
    """Do each job that comes in."""
    for line in sys.stdin:
        print(json.dumps(dataclasses.asdict(measure(LoadJob(**json.loads(line))))), flush=True)


def measure(job: LoadJob) -> Measured:
    """Do one job."""
    if job.kind == "call":
        return _one_by_one(job, _session(job.folder, job.model, job.rows))
    if job.at_once > 1:
        return asyncio.run(_together(job))
    if job.kind == "millrace":
        with Client(job.target) as client:
            return _one_by_one(job, lambda: client.predict(job.model, _inputs(job)))
    path, encode, decode = _raw(job)
    with grpc.insecure_channel(job.target) as bare:
        send = bare.unary_unary(path)
        return _one_by_one(job, lambda: decode(send(encode())))


def _one_by_one(job: LoadJob, send: Callable[[], object]) -> Measured:
    watch = Stopwatch(job)
    while True:
        started = time.perf_counter()
        send()
        if not watch.goes_on(started):
            return watch.measured()


async def _together(job: LoadJob) -> Measured:
    """Concurrent loops that share a channel."""
    if job.kind == "millrace":
        client = AsyncClient(job.target)
        try:
            return await _side_by_side(job, lambda: client.predict(job.model, _inputs(job)))
        finally:
            await client.close()
    path, encode, decode = _raw(job)
    async with grpc.aio.insecure_channel(job.target) as bare:
        method = bare.unary_unary(path)

        async def send() -> object:
            return decode(await method(encode()))

        return await _side_by_side(job, send)


async def _side_by_side(job: LoadJob, send: Callable[[], Awaitable[object]]) -> Measured:
    watch = Stopwatch(job)

    async def loop() -> None:
        going = True
        while going:
            started = time.perf_counter()
            await send()
            going = watch.goes_on(started)

    await asyncio.gather(*(loop() for _ in range(job.at_once)))
    return watch.measured()


def _raw(job: LoadJob) -> tuple[str, Callable[[], bytes], Callable[[bytes], object]]:
    """For servers called with raw bytes: the path, how to make a request, how to read an answer."""
    if job.kind == "echo":
        request = request_bytes(pathlib.Path(job.folder), job.model)
        return f"/echo/{job.model}", lambda: request, len
    inputs = _inputs(job)
    return peer.PATH, lambda: peer.encode(job.model, inputs).SerializeToString(), peer.decode


def request_bytes(folder: pathlib.Path, model: str) -> bytes:
    """A PredictRequest of one row."""
    inputs = served.inputs(folder, model, 1)
    return channel.serialize(calls.predict(calls.Spec(model), inputs, ()).request)


def _inputs(job: LoadJob) -> dict[str, np.ndarray]:
    return _kept_inputs(job.folder, job.model, job.rows)


@functools.cache
def _kept_inputs(folder: str, model: str, rows: int) -> dict[str, np.ndarray]:
    return served.inputs(pathlib.Path(folder), model, rows)


@functools.cache
def _session(folder: str, model: str, rows: int) -> Callable[[], object]:
    """The call that a server has to make for a batch: names of tensors, arrays in and out."""
    loaded = _loaded(folder, model)
    signature = loaded.signatures["serving_default"]
    inputs = served.inputs(pathlib.Path(folder), model, rows)
    feeds = {signature.inputs[alias].name: array for alias, array in inputs.items()}
    fetches = [tensor.name for tensor in signature.outputs.values()]
    return lambda: loaded.run(feeds, fetches)


@functools.cache
def _loaded(folder: str, model: str) -> Any:
    from millrace.serving.flags import Options
    from millrace.serving.loading import session_config
    from millrace.serving.model import LoadedModel

    session = session_config(Options())
    return LoadedModel(f"{folder}/{model}/1", session=session)


def _cpu_seconds(process: int) -> float:
    """User and system time of all threads; proc(5): the 14th and 15th field."""
    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


if __name__ == "__main__":
    main()
