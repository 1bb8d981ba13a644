"""Who is at work on a run: by a lock on a file, and across machines by a lease in the store.

A lock ends with its process, however that ends; but only those who share the disk see it. Under a
root in an object store a holder also says until when it lives, by the database's clock, and says
so again in time. Whoever does not is taken for dead, and can record nothing more. A whole run has
one lease, in its own row; of a run whose steps run one by one each step has one, and so has whoever
writes down how far the run has come. All of them hold the lock as well, so that those on the same
machine need not wait until a dead one's lease is over.
"""

import contextlib
import datetime
import hashlib
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator

import sqlalchemy as sa
from etils.epath import Path
from sqlalchemy.orm import Session

from millrace.pipeline.errors import StoreError
from millrace.pipeline.records import ExecutionRecord, LeaseRecord, RunRecord, now
from millrace.pipeline.root import Root
from millrace.serving import remote

LEASE_SECONDS = 120  # who does not say within these that it lives is dead
RENEWAL_SECONDS = 20  # how often it says so
_AGAIN_SECONDS = 0.5  # how long to wait before asking again for what another holds
_PROGRESS = ""  # in place of a step: the lease of who writes down how far the run has come

_log = logging.getLogger(__name__)

Sessions = Callable[[], contextlib.AbstractContextManager[Session]]


@contextlib.contextmanager
def at_work(sessions: Sessions, root: Root, run: str, step: str) -> Iterator[None]:
    """Keep others from this `step` of a live run; one that is at work on it is waited for."""
    with root.at_work(run, step) as lock, _leased(sessions, root, run, step, lock):
        yield


@contextlib.contextmanager
def alone(sessions: Sessions, root: Root, run: str) -> Iterator[None]:
    """Let one process at a time see how far `run` has come, and write that down."""
    with root.alone(run) as lock, _leased(sessions, root, run, _PROGRESS, lock):
        yield


@contextlib.contextmanager
def looked_through(sessions: Sessions, root: Root, *, shared: bool) -> Iterator[None]:
    """Keep outputs under `root` where they are while several look for some to use (`shared`).

    Whoever removes some does so alone. Machines that do not share a disk share PostgreSQL's lock.
    """
    with root.looked_through(shared=shared), contextlib.ExitStack() as held:
        if root.is_remote:
            session = held.enter_context(sessions())
            lock = sa.func.pg_advisory_xact_lock_shared if shared else sa.func.pg_advisory_xact_lock
            digest = hashlib.sha256(root.name.encode()).digest()
            session.execute(sa.select(lock(int.from_bytes(digest[:8], "big", signed=True))))
        yield


def is_at_work(session: Session, root: Root, run: str, step: str | None = None) -> bool:
    """Whether some process is at work on that `step` of `run`, or on any."""
    held = sa.select(LeaseRecord).where(LeaseRecord.run_id == run)
    if step is not None:
        held = held.where(LeaseRecord.step == step)
    rows = session.scalars(held.where(LeaseRecord.until > clock(session))).all()
    # A holder of this machine holds the lock as well, which is looked at after its lease was read.
    others = [one for one in rows if root.last_holder(run, one.step) != one.holder]
    return bool(others) or root.is_running(run, step or "")


def is_alive(session: Session, root: Root, run: RunRecord) -> bool:
    """Whether `run` is at work: by its lock where this machine has that, else by its lease."""
    if _is_of_steps(run):
        return is_at_work(session, root, run.id)
    if run.lease is None or (root.run(run.id) / "lock").exists():
        return root.is_running(run.id)
    return run.lease > clock(session)


def may_record(session: Session, run: RunRecord, execution: ExecutionRecord) -> bool:
    """Whether nobody can have taken the execution, of the locked row `run`, for dead."""
    if _is_of_steps(run) and remote.is_remote(run.root):
        held = session.get(LeaseRecord, (run.id, execution.step))
        is_held = held is not None and held.until > clock(session)
        return is_held and execution.status == "running"
    return run.lease is None or run.status == "running"


def _is_of_steps(run: RunRecord) -> bool:
    return "steps" in run.arguments


@contextlib.contextmanager
def _leased(sessions: Sessions, root: Root, run: str, step: str, lock: Path) -> Iterator[None]:
    """Hold the lease of `step` while the block lasts, where machines do not share the `lock`."""
    if not root.is_remote:
        yield
        return
    holder, before = uuid.uuid4().hex, lock.read_text()
    while not _take(sessions, run, step, holder, before):
        time.sleep(_AGAIN_SECONDS)
    lock.write_text(holder)
    own = (LeaseRecord.run_id == run, LeaseRecord.step == step, LeaseRecord.holder == holder)

    def renew(session: Session) -> None:
        session.execute(sa.update(LeaseRecord).where(*own).values(until=_end(session)))

    try:
        with renewed(sessions, renew, f"run {run}", RENEWAL_SECONDS):
            yield
    finally:
        try:
            with sessions() as session:
                session.execute(sa.delete(LeaseRecord).where(*own))
        except StoreError as error:  # it ends by itself
            _log.warning("run %s: its lease could not be given back. %s", run, error)


def _take(sessions: Sessions, run: str, step: str, holder: str, before: str) -> bool:
    """Take the lease unless another holds it; `before`, who had the lock, is known to be dead.

    What the dead one had begun counts as killed from the same moment on.
    """
    try:
        with sessions() as session:
            # Whoever records what a step wrote waits for this, and finds that it is taken.
            session.get(RunRecord, run, with_for_update=True)
            held = session.get(LeaseRecord, (run, step), with_for_update=True)
            end = _end(session)
            if held is None:
                session.add(LeaseRecord(run_id=run, step=step, holder=holder, until=end))
            elif held.until > clock(session) and held.holder != before:
                return False
            else:
                held.holder, held.until = holder, end
            unfinished = sa.update(ExecutionRecord).where(
                ExecutionRecord.run_id == run,
                ExecutionRecord.step == step,
                ExecutionRecord.status == "running",
            )
            session.execute(unfinished.values(status="killed", ended=now()))
    except sa.exc.IntegrityError:  # another was faster
        return False
    return True


@contextlib.contextmanager
def renewed(
    sessions: Sessions, renew: Callable[[Session], None], of: str, every: float
) -> Iterator[None]:
    """Call `renew` in a transaction every so many seconds, for as long as the block lasts."""
    ended = threading.Event()

    def go_on() -> None:
        while not ended.wait(every):
            try:
                with sessions() as session:
                    renew(session)
            except StoreError as error:  # it may come back in time
                _log.warning("%s: its lease could not be renewed. %s", of, error)

    thread = threading.Thread(target=go_on, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def renew_run(session: Session, run: str) -> None:
    """Say that the whole run `run` lives, unless it was taken for dead."""
    held = sa.update(RunRecord).where(RunRecord.id == run, RunRecord.status == "running")
    session.execute(held.values(lease=_end(session)))


def _end(session: Session) -> datetime.datetime:
    return clock(session) + datetime.timedelta(seconds=LEASE_SECONDS)


def clock(session: Session) -> datetime.datetime:
    """The database's time in UTC, without a zone: machines may disagree about it."""
    found: datetime.datetime = session.execute(sa.select(sa.func.now())).scalar_one()
    return found.astimezone(datetime.UTC).replace(tzinfo=None) if found.tzinfo else found
