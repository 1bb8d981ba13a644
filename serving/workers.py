"""Several processes that serve the same ports: `--workers`.

The kernel spreads connections over the sockets that listen on a port with SO_REUSEPORT. Workers
are forked before gRPC or TensorFlow starts threads, because neither survives a fork. A worker that
dies is restarted; one that refuses to start stops all of them, because the others would, too.
"""

import dataclasses
import logging
import os
import signal
import time
from collections.abc import Callable

from millrace.serving import lifeline

_STEADY_SECONDS = 10.0  # a worker that lived longer than this did not fail at its start
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 10.0
_log = logging.getLogger(__name__)


@dataclasses.dataclass
class _Worker:
    """A worker process: when it was started, and how long to wait before the next start."""

    number: int
    pid: int = 0
    started: float = 0.0
    wait: float = 0.0


def supervise(count: int, work: Callable[[], int]) -> int:
    """Run `work` in `count` processes until SIGTERM or SIGINT; returns the exit status.

    Each process exits with the status that `work` returns, and is sent SIGTERM to stop, even when
    this process is killed.
    """
    return _Supervisor(count, work).run()


class _Supervisor:
    def __init__(self, count: int, work: Callable[[], int]) -> None:
        self._work = work
        self._workers = [_Worker(number) for number in range(1, count + 1)]
        self._stopping, self._status = False, 0
        # Nobody writes to it: workers see the end of the pipe when the supervisor ends.
        self._alive, self._lifeline = os.pipe()

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        for worker in self._workers:
            self._start(worker)
        while running := {worker.pid: worker for worker in self._workers if worker.pid}:
            pid, status = os.wait()
            if pid in running:
                self._ended(running[pid], os.waitstatus_to_exitcode(status))
        return self._status

    def _start(self, worker: _Worker) -> None:
        time.sleep(worker.wait)
        if self._stopping:
            return
        worker.started = time.monotonic()
        worker.pid = os.fork()
        if worker.pid == 0:
            os._exit(self._be_worker())
        _log.info("Worker %d has started as process %d", worker.number, worker.pid)
        if self._stopping:  # the signal arrived before `pid` was set
            os.kill(worker.pid, signal.SIGTERM)

    def _be_worker(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)  # until `work` sets its own
        os.close(self._lifeline)
        lifeline.watch(self._alive)
        try:
            return self._work()
        finally:
            logging.shutdown()

    def _ended(self, worker: _Worker, code: int) -> None:
        pid, worker.pid = worker.pid, 0
        if self._stopping:
            self._status = self._status or max(code, 0)
        elif code > 0:
            _log.error(
                "Worker %d (process %d) refused to start, with status %d", worker.number, pid, code
            )
            self._status = code
            self._stop(signal.SIGTERM, None)
        else:
            cause = signal.Signals(-code).name if code else "status 0"
            _log.error(
                "Worker %d (process %d) ended with %s: restarting it",
                *(worker.number, pid, cause),
            )
            steady = time.monotonic() - worker.started > _STEADY_SECONDS
            worker.wait = 0.0 if steady else min(max(2 * worker.wait, _FIRST_WAIT), _LONGEST_WAIT)
            self._start(worker)

    def _stop(self, number: int, _: object) -> None:
        if not self._stopping:
            _log.info("%s: stopping the workers", signal.Signals(number).name)
        self._stopping = True
        for worker in self._workers:
            if worker.pid:
                os.kill(worker.pid, signal.SIGTERM)
