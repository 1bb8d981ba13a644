"""A thread pool with a bounded queue, for requests on an event loop.

The queue is on the event loop, so a waiting request occupies no thread, can be cancelled, and fails
at its deadline.
"""

import asyncio
from collections.abc import Callable
from concurrent import futures
from typing import TypeVar

from millrace.serving.errors import DeadlineExceededError, UnavailableError

T = TypeVar("T")


class BoundedPool:
    """Runs functions in threads, first come, first served; used from one event loop."""

    def __init__(self, threads: int, most_waiting: int, name: str) -> None:
        """Start no thread yet; at most `most_waiting` requests wait for one of them."""
        self._pool = futures.ThreadPoolExecutor(threads, name)
        self._free = asyncio.Semaphore(threads)
        self._waiting, self._most = 0, most_waiting

    async def wait(self, deadline: float | None = None) -> None:
        """Wait for a free thread, which is reserved for the `run` that must follow.

        A cancelled task leaves the queue. `deadline` is in the event loop's time.

        Raises:
            UnavailableError: the queue is full.
            DeadlineExceededError: no thread was free before the deadline.
        """
        if self._free.locked() and self._waiting >= self._most:
            raise UnavailableError(
                "The REST request queue to which this request was submitted is full; currently "
                f"{self._waiting} requests enqueued and rest_api_max_queued_requests is "
                f"{self._most}"
            )
        self._waiting += 1
        try:
            async with asyncio.timeout_at(deadline):
                await self._free.acquire()
        except TimeoutError as error:
            raise DeadlineExceededError(
                "Run() timeout exceeded while waiting in the REST request queue"
            ) from error
        finally:
            self._waiting -= 1

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` in a thread and return its result; it continues if the caller is cancelled."""
        running = asyncio.get_running_loop().run_in_executor(self._pool, work)
        running.add_done_callback(lambda _: self._free.release())
        return await asyncio.shield(running)

    def close(self) -> None:
        """Start no further work."""
        self._pool.shutdown(wait=False, cancel_futures=True)
