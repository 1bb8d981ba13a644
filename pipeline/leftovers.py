"""What a root no longer needs, found and removed: `millrace gc`. The record of runs stays.

What a run made or read stays while it is among the newest of its model, young, at work, or tagged
`keep`. Of older ones stays what is served, what the last two blessed models were judged by, and the
newest output of each step, by which a run that begins in the middle goes on. The rest can go: a run
that needs it makes it again. So can what dead runs left in staging, checkpoints that nobody came
back for, outputs that were never recorded, and what was set aside as damaged.
"""

import collections
import dataclasses
import datetime
import logging
import os
import pathlib
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from millrace.components.artifacts import (
    Anomalies,
    Evaluation,
    Examples,
    PushedModel,
    Statistics,
)
from millrace.components.errors import DataError
from millrace.pipeline import tags
from millrace.pipeline.records import (
    ArtifactRecord,
    EventRecord,
    ExecutionRecord,
    RunRecord,
    now,
)
from millrace.pipeline.root import RESUME_DAYS, Root
from millrace.pipeline.store import Store
from millrace.serving import remote

PARTIAL_DAYS = 7  # a run of single steps that rests for so long is not gone on with
_BLESSED = 2  # the last is the baseline of the next model, the one before of the last itself

_KINDS = ("output", "unrecorded", "staging", "checkpoint", "damaged")  # as they are shown

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Leftover:
    """Something that can go.

    Attributes:
        kind: output, unrecorded (an output that its run did not come to record), staging,
            checkpoint or damaged.
        place: its folder.
        bytes: of its files.
        run, model, step: whose it is, as far as that is known.
        artifact: its number, of an output.
    """

    kind: str
    place: str
    bytes: int
    run: str = ""
    model: str = ""
    step: str = ""
    artifact: int | None = None


@dataclasses.dataclass(frozen=True)
class Leftovers:
    """What can go, or went; why how many outputs stay; how many folders are of others."""

    found: tuple[Leftover, ...]
    kept: Mapping[str, int]
    unknown: int

    @property
    def bytes(self) -> int:
        """Of all that can go."""
        return sum(one.bytes for one in self.found)


@dataclasses.dataclass(frozen=True)
class Policy:
    """Whose outputs stay: the newest `keep` finished runs of each model, and those of some days."""

    keep: int = 5
    days: float = 0.0


class _Execution(NamedTuple):
    id: int
    run: str
    step: str
    status: str


class _Artifact(NamedTuple):
    id: int
    type: str
    uri: str
    digest: str
    properties: dict[str, Any]


def find(store: Store, root: Root, policy: Policy) -> Leftovers:
    """What can go of `root`, by `policy`; nothing is changed but that dead runs are recorded.

    Raises:
        RemoteError: the root's object store cannot be reached.
    """
    store.mark_dead(root)
    present = _present(root)
    with store.session() as session:
        records = _Records.read(store, session)
        needed = _Needs(store, session, root, records, present, policy).reasons()
    outputs = list(_outputs(root, records, present, needed))
    stray, unknown = _unrecorded(root, records, present)
    days = policy.days or RESUME_DAYS
    found = [*outputs, *stray, *_staging(root), *_checkpoints(root, days), *_damaged(root)]
    kept = collections.Counter(needed[one] for one in needed)
    return Leftovers(tuple(found), dict(kept), unknown)


def remove(store: Store, root: Root, policy: Policy) -> Leftovers:
    """Remove what `find` finds, while no run can begin to refer to it; returns what went.

    Raises:
        RemoteError: the root's object store cannot be reached.
    """
    trash = pathlib.Path(root.staging(f"gc-{uuid.uuid4().hex}"))  # another sweep may remove it
    with store.clearing(root):
        planned = find(store, root, policy)
        gone = [one for one in planned.found if _is_removed(root, one, trash, policy)]
    shutil.rmtree(trash, ignore_errors=True)
    return dataclasses.replace(planned, found=tuple(gone))


class OfRun(NamedTuple):
    """What of one kind can go of a run."""

    kind: str
    model: str
    run: str
    folders: int
    bytes: int


def by_run(found: Leftovers) -> list[OfRun]:
    """What can go, a row for each kind and run, for a person; the newest run first."""
    sums: dict[tuple[str, str, str], list[int]] = collections.defaultdict(list)
    for one in found.found:
        sums[one.kind, one.model, one.run].append(one.bytes)
    rows = [OfRun(*of, len(sizes), sum(sizes)) for of, sizes in sums.items()]
    return [row for kind in _KINDS for row in reversed(rows) if row.kind == kind]  # as made


