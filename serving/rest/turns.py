"""Who runs and who waits: so many threads, and a queue with an end for those that want one.

The queue is on the event loop, where a request that waits costs no thread, can be given up, and
is told at its deadline that its time is over.
"""

import asyncio
from collections.abc import Callable
from concurrent import futures
from typing import TypeVar

from millrace.serving.errors import DeadlineExceededError, UnavailableError

T = TypeVar("T")


class Turns:
    """Runs functions in threads, first come, first served; used from one event loop."""

    def __init__(self, threads: int, most_waiting: int, name: str) -> None:
        """Start no thread yet; at most `most_waiting` wait for one of them."""
        self._pool = futures.ThreadPoolExecutor(threads, name)
        self._free = asyncio.Semaphore(threads)
        self._waiting, self._most = 0, most_waiting

    async def wait(self, deadline: float | None = None) -> None:
        """Return once a thread is free, which is kept for the `run` that must follow.

        Who is cancelled leaves the queue; `deadline` is a time of the event loop.

        Raises:
            UnavailableError: too many wait already.
            DeadlineExceededError: the deadline came before a thread was free.
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
        """What `work` gives; who is cancelled leaves it alone, and it keeps its thread."""
        running = asyncio.get_running_loop().run_in_executor(self._pool, work)
        running.add_done_callback(lambda _: self._free.release())
        return await asyncio.shield(running)

    def close(self) -> None:
        """Start nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
