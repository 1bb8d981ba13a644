"""Where a batch is formed: which requests share one, and when it is due.

This module has no threads, no clock and no arrays. Rules and error texts are those of
tensorflow/core/kernels/batching_util/shared_batch_scheduler.h, with one improvement: requests of
different layouts (dtypes, sizes after the first dimension) form separate batches, where the real
server fails all of them.
"""

import dataclasses
from collections.abc import Hashable
from typing import Generic, TypeVar

from millrace.serving.batching.parameters import BatchingParameters
from millrace.serving.errors import InvalidArgumentError, UnavailableError

TaskT = TypeVar("TaskT")
_LONE_REQUESTS = 8  # in a row without a concurrent one, after which requests run without waiting
_FULL = "The batch scheduling queue to which this task was submitted is full"


@dataclasses.dataclass(eq=False)
class Batch(Generic[TaskT]):
    """Tasks that run together.

    Attributes:
        layout: what all tasks have in common.
        due: when the batch runs even if it has room left, in seconds on the caller's clock.
        limit: the most rows.
        tasks: in order of arrival.
        rows: the total over all tasks.
        closed: whether it takes no more tasks, because one did not fit.
    """

    layout: Hashable
    due: float
    limit: int
    tasks: list[TaskT] = dataclasses.field(default_factory=list)
    rows: int = 0
    closed: bool = False

    def is_due(self, now: float) -> bool:
        """Whether it should run at the time `now`."""
        return self.closed or now >= self.due or self.rows >= self.limit


class BatchQueue(Generic[TaskT]):
    """The waiting batches of one signature, oldest first."""

    def __init__(self, parameters: BatchingParameters) -> None:
        self._parameters = parameters
        self.batches: list[Batch[TaskT]] = []

    def check(self, rows: int) -> None:
        """Check that a request of `rows` rows can ever be accepted.

        Raises:
            InvalidArgumentError: the request has too many rows.
        """
        if rows > self._parameters.max_batch_size:
            raise InvalidArgumentError(
                f"Task size {rows} is larger than maximum input batch size "
                f"{self._parameters.max_batch_size}"
            )

    def check_capacity(self, rows: int) -> None:
        """Check that a request that is split can be accepted as a whole now.

        Raises:
            UnavailableError: there is not enough room.
        """
        limit, most = self._parameters.batch_limit, self._parameters.max_enqueued_batches
        capacity = (most - len(self.batches)) * limit
        if rows > capacity:
            raise UnavailableError(
                f"{_FULL}; task size is {rows} but scheduling capacity is only {capacity} "
                f"(num_enqueued_batches={len(self.batches)}, max_enqueued_batches={most}, "
                f"max_execution_batch_size={limit})"
            )

    def add(
        self, task: TaskT, rows: int, layout: Hashable, now: float, *, alone: bool = False
    ) -> Batch[TaskT]:
        """Put `task`, of at most a batch's rows, into the open batch of its `layout`.

        A new batch is due after the timeout, or at once if the task is `alone`.

        Raises:
            UnavailableError: it needs a new batch, and too many are waiting.
        """
        limit, most = self._parameters.batch_limit, self._parameters.max_enqueued_batches
        batch = next((b for b in self.batches if b.layout == layout and not b.closed), None)
        if batch is None or batch.rows + rows > limit:
            if len(self.batches) >= most:
                raise UnavailableError(
                    f"{_FULL}; currently {len(self.batches)} batches enqueued and "
                    f"max_enqueued_batches is {most}"
                )
            if batch is not None:
                batch.closed = True
            wait = 0.0 if alone else self._parameters.batch_timeout_micros / 1e6
            batch = Batch(layout, now + wait, limit)
            self.batches.append(batch)
        batch.tasks.append(task)
        batch.rows += rows
        return batch

    def take(self, batch: Batch[TaskT]) -> None:
        """Remove `batch` from the queue to run it; it takes no more tasks."""
        batch.closed = True
        self.batches.remove(batch)


class ConcurrencyTracker:
    """Tracks whether a model's requests overlap, so that waiting for more of them pays off.

    The real server always waits. Here a caller that sends one request after another is answered
    at once, after its first few requests have waited in vain.
    """

    def __init__(self) -> None:
        self._in_flight = self._lone = 0

    def enter(self) -> bool:
        """Record a new request; returns whether it should run without waiting for others."""
        self._lone = 0 if self._in_flight else self._lone + 1
        self._in_flight += 1
        return self._lone > _LONE_REQUESTS

    def leave(self) -> None:
        """Record that a request was answered."""
        self._in_flight -= 1
