"""The clients of `benchmarks.soak`: what they ask, and what they expect.

Version V of each model answers `y = 0.5 x + (V mod FLAVOURS)`, so that an answer tells which
version gave it. Each function here that asks runs in a process of its own.
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

Choice = TypeVar("Choice")
MODELS = ("plain", "batched")
FLAVOURS = 8
_THREADS, _TASKS = 4, 16
_BAD = 0.15  # of all requests
_LIMIT = 1e6  # of x: what is beyond makes the run fail, and the batch that it is in
_ROWS = 4  # at most, of a request


class Where(NamedTuple):
    """The server's addresses."""

    grpc: str
    rest: str


@dataclasses.dataclass
class Told:
    """How many answers of each kind there were, and what was wrong."""

    answers: Counter[str] = dataclasses.field(default_factory=Counter)
    failures: Counter[str] = dataclasses.field(default_factory=Counter)

    def add(self, other: "Told") -> None:
        """Take what another has seen."""
        self.answers.update(other.answers)
        self.failures.update(other.failures)


class Question(NamedTuple):
    """One request for `Client.predict`, and the code that it must end with."""

    what: str
    model: str
    inputs: Mapping[str, Any]
    spec: Mapping[str, Any]
    code: str = "OK"


class Asker:
    """Makes questions, and checks answers; one for each thread or task."""

    def __init__(self, kind: str, seed: int, told: Told) -> None:
        self._kind, self._told = kind, told
        self._random = random.Random(seed)  # noqa: S311 - to vary, not to hide
        self._seen = dict.fromkeys(MODELS, 0)

    def question(self) -> Question:
        """A good one, or one of the bad."""
        model = self._random.choice(MODELS)
        rows = self._random.randint(1, _ROWS)
        x = np.array([self._random.randrange(1000) for _ in range(rows)], np.float32)
        matrix = np.ones((rows, 3), np.float32)
        if self._random.random() >= _BAD:
            return Question("good", model, {"x": x}, {})
        bad = (
            Question("unknown model", "nobody", {"x": x}, {}, "NOT_FOUND"),
            Question("unknown version", model, {"x": x}, {"version": 10**6}, "NOT_FOUND"),
            Question("unknown label", model, {"x": x}, {"label": "none"}, "INVALID_ARGUMENT"),
            Question("unknown input", model, {"z": x}, {}, "INVALID_ARGUMENT"),
            Question("wrong shape", model, {"x": matrix}, {}, "INVALID_ARGUMENT"),
            Question("fails in the run", model, {"x": x + _LIMIT}, {}, "INVALID_ARGUMENT"),
            Question("text for a number", model, {"x": ["one"]}, {}, "INVALID_ARGUMENT"),
        )
        return self._random.choice(bad)

    def choose(self, among: Sequence[Choice]) -> Choice:
        """One of several, by chance."""
        return self._random.choice(among)

    def answered(self, question: Question, answer: calls.Prediction) -> None:
        """Check an answer that came."""
        if question.code != "OK":
            self.fail(f"{question.what}: answered, expected {question.code}")
        elif np.array_equal(answer["y"], _y(question.inputs["x"], answer.version)):
            self._grown(question, answer.version)
        else:
            self.fail(f"wrong answer of {question.model}, version {answer.version}")

    def refused(self, question: Question, error: RpcError) -> None:
        """Check a refusal."""
        if error.code == question.code:
            self.count(question.what)
        else:
            self.fail(f"{question.what}: {error.code}: {str(error)[:200]}")

    def rows_answered(self, question: Question, rows: list[float]) -> None:
        """Check an answer that does not say its version: the last one seen, or one soon after."""
        seen = self._seen[question.model]
        for version in range(seen, seen + FLAVOURS):
            if np.array_equal(rows, _y(question.inputs["x"], version)):
                break
        else:
            self.fail(f"wrong answer of {question.model}")
            return
        if seen and version - seen > FLAVOURS // 2:
            self.fail(f"{question.model} went back from version {seen}")
        else:
            self._grown(question, version)

    def count(self, what: str) -> None:
        self._told.answers[f"{self._kind}: {what}"] += 1

    def fail(self, text: str) -> None:
        self.count("FAILED")
        self._told.failures[f"{self._kind}: {text}"] += 1

    def _grown(self, question: Question, version: int) -> None:
        if version < self._seen[question.model]:
            self.fail(f"{question.model} went back from version {self._seen[question.model]}")
            return
        self._seen[question.model] = version
        self.count(question.what)


