"""Requests that come at the same time run as one: a model that batches, around one that runs.

There are no threads of its own. The thread of a batch's first request leads it: it waits until
the batch is due and a slot is free, runs it, and hands the answers to the threads of the others,
which sleep until then. So a request that is alone costs no change of thread.
"""

import dataclasses
import logging
import threading
import time
from collections.abc import Mapping, Sequence

import numpy as np
from etils.epath import Path

from millrace.serving import batching_parameters, batching_rows, metered
from millrace.serving.batching_parameters import Parameters
from millrace.serving.batching_queue import Batch, Company, Queue
from millrace.serving.batching_task import Task, longest, still_wanted
from millrace.serving.errors import DeadlineExceededError, RpcError
from millrace.serving.inference import Call
from millrace.serving.lifecycle import Servable
from millrace.serving.pool import blocked
from millrace.serving.signature import Signature

_log = logging.getLogger(__name__)
_Key = tuple[tuple[str, ...], tuple[str, ...]]  # names fed, names fetched


@dataclasses.dataclass(eq=False)
class _Led:
    """A batch that has a thread to lead it, which `changed` wakes."""

    batch: Batch[Task]
    key: _Key
    queue: Queue[Task]
    changed: threading.Condition


class Batching:
    """The batches of all models, of which so many run at the same time."""

    def __init__(self, parameters: Parameters, *, per_model: bool = False) -> None:
        """Batch by `parameters`; with `per_model` by each model's own, if it has such."""
        self.parameters = parameters
        self._per_model = per_model
        self.lock = threading.Lock()
        self.waiting: list[_Led] = []  # the oldest first
        self.free = parameters.num_batch_threads

    def wrap(self, model: Servable, path: Path) -> Servable:
        """The model loaded from the folder `path`, batched.

        Raises:
            ServerError: its own parameters cannot be read.
        """
        if not self._per_model:
            _tell_of_scalars(model, path)
            return BatchedModel(model, self.parameters, self)
        file = Path(path) / batching_parameters.PER_MODEL
        if not file.exists():
            return model
        _tell_of_scalars(model, path)
        return BatchedModel(model, batching_parameters.read(file), self)

    def acquire_at_once(self) -> bool:
        """Take a slot, if one is free and nothing waits for it."""
        with self.lock:
            if self.waiting or not self.free:
                return False
            self.free -= 1
            return True

    def acquire(self, led: _Led) -> None:
        """Return once the batch is due and a slot is free, which is then taken."""
        with self.lock:
            while not (led.batch.is_due(now := time.monotonic()) and self.free):
                wait = None if led.batch.is_due(now) else led.batch.due - now
                with blocked():
                    led.changed.wait(wait)
            self.free -= 1
            self.waiting.remove(led)
            led.queue.take(led.batch)
            self.wake()  # there may be another slot, and another batch

    def release(self) -> None:
        """Give a slot back, to the oldest batch that is due."""
        with self.lock:
            self.free += 1
            self.wake()

    def wake(self) -> None:
        """Wake the oldest batch that is due, if a slot is free; under the lock."""
        now = time.monotonic()
        due = (led for led in self.waiting if led.batch.is_due(now))
        first = next(due, None) if self.free else None
        if first is not None:
            first.changed.notify()


