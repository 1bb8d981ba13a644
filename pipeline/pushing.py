"""A model that an earlier run has made, to be pushed again: which one, and its verdicts."""

import dataclasses
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from millrace.components.artifacts import Evaluation, InfraBlessing, Model, PushedModel
from millrace.components.pusher import objections_to
from millrace.pipeline import damage, lineage, registry
from millrace.pipeline.errors import UsageError
from millrace.pipeline.records import ArtifactRecord, EventRecord, ExecutionRecord, RunRecord
from millrace.pipeline.root import Root
from millrace.pipeline.store import Store

_VERDICTS = {"evaluation": Evaluation, "infra": InfraBlessing}
_DONE = ("ran", "cached")


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A model that can be pushed.

    Attributes:
        run: that made it, or pushed it before.
        model: the exported model.
        verdicts: on it, by the pusher's names for them.
        settings: of the pusher that the model's last push had, which go for this one, too.
    """

    run: str
    model: ArtifactRecord
    verdicts: dict[str, ArtifactRecord]
    settings: dict[str, Any]

    @property
    def objections(self) -> list[str]:
        """Why it is not blessed; nothing of one that is."""
        if "evaluation" not in self.verdicts:
            return ["no evaluator has judged it"]
        found: dict[str, Any] = {
            name: kind(self.verdicts[name].fetch()) if name in self.verdicts else None
            for name, kind in _VERDICTS.items()
        }
        return objections_to(**found)


def find(store: Store, root: Root, model: str, which: str = "") -> Candidate:
    """The model that `which` names: a version of `model`, or a run that made one.

    Args:
        store: the record of runs.
        root: where the versions are.
        model: its name.
        which: a version, a run's id or its beginning; `latest` or nothing for the newest run.

    Raises:
        UsageError: there is none, or it is gone.
        DataError: it, or a verdict on it, is damaged.
    """
    with store.session() as session:
        execution, inputs = _of_version(session, store, root, model, which) or _of_run(
            session, store, model, which
        )
        run = execution.run_id
        last = store.last_execution(session, model, "pusher")
        options = last.ingredients.get("options", {}) if last else {}
        gone = [record.uri for record in inputs.values() if lineage.is_gone(record)]
    if gone:
        raise UsageError(
            f"Model {model!r}: expected what run {run} has left of it. Received: it is gone: "
            f"{gone[0]}. Choose another, or run that recipe again."
        )
    for record in inputs.values():
        damage.require_whole(record)
    verdicts = {name: inputs[name] for name in _VERDICTS if name in inputs}
    settings = {"keep": options["keep"]} if "keep" in options else {}
    return Candidate(run, inputs["model"], verdicts, settings)


def check_blessed(model: str, found: Candidate) -> None:
    """Refuse a model that was not blessed.

    Raises:
        UsageError: says why it was not, and how to push it all the same.
    """
    if reasons := found.objections:
        raise UsageError(
            f"Model {model!r}: expected one that is blessed. Received: that of run {found.run}: "
            f"{'; '.join(reasons)}. Choose another, or push it all the same: --allow-unblessed."
        )


_Found = tuple[ExecutionRecord, dict[str, ArtifactRecord]]


def _of_version(
    session: Session, store: Store, root: Root, model: str, which: str
) -> _Found | None:
    """What the pusher of a version has read; None where `which` is the number of none."""
    if not which.isdecimal():
        return None
    known = registry.versions_of(session, store, root, model)
    for version in known:
        if version.number != int(which):
            continue
        if version.push is None or version.push.model is None:
            raise UsageError(
                f"Model {model!r}: version {which}: expected one that a run has pushed. Received: "
                "one of unknown making. Copy its folder to a higher number by hand."
            )
        record = session.get_one(ArtifactRecord, version.push.artifact)
        if (maker := record.maker) is not None:
            return maker, maker.inputs
    return None


def _of_run(session: Session, store: Store, model: str, which: str) -> _Found:
    """The model that a run exported or pushed, with the verdicts on it."""
    wanted: sa.ColumnElement[bool] = sa.true()
    if which not in ("", "latest"):
        run = store.find_run(session, which)
        wanted = RunRecord.id == run.id
    made = (
        sa.select(ExecutionRecord)
        .join(RunRecord)
        .join(EventRecord, EventRecord.execution_id == ExecutionRecord.id)
        .join(ArtifactRecord, ArtifactRecord.id == EventRecord.artifact_id)
        .where(wanted, store.within, RunRecord.pipeline == model)
        .where(ExecutionRecord.status.in_(_DONE), EventRecord.role == "output")
        .where(ArtifactRecord.type.in_((Model.__name__, PushedModel.__name__)))
        .order_by(ExecutionRecord.id.desc())
        .limit(1)
    )
    execution = session.scalars(made).first()
    if execution is None or execution.output is None:
        raise UsageError(
            f"Model {model!r}: expected a version of it, or a run that has made it. Received: "
            f"{which or 'none such'}. `millrace runs` lists the runs, and `millrace label {model}` "
            "the versions."
        )
    if execution.output.type == PushedModel.__name__:
        return execution, execution.inputs
    return execution, {"model": execution.output, **_verdicts(session, execution)}


def _verdicts(session: Session, export: ExecutionRecord) -> dict[str, ArtifactRecord]:
    """What the run of `export` came to about the model that it wrote."""
    later = sa.select(ExecutionRecord).where(
        ExecutionRecord.run_id == export.run_id, ExecutionRecord.status.in_(_DONE)
    )
    found: dict[str, ArtifactRecord] = {}
    for one in session.scalars(later.order_by(ExecutionRecord.id)):
        judged, made = one.inputs.get("model"), one.output
        if judged is None or made is None or export.output is None or judged.id != export.output.id:
            continue
        for name, kind in _VERDICTS.items():
            if made.type == kind.__name__:
                found[name] = made
    return found
