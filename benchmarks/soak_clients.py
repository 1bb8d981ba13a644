"""The clients of `benchmarks.soak`: what they send, and what they expect.

Version V of each model answers `y = 0.5 x + (V mod FLAVOURS)`, so an answer shows which version
gave it. `run` and `be_killed` run in processes of their own.
"""

import asyncio
import dataclasses
import http.client
import json
import pathlib
import random
import threading
import urllib.parse
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from typing import Any, NamedTuple, TypeVar

import numpy as np

from millrace.serving.client import Client, calls
from millrace.serving.client.async_client import AsyncClient
from millrace.serving.client.rest_client import RestClient
from millrace.serving.errors import RpcError

Item = TypeVar("Item")
MODELS = ("plain", "batched")
FLAVOURS = 8
_THREADS, _TASKS = 4, 16
_BAD = 0.15  # of all requests
_LIMIT = 1e6  # of x; a larger one makes the run fail, and the batch that it is in
_ROWS = 4  # the most of a request


class Where(NamedTuple):
    """The server's addresses."""

    grpc: str
    rest: str


@dataclasses.dataclass
class Results:
    """The number of answers of each kind, and what was wrong."""

    answers: Counter[str] = dataclasses.field(default_factory=Counter)
    failures: Counter[str] = dataclasses.field(default_factory=Counter)

    def add(self, other: "Results") -> None:
        """Add those of another."""
        self.answers.update(other.answers)
        self.failures.update(other.failures)


class Request(NamedTuple):
    """One request for `Client.predict`, and the code that it must end with."""

    what: str
    model: str
    inputs: Mapping[str, Any]
    spec: Mapping[str, Any]
    code: str = "OK"


class Checker:
    """Makes requests, and checks answers; one per thread or task."""

    def __init__(self, kind: str, seed: int, results: Results) -> None:
        self._kind, self._results = kind, results
        self._random = random.Random(seed)  # noqa: S311 - to vary, not to hide
        self._seen = dict.fromkeys(MODELS, 0)

    def request(self) -> Request:
        """A good request, or one of the bad."""
        model = self._random.choice(MODELS)
        rows = self._random.randint(1, _ROWS)
        x = np.array([self._random.randrange(1000) for _ in range(rows)], np.float32)
        matrix = np.ones((rows, 3), np.float32)
        if self._random.random() >= _BAD:
            return Request("good", model, {"x": x}, {})
        bad = (
            Request("unknown model", "nobody", {"x": x}, {}, "NOT_FOUND"),
            Request("unknown version", model, {"x": x}, {"version": 10**6}, "NOT_FOUND"),
            Request("unknown label", model, {"x": x}, {"label": "none"}, "INVALID_ARGUMENT"),
            Request("unknown input", model, {"z": x}, {}, "INVALID_ARGUMENT"),
            Request("wrong shape", model, {"x": matrix}, {}, "INVALID_ARGUMENT"),
            Request("fails in the run", model, {"x": x + _LIMIT}, {}, "INVALID_ARGUMENT"),
            Request("text for a number", model, {"x": ["one"]}, {}, "INVALID_ARGUMENT"),
        )
        return self._random.choice(bad)

    def choose(self, among: Sequence[Item]) -> Item:
        """One of several, at random."""
        return self._random.choice(among)

    def answered(self, request: Request, answer: calls.Prediction) -> None:
        """Check an answer."""
        if request.code != "OK":
            self.fail(f"{request.what}: answered, expected {request.code}")
        elif np.array_equal(answer["y"], _y(request.inputs["x"], answer.version)):
            self._grown(request, answer.version)
        else:
            self.fail(f"wrong answer of {request.model}, version {answer.version}")

    def refused(self, request: Request, error: RpcError) -> None:
        """Check an error."""
        if error.code == request.code:
            self.count(request.what)
        else:
            self.fail(f"{request.what}: {error.code}: {str(error)[:200]}")

    def rows_answered(self, request: Request, rows: list[float]) -> None:
        """Check an answer that reports no version: it is the last one seen, or one soon after."""
        seen = self._seen[request.model]
        for version in range(seen, seen + FLAVOURS):
            if np.array_equal(rows, _y(request.inputs["x"], version)):
                break
        else:
            self.fail(f"wrong answer of {request.model}")
            return
        if seen and version - seen > FLAVOURS // 2:
            self.fail(f"{request.model} went back from version {seen}")
        else:
            self._grown(request, version)

    def count(self, what: str) -> None:
        self._results.answers[f"{self._kind}: {what}"] += 1

    def fail(self, text: str) -> None:
        self.count("FAILED")
        self._results.failures[f"{self._kind}: {text}"] += 1

    def _grown(self, request: Request, version: int) -> None:
        if version < self._seen[request.model]:
            self.fail(f"{request.model} went back from version {self._seen[request.model]}")
            return
        self._seen[request.model] = version
        self.count(request.what)


def _y(x: np.ndarray, version: int) -> np.ndarray:
    return 0.5 * x + version % FLAVOURS