class BatchedModel:
    """A model whose requests are run together; safe to share."""

    def __init__(self, model: Servable, parameters: Parameters, batching: Batching) -> None:
        """Batch the requests of `model` by `parameters`, in the slots of `batching`."""
        self._model = model
        self._parameters = parameters
        self._batching = batching
        self._queues: dict[_Key, Queue[Task]] = {}
        self._company = Company()

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """Those of the model."""
        return self._model.signatures

    def run(
        self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str], call: Call
    ) -> list[np.ndarray]:
        """Feed and fetch tensors by their names, in a batch with others.

        Raises:
            InvalidArgumentError: the feeds have no rows in common, or too many.
            UnavailableError: too many batches wait.
            ResourceExhaustedError: the caller's time was over before its batch ran.
            CancelledError: the caller was gone before its batch ran.
            RpcError: what the model says.
        """
        count = batching_rows.rows(feeds)
        deadline = None if call.timeout is None else time.monotonic() + call.timeout
        with self._batching.lock:
            alone = self._company.enter()
        try:
            if count > self._parameters.batch_limit:
                return self._run_in_parts(feeds, count, fetches, call, deadline)
            return self._run_whole(Task(feeds, count, call, deadline), fetches, alone)
        finally:
            with self._batching.lock:
                self._company.leave()

    def close(self) -> None:
        """Free the model's memory; nothing may run any more."""
        self._model.close()

    def _run_whole(self, task: Task, fetches: Sequence[str], alone: bool) -> list[np.ndarray]:
        """Run what fits into a batch; if it is `alone`, without a wait for others."""
        # Where no batch waits for more rows, there is nothing to wait for but a slot.
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
        call: Call,
        deadline: float | None,
    ) -> list[np.ndarray]:
        """Run what has more rows than a batch; the first part may join one that waits."""
        limit = self._parameters.batch_limit
        tasks = [
            Task(
                {name: array[at : at + limit] for name, array in feeds.items()},
                min(limit, count - at),
                call,
                deadline,
            )
            for at in range(0, count, limit)
        ]
        for led in self._enqueue(tasks, fetches, count):
            self._lead(led, fetches)
        answers = [task.answer() for task in tasks]
        return [np.concatenate(parts) for parts in zip(*answers, strict=True)]

    def _enqueue(
        self, tasks: list[Task], fetches: Sequence[str], count: int, *, alone: bool = False
    ) -> list[_Led]:
        """Put `tasks` into batches; returns those that the calling thread has to lead."""
        led = []
        key = (tuple(sorted(tasks[0].feeds)), tuple(fetches))
        form = batching_rows.form(tasks[0].feeds, pad=self._parameters.pad_variable_length_inputs)
        with self._batching.lock:
            queue = self._queues.get(key) or Queue(self._parameters)
            queue.check(count)
            if len(tasks) > 1:
                queue.check_capacity(count)
            for task in tasks:
                batch = queue.add(task, task.rows, form, time.monotonic(), alone=alone)
                if len(batch.tasks) == 1:
                    changed = threading.Condition(self._batching.lock)
                    led.append(_Led(batch, key, queue, changed))
            self._queues[key] = queue
            self._batching.waiting.extend(led)
            self._batching.wake()
        return led

    def _lead(self, led: _Led, fetches: Sequence[str]) -> None:
        self._batching.acquire(led)
        self._forget_if_empty(led)
        self._run_taken(led.batch.tasks, fetches)

    def _run_taken(self, tasks: list[Task], fetches: Sequence[str]) -> None:
        """Answer `tasks` in a slot that was taken for them, and give it back."""
        try:
            self._run_together(still_wanted(tasks), fetches)
        except BaseException as error:
            for task in tasks:
                if not task.is_done:
                    task.fail(error)
            if not isinstance(error, RpcError):
                raise
        finally:
            self._batching.release()

    def _forget_if_empty(self, led: _Led) -> None:
        """Keep no queue for every order of outputs that was ever asked for."""
        with self._batching.lock:
            if not led.queue.batches and self._queues.get(led.key) is led.queue:
                del self._queues[led.key]

    def _run_together(self, tasks: list[Task], fetches: Sequence[str]) -> None:
        """Answer `tasks`; if together they fail, each by itself, so that one harms no other."""
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

    def _run_alone(self, task: Task, fetches: Sequence[str]) -> None:
        try:
            task.succeed(self._outputs([task], fetches)[0])
        except RpcError as error:
            task.fail(error)

    def _outputs(self, tasks: list[Task], fetches: Sequence[str]) -> list[list[np.ndarray]]:
        """What the model answers to each of `tasks`."""
        counts = [task.rows for task in tasks]
        size = self._parameters.round_up(sum(counts)) if sum(counts) else 0
        feeds = tasks[0].feeds
        if len(tasks) > 1 or size > counts[0]:
            feeds = batching_rows.merge([task.feeds for task in tasks], size)
        call = tasks[0].call._replace(timeout=longest(tasks))
        metered.batch(counts, size, [task.created for task in tasks])
        return batching_rows.split(self._model.run(feeds, fetches, call), counts, size)


def _tell_of_scalars(model: Servable, path: Path) -> None:
    """Warn of signatures that cannot be called: the real server refuses these requests too.

    Its authors' word: https://github.com/tensorflow/serving/issues/494
    """
    for name, signature in model.signatures.items():
        if scalars := [alias for alias, one in signature.inputs.items() if one.shape == ()]:
            _log.warning(
                "%s: signature %s takes scalars (%s), which cannot be batched: each request for "
                "it will be refused. Serve this model without --enable_batching, or name the "
                "models to batch by --enable_per_model_batching_parameters and a "
                "batching_params.pbtxt in their folders.",
                *(path, name, ", ".join(scalars)),
            )
