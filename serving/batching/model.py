"""A model that runs concurrent requests as one batch, wrapped around a model that runs them.

There are no threads of its own. The thread of a batch's first request is its leader: it waits until
the batch is due and a slot is free, runs the batch, and hands the answers to the threads of the
other requests, which sleep until then. A request on its own therefore never switches threads.
"""

import dataclasses
import logging
import threading
import time
from collections.abc import Mapping, Sequence

import numpy as np
from etils.epath import Path

from millrace.serving import metered
from millrace.serving.batching import parameters as batching_parameters
from millrace.serving.batching import rows as batching_rows
from millrace.serving.batching.parameters import BatchingParameters
from millrace.serving.batching.queue import Batch, BatchQueue, ConcurrencyTracker
from millrace.serving.batching.task import BatchTask, drop_abandoned, latest_deadline
from millrace.serving.errors import DeadlineExceededError, RpcError
from millrace.serving.inference import RequestOptions
from millrace.serving.lifecycle import Servable
from millrace.serving.pool import blocked
from millrace.serving.signature import Signature

_log = logging.getLogger(__name__)
_Key = tuple[tuple[str, ...], tuple[str, ...]]  # names fed, names fetched


@dataclasses.dataclass(eq=False)
class _LedBatch:
    """A batch whose leader thread waits on `changed`."""

    batch: Batch[BatchTask]
    key: _Key
    queue: BatchQueue[BatchTask]
    changed: threading.Condition


class BatchScheduler:
    """Schedules the batches of all models; at most `num_batch_threads` run at the same time."""

    def __init__(self, parameters: BatchingParameters, *, per_model: bool = False) -> None:
        """Batch by `parameters`; with `per_model`, by the model's own, if it has some."""
        self.parameters = parameters
        self._per_model = per_model
        self.lock = threading.Lock()
        self.waiting: list[_LedBatch] = []  # oldest first
        self.free = parameters.num_batch_threads

    def wrap(self, model: Servable, path: Path) -> Servable:
        """Returns `model`, loaded from the folder `path`, with batching.

        Raises:
            ServerError: the model's own parameters cannot be read.
        """
        if not self._per_model:
            _warn_of_scalars(model, path)
            return BatchedModel(model, self.parameters, self)
        file = Path(path) / batching_parameters.PER_MODEL
        if not file.exists():
            return model
        _warn_of_scalars(model, path)
        return BatchedModel(model, batching_parameters.read(file), self)

    def acquire_at_once(self) -> bool:
        """Take a slot if one is free and nothing is waiting for it; returns whether it did."""
        with self.lock:
            if self.waiting or not self.free:
                return False
            self.free -= 1
            return True

    def acquire(self, led: _LedBatch) -> None:
        """Wait until the batch is due and a slot is free, and take that slot."""
        with self.lock:
            while not (led.batch.is_due(now := time.monotonic()) and self.free):
                wait = None if led.batch.is_due(now) else led.batch.due - now
                with blocked():
                    led.changed.wait(wait)
            self.free -= 1
            self.waiting.remove(led)
            led.queue.take(led.batch)
            self.wake()  # there may be another free slot and another batch that is due

    def release(self) -> None:
        """Release a slot, and wake the oldest batch that is due."""
        with self.lock:
            self.free += 1
            self.wake()

    def wake(self) -> None:
        """Wake the oldest batch that is due if a slot is free; the caller holds the lock."""
        now = time.monotonic()
        due = (led for led in self.waiting if led.batch.is_due(now))
        first = next(due, None) if self.free else None
        if first is not None:
            first.changed.notify()