def as_json(found: Leftovers, *, removed: bool) -> dict[str, Any]:
    """For `millrace gc --json`."""
    return {
        "removed": removed,
        "bytes": found.bytes,
        "found": [dataclasses.asdict(one) for one in found.found],
        "kept": dict(found.kept),
        "unknown": found.unknown,
    }


class _Records:
    """Runs, executions, events and artifacts of a root, as few columns as will do."""

    def __init__(self) -> None:
        self.runs: Sequence[RunRecord] = ()  # the newest first
        self.executions: dict[int, _Execution] = {}  # in their order
        self.artifacts: dict[int, _Artifact] = {}
        self.inputs: dict[int, dict[str, int]] = collections.defaultdict(dict)
        self.output: dict[int, int] = {}  # artifact by execution
        self.writers: dict[int, int] = {}  # the first execution that ran, by artifact
        self.readers: dict[int, list[int]] = collections.defaultdict(list)
        self.pipelines: dict[str, str] = {}  # of the runs

    @classmethod
    def read(cls, store: Store, session: Session) -> "_Records":
        found = cls()
        found.runs = store.runs(session)
        found.pipelines = {run.id: run.pipeline for run in found.runs}
        execution, event, artifact = ExecutionRecord, EventRecord, ArtifactRecord
        columns = execution.id, execution.run_id, execution.step, execution.status
        of_root = sa.select(*columns).join(RunRecord).where(store.within).order_by(execution.id)
        found.executions = {row[0]: _Execution(*row) for row in session.execute(of_root)}
        fields = artifact.id, artifact.type, artifact.uri, artifact.digest, artifact.properties
        rows = session.execute(sa.select(*fields).order_by(artifact.id))
        found.artifacts = {row[0]: _Artifact(*row) for row in rows}
        ends = event.execution_id, event.role, event.name, event.artifact_id
        for number, role, name, made in session.execute(sa.select(*ends).order_by(ends[0])):
            if number not in found.executions:
                continue
            if role == "input":
                found.inputs[number][name] = made
                found.readers[made].append(number)
            else:
                found.output[number] = made
                if found.executions[number].status == "ran":
                    found.writers.setdefault(made, number)
        return found

    def of_run(self) -> dict[str, list[int]]:
        """The executions of each run."""
        found: dict[str, list[int]] = collections.defaultdict(list)
        for one in self.executions.values():
            found[one.run].append(one.id)
        return found

    def touched(self, execution: int) -> Iterator[int]:
        """The artifacts that `execution` read or wrote."""
        yield from self.inputs[execution].values()
        if execution in self.output:
            yield self.output[execution]

    def made_from(self, artifact: int) -> set[int]:
        """The artifact and all that it was made from, but for what a verdict compared it with."""
        found, waiting = set(), [artifact]
        while waiting:
            one = waiting.pop()
            is_verdict = self.artifacts[one].type == Evaluation.__name__
            if one not in found and one in self.writers and not is_verdict:
                waiting += self.inputs[self.writers[one]].values()
            found.add(one)
        return found

    def last_reading(self, artifact: int, name: str, made: str) -> int | None:
        """The last execution that read `artifact` as its input `name` and wrote a `made`."""
        for one in reversed(self.readers[artifact]):
            output = self.artifacts.get(self.output.get(one, -1))
            if (
                output is not None
                and output.type == made
                and self.inputs[one].get(name) == artifact
            ):
                return one
        return None

    def newest_first(self) -> Iterator[_Execution]:
        """The executions that came to an output."""
        for one in reversed(self.executions.values()):
            if one.status in ("ran", "cached") and one.id in self.output:
                yield one


