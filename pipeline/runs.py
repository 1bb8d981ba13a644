"""Runs as Python sees them: what `millrace runs`, `show` and `explain` print, as objects."""

import contextlib
import dataclasses
import datetime
import functools
import os
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from etils.epath import Path

from millrace.components import artifacts
from millrace.components.artifacts import Artifact, Evaluation, PushedModel
from millrace.components.display import html, numbers
from millrace.pipeline.records import ArtifactRecord, ExecutionRecord, RunRecord
from millrace.pipeline.root import Root
from millrace.pipeline.store import Store

ArtifactT = TypeVar("ArtifactT", bound=Artifact)
AnyPath = str | os.PathLike[str]

_ROOT = ".millrace"


@dataclasses.dataclass(frozen=True, repr=False)
class RunStep:
    """One step of a run.

    Attributes:
        name: the step's.
        status: ran, cached, failed, killed or running.
        seconds: of wall time; 0 where it came from the cache.
        reasons: why it ran, or from where it came.
        options: what it was set to, as plain JSON values.
        error: why it failed.
        log: what it printed; None where it wrote none.
    """

    name: str
    status: str
    seconds: float
    reasons: tuple[str, ...]
    options: dict[str, Any]
    error: str = ""
    log: Path | None = None
    _made: ArtifactRecord | None = None

    @functools.cached_property
    def output(self) -> Artifact | None:
        """The artifact that it wrote, or that came from the cache; fetched from an object store.

        Raises:
            FileNotFoundError: it is not in its object store any more.
            RemoteError: that cannot be reached.
        """
        return _artifact(self._made) if self._made else None

    def __repr__(self) -> str:
        return f"<RunStep {self.name}: {self.status}, {self.seconds:.1f} s>"

    def _repr_html_(self) -> str:
        rows = {
            "status": f"{self.status}, {self.seconds:.1f} s",
            "because": "; ".join(self.reasons),
            "error": self.error,
            "log": self.log,
        }
        facts = html.table((), ((name, value) for name, value in rows.items() if value))
        shown = self.output._repr_html_() if self.output else ""
        return f"<b>{html.escape(self.name)}</b>{facts}{shown}"


@dataclasses.dataclass(frozen=True, repr=False)
class Run:
    """One run, under way or ended; its steps are read when they are looked at.

    Attributes:
        id: by which the command and `open_run` find it.
        recipe: its name.
        name: of the model, and of the pipeline.
        status: done, failed, anomalies, killed, running, or partial between steps that run one by
            one.
        started: when, in UTC.
        seconds: of wall time; 0 while it runs.
        tags: words that a person has tagged it with, sorted.
        note: what a person has written about it.
    """

    id: str
    recipe: str
    name: str
    status: str
    started: datetime.datetime
    seconds: float
    tags: tuple[str, ...]
    note: str
    _root: Root

    @functools.cached_property
    def steps(self) -> dict[str, RunStep]:
        """The steps that began, by name and in that order; those left out are not among them."""
        with opened(self._root, must_exist=True) as store, store.session() as session:
            record = session.get_one(RunRecord, self.id)
            statuses = store.step_statuses(session, record, self._root)
            return {one.step: _step(one, statuses[one.id], self._root) for one in record.executions}

    @property
    def options(self) -> dict[str, dict[str, Any]]:
        """What each step was set to, as plain JSON values."""
        return {name: step.options for name, step in self.steps.items()}

    @property
    def metrics(self) -> dict[str, float]:
        """The figures that stand for the model, by name; none where nothing was judged."""
        evaluation = self._output(Evaluation)
        return evaluation.metrics if evaluation else {}

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """Of each of these figures what it could be were other rows drawn, at 95 %."""
        evaluation = self._output(Evaluation)
        return evaluation.intervals if evaluation else {}

    @property
    def blessed(self) -> bool | None:
        """Whether the model was; None where nothing was judged."""
        evaluation = self._output(Evaluation)
        return evaluation.blessed if evaluation else None

    @property
    def pushed(self) -> Path | None:
        """The folder of the version that was pushed, while it is there; else None."""
        pushed = self._output(PushedModel)
        return pushed.version_path if pushed else None

    @property
    def report(self) -> Path:
        """The page of the run, to look at in a browser."""
        return self._root.kept_report(self.id)

    def _output(self, kind: type[ArtifactT]) -> ArtifactT | None:
        # By the record first: what is not asked for is not fetched.
        steps = [step for step in self.steps.values() if issubclass(_kind(step._made), kind)]
        output = steps[-1].output if steps else None
        return output if isinstance(output, kind) else None

    def __repr__(self) -> str:
        return f"<Run {self.id}: {self.recipe}, {self.status}>"

    def _repr_html_(self) -> str:
        steps = (
            (one.name, one.status, f"{one.seconds:.1f} s", one.error or "; ".join(one.reasons))
            for one in self.steps.values()
        )
        verdict = {None: "", True: " · blessed", False: " · not blessed"}[self.blessed]
        title = html.escape(f"{self.recipe} · {self.id} · {self.status}{verdict}")
        around = self.intervals
        shown = (
            (name, value, numbers.between(*around[name]) if name in around else "")
            for name, value in self.metrics.items()
        )
        figures = html.table((), shown) if self.metrics else ""
        because = html.table(("step", "status", "time", "because"), steps)
        return f"<p><b>{title}</b></p>{figures}{because}"