class BatchedModel:
    """A model whose concurrent requests run as batches; thread-safe."""

    def __init__(
        self, model: Servable, parameters: BatchingParameters, batching: BatchScheduler
    ) -> None:
        """Batch the requests to `model` by `parameters`, in the slots of `batching`."""
        self._model = model
        self._parameters = parameters
        self._batching = batching
        self._queues: dict[_Key, BatchQueue[BatchTask]] = {}
        self._tracker = ConcurrencyTracker()

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """The signatures of the wrapped model."""
        return self._model.signatures

    def run(
        self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str], options: RequestOptions
    ) -> list[np.ndarray]:
        """Feed and fetch tensors by name, in a batch with other requests.

        Raises:
            InvalidArgumentError: the feeds differ in their number of rows, or have too many.
            UnavailableError: too many batches are waiting.
            ResourceExhaustedError: the deadline passed before the batch ran.
            CancelledError: the caller cancelled before the batch ran.
            RpcError: the model failed.
        """
        count = batching_rows.rows(feeds)
        deadline = None if options.timeout is None else time.monotonic() + options.timeout
        with self._batching.lock:
            alone = self._tracker.enter()
        try:
            if count > self._parameters.batch_limit:
                return self._run_in_parts(feeds, count, fetches, options, deadline)
            return self._run_whole(BatchTask(feeds, count, options, deadline), fetches, alone)
        finally:
            with self._batching.lock:
                self._tracker.leave()

    def close(self) -> None:
        """Free the model's memory; it must not be run afterwards."""
        self._model.close()

    def _run_whole(self, task: BatchTask, fetches: Sequence[str], alone: bool) -> list[np.ndarray]:
        """Run a request that fits into one batch; if `alone`, without waiting for others."""
        # A batch that does not wait for more rows only has to wait for a slot.
        is_patient = self._parameters.batch_timeout_micros and not alone
        if is_patient or not self._batching.acquire_at_once():
            for led in self._enqueue([task], fetches, task.rows, alone=alone):
                self._lead(led, fetches)
        else:
            self._run_taken([task], fetches)
        return task.answer()

    def _run_in_parts(
        self,
        feeds: Mapping[str, np.ndarray],
        count: int,
        fetches: Sequence[str],
        options: RequestOptions,
        deadline: float | None,
    ) -> list[np.ndarray]:
        """Run a request with more rows than a batch; its first part may join a waiting batch."""
        limit = self._parameters.batch_limit
        tasks = [
            BatchTask(
                {name: array[at : at + limit] for name, array in feeds.items()},
                min(limit, count - at),
                options,
                deadline,
            )
            for at in range(0, count, limit)
        ]
        for led in self._enqueue(tasks, fetches, count):
            self._lead(led, fetches)
        answers = [task.answer() for task in tasks]
        return [np.concatenate(parts) for parts in zip(*answers, strict=True)]

    def _enqueue(
        self, tasks: list[BatchTask], fetches: Sequence[str], count: int, *, alone: bool = False
    ) -> list[_LedBatch]:
        """Put `tasks` into batches; returns those that the calling thread must lead."""
        led = []
        key = (tuple(sorted(tasks[0].feeds)), tuple(fetches))
        layout = batching_rows.layout(
            tasks[0].feeds, pad=self._parameters.pad_variable_length_inputs
        )
        with self._batching.lock:
            queue = self._queues.get(key) or BatchQueue(self._parameters)
            queue.check(count)
            if len(tasks) > 1:
                queue.check_capacity(count)
            for task in tasks:
                batch = queue.add(task, task.rows, layout, time.monotonic(), alone=alone)
                if len(batch.tasks) == 1:
                    changed = threading.Condition(self._batching.lock)
                    led.append(_LedBatch(batch, key, queue, changed))
            self._queues[key] = queue
            self._batching.waiting.extend(led)
            self._batching.wake()
        return led

    def _lead(self, led: _LedBatch, fetches: Sequence[str]) -> None:
        self._batching.acquire(led)
        self._forget_if_empty(led)
        self._run_taken(led.batch.tasks, fetches)

    def _run_taken(self, tasks: list[BatchTask], fetches: Sequence[str]) -> None:
        """Run `tasks` in a slot taken for them, and release it."""
        try:
            self._run_together(drop_abandoned(tasks), fetches)
        except BaseException as error:
            for task in tasks:
                if not task.is_done:
                    task.fail(error)
            if not isinstance(error, RpcError):
                raise
        finally:
            self._batching.release()

    def _forget_if_empty(self, led: _LedBatch) -> None:
        """Drop an empty queue, so that callers cannot pile up one for every order of outputs."""
        with self._batching.lock:
            if not led.queue.batches and self._queues.get(led.key) is led.queue:
                del self._queues[led.key]

    def _run_together(self, tasks: list[BatchTask], fetches: Sequence[str]) -> None:
        """Run `tasks` as one; if that fails, each by itself, so that one cannot fail the others."""
        if not tasks:
            return
        try:
            answers = self._outputs(tasks, fetches)
        except RpcError as error:
            if len(tasks) == 1 or isinstance(error, DeadlineExceededError):
                raise
            for task in tasks:
                self._run_alone(task, fetches)
            return
        for task, outputs in zip(tasks, answers, strict=True):
            task.succeed(outputs)

    def _run_alone(self, task: BatchTask, fetches: Sequence[str]) -> None:
        try:
            task.succeed(self._outputs([task], fetches)[0])
        except RpcError as error:
            task.fail(error)

    def _outputs(self, tasks: list[BatchTask], fetches: Sequence[str]) -> list[list[np.ndarray]]:
        """Returns the outputs of each of `tasks`."""
        counts = [task.rows for task in tasks]
        size = self._parameters.round_up(sum(counts)) if sum(counts) else 0
        feeds = tasks[0].feeds
        if len(tasks) > 1 or size > counts[0]:
            feeds = batching_rows.merge([task.feeds for task in tasks], size)
        options = tasks[0].options._replace(timeout=latest_deadline(tasks))
        metered.batch(counts, size, [task.created for task in tasks])
        return batching_rows.split(self._model.run(feeds, fetches, options), counts, size)


def _warn_of_scalars(model: Servable, path: Path) -> None:
    """Warn of signatures that cannot be called; the real server refuses these requests too.

    See https://github.com/tensorflow/serving/issues/494.
    """
    for name, signature in model.signatures.items():
        if scalars := [alias for alias, one in signature.inputs.items() if one.shape == ()]:
            _log.warning(
                "%s: signature %s takes scalars (%s), which cannot be batched: every request to "
                "it will be refused. Serve this model without --enable_batching, or use "
                "--enable_per_model_batching_parameters and put a batching_params.pbtxt only "
                "into the folders of the models to batch.",
                *(path, name, ", ".join(scalars)),
            )