class _Needs:
    """Why artifacts stay."""

    def __init__(
        self,
        store: Store,
        session: Session,
        root: Root,
        records: _Records,
        present: Mapping[str, int | None],
        policy: Policy,
    ) -> None:
        self._store, self._session, self._root = store, session, root
        self._records, self._policy = records, policy
        folder = _folder(root)
        self._here = {
            one.id for one in records.artifacts.values() if one.uri.removeprefix(folder) in present
        }

    @property
    def _newest_runs(self) -> str:
        return "run" if self._policy.keep == 1 else f"{self._policy.keep} runs"

    def reasons(self) -> dict[int, str]:
        """The artifacts in place that stay, and the first reason for each."""
        found: dict[int, str] = {}
        of_run = self._records.of_run()
        for run, reason in self._runs():
            for execution in of_run[run]:
                self._note(found, self._records.touched(execution), reason)
        for why, each in (
            ("served", self._served),
            ("of the last blessed models", self._blessed),
            ("the newest of their step", self._newest),
        ):
            self._note(found, each(), why)
        return found

    def _note(self, found: dict[int, str], artifacts: Iterable[int], reason: str) -> None:
        for one in artifacts:
            if one in self._here:
                found.setdefault(one, reason)

    def _runs(self) -> Iterator[tuple[str, str]]:
        """The runs of which all stays, and why."""
        begun = now()
        tagged = self._store.tags(self._session)
        done: dict[str, int] = collections.Counter()
        for run in self._records.runs:
            age = begun - (run.ended or run.started)
            status = self._store.status(self._session, run, self._root)
            if status == "running" or (
                status == "partial" and age < datetime.timedelta(days=PARTIAL_DAYS)
            ):
                yield run.id, "of runs at work"
            elif tags.KEEP in tagged.get(run.id, ()):
                yield run.id, f"of runs tagged {tags.KEEP}"
            elif done[run.pipeline] < self._policy.keep:
                yield run.id, f"of the newest {self._newest_runs} of each model"
            elif age < datetime.timedelta(days=self._policy.days):
                yield run.id, f"of the last {self._policy.days:g} days"
            done[run.pipeline] += status == "done"

    def _served(self) -> Iterator[int]:
        """What stands behind each version in place: what it was made from and described by.

        See `pushed.training_of`, whose records these are, `origin.folders` and `last_push`.
        """
        records = self._records
        seen: set[tuple[str, int]] = set()
        for one in records.newest_first():
            made = records.artifacts[records.output[one.id]]
            if made.type != PushedModel.__name__ or made.id not in self._here:
                continue
            version = made.properties.get("model", ""), made.properties.get("version", 0)
            if version in seen or not self._is_in_place(made):
                continue
            seen.add(version)
            ancestors = records.made_from(made.id)
            yield from ancestors
            for each in ancestors:
                if records.artifacts[each].type == Examples.__name__:
                    yield from self._descriptions(each)

    def _is_in_place(self, push: _Artifact) -> bool:
        """Whether the version that was pushed is there, or may be put back."""
        try:
            return "version" in PushedModel(remote.fetch(push.uri)).parts()
        except (DataError, FileNotFoundError):
            return False

    def _descriptions(self, examples: int) -> Iterator[int]:
        records = self._records
        described = records.last_reading(examples, "examples", Statistics.__name__)
        if described is None:
            return
        yield (statistics := records.output[described])
        judged = records.last_reading(statistics, "statistics", Anomalies.__name__)
        if judged is not None:
            yield from records.touched(judged)

    def _blessed(self) -> Iterator[int]:
        """What the evaluators of each model's last blessed ones read and wrote."""
        records = self._records
        seen: dict[str, set[str]] = collections.defaultdict(set)
        for one in records.newest_first():
            made = records.artifacts[records.output[one.id]]
            model = records.inputs[one.id].get("model")
            if made.type != Evaluation.__name__ or model not in self._here:
                continue
            known = seen[records.pipelines[one.run]]
            digest = records.artifacts[model].digest
            if made.properties.get("blessed") is True and (
                digest in known or len(known) < _BLESSED
            ):
                if digest not in known:
                    yield from (made.id, model)
                known.add(digest)

    def _newest(self) -> Iterator[int]:
        """The newest output in place of each step of each model."""
        seen = set()
        for one in self._records.newest_first():
            of, made = (self._records.pipelines[one.run], one.step), self._records.output[one.id]
            if of not in seen and made in self._here:
                seen.add(of)
                yield made


def _folder(root: Root) -> str:
    """What the URIs of a root's outputs begin with."""
    return f"{root.name}/artifacts/"


def _present(root: Root) -> dict[str, int | None]:
    """The outputs that are in place by `<step>/<run>`, and their bytes where these are known."""
    if not root.is_remote:
        steps = pathlib.Path(root.place) / "artifacts"
        names = (entry for step in _entries(steps) for entry in _entries(pathlib.Path(step.path)))
        return {os.path.relpath(entry.path, steps): None for entry in names}
    found: dict[str, int] = collections.Counter()
    for name, file in remote.files(root.place / "artifacts").items():
        found["/".join(name.split("/")[:2])] += file.size
    return {**found}


