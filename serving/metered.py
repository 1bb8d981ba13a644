"""Records requests in the metrics: how many, how they ended, and how long they took.

The labels are TensorFlow Serving's: the API by its name in gRPC (`Predict`) or in a REST path
(`predict`), and `TF1` for the runtime of a SavedModel.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from millrace.serving import monitoring
from millrace.serving.errors import RpcError
from millrace.serving.inference import RequestOptions, Runnable
from millrace.serving.signature import Signature

Answer = TypeVar("Answer")
_RUNTIME = "TF1"
_OF_EXAMPLES = ("Classify", "Regress", "MultiInference")


class MeteredModel:
    """A model whose runs are timed and whose Examples are counted."""

    def __init__(self, model: Runnable, name: str, api: str) -> None:
        """Measure runs of `model`, called `name`, for requests to `api`."""
        self._model, self._name, self._api = model, name, api

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """The signatures of the wrapped model."""
        return self._model.signatures

    def run(
        self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str], options: RequestOptions
    ) -> list[np.ndarray]:
        """Run the model; only successful runs are recorded."""
        start = time.perf_counter()
        arrays = self._model.run(feeds, fetches, options)
        monitoring.RUNTIME_LATENCY.add(_micros(start), self._name, self._api, _RUNTIME)
        if self._api in _OF_EXAMPLES:
            examples = next(iter(feeds.values()))  # the same for every signature
            monitoring.EXAMPLE_COUNTS.add(len(examples), self._name)
            monitoring.EXAMPLE_COUNT_TOTAL.add(self._name, by=len(examples))
        return arrays


def request(answer: Callable[[], Answer], *, model: str, api: str, entrypoint: str) -> Answer:
    """Answer a request and record its outcome.

    Args:
        answer: returns the answer or raises an RpcError.
        model: the name of the model in the request.
        api: the name of the API.
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
    """Record a refused request that names no model."""
    monitoring.REQUEST_COUNT.add("", error.code)


def batch(counts: Sequence[int], size: int, created: Sequence[float]) -> None:
    """Record a batch that is about to run.

    Args:
        counts: rows of each request.
        size: rows of the batch, padding included.
        created: when each request arrived, by `time.perf_counter`.
    """
    for count, start in zip(counts, created, strict=True):
        monitoring.INPUT_BATCH_SIZE.add(count)
        monitoring.QUEUING_LATENCY.add(_micros(start))
    monitoring.PROCESSED_BATCH_SIZE.add(size)
    monitoring.PADDING_SIZE.add(size - sum(counts), str(size))


@contextlib.contextmanager
def load(path: str) -> Iterator[None]:
    """Record the block as an attempt to load the version in the folder `path`."""
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
    """Record the block as the warm-up of the version in the folder `path`."""
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
