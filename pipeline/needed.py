"""Which outputs of a root something still needs, and why: what `millrace gc` leaves.

What a run made or read stays while it is among the newest of its model, young, at work, or tagged
`keep`. Of older ones stays what is served, what the last two blessed models were judged by, and the
newest output of each step, by which a run that begins in the middle goes on.
"""

import collections
import dataclasses
import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from millrace.pipeline.root import Root
from millrace.pipeline.store import Store
from millrace.serving import remote

PARTIAL_DAYS = 7  # a run of single steps that rests for so long is not gone on with
_BLESSED = 2  # the last is the baseline of the next model, the one before of the last itself


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


class Records:
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
    def read(cls, store: Store, session: Session) -> "Records":
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


class Needs:
    """Why artifacts stay."""

    def __init__(
        self,
        store: Store,
        session: Session,
        root: Root,
        records: Records,
        present: Mapping[str, int | None],
        policy: Policy,
    ) -> None:
        self._store, self._session, self._root = store, session, root
        self._records, self._policy = records, policy
        folder = folder_of(root)
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


def folder_of(root: Root) -> str:
    """What the URIs of a root's outputs begin with."""
    return f"{root.name}/artifacts/"
