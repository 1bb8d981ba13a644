"""The threads that requests run on: few are awake, the others take over while these are blocked.

Python runs one thread at a time, and each more that wants to makes all of them wait and wake more
often. So a thread is woken only if few run, or if one of those has said that it is `blocked`, in
the runtime or in a queue. Who is blocked without a word, a stream or a reload, is noticed after a
moment.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent import futures
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_AWAKE = 3  # one that runs Python, one in the runtime, one that waits for its request's bytes
_MOMENT = 0.005  # seconds in which a thread that runs begins another request
_here = threading.local()
_Task = tuple[futures.Future, Callable, tuple, dict]  # type: ignore[type-arg]


class Crew(futures.Executor):
    """Runs what is submitted in the order in which it came, on daemon threads."""

    def __init__(self, most: int, name: str) -> None:
        """Start no thread yet; there will be `most` of them, called by `name`."""
        self._most, self._name = most, name
        self._lock = threading.Lock()
        self._waits = threading.Condition(self._lock)  # the warden, for tasks that wait
        self._tasks: deque[_Task] = deque()
        self._idle: list[threading.Lock] = []  # the last one is woken first: its caches are warm
        self._threads: list[threading.Thread] = []
        self._warden: threading.Thread | None = None
        self._running = self._begun = self._extra = 0
        self._is_watching = self._is_closed = False

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> "futures.Future[T]":
        """Run `fn` when a thread is free.

        Raises:
            RuntimeError: the crew was shut down.
        """
        future: futures.Future[T] = futures.Future()
        with self._lock:
            if self._is_closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._tasks.append((future, fn, args, kwargs))
            if self._running < _AWAKE + self._extra:
                self._call_up()
            elif not self._is_watching:
                self._watch()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more tasks; those that wait are run still, or cancelled."""
        with self._lock:
            self._is_closed = True
            while cancel_futures and self._tasks:
                self._tasks.popleft()[0].cancel()
            self._wake_all()
            self._waits.notify()
        for thread in self._threads if wait else []:
            thread.join()

    def step_aside(self) -> None:
        """Let another thread run in the place of the calling one."""
        with self._lock:
            self._running -= 1
            if self._tasks and self._running < _AWAKE + self._extra:
                self._call_up()

    def step_back(self) -> None:
        """Run again, whoever else does: who ends first makes room."""
        with self._lock:
            self._running += 1

    def _call_up(self) -> None:
        """Wake or start one more thread, if there is one; under the lock."""
        if self._idle:
            self._running += 1
            self._idle.pop().release()
        elif len(self._threads) < self._most:
            self._running += 1
            name = f"{self._name}_{len(self._threads)}"
            self._threads.append(threading.Thread(target=self._work, name=name, daemon=True))
            self._threads[-1].start()

    def _wake_all(self) -> None:
        self._running += len(self._idle)
        for rest in self._idle:
            rest.release()
        self._idle.clear()

    def _work(self) -> None:
        _here.crew = self
        rest = threading.Lock()
        rest.acquire()
        while True:
            task = self._next(rest)
            if task is None:
                return
            _run(*task)
            del task  # what it holds is not kept until the next one

    def _next(self, rest: threading.Lock) -> _Task | None:
        """The next task, once there is one for this thread; None where there will be none."""
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
        """See to it that no task waits for ever; under the lock."""
        self._is_watching = True
        if self._warden is None:
            name = f"{self._name}_warden"
            self._warden = threading.Thread(target=self._guard, name=name, daemon=True)
            self._warden.start()
        self._waits.notify()

    def _guard(self) -> None:
        """Call up one more thread whenever tasks wait and none was begun for a moment."""
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
                    self._call_up()


class blocked:  # noqa: N801 - a context manager is called like a function
    """Let another thread run Python while the calling one waits in the block."""

    __slots__ = ("_crew",)

    def __enter__(self) -> None:
        self._crew: Crew | None = getattr(_here, "crew", None)
        if self._crew is not None:
            self._crew.step_aside()

    def __exit__(self, *_: object) -> None:
        if self._crew is not None:
            self._crew.step_back()


def _run(future: futures.Future, fn: Callable, args: tuple, kwargs: dict) -> None:  # type: ignore[type-arg]
    if not future.set_running_or_notify_cancel():
        return
    try:
        answer = fn(*args, **kwargs)
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(answer)