def _outputs(
    root: Root,
    records: _Records,
    present: Mapping[str, int | None],
    needed: Mapping[int, str],
) -> Iterator[Leftover]:
    folder = _folder(root)
    for one in records.artifacts.values():
        name = one.uri.removeprefix(folder)
        if name in present and one.id not in needed and one.id in records.writers:
            maker = records.executions[records.writers[one.id]]
            model, size = records.pipelines[maker.run], present[name]
            size = _size(one.uri) if size is None else size
            yield Leftover("output", one.uri, size, maker.run, model, maker.step, one.id)


def _unrecorded(
    root: Root, records: _Records, present: Mapping[str, int | None]
) -> tuple[list[Leftover], int]:
    """Outputs that dead runs did not come to record; how many others this root's runs have not.

    Those are of another store's runs, or of this root's before it was moved here.
    """
    known = {one.uri.rpartition("/artifacts/")[2] for one in records.artifacts.values()}
    here = {one.uri for one in records.artifacts.values()}
    folder = _folder(root)
    found, unknown = [], 0
    alive = {run.id for run in records.runs if run.status in ("running", "partial")}
    for name, size in present.items():
        if folder + name in here:
            continue
        step, _, rest = name.partition("/")
        run = rest.partition("~")[0]
        if name in known or run not in records.pipelines:  # recorded elsewhere, or by others
            unknown += 1
        elif run not in alive:
            bytes_ = _size(folder + name) if size is None else size
            model = records.pipelines[run]
            found.append(Leftover("unrecorded", folder + name, bytes_, run, model, step))
    return found, unknown


def _staging(root: Root) -> Iterator[Leftover]:
    for entry in root.dead_staging():
        yield Leftover("staging", str(entry), _size(entry), entry.name)


def _checkpoints(root: Root, days: float) -> Iterator[Leftover]:
    for entry in root.checkpoints():
        if time.time() - _last_change(entry) > days * 24 * 3600:
            step = entry.name.rpartition("-")[0]
            yield Leftover("checkpoint", str(entry), _size(entry), step=step)


def _damaged(root: Root) -> Iterator[Leftover]:
    place = root.place / "damaged"
    if root.is_remote:
        files = remote.files(place)
        if files:
            yield Leftover("damaged", remote.url(place), sum(f.size for f in files.values()))
    elif place.exists():
        yield Leftover("damaged", str(place), _size(place))


def _is_removed(root: Root, one: Leftover, trash: pathlib.Path, policy: Policy) -> bool:
    """Whether `one` could be removed, at once or by a move to `trash`; else a warning says why."""
    try:
        if one.kind == "staging":
            return root.clear_staging(one.run)
        if one.kind == "checkpoint":
            is_old: Callable[[pathlib.Path], bool] = lambda folder: (  # noqa: E731
                time.time() - _last_change(folder) > (policy.days or RESUME_DAYS) * 24 * 3600
            )
            return root.clear_checkpoint(pathlib.Path(one.place).name, is_old)
        if remote.is_remote(one.place):
            remote.remove(one.place)
        else:
            trash.mkdir(parents=True, exist_ok=True)
            pathlib.Path(one.place).rename(trash / uuid.uuid4().hex)
    except FileNotFoundError:  # another was faster
        return False
    except OSError as error:
        _log.warning("%s: cannot be removed: %s. Remove it by hand.", one.place, error.strerror)
        return False
    return True


def _entries(folder: str | os.PathLike[str]) -> list["os.DirEntry[str]"]:
    """The folders in `folder`; none where it is not there."""
    try:
        with os.scandir(folder) as entries:
            return sorted(
                (one for one in entries if one.is_dir(follow_symlinks=False)),
                key=lambda one: one.name,
            )
    except FileNotFoundError:
        return []


def _stats(place: str | os.PathLike[str]) -> Iterator[os.stat_result]:
    """Of each file below `place`; what goes meanwhile is left out."""
    for folder, _, names in os.walk(place):
        for name in names:
            try:
                yield os.lstat(os.path.join(folder, name))  # noqa: PTH118 - many, and strings
            except FileNotFoundError:
                continue


def _size(place: str | os.PathLike[str]) -> int:
    return sum(one.st_size for one in _stats(place))


def _last_change(folder: pathlib.Path) -> float:
    """When a file below `folder` was changed last, in seconds of this machine's clock."""
    return max((one.st_mtime for one in _stats(folder)), default=folder.lstat().st_mtime)
