"""One request in a batch: what it feeds, and what came of it for the thread that waits."""

import dataclasses
import threading
import time

import numpy as np

from millrace.serving import batching_rows
from millrace.serving.errors import CancelledError, ResourceExhaustedError, RpcError
from millrace.serving.inference import Call
from millrace.serving.pool import blocked


@dataclasses.dataclass(eq=False)
class Task:
    """One request, or a part of it: what it feeds, and what came of it."""

    feeds: batching_rows.Feeds
    rows: int
    call: Call
    deadline: float | None
    created: float = dataclasses.field(default_factory=time.perf_counter)
    outputs: list[np.ndarray] | None = None
    error: BaseException | None = None

    def __post_init__(self) -> None:
        self._done = threading.Lock()  # held until it is; an Event is made of three such
        self._done.acquire()

    @property
    def is_done(self) -> bool:
        """Whether something came of it."""
        return self.outputs is not None or self.error is not None

    def succeed(self, outputs: list[np.ndarray]) -> None:
        """End with an answer."""
        self.outputs = outputs
        self._done.release()

    def fail(self, error: BaseException) -> None:
        """End without one."""
        self.error = error
        self._done.release()

    def answer(self) -> list[np.ndarray]:
        """What came of it, once something has; to be asked once."""
        if not self._done.acquire(blocking=False):
            with blocked():
                self._done.acquire()
        if self.error is not None:
            raise self.error
        return self.outputs or []

    def refusal(self, now: float) -> RpcError | None:
        """Why it need not run any more, if so."""
        if self.deadline is not None and now >= self.deadline:
            return ResourceExhaustedError("Run() timeout exceeded while waiting in batching queue")
        if not self.call.is_active():
            return CancelledError("The caller gave the request up")
        return None


def still_wanted(tasks: list[Task]) -> list[Task]:
    """Those of `tasks` for which somebody waits; the others end."""
    now = time.monotonic()
    for task in tasks:
        if refusal := task.refusal(now):
            task.fail(refusal)
    return [task for task in tasks if not task.is_done]


def longest(tasks: list[Task]) -> float | None:
    """Seconds that the most patient caller will wait; None for ever."""
    deadlines = [task.deadline for task in tasks]
    if None in deadlines:
        return None
    return max(deadline for deadline in deadlines if deadline is not None) - time.monotonic()
