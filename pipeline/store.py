"""The record of runs: artifacts, executions, their events and runs, as in ML Metadata.

SQLite by default, PostgreSQL by URL, through SQLAlchemy. It holds nothing that the folders
do not: deleting it loses the history and the cache, never an artifact.
"""

import contextlib
import dataclasses
import functools
import os
import pathlib
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from etils.epath import Path
from sqlalchemy.orm import Session

from millrace.components.files import folders
from millrace.pipeline import database, fingerprint, leases, tags
from millrace.pipeline.errors import StoreError, UsageError
from millrace.pipeline.leases import LEASE_SECONDS, RENEWAL_SECONDS
from millrace.pipeline.records import (
    ArtifactRecord,
    EventRecord,
    ExecutionRecord,
    FileRecord,
    RunRecord,
    now,
)
from millrace.pipeline.root import Root
from millrace.serving import remote
from millrace.serving.errors import RemoteError

RACY_SECONDS = 2  # a file this young could change again without its times showing it


@dataclasses.dataclass
class Store:
    """An open database.

    Attributes:
        engine: connects to it.
        root: the name of the one root whose runs are asked for, of those that share the database;
            empty where all are, as in a root's own file: it goes with its root to another place.
    """

    engine: sa.Engine
    root: str = ""

    @classmethod
    def open(cls, url: str) -> "Store":
        """Connect to `url` (an SQLAlchemy URL) and bring its tables up to date.

        Raises:
            StoreError: the database cannot be opened.
        """
        return cls(database.connect(url))

    @classmethod
    def of(cls, root: Root, *, must_exist: bool = False) -> "Store":
        """The store of `root`, or the one that MILLRACE_STORE names.

        Raises:
            UsageError: the root is not there and must be, or cannot be made.
            RemoteError: its object store cannot be reached, or copies cannot be written here.
            StoreError: the database cannot be opened.
        """
        url = os.environ.get("MILLRACE_STORE")
        if root.is_remote:
            _check_shared(root, url)
            if must_exist and not remote.exists(root.place):
                raise UsageError(
                    f"Root {root.name}: expected one that `millrace run` has written. Received: "
                    "nothing there. Give the right one with --root or MILLRACE_ROOT."
                )
        if must_exist and not url and not root.path.exists():
            raise UsageError(
                f"Root {root.path}: expected a folder that `millrace run` has written. Received: "
                "nothing there. Give the right one with --root or MILLRACE_ROOT."
            )
        try:
            with remote.writing_copies() if root.is_remote else contextlib.nullcontext():
                root.path.mkdir(parents=True, exist_ok=True)
        except RemoteError:
            raise
        except OSError as error:
            raise UsageError(
                f"Root {root.path}: expected a folder to write to. Received: {error.strerror}. "
                "Give another with --root or MILLRACE_ROOT."
            ) from None
        store = cls.open(url or root.store_url)
        return dataclasses.replace(store, root=root.name) if url else store

    @staticmethod
    def is_there(root: Root) -> bool:
        """Whether `root` has a store: opening one that is not there would make it."""
        return bool(os.environ.get("MILLRACE_STORE")) or root.store_file.exists()

    def close(self) -> None:
        """Close its connections; a session may still open others."""
        self.engine.dispose()

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction: committed at the end of the block, undone by an exception.

        Raises:
            StoreError: the database cannot be reached, is busy for too long, or is full.
        """
        with (
            database.readable_errors(self.engine),
            Session(self.engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    @property
    def within(self) -> sa.ColumnElement[bool]:
        """The condition on runs that they are of the root that is asked about."""
        return RunRecord.root == self.root if self.root else sa.true()

    def begin_run(self, run: RunRecord) -> None:
        """Record that `run` has started."""
        with self.session() as session:
            session.add(run)

    def join_run(self, run: RunRecord) -> RunRecord:
        """The run that has the id of `run`; `run` itself, which has started, where there is none.

        Of several processes that begin a run of one name at once, one records it.
        """
        with contextlib.suppress(sa.exc.IntegrityError), self.session() as session:
            if session.get(RunRecord, run.id) is None:
                session.add(run)
        with self.session() as session:
            return session.get_one(RunRecord, run.id)

    def recorded_run(self, run: str) -> RunRecord | None:
        """The run with the id `run`, if there is one."""
        with self.session() as session:
            return session.get(RunRecord, run)

    def executions(self, run: str) -> dict[str, ExecutionRecord]:
        """The newest execution of each step of `run` that began, with what it read and wrote."""
        events = sa.orm.selectinload(ExecutionRecord.events)
        query = (
            sa.select(ExecutionRecord)
            .where(ExecutionRecord.run_id == run)
            .order_by(ExecutionRecord.id)
            .options(events.selectinload(EventRecord.artifact))
        )
        with self.session() as session:
            return {one.step: one for one in session.scalars(query)}

    def tag(
        self,
        run: str,
        add: Collection[str] = (),
        remove: Collection[str] = (),
        note: str | None = None,
    ) -> None:
        """Change the tags of `run`, and write its note unless that is None; empty, it goes.

        Raises:
            UsageError: a word cannot be a tag, or the text no note; nothing was changed.
        """
        with self.session() as session:
            tags.add(session, run, add)
            tags.remove(session, run, remove)
            if note is not None:
                session.get_one(RunRecord, run).note = tags.note(note) or None

    def tags(self, session: Session, runs: Collection[str] | None = None) -> dict[str, list[str]]:
        """The tags of each of `runs`, or of all that have some; `RunRecord.note` is the note."""
        return tags.of(session, runs)

    def settle_run(self, run: str, status: str) -> None:
        """Record how far `run` has come, on which other processes may be at work."""
        with self.session() as session:
            record = session.get_one(RunRecord, run)
            record.status, record.ended = status, None if status == "running" else now()

    def mark_dead_steps(self, run: str, is_running: Callable[[str], bool]) -> None:
        """Record as killed the steps of `run` that no process is at work on any more."""
        query = sa.select(ExecutionRecord).where(
            ExecutionRecord.run_id == run, ExecutionRecord.status == "running"
        )
        with self.session() as session:
            unfinished = [(one.id, one.step) for one in session.scalars(query)]
        for execution, step in unfinished:
            if not is_running(step):
                self.finish_execution(execution, "killed")

    @contextlib.contextmanager
    def leased(self, run: str, *, every: float = RENEWAL_SECONDS) -> Iterator[None]:
        """Say every so many seconds that `run` lives, for as long as the block lasts.

        A lock on a file would tell other machines nothing. Whoever says nothing is taken for dead
        by another run, and cannot record anything from then on.
        """
        with self.session() as session:
            leases.renew_run(session, run)
        renew = functools.partial(leases.renew_run, run=run)
        with leases.renewed(self.session, renew, f"run {run}", every):
            yield

    def at_work(self, root: Root, run: str, step: str) -> contextlib.AbstractContextManager[None]:
        """Keep others from this `step` of a live run, see `leases.at_work`."""
        return leases.at_work(self.session, root, run, step)

    def alone(self, root: Root, run: str) -> contextlib.AbstractContextManager[None]:
        """Let one process at a time see how far `run` has come, and write that down."""
        return leases.alone(self.session, root, run)

    def looking(self, root: Root) -> contextlib.AbstractContextManager[None]:
        """Keep what lies under `root` from being removed, until it is recorded what is used."""
        return leases.looked_through(self.session, root, shared=True)

    def clearing(self, root: Root) -> contextlib.AbstractContextManager[None]:
        """Keep others from beginning to use what lies under `root`."""
        return leases.looked_through(self.session, root, shared=False)

    def is_at_work(self, root: Root, run: str, step: str) -> bool:
        """Whether some process is at work on that `step` of `run`."""
        with self.session() as session:
            return leases.is_at_work(session, root, run, step)

    def status(self, session: Session, run: RunRecord, root: Root) -> str:
        """Of `run`, under `root`, as it is now: killed where no process is at work on it any more.

        The next run records that (`mark_dead`); who looks may have no right to.
        """
        if run.status != "running" or leases.is_alive(session, root, run):
            return run.status
        session.refresh(run, ["status"])  # it may have ended between the two looks
        return "killed" if run.status == "running" else run.status

    def step_statuses(self, session: Session, run: RunRecord, root: Root) -> dict[int, str]:
        """Of the executions of `run`, by number, as `status` has it."""
        is_at_work = self.status(session, run, root) == "running"
        is_of_steps = "steps" in run.arguments  # each in a process of its own, with a lock

        def status(one: ExecutionRecord) -> str:
            if one.status != "running":
                return one.status
            is_alive = is_at_work and (
                not is_of_steps or leases.is_at_work(session, root, run.id, one.step)
            )
            return "running" if is_alive else "killed"

        return {one.id: status(one) for one in run.executions}

    def mark_dead(self, root: Root) -> None:
        """Record as killed the runs under `root` that no process is at work on any more.

        What they made becomes suspect: where the whole machine died, its content may have gone.
        What they exchanged with workers of other machines is deleted.
        """
        running = sa.select(RunRecord.id).where(RunRecord.status == "running")
        with self.session() as session:
            unfinished = session.scalars(running.where(RunRecord.root == root.name)).all()
        for run in unfinished:
            for step in self._finish_dead(root, run):
                root.discard(step, run)
        for run, step in root.exchanged():
            if self._is_ended(root, run, step):
                remote.remove(root.exchange(run, step))

    def _is_ended(self, root: Root, run: str, step: str) -> bool:
        """Whether `run` is known, and nobody is at work on that `step` of it any more."""
        with self.session() as session:
            record = session.get(RunRecord, run)
            if record is None:
                return False
            if "steps" in record.arguments:
                return not leases.is_at_work(session, root, run, step)
            return self.status(session, record, root) != "running"

    def _finish_dead(self, root: Root, run: str) -> list[str]:
        """Record that `run` was killed, if it was; what its own steps left to be deleted.

        What a run of single steps left is left to the next try of each step: somebody may begin
        one as soon as this is recorded.
        """
        with self.session() as session:
            record = session.get_one(RunRecord, run, with_for_update=True)
            if record.status != "running" or leases.is_alive(session, root, record):
                return []
            for execution in record.executions:
                if execution.status == "ran" and execution.output is not None:
                    execution.output.suspect = True
            killed = _finish(record, "killed")
            return [] if "steps" in record.arguments else killed

    def finish_run(self, run: str, status: str) -> list[str]:
        """Record how `run` ended, and that whatever it had not finished was killed.

        Returns:
            The steps that were killed.
        """
        with self.session() as session:
            record = session.get_one(RunRecord, run, with_for_update=True)
            return _finish(record, status)

    def begin_execution(
        self,
        session: Session,
        execution: ExecutionRecord,
        inputs: Mapping[str, ArtifactRecord | None],
    ) -> None:
        """Add `execution` and the events of its `inputs`."""
        session.add(execution)
        session.flush()
        for name, artifact in inputs.items():
            if artifact is not None:
                self.add_event(session, execution, "input", name, artifact)

    def add_event(
        self,
        session: Session,
        execution: ExecutionRecord,
        role: str,
        name: str,
        artifact: ArtifactRecord,
    ) -> None:
        """Record that `execution` read or wrote `artifact`."""
        session.add(
            EventRecord(execution_id=execution.id, role=role, name=name, artifact_id=artifact.id)
        )

    def finish_execution(
        self, execution: int, status: str, output: ArtifactRecord | None = None, error: str = ""
    ) -> ExecutionRecord:
        """Record how an execution ended and what it wrote, which is there from now on.

        Raises:
            StoreError: another run has taken this one for dead meanwhile.
        """
        with self.session() as session:
            record = session.get_one(ExecutionRecord, execution)
            run = session.get_one(RunRecord, record.run_id, with_for_update=True)
            session.refresh(record, ["status"])  # as it is with the run's row locked
            if output is not None and not leases.may_record(session, run, record):
                raise StoreError(
                    f"Run {run.id}: expected to be known as running. Received: killed, "
                    f"since it could not tell the store for {LEASE_SECONDS} s that it lives. "
                    "Run it again."
                )
            record.status, record.error, record.ended = status, error, now()
            if output is not None:
                session.add(output)
                session.flush()
                self.add_event(session, record, "output", "output", output)
            return record

    def source(self, path: Path, type_name: str) -> ArtifactRecord:
        """The artifact that stands for the files at `path` as they are now."""
        digest, uri = self.source_digest(path), remote.origin(path)
        query = sa.select(ArtifactRecord).where(
            ArtifactRecord.uri == uri,
            ArtifactRecord.digest == digest,
            ArtifactRecord.type == type_name,
        )
        with contextlib.suppress(sa.exc.IntegrityError), self.session() as session:
            if session.scalars(query).first() is None:
                session.add(
                    ArtifactRecord(
                        type=type_name, uri=uri, digest=digest, properties={}, created=now()
                    )
                )
        # Another run on a shared store may have recorded it at the same time: then it is that.
        with self.session() as session:
            return session.scalars(query).one()

    def amend(self, artifact: int, **columns: Any) -> None:
        """Set columns of the artifact with this number, such as whether it is `suspect`."""
        with self.session() as session:
            record = session.get_one(ArtifactRecord, artifact)
            for name, value in columns.items():
                setattr(record, name, value)

    def cached(self, session: Session, step: str, key: str) -> Iterator[ArtifactRecord]:
        """Outputs of finished executions of `step` under `key`, the newest first."""
        query = (
            sa.select(ArtifactRecord)
            .join(EventRecord)
            .join(ExecutionRecord)
            .where(ExecutionRecord.step == step, ExecutionRecord.key == key)
            .where(EventRecord.role == "output")
            .order_by(ExecutionRecord.id.desc())
        )
        return iter(session.scalars(query).unique())

    def outputs(self, session: Session, pipeline: str, step: str) -> Iterator[ArtifactRecord]:
        """Outputs of `step` in the runs of `pipeline`, the newest first."""
        query = (
            sa.select(ArtifactRecord)
            .join(EventRecord)
            .join(ExecutionRecord)
            .join(RunRecord)
            .where(RunRecord.pipeline == pipeline, ExecutionRecord.step == step, self.within)
            .where(ExecutionRecord.status.in_(("ran", "cached")), EventRecord.role == "output")
            .order_by(ExecutionRecord.id.desc())
        )
        return iter(session.scalars(query).unique())

    def of_type(self, session: Session, type_name: str) -> Iterator[ArtifactRecord]:
        """Every artifact of this type, the newest first."""
        query = sa.select(ArtifactRecord).where(ArtifactRecord.type == type_name)
        return iter(session.scalars(query.order_by(ArtifactRecord.id.desc())))

    def places(self, run: str, step: str) -> set[str]:
        """The URIs that outputs of `step` in `run` have been recorded under, there or gone."""
        query = (
            sa.select(ArtifactRecord.uri)
            .join(EventRecord)
            .join(ExecutionRecord)
            .where(ExecutionRecord.run_id == run, ExecutionRecord.step == step)
            .where(EventRecord.role == "output")
        )
        with self.session() as session:
            return set(session.scalars(query))

    def tries(self, run: str, step: str) -> int:
        """How often `step` has begun in `run`."""
        begun = sa.select(sa.func.count()).where(
            ExecutionRecord.run_id == run, ExecutionRecord.step == step
        )
        with self.session() as session:
            return session.scalars(begun).one()

    def was_blessed(self, model: int) -> bool:
        """Whether some Evaluation that read this artifact as its candidate blessed it."""
        with self.session() as session:
            readers = (
                event.execution
                for event in session.get_one(ArtifactRecord, model).events
                if event.role == "input" and event.name == "model"
            )
            return any(
                reader.output is not None
                and reader.output.type == "Evaluation"
                and reader.output.properties.get("blessed") is True
                for reader in readers
            )

    def last_execution(self, session: Session, pipeline: str, step: str) -> ExecutionRecord | None:
        """The newest finished execution of `step` in a run of `pipeline`."""
        query = (
            sa.select(ExecutionRecord)
            .join(RunRecord)
            .where(RunRecord.pipeline == pipeline, ExecutionRecord.step == step, self.within)
            .where(ExecutionRecord.status.in_(("ran", "cached")))
            .order_by(ExecutionRecord.id.desc())
            .limit(1)
        )
        return session.scalars(query).first()

    def runs(self, session: Session, tagged: Collection[str] = ()) -> Sequence[RunRecord]:
        """Every run of the root that has the tags `tagged`, the newest first.

        They are in that order whatever the clock did meanwhile.
        """
        first = (
            sa.select(sa.func.min(ExecutionRecord.id))
            .where(ExecutionRecord.run_id == RunRecord.id)
            .scalar_subquery()
        )
        wanted = sa.select(RunRecord, first).where(self.within, tags.tagged(tagged))
        every = wanted.order_by(RunRecord.started)
        rows = session.execute(every).all()
        begun = sorted((row for row in rows if row[1] is not None), key=lambda row: -row[1])
        ordered = [row[0] for row in begun]
        rest = [row[0] for row in rows if row[1] is None]
        # Those that began no step stand by their times, there is nothing else; at work is newest.
        for run in sorted(rest, key=lambda run: run.status == "running"):
            at_work = run.status == "running"
            places = (at for at, one in enumerate(ordered) if at_work or one.started < run.started)
            ordered.insert(next(places, len(ordered)), run)
        return ordered

    def find_run(self, session: Session, name: str) -> RunRecord:
        """The run with the id `name` or the only one whose id starts so; `latest` is the newest.

        Raises:
            UsageError: there is none, or more than one.
        """
        begins_so = RunRecord.id.startswith(name, autoescape=True)
        exact = session.scalars(sa.select(RunRecord).where(self.within, RunRecord.id == name)).all()
        if name == "latest" and not exact and (runs := self.runs(session)):
            return runs[0]
        found = (
            exact
            or session.scalars(
                sa.select(RunRecord).where(self.within, begins_so).order_by(RunRecord.id.desc())
            ).all()
        )
        if len(found) != 1:
            some = found or self.runs(session)
            known = ", ".join(run.id for run in some[:5]) or "none yet"
            raise UsageError(
                f"Run {name!r}: expected the id of one run, its beginning, or `latest`. "
                f"Received: {len(found)} that fit. There are: {known}."
            )
        return found[0]

    def source_digest(self, path: Path) -> str:
        """Content digest of a file or folder of the user's.

        A file is read again only if its size, times or inode have changed since it was last
        read; one changed within the last `RACY_SECONDS` is not trusted next time.
        """
        beneath = FileRecord.path.startswith(str(path), autoescape=True)
        columns = FileRecord.path, FileRecord.stat, FileRecord.digest
        with self.session() as session:  # not an object for each of many files
            found = session.execute(sa.select(*columns).where(beneath))
            known = {place: (stat, digest) for place, stat, digest in found}
        fresh: list[dict[str, str]] = []

        def digest_of(file: pathlib.Path) -> str:
            status = file.stat()
            stat = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"
            known_stat, digest = known.get(str(file), ("", ""))
            if known_stat == stat:
                return digest
            digest = folders.file_digest(file)
            if time.time() - status.st_ctime > RACY_SECONDS:
                fresh.append({"path": str(file), "stat": stat, "digest": digest})
            return digest

        digest = fingerprint.content_digest(path, digest_of)
        # Where another run on a shared store records the same files meanwhile, its rows do.
        with contextlib.suppress(sa.exc.IntegrityError), self.session() as session:
            if new := [row for row in fresh if row["path"] not in known]:
                session.execute(sa.insert(FileRecord), new)
            if changed := [row for row in fresh if row["path"] in known]:
                session.execute(sa.update(FileRecord), changed)
        return digest


def _check_shared(root: Root, url: str | None) -> None:
    """Refuse a root in an object store whose record of runs would be a file of this machine."""
    if url and not url.startswith("sqlite"):
        return
    raise UsageError(
        f"Root {root.name}: expected MILLRACE_STORE to name a PostgreSQL database, since an "
        f"object store cannot hold the record of runs. Received: {url or 'none'}. Set it to "
        "postgresql://USER@HOST/DATABASE, and `pip install 'tf-millrace[postgresql]'`."
    )


def _finish(run: RunRecord, status: str) -> list[str]:
    """Set how `run` ended; the steps that it had not finished, which were killed."""
    run.status, run.ended = status, now()
    unfinished = [one for one in run.executions if one.status == "running"]
    for execution in unfinished:
        execution.status, execution.ended = "killed", now()
    return [execution.step for execution in unfinished]


def new_run_id() -> str:
    """An id that sorts by time and is unique among runs at once."""
    return f"{now():%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:8]}"
