"""The tables of the store: ML Metadata's model, with runs for its contexts.

A run has executions (one per step), an execution has events, an event names the artifact
that was read or written.
"""

import datetime
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from etils.epath import Path
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    object_session,
    relationship,
)
from sqlalchemy.orm.exc import DetachedInstanceError

from millrace.serving import remote


def now() -> datetime.datetime:
    """The time in UTC, without a zone, as the tables keep it."""
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)


class Record(DeclarativeBase):
    """What the tables have in common."""

    type_annotation_map = {dict[str, Any]: sa.JSON, list[str]: sa.JSON}  # noqa: RUF012


class RunRecord(Record):
    """One run. Status: running, done, failed, killed or anomalies.

    One whose steps run one by one is partial while no process is at work on it and steps are left.
    """

    __tablename__ = "run"

    id: Mapped[str] = mapped_column(primary_key=True)
    recipe: Mapped[str]
    pipeline: Mapped[str] = mapped_column(index=True)  # which runs' outputs are compared
    root: Mapped[str]
    arguments: Mapped[dict[str, Any]]
    status: Mapped[str]
    started: Mapped[datetime.datetime]
    ended: Mapped[datetime.datetime | None]
    # Of a run under a root in an object store: until when it lives, by the database's clock.
    lease: Mapped[datetime.datetime | None]
    note: Mapped[str | None]  # what a person has written about it
    executions: Mapped[list["ExecutionRecord"]] = relationship(
        back_populates="run", order_by="ExecutionRecord.id"
    )


class TagRecord(Record):
    """That a person has tagged a run with a word, see `tags`."""

    __tablename__ = "tag"

    run_id: Mapped[str] = mapped_column(sa.ForeignKey("run.id"), primary_key=True)
    tag: Mapped[str] = mapped_column(primary_key=True, index=True)


class ExecutionRecord(Record):
    """One step of one run. Status: running, ran, cached, failed or killed."""

    __tablename__ = "execution"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(sa.ForeignKey("run.id"), index=True)
    step: Mapped[str] = mapped_column(index=True)
    component: Mapped[str]
    key: Mapped[str] = mapped_column(index=True)
    ingredients: Mapped[dict[str, Any]]
    reasons: Mapped[list[str]]  # why it ran, or from where it was reused
    status: Mapped[str]
    error: Mapped[str] = mapped_column(default="")
    started: Mapped[datetime.datetime]
    ended: Mapped[datetime.datetime | None]
    run: Mapped[RunRecord] = relationship(back_populates="executions")
    events: Mapped[list["EventRecord"]] = relationship(back_populates="execution")

    @property
    def seconds(self) -> float:
        """Wall time, 0.0 while it runs or where the clock was set back meanwhile."""
        passed = (self.ended - self.started).total_seconds() if self.ended else 0.0
        return max(passed, 0.0)

    @property
    def output(self) -> "ArtifactRecord | None":
        """The artifact that it wrote or reused."""
        return next((event.artifact for event in self.events if event.role == "output"), None)

    @property
    def inputs(self) -> "dict[str, ArtifactRecord]":
        """The artifacts that it read, by parameter."""
        return {event.name: event.artifact for event in self.events if event.role == "input"}


class LeaseRecord(Record):
    """Until when a process may be at work on a step of a run under a root in an object store."""

    __tablename__ = "lease"

    run_id: Mapped[str] = mapped_column(primary_key=True)  # taken before the run is recorded
    step: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]  # a number of its own for each time that it is taken
    until: Mapped[datetime.datetime]  # by the database's clock


class ArtifactRecord(Record):
    """One artifact's folder, or a source of the user's."""

    __tablename__ = "artifact"

    id: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str] = mapped_column(index=True)
    uri: Mapped[str] = mapped_column(index=True)
    digest: Mapped[str] = mapped_column(index=True)
    properties: Mapped[dict[str, Any]]
    created: Mapped[datetime.datetime]
    # Of a step's output, see `damage.Files`. Nothing for sources, and for older stores' rows.
    files: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    suspect: Mapped[bool | None]  # its run died after it: the content is to be looked at first
    events: Mapped[list["EventRecord"]] = relationship(back_populates="artifact")

    @property
    def place(self) -> Path:
        """Its folder or file, maybe in an object store."""
        return remote.path(self.uri)

    def fetch(self, most: int | None = None) -> Path:
        """Its folder or file on this machine, a copy of what is in an object store.

        Args:
            most: leave out, for now, files of more bytes.

        Raises:
            FileNotFoundError: it is not in its object store.
            RemoteError: that cannot be reached.
        """
        if self.files is None and remote.is_remote(self.uri):
            return remote.mirror(self.uri)  # a source, fetched by the run that took its digest
        return remote.fetch(self.uri, most=most)

    @property
    def maker(self) -> ExecutionRecord | None:
        """The first execution that wrote it; none of a source of the user's."""
        session = self._session
        first = sa.select(sa.func.min(EventRecord.execution_id)).where(
            EventRecord.artifact_id == self.id, EventRecord.role == "output"
        )
        number = session.scalar(first)
        return None if number is None else session.get(ExecutionRecord, number)

    def executions(self, role: str, *, status: str = "") -> "Sequence[ExecutionRecord]":
        """Those that read or wrote it, the first first; it may be thousands that reused it.

        Args:
            role: `input` or `output`.
            status: of these alone, if not empty.
        """
        query = (
            sa.select(ExecutionRecord)
            .join(EventRecord)
            .where(EventRecord.artifact_id == self.id, EventRecord.role == role)
            .where(ExecutionRecord.status == status if status else sa.true())
            .order_by(ExecutionRecord.id)
        )
        return self._session.scalars(query).all()

    @property
    def _session(self) -> Session:
        session = object_session(self)
        if session is None:
            raise DetachedInstanceError(f"Artifact {self.id}: its transaction has ended.")
        return session


# Simultaneous runs record a source once (and no output has another's place).
ONE_PER_CONTENT = sa.Index(
    "one_artifact_per_content",
    ArtifactRecord.type,
    ArtifactRecord.uri,
    ArtifactRecord.digest,
    unique=True,
)


class EventRecord(Record):
    """That an execution read or wrote an artifact. Role: input or output."""

    __tablename__ = "event"

    execution_id: Mapped[int] = mapped_column(sa.ForeignKey("execution.id"), primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)  # the parameter; `output` for outputs
    artifact_id: Mapped[int] = mapped_column(sa.ForeignKey("artifact.id"), index=True)
    execution: Mapped[ExecutionRecord] = relationship(back_populates="events")
    artifact: Mapped[ArtifactRecord] = relationship(back_populates="events")


# The first who wrote an artifact and the last who read it are found without a look at the others.
OF_ARTIFACT = sa.Index(
    "events_of_artifact", EventRecord.artifact_id, EventRecord.role, EventRecord.execution_id
)


class FileRecord(Record):
    """The digest of a source file as last read, trusted while its stat is the same."""

    __tablename__ = "file"

    path: Mapped[str] = mapped_column(primary_key=True)
    stat: Mapped[str]  # size, mtime and ctime in nanoseconds, inode
    digest: Mapped[str]