def runs(root: AnyPath | None = None) -> list[Run]:
    """The runs under `root`, the newest first.

    Args:
        root: the folder; by default that of MILLRACE_ROOT, or `.millrace`.

    Raises:
        UsageError: there is no such root.
        StoreError: its store cannot be read.
    """
    place = root_at(root)
    with opened(place, must_exist=True) as store, store.session() as session:
        tags = store.tags(session)
        return [
            _run(record, store.status(session, record, place), tags.get(record.id, []), place)
            for record in store.runs(session)
        ]


def open_run(run: str = "latest", root: AnyPath | None = None) -> Run:
    """The run with the id `run`, or the only one whose id starts so; `latest` is the newest.

    Args:
        run: which one.
        root: the folder; by default that of MILLRACE_ROOT, or `.millrace`.

    Raises:
        UsageError: there is none, more than one, or no such root.
        StoreError: its store cannot be read.
    """
    place = root_at(root)
    with opened(place, must_exist=True) as store, store.session() as session:
        record = store.find_run(session, run)
        tags = store.tags(session, [record.id])[record.id]
        return _run(record, store.status(session, record, place), tags, place)


def root_at(root: AnyPath | None) -> Root:
    """The root at `root`, or where the command would look for it."""
    return Root(root if root is not None else os.environ.get("MILLRACE_ROOT", _ROOT))


@contextlib.contextmanager
def opened(root: Root, *, must_exist: bool = False) -> Iterator[Store]:
    """The store of `root` while the block lasts."""
    store = Store.of(root, must_exist=must_exist)
    try:
        yield store
    finally:
        store.close()


def _run(record: RunRecord, status: str, tags: Sequence[str], root: Root) -> Run:
    ended = record.ended or record.started
    return Run(
        id=record.id,
        recipe=record.recipe,
        name=record.pipeline,
        status=status,
        started=record.started.replace(tzinfo=datetime.UTC),
        seconds=max((ended - record.started).total_seconds(), 0.0),
        tags=tuple(tags),
        note=record.note or "",
        _root=root,  # even if its record names another place, from which the root was moved
    )


def _step(record: ExecutionRecord, status: str, root: Root) -> RunStep:
    log = root.kept_log(record.run_id, record.step)
    return RunStep(
        name=record.step,
        status=status,
        seconds=0.0 if status == "cached" else record.seconds,
        reasons=tuple(record.reasons),
        options=record.ingredients["options"],
        error=record.error,
        log=log if log.exists() else None,
        _made=record.output,
    )


def _artifact(record: ArtifactRecord) -> Artifact:
    """The artifact that `record` stands for; one of a person's own type as an `Artifact`."""
    return _kind(record)(record.fetch())


def _kind(record: ArtifactRecord | None) -> type[Artifact]:
    return getattr(artifacts, record.type, Artifact) if record else Artifact
