"""One request in a batch: its feeds, and the result for the thread that waits for it."""

import dataclasses
import threading
import time

import numpy as np

from millrace.serving.batching import rows as batching_rows
from millrace.serving.errors import CancelledError, ResourceExhaustedError, RpcError
from millrace.serving.inference import RequestOptions
from millrace.serving.pool import blocked


@dataclasses.dataclass(eq=False)
class BatchTask:
    """One request, or a part of it: its feeds and its result."""

    feeds: batching_rows.Feeds
    rows: int
    options: RequestOptions
    deadline: float | None
    created: float = dataclasses.field(default_factory=time.perf_counter)
    outputs: list[np.ndarray] | None = None
    error: BaseException | None = None

    def __post_init__(self) -> None:
        self._done = threading.Lock()  # held until then; an Event would need three locks
        self._done.acquire()

    @property
    def is_done(self) -> bool:
        """Whether it has a result, outputs or an error."""
        return self.outputs is not None or self.error is not None

    def succeed(self, outputs: list[np.ndarray]) -> None:
        """Finish with `outputs`."""
        self.outputs = outputs
        self._done.release()

    def fail(self, error: BaseException) -> None:
        """Finish with an error."""
        self.error = error
        self._done.release()

    def answer(self) -> list[np.ndarray]:
        """Wait for the result and return the outputs, or raise the error; may be called once."""
        if not self._done.acquire(blocking=False):
            with blocked():
                self._done.acquire()
        if self.error is not None:
            raise self.error
        return self.outputs or []

    def refusal(self, now: float) -> RpcError | None:
        """Returns why it need not run any more, or None."""
        if self.deadline is not None and now >= self.deadline:
            return ResourceExhaustedError("Run() timeout exceeded while waiting in batching queue")
        if not self.options.is_active():
            return CancelledError("The caller cancelled the request")
        return None


def drop_abandoned(tasks: list[BatchTask]) -> list[BatchTask]:
    """Returns those of `tasks` whose caller still waits; fails the others."""
    now = time.monotonic()
    for task in tasks:
        if refusal := task.refusal(now):
            task.fail(refusal)
    return [task for task in tasks if not task.is_done]


def latest_deadline(tasks: list[BatchTask]) -> float | None:
    """Returns the seconds until the latest deadline; None if a task has none."""
    deadlines = [task.deadline for task in tasks]
    if None in deadlines:
        return None
    return max(deadline for deadline in deadlines if deadline is not None) - time.monotonic()
