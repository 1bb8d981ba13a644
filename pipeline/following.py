"""The logs of a run's steps, line by line, and on as they are written."""

import time
from collections.abc import Iterator

from etils.epath import Path

from millrace.components.options.settings import nearest
from millrace.pipeline.errors import UsageError
from millrace.pipeline.root import Root
from millrace.pipeline.store import Store

_LOOK_EVERY = 0.5  # seconds


def lines(
    store: Store, root: Root, run: str, step: str = "", follow: bool = False
) -> Iterator[str]:
    """What the steps of `run` printed, the name of each step before its first line.

    Args:
        store: which knows the run.
        root: where its logs are.
        run: its id, the beginning of one, or `latest`.
        step: one of its steps; all that began if empty.
        follow: whether to go on, as long as the run is at work.

    Raises:
        UsageError: there is no such run, or it has no such step.
    """
    read: dict[str, int] = {}  # bytes of each step's log
    while True:
        with store.session() as session:
            record = store.find_run(session, run)
            run, began = record.id, [execution.step for execution in record.executions]
            is_alive = store.status(session, record, root) == "running"
        if step and step not in began and not (follow and is_alive):
            raise UsageError(f"Run {run}: no step {step} began. {nearest(step, began)}")
        for name in [step] if step else began:
            if name not in read and not step:
                yield f"> {name}"
            new = _written(root.kept_log(run, name), read.get(name, 0), whole=not is_alive)
            read[name] = read.get(name, 0) + len(new)
            yield from new.decode(errors="replace").splitlines()
        if not (follow and is_alive):
            return
        time.sleep(_LOOK_EVERY)


def _written(log: Path, start: int, *, whole: bool) -> bytes:
    """What `log` holds from byte `start` on; its last line, if it is `whole` or ends."""
    if not log.exists():
        return b""
    with log.open("rb") as file:
        file.seek(start)
        found: bytes = file.read()
    return found if whole else found[: found.rfind(b"\n") + 1]
