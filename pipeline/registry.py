"""The versions of the models under a root: which are there, which run pushed each, how it judged.

Versions are told by their folders; what is known of their making, by the store.
"""

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from millrace.components import pusher
from millrace.components.artifacts import Evaluation, Model, PushedModel
from millrace.components.errors import DataError, OptionError
from millrace.pipeline import pushed
from millrace.pipeline.errors import UsageError
from millrace.pipeline.records import ArtifactRecord, EventRecord, ExecutionRecord, RunRecord
from millrace.pipeline.root import Root
from millrace.pipeline.store import Store
from millrace.serving import remote, versions

State = Literal["served", "kept", "withdrawn", "deleted"]
_MOST = 200  # pushes that are looked back on


@dataclasses.dataclass(frozen=True)
class Push:
    """The execution that pushed a version first, and what it read.

    Attributes:
        artifact: the number of its record.
        run: its run.
        recipe: of that.
        model: the exported model, if it is known.
        evaluation: the verdict on it, if there was one.
    """

    artifact: int
    run: str
    recipe: str
    model: ArtifactRecord | None = None
    evaluation: ArtifactRecord | None = None

    @property
    def description(self) -> dict[str, Any]:
        """What the exported model says of itself; empty where it is not there any more."""
        try:
            return Model(self.model.fetch()).description if self.model else {}
        except (DataError, OSError):
            return {}

    @property
    def judged(self) -> Evaluation | None:
        """The verdict, while its folder is there."""
        try:
            found = Evaluation(self.evaluation.fetch()) if self.evaluation else None
        except OSError:
            return None
        return found if found is not None and found.path.exists() else None


@dataclasses.dataclass(frozen=True)
class Version:
    """One version of a model.

    Attributes:
        number: of it; Unix seconds where a run has pushed it.
        state: `served` is the newest that is there, which servers take.
        push: how it came there; None where the store does not know.
    """

    number: int
    state: State
    push: Push | None


def numbers(root: Root, model: str) -> list[int]:
    """The versions of `model` that are there, the newest first."""
    return sorted(versions.on_disk(root.serving / model) or {}, reverse=True)


def labels(root: Root, model: str) -> dict[str, int]:
    """The version of `model` that each of its labels names.

    Raises:
        DataError: the file that says so is broken.
    """
    return relabel(root, model, {})


def relabel(
    root: Root, model: str, assign: Mapping[str, int], remove: Collection[str] = ()
) -> dict[str, int]:
    """Label versions of `model`, and tell TensorFlow Serving's configuration; returns all labels.

    Raises:
        UsageError: a label or version is wrong; nothing was changed.
        DataError: the labels are broken.
    """
    try:
        found = pusher.relabel(remote.url(root.serving), model, assign, remove)
    except OptionError as error:
        raise UsageError(str(error)) from None
    if assign or remove:
        pushed.write_labelled_config(root)
    return found


def roll_back(root: Root, model: str) -> tuple[int, int, list[str]]:
    """Withdraw the newest version of `model`.

    Returns:
        It, the version that is served now, and the labels that name the withdrawn one, to which
        nothing answers any more.

    Raises:
        DataError: there is no such model, or no version to go back to.
    """
    withdrawn, serving = pusher.rollback(remote.url(root.serving), model)
    known = labels(root, model)
    if known:
        pushed.write_labelled_config(root)
    return withdrawn, serving, [label for label, number in known.items() if number == withdrawn]


def versions_of(
    session: Session, store: Store, root: Root, model: str, most: int = _MOST
) -> list[Version]:
    """Every version of `model` that is there, was withdrawn, or was pushed; the newest first.

    Of the newest `most`, what was pushed and how it was judged.
    """
    there = numbers(root, model)
    withdrawn = set(versions.on_disk(root.serving / model / ".withdrawn") or {})
    begun = _begun(session, store, [model])
    numbered = sorted({*there, *withdrawn, *(number for _, number in begun)}, reverse=True)
    looked_at = {(model, number) for number in numbered[:most]}
    pushes = _with_inputs(session, {key: begun[key] for key in begun.keys() & looked_at})
    return [
        Version(number, _state(number, there, withdrawn), pushes.get((model, number)))
        for number in numbered
    ]


def newest_of(
    session: Session, store: Store, root: Root, models: Sequence[str]
) -> dict[str, list[Version]]:
    """The versions of each of `models` that are there, the newest first."""
    there = {model: numbers(root, model) for model in models}
    wanted = {number for each in there.values() for number in each}
    pushes = _with_inputs(session, _begun(session, store, models, wanted))
    return {
        model: [
            Version(number, "kept" if place else "served", pushes.get((model, number)))
            for place, number in enumerate(each)
        ]
        for model, each in there.items()
    }


def _state(number: int, there: Sequence[int], withdrawn: Iterable[int]) -> State:
    if number in there:
        return "served" if number == there[0] else "kept"
    return "withdrawn" if number in withdrawn else "deleted"


_Begun = Mapping[tuple[str, int], tuple[int, Push]]


def _begun(
    session: Session, store: Store, models: Sequence[str], wanted: Collection[int] = ()
) -> _Begun:
    """The first push of each version, by model and number; of those `wanted`, if any are named.

    Each beside the number of its execution, and still without what that has read.
    """
    name = ArtifactRecord.properties["model"].as_string()
    version = ArtifactRecord.properties["version"].as_integer()
    query = (
        sa.select(ExecutionRecord.id, ArtifactRecord.id, name, version, RunRecord.id)
        .add_columns(RunRecord.recipe)
        .select_from(ArtifactRecord)
        .join(EventRecord, EventRecord.artifact_id == ArtifactRecord.id)
        .join(ExecutionRecord, ExecutionRecord.id == EventRecord.execution_id)
        .join(RunRecord, RunRecord.id == ExecutionRecord.run_id)
        .where(ArtifactRecord.type == PushedModel.__name__, name.in_(models), version > 0)
        .where(EventRecord.role == "output", ExecutionRecord.status == "ran", store.within)
        .where(version.in_(wanted) if wanted else sa.true())
        .order_by(ArtifactRecord.id.desc())
        .limit(_MOST * max(1, len(models)))
    )
    found: dict[tuple[str, int], tuple[int, Push]] = {}
    for execution, artifact, model, number, run, recipe in session.execute(query):
        found[model, number] = execution, Push(artifact, run, recipe)
    return found


def _with_inputs(session: Session, found: _Begun) -> dict[tuple[str, int], Push]:
    read = _read_by(session, [execution for execution, _ in found.values()])
    return {
        key: dataclasses.replace(
            push,
            model=read.get(execution, {}).get("model"),
            evaluation=read.get(execution, {}).get("evaluation"),
        )
        for key, (execution, push) in found.items()
    }


def _read_by(session: Session, executions: Sequence[int]) -> dict[int, dict[str, ArtifactRecord]]:
    """The model and its evaluation that each of `executions` read."""
    found: dict[int, dict[str, ArtifactRecord]] = {}
    query = (
        sa.select(EventRecord.execution_id, EventRecord.name, ArtifactRecord)
        .join(ArtifactRecord, ArtifactRecord.id == EventRecord.artifact_id)
        .where(EventRecord.execution_id.in_(executions), EventRecord.role == "input")
        .where(EventRecord.name.in_(("model", "evaluation")))
    )
    for execution, name, artifact in session.execute(query):
        found.setdefault(execution, {})[name] = artifact
    return found