def _y(x: np.ndarray, version: int) -> np.ndarray:
    return 0.5 * x + version % FLAVOURS


def ask(kind: str, where: Where, requests: int, seed: int, results: "Queue[Told]") -> None:
    """Ask so often through the client called `kind`; tell of it in the end."""
    told = Told()
    match kind:
        case "threads":
            with Client(where.grpc, attempts=1) as client:
                _in_threads(requests, seed, lambda n: _with(client, Asker(kind, n, told)))
        case "asyncio":
            asyncio.run(_in_tasks(where, requests, seed, told))
        case "rest":
            with RestClient(where.rest, attempts=1) as client:
                _in_threads(requests, seed, lambda n: _with(client, Asker(kind, n, told)))
        case _:
            _in_threads(requests, seed, lambda n: _plain(where, Asker(kind, n, told)))
    results.put(told)


def be_killed(where: Where, asked: Event) -> None:
    """Ask without end, many at a time, on both protocols; to be killed meanwhile."""
    inputs = [{"x": np.full(_ROWS, number, np.float32)} for number in range(100)]
    body = json.dumps({"instances": [1.0] * 10_000}).encode()
    address = urllib.parse.urlsplit(where.rest)
    assert address.hostname
    with Client(where.grpc) as client:
        while True:
            for _ in client.predict_many("batched", inputs, in_flight=16):
                asked.set()
            connection = http.client.HTTPConnection(address.hostname, address.port)
            # Half a request, which nobody will ever finish.
            connection.putrequest("POST", "/v1/models/plain:predict")
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body[:100])
            threading.Timer(0.3, connection.close).start()


def export_flavours(folder: pathlib.Path) -> None:
    """One SavedModel for each way to answer."""
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


def _with(client: Client | RestClient, asker: Asker) -> Callable[[], None]:
    """Ask one question through one of the project's clients."""

    def once() -> None:
        question = asker.question()
        try:
            asker.answered(
                question, client.predict(question.model, question.inputs, **question.spec)
            )
        except RpcError as error:
            asker.refused(question, error)

    return once


async def _in_tasks(where: Where, requests: int, seed: int, told: Told) -> None:
    client = AsyncClient(where.grpc, attempts=1)

    async def loop(asker: Asker) -> None:
        for _ in range(requests // _TASKS):
            question = asker.question()
            try:
                asker.answered(
                    question,
                    await client.predict(question.model, question.inputs, **question.spec),
                )
            except RpcError as error:
                asker.refused(question, error)

    await asyncio.gather(*(loop(Asker("asyncio", seed * 100 + n, told)) for n in range(_TASKS)))
    await client.close()


def _plain(where: Where, asker: Asker) -> Callable[[], None]:
    """Ask by HTTP alone: no version is named, and what is bad is no JSON, or no request at all."""
    address = urllib.parse.urlsplit(where.rest)
    assert address.hostname
    connection = http.client.HTTPConnection(address.hostname, address.port)
    bad = (
        ("no JSON", "/v1/models/plain:predict", b'{"instances": [1.0', 400),
        ("bytes of no text", "/v1/models/batched:predict", b"\xff\x00" * 50, 400),
        ("no such path", "/v1/models/plain:perform", b"{}", 400),
        ("nothing asked", "/v1/models/plain:predict", b"{}", 400),
        ("ragged", "/v1/models/plain:predict", b'{"instances": [[1.0], [1.0, 2.0]]}', 400),
        ("unknown model", "/v1/models/nobody:predict", b'{"instances": [1.0]}', 404),
    )

    def send(path: str, body: bytes) -> tuple[int, bytes]:
        connection.request("POST", path, body)
        response = connection.getresponse()
        return response.status, response.read()

    def once() -> None:
        question = asker.question()
        if question.code != "OK":
            what, path, body, expected = asker.choose(bad)
            status, answer = send(path, body)
            if status == expected and json.loads(answer).keys() == {"error"}:
                asker.count(what)
            else:
                asker.fail(f"{what}: {status}: {answer[:200]!r}")
            return
        body = json.dumps({"instances": question.inputs["x"].tolist()}).encode()
        status, answer = send(f"/v1/models/{question.model}:predict", body)
        if status == http.client.OK:
            asker.rows_answered(question, json.loads(answer)["predictions"])
        else:
            asker.fail(f"{question.what}: {status}: {answer[:200]!r}")

    return once
