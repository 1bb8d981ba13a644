"""A run that is at work on this machine ended by another process: `millrace stop`.

The process that holds the run's lock gets the signal that ends a command in order (SIGTERM, see
`cli.stopping`), or a call from Python the one that interrupts it (SIGINT): its process may be a
notebook's, which goes on. Whoever cannot be shown to hold the lock gets none.
"""

import os
import shlex
import signal
import socket
import time

from millrace.pipeline import locks
from millrace.pipeline.errors import PipelineError, UsageError
from millrace.pipeline.records import RunRecord
from millrace.pipeline.root import Root
from millrace.pipeline.store import Store

PATIENCE = 15.0  # seconds to wait: a command ends within 8
_LOOK_EVERY = 0.05  # seconds
_COMMAND = "millrace "  # what the command line of a run begins with; a call's has no blank there


def stop(store: Store, root: Root, run: str, *, patience: float = PATIENCE) -> str:
    """End `run`, which is at work on this machine, and wait until that is recorded.

    Args:
        store: which knows the run.
        root: where it is at work.
        run: its id, the beginning of one, or `latest`.
        patience: seconds to wait for its end.

    Returns:
        What was done, in a sentence or two.

    Raises:
        UsageError: there is no such run, it is not at work, or not on this machine, or its
            process is not to be had; nothing was done.
        PipelineError: it has not ended in time.
    """
    with store.session() as session:
        record = store.find_run(session, run)
        status = store.status(session, record, root)
    if status != "running":
        raise UsageError(
            f"Run {record.id}: expected one that is at work. Received: {status}. `millrace runs` "
            "lists them."
        )
    command = record.arguments.get("command", "")
    number = signal.SIGTERM if command.startswith(_COMMAND) else signal.SIGINT
    processes = _holders(root, record)
    for process in processes:
        _send(number, process, record.id)
    named = f"process {', '.join(map(str, processes))}"
    status = _ended(store, root, record.id, patience)
    if status == "running":
        raise PipelineError(
            f"Run {record.id}: expected {named}, which got {number.name}, to end within "
            f"{patience:g} s. Received: still at work. `millrace show {record.id}` says when it "
            "has ended."
        )
    again = f" It is resumed by: {command}" if number == signal.SIGTERM else ""
    return f"Run {record.id}: {status}; {named} got {number.name}.{again}"


def _holders(root: Root, run: RunRecord) -> list[int]:
    """The processes of this machine that hold the lock of `run`."""
    lock = root.lock_of_run(run.id)
    signed = dict(locks.signed(lock))
    if signed and not locks.can_tell():
        numbers = shlex.join(map(str, signed))
        raise UsageError(
            f"Run {run.id}: expected a system that tells who holds a lock. Received: one without "
            f"/proc. See by `ps -p {numbers}` that it is its command, and `kill {numbers}`."
        )
    try:
        found = [process for process in signed if locks.is_held_by(process, lock)]
    except PermissionError:
        raise UsageError(
            f"Run {run.id}: expected a run of yours. Received: one of another user. Ask them to "
            f"run `millrace stop {run.id}`."
        ) from None
    if os.getpid() in found:
        raise UsageError(
            f"Run {run.id}: expected one of another process. Received: this process's own. "
            "Interrupt it here."
        )
    if not found:
        others = [machine for machine in signed.values() if machine != socket.gethostname()]
        where = others[-1] if others else "the machine, or in the container, that it runs on"
        raise UsageError(
            f"Run {run.id}: expected a run of this machine. Received: one whose process is not "
            f"here. Run `millrace stop {run.id}` on {where}."
        )
    return found


def _send(number: signal.Signals, process: int, run: str) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:  # it has ended meanwhile
        return
    except PermissionError:
        raise UsageError(
            f"Run {run}: expected a process that you may signal. Received: {process}, another "
            f"user's. Ask them to run `millrace stop {run}`."
        ) from None


def _ended(store: Store, root: Root, run: str, patience: float) -> str:
    """Wait until nobody is at work on `run`, and that is recorded; its status then."""
    end = time.monotonic() + patience
    while True:
        with store.session() as session:
            record = store.find_run(session, run)
            is_dead = store.status(session, record, root) != "running"
        if is_dead and record.status == "running":  # killed before it could say so
            store.mark_dead(root)
        if record.status != "running" or time.monotonic() > end:
            return record.status
        time.sleep(_LOOK_EVERY)