def run(kind: str, where: Where, requests: int, seed: int, queue: "Queue[Results]") -> None:
    """Send this many requests through the client called `kind`, then report the results."""
    results = Results()
    match kind:
        case "threads":
            with Client(where.grpc, attempts=1) as client:
                _in_threads(requests, seed, lambda n: _with(client, Checker(kind, n, results)))
        case "asyncio":
            asyncio.run(_in_tasks(where, requests, seed, results))
        case "rest":
            with RestClient(where.rest, attempts=1) as client:
                _in_threads(requests, seed, lambda n: _with(client, Checker(kind, n, results)))
        case _:
            _in_threads(requests, seed, lambda n: _plain(where, Checker(kind, n, results)))
    queue.put(results)


def be_killed(where: Where, calling: Event) -> None:
    """Send requests endlessly, many at a time, on both protocols, until killed."""
    inputs = [{"x": np.full(_ROWS, number, np.float32)} for number in range(100)]
    body = json.dumps({"instances": [1.0] * 10_000}).encode()
    address = urllib.parse.urlsplit(where.rest)
    assert address.hostname
    with Client(where.grpc) as client:
        while True:
            for _ in client.predict_many("batched", inputs, in_flight=16):
                calling.set()
            connection = http.client.HTTPConnection(address.hostname, address.port)
            # Half a request, which is never finished.
            connection.putrequest("POST", "/v1/models/plain:predict")
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body[:100])
            threading.Timer(0.3, connection.close).start()


def export_flavours(folder: pathlib.Path) -> None:
    """One SavedModel for each flavour."""
    import tensorflow as tf

    for flavour in range(FLAVOURS):
        module = tf.Module()
        module.slope = tf.Variable(0.5)
        module.flavour = tf.Variable(float(flavour))

        def answer(x: tf.Tensor, module: tf.Module = module) -> dict[str, tf.Tensor]:
            known = tf.debugging.assert_less(x, _LIMIT)
            with tf.control_dependencies([known]):
                rows = tf.reshape(x, [tf.shape(x)[0]])
            return {"y": module.slope * rows + module.flavour}

        x = tf.TensorSpec([None], tf.float32, name="x")
        signature = tf.function(answer, [x], autograph=False)
        tf.saved_model.save(module, str(folder / str(flavour)), signatures=signature)


def _in_threads(requests: int, seed: int, make: Callable[[int], Callable[[], None]]) -> None:
    def loop(number: int) -> None:
        once = make(seed * 100 + number)
        for _ in range(requests // _THREADS):
            once()

    threads = [threading.Thread(target=loop, args=(number,)) for number in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _with(client: Client | RestClient, checker: Checker) -> Callable[[], None]:
    """Send one request through one of the project's clients."""

    def once() -> None:
        request = checker.request()
        try:
            checker.answered(request, client.predict(request.model, request.inputs, **request.spec))
        except RpcError as error:
            checker.refused(request, error)

    return once


async def _in_tasks(where: Where, requests: int, seed: int, results: Results) -> None:
    client = AsyncClient(where.grpc, attempts=1)

    async def loop(checker: Checker) -> None:
        for _ in range(requests // _TASKS):
            request = checker.request()
            try:
                checker.answered(
                    request,
                    await client.predict(request.model, request.inputs, **request.spec),
                )
            except RpcError as error:
                checker.refused(request, error)

    await asyncio.gather(
        *(loop(Checker("asyncio", seed * 100 + n, results)) for n in range(_TASKS))
    )
    await client.close()


def _plain(where: Where, checker: Checker) -> Callable[[], None]:
    """Use plain HTTP: no version is named, and bad requests may not even be JSON."""
    address = urllib.parse.urlsplit(where.rest)
    assert address.hostname
    connection = http.client.HTTPConnection(address.hostname, address.port)
    bad = (
        ("invalid JSON", "/v1/models/plain:predict", b'{"instances": [1.0', 400),
        ("invalid UTF-8", "/v1/models/batched:predict", b"\xff\x00" * 50, 400),
        ("no such path", "/v1/models/plain:perform", b"{}", 400),
        ("no instances", "/v1/models/plain:predict", b"{}", 400),
        ("ragged", "/v1/models/plain:predict", b'{"instances": [[1.0], [1.0, 2.0]]}', 400),
        ("unknown model", "/v1/models/nobody:predict", b'{"instances": [1.0]}', 404),
    )

    def send(path: str, body: bytes) -> tuple[int, bytes]:
        connection.request("POST", path, body)
        response = connection.getresponse()
        return response.status, response.read()

    def once() -> None:
        request = checker.request()
        if request.code != "OK":
            what, path, body, expected = checker.choose(bad)
            status, answer = send(path, body)
            if status == expected and json.loads(answer).keys() == {"error"}:
                checker.count(what)
            else:
                checker.fail(f"{what}: {status}: {answer[:200]!r}")
            return
        body = json.dumps({"instances": request.inputs["x"].tolist()}).encode()
        status, answer = send(f"/v1/models/{request.model}:predict", body)
        if status == http.client.OK:
            checker.rows_answered(request, json.loads(answer)["predictions"])
        else:
            checker.fail(f"{request.what}: {status}: {answer[:200]!r}")

    return once
