"""A thread pool for requests that keeps few threads awake at a time.

Python runs one thread at a time, and each further runnable thread adds to the switching between
them. A thread is therefore woken only if few are running, or if one of those has announced by
`blocked` that it waits, in the runtime or in a queue. A watchdog notices threads that block
without announcing it (a stream, a reload) and wakes others in their place.

gRPC starts a task when a request's headers are there, and its thread waits for the message. So that
callers who send it slowly, or never, do not keep out the others, a thread that has waited for a
second does not count among the most that there may be; up to `_SLOW` of them.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent import futures
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_AWAKE = 3  # one runs Python, one is in the runtime, one reads its request
_MOMENT = 0.005  # seconds without a new task after which the running threads count as blocked
_SLOW = 256  # threads for messages that do not come
_PATIENCE = 1.0  # seconds after which a message counts as slow
_here = threading.local()
_Task = tuple[futures.Future, Callable, tuple, dict]  # type: ignore[type-arg]


class ThreadPool(futures.Executor):
    """Runs tasks on daemon threads, in the order of their submission."""

    def __init__(self, most: int, name: str) -> None:
        """Start no thread yet; there will be at most `most`, whose names begin with `name`."""
        self._most, self._name = most, name
        self._lock = threading.Lock()
        self._waits = threading.Condition(self._lock)  # wakes the watchdog when tasks wait
        self._tasks: deque[_Task] = deque()
        self._idle: list[threading.Lock] = []  # the last is woken first: its caches are warm
        self._threads: list[threading.Thread] = []
        self._receiving: dict[int, float] = {}  # thread -> since when it waits for a message
        self._watchdog: threading.Thread | None = None
        self._running = self._begun = self._extra = 0
        self._is_watching = self._is_closed = False

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> "futures.Future[T]":
        """Run `fn` when a thread is free.

        Raises:
            RuntimeError: the pool was shut down.
        """
        future: futures.Future[T] = futures.Future()
        with self._lock:
            if self._is_closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._tasks.append((future, fn, args, kwargs))
            is_taken = self._running < _AWAKE + self._extra and self._wake_one()
            if not is_taken and not self._is_watching:
                self._watch()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no more tasks; waiting ones still run, or are cancelled."""
        with self._lock:
            self._is_closed = True
            while cancel_futures and self._tasks:
                self._tasks.popleft()[0].cancel()
            self._wake_all()
            self._waits.notify()
        for thread in self._threads if wait else []:
            thread.join()

    def enter_blocked(self) -> None:
        """Let another thread run while the calling one is blocked."""
        with self._lock:
            self._running -= 1
            if self._tasks and self._running < _AWAKE + self._extra:
                self._wake_one()

    def leave_blocked(self) -> None:
        """Count the calling thread as running again; the first to finish makes room."""
        with self._lock:
            self._running += 1

    def _wake_one(self) -> bool:
        """Wake or start one more thread; False if there may be no more. The caller has the lock."""
        if self._idle:
            self._running += 1
            self._idle.pop().release()
        elif len(self._threads) < self._most or self._has_room_for_slow():
            self._running += 1
            name = f"{self._name}_{len(self._threads)}"
            self._threads.append(threading.Thread(target=self._work, name=name, daemon=True))
            self._threads[-1].start()
        else:
            return False
        return True

    def _has_room_for_slow(self) -> bool:
        """Whether threads beyond the most may start, in place of those that wait for messages."""
        late = time.monotonic() - _PATIENCE
        slow = sum(since < late for since in self._receiving.copy().values())
        return len(self._threads) < self._most + min(slow, _SLOW)

    def received(self, thread: int) -> None:
        """Note that the message of what this thread works on is there."""
        self._receiving.pop(thread, None)

    def _wake_all(self) -> None:
        self._running += len(self._idle)
        for rest in self._idle:
            rest.release()
        self._idle.clear()

    def _work(self) -> None:
        _here.pool = self
        rest, thread = threading.Lock(), threading.get_ident()
        rest.acquire()
        while True:
            task = self._next(rest)
            if task is None:
                return
            self._receiving[thread] = time.monotonic()
            _run(*task)
            self.received(thread)
            del task  # do not keep its references until the next one

    def _next(self, rest: threading.Lock) -> _Task | None:
        """Wait for the next task; returns None once the pool is shut down."""
        while True:
            with self._lock:
                if self._tasks and self._running <= _AWAKE + self._extra:
                    self._begun += 1
                    return self._tasks.popleft()
                self._running -= 1
                if self._running < _AWAKE:
                    self._extra = 0
                if self._is_closed and not self._tasks:
                    self._wake_all()
                    return None
                self._idle.append(rest)
            rest.acquire()

    def _watch(self) -> None:
        """Start or wake the watchdog; the caller holds the lock."""
        self._is_watching = True
        if self._watchdog is None:
            name = f"{self._name}_watchdog"
            self._watchdog = threading.Thread(target=self._watch_tasks, name=name, daemon=True)
            self._watchdog.start()
        self._waits.notify()

    def _watch_tasks(self) -> None:
        """Wake one more thread whenever tasks wait and none was begun for a moment."""
        while True:
            with self._lock:
                while not self._tasks:
                    if self._is_closed:
                        return
                    self._is_watching = False
                    self._waits.wait()
                begun = self._begun
            time.sleep(_MOMENT)
            with self._lock:
                if self._tasks and self._begun == begun:
                    self._extra += 1
                    self._wake_one()


def received() -> None:
    """Tell the calling thread's pool, if it is of one, that its request is there in full."""
    pool: ThreadPool | None = getattr(_here, "pool", None)
    if pool is not None:
        pool.received(threading.get_ident())


class blocked:  # noqa: N801 - a context manager is used like a function
    """Let another thread of the pool run while the calling one waits in the block."""

    __slots__ = ("_pool",)

    def __enter__(self) -> None:
        self._pool: ThreadPool | None = getattr(_here, "pool", None)
        if self._pool is not None:
            self._pool.enter_blocked()

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.leave_blocked()


def _run(future: futures.Future, fn: Callable, args: tuple, kwargs: dict) -> None:  # type: ignore[type-arg]
    if not future.set_running_or_notify_cancel():
        return
    try:
        answer = fn(*args, **kwargs)
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(answer)
