"""Which requests share a batch, and when it is due: no threads, no clock, no arrays.

The rules and texts are those of tensorflow/core/kernels/batching_util/shared_batch_scheduler.h.
One thing is better here: requests of different forms (dtypes, sizes beyond the rows) form batches
of their own, where the real server fails all of them.
"""

import dataclasses
from collections.abc import Hashable
from typing import Generic, TypeVar

from millrace.serving.batching_parameters import Parameters
from millrace.serving.errors import InvalidArgumentError, UnavailableError

Task = TypeVar("Task")
_FORSAKEN = 8  # requests in a row that met no other, after which none is waited for
_FULL = "The batch scheduling queue to which this task was submitted is full"


@dataclasses.dataclass(eq=False)
class Batch(Generic[Task]):
    """Tasks that run together.

    Attributes:
        form: what all of them share.
        due: when it runs even if there is room left; seconds.
        limit: the most rows.
        tasks: in the order in which they came.
        rows: of all tasks.
        closed: whether it takes no more, because one did not fit.
    """

    form: Hashable
    due: float
    limit: int
    tasks: list[Task] = dataclasses.field(default_factory=list)
    rows: int = 0
    closed: bool = False

    def is_due(self, now: float) -> bool:
        """Whether it is to run at the time `now`."""
        return self.closed or now >= self.due or self.rows >= self.limit


class Queue(Generic[Task]):
    """The batches of one signature that wait, the oldest first."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self.batches: list[Batch[Task]] = []

    def check(self, rows: int) -> None:
        """See that a request of `rows` can ever be taken.

        Raises:
            InvalidArgumentError: it has too many rows.
        """
        if rows > self._parameters.max_batch_size:
            raise InvalidArgumentError(
                f"Task size {rows} is larger than maximum input batch size "
                f"{self._parameters.max_batch_size}"
            )

    def check_capacity(self, rows: int) -> None:
        """See that a request that is cut can be taken as a whole now.

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
        self, task: Task, rows: int, form: Hashable, now: float, *, alone: bool = False
    ) -> Batch[Task]:
        """Put `task`, of no more than a batch's rows, into the open batch of its `form`.

        A new batch is due after the time-out; at once, if the task is `alone`.

        Raises:
            UnavailableError: it needs a new batch, and too many wait.
        """
        limit, most = self._parameters.batch_limit, self._parameters.max_enqueued_batches
        batch = next((b for b in self.batches if b.form == form and not b.closed), None)
        if batch is None or batch.rows + rows > limit:
            if len(self.batches) >= most:
                raise UnavailableError(
                    f"{_FULL}; currently {len(self.batches)} batches enqueued and "
                    f"max_enqueued_batches is {most}"
                )
            if batch is not None:
                batch.closed = True
            wait = 0.0 if alone else self._parameters.batch_timeout_micros / 1e6
            batch = Batch(form, now + wait, limit)
            self.batches.append(batch)
        batch.tasks.append(task)
        batch.rows += rows
        return batch

    def take(self, batch: Batch[Task]) -> None:
        """Let `batch` run: it waits no more, and takes no more."""
        batch.closed = True
        self.batches.remove(batch)


class Company:
    """Whether requests of a model meet others, so that to wait for more of them is worth it.

    The real server always waits. Here a caller that asks one thing after the other is answered at
    once, after a few of its requests have waited for nobody.
    """

    def __init__(self) -> None:
        self._present = self._forsaken = 0

    def enter(self) -> bool:
        """Take note of a request; returns whether it is alone, and is not to wait for others."""
        self._forsaken = 0 if self._present else self._forsaken + 1
        self._present += 1
        return self._forsaken > _FORSAKEN

    def leave(self) -> None:
        """Take note that a request has its answer."""
        self._present -= 1
