"""What the metrics see of requests: how many, how they ended, and how long they took.

The labels are TensorFlow Serving's: the API by its name in gRPC (`Predict`) or in a path of REST
(`predict`), the runtime of a SavedModel `TF1`.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from millrace.serving import monitoring
from millrace.serving.errors import RpcError
from millrace.serving.inference import Call, Runnable
from millrace.serving.signature import Signature

Answer = TypeVar("Answer")
_RUNTIME = "TF1"
_OF_EXAMPLES = ("Classify", "Regress", "MultiInference")


class Metered:
    """A model of which each run is measured; Examples are counted too."""

    def __init__(self, model: Runnable, name: str, api: str) -> None:
        """Measure runs of `model`, called `name`, for requests of the kind `api`."""
        self._model, self._name, self._api = model, name, api

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """The model's own."""
        return self._model.signatures

    def run(
        self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str], call: Call
    ) -> list[np.ndarray]:
        """Run the model; only what succeeds is recorded."""
        start = time.perf_counter()
        arrays = self._model.run(feeds, fetches, call)
        monitoring.RUNTIME_LATENCY.add(_micros(start), self._name, self._api, _RUNTIME)
        if self._api in _OF_EXAMPLES:
            examples = next(iter(feeds.values()))  # the same for every signature that is asked
            monitoring.EXAMPLE_COUNTS.add(len(examples), self._name)
            monitoring.EXAMPLE_COUNT_TOTAL.add(self._name, by=len(examples))
        return arrays


def request(answer: Callable[[], Answer], *, model: str, api: str, entrypoint: str) -> Answer:
    """Answer a request, and record how it went.

    Args:
        answer: gives the answer, or raises an RpcError.
        model: the name that the request has for the model.
        api: the kind of request.
        entrypoint: `GRPC` or `REST`.
    """
    start = time.perf_counter()
    try:
        answered = answer()
    except RpcError as error:
        monitoring.REQUEST_COUNT.add(model, error.code)
        raise
    monitoring.REQUEST_COUNT.add(model, "OK")
    monitoring.REQUEST_LATENCY.add(_micros(start), model, api, entrypoint)
    return answered


def refused(error: RpcError) -> None:
    """Record a request that named no model."""
    monitoring.REQUEST_COUNT.add("", error.code)


def batch(counts: Sequence[int], size: int, created: Sequence[float]) -> None:
    """Record a batch that is about to run.

    Args:
        counts: rows of each request in it.
        size: rows that run, with those that only fill it up.
        created: when each request came, by `time.perf_counter`.
    """
    for count, start in zip(counts, created, strict=True):
        monitoring.INPUT_BATCH_SIZE.add(count)
        monitoring.QUEUING_LATENCY.add(_micros(start))
    monitoring.PROCESSED_BATCH_SIZE.add(size)
    monitoring.PADDING_SIZE.add(size - sum(counts), str(size))


@contextlib.contextmanager
def load(path: str) -> Iterator[None]:
    """Record a try to load the version in the folder `path`, which is the block."""
    start = time.perf_counter()
    try:
        yield
    except BaseException:
        monitoring.LOAD_ATTEMPT_COUNT.add(path, "fail")
        raise
    monitoring.LOAD_ATTEMPT_COUNT.add(path, "success")
    monitoring.LOAD_LATENCY.add(path, by=_micros(start))


@contextlib.contextmanager
def warm_up(path: str) -> Iterator[None]:
    """Record the warm-up of the version in the folder `path`, which is the block."""
    start, status = time.perf_counter(), "OK"
    try:
        yield
    except BaseException:
        status = "INVALID_ARGUMENT"
        raise
    finally:
        monitoring.WARMUP_LATENCY.add(_micros(start), path, status)


def _micros(start: float) -> int:
    return round((time.perf_counter() - start) * 1e6)
