"""Every output under a root compared with its record, content and all: `millrace verify`."""

import dataclasses
from typing import Any

import sqlalchemy as sa
from etils.epath import Path

from millrace.components.artifacts import Artifact, PushedModel
from millrace.pipeline import damage
from millrace.pipeline.damage import Damage
from millrace.pipeline.records import ArtifactRecord, EventRecord, ExecutionRecord, RunRecord
from millrace.pipeline.root import Root
from millrace.pipeline.store import Store


@dataclasses.dataclass(frozen=True)
class Finding:
    """An output that is damaged.

    Attributes:
        artifact: its number.
        type: of artifact.
        step, run: which wrote it.
        path: its folder, from which it was moved if `set_aside` is one.
        files: what is damaged of it.
        set_aside: where it lies since, if it was moved.
    """

    artifact: int
    type: str
    step: str
    run: str
    path: str
    files: tuple[Damage, ...]
    set_aside: Path | None = None

    def as_json(self) -> dict[str, Any]:
        """For `millrace verify --json`."""
        return {
            "artifact": self.artifact,
            "type": self.type,
            "step": self.step,
            "run": self.run,
            "path": self.path,
            "files": [{"file": str(one.file), "problem": one.problem} for one in self.files],
            "set_aside": str(self.set_aside) if self.set_aside else None,
        }


@dataclasses.dataclass(frozen=True)
class Verification:
    """How many outputs were read, are no longer in place, lie elsewhere, and which are damaged."""

    checked: int
    gone: int
    elsewhere: int
    damaged: tuple[Finding, ...]


def verify(store: Store, root: Root, *, repair: bool) -> Verification:
    """Read every output under `root` that is in place.

    One that is whole is trusted from now on, and its files are known if they were not: an older
    store has no list of them. With `repair`, one that is damaged is set aside, so that the next
    run makes it again.
    """
    store.mark_dead(root)
    outputs = _outputs(store)
    here = [one for one in outputs if root.contains(one[0].uri)]
    looked = [(*one, damage.look(one[0], content=True)) for one in here]
    whole: set[Path] = set()
    for record, _, _, found in looked:
        if found == []:
            whole.update(damage.parts_of(record).values())
            if record.suspect or record.files is None:
                kind = PushedModel if record.type == PushedModel.__name__ else Artifact
                files = record.files or damage.measure(kind(record.place))[1]
                store.amend(record.id, suspect=False, files=files)
    damaged = []
    for record, step, run, found in looked:
        if found:
            place = damage.set_aside(root, record, found, whole) if repair else None
            damaged.append(
                Finding(record.id, record.type, step, run, record.uri, tuple(found), place)
            )
    gone = sum(found is None for *_, found in looked)
    return Verification(len(here) - gone, gone, len(outputs) - len(here), tuple(damaged))


def _outputs(store: Store) -> list[tuple[ArtifactRecord, str, str]]:
    """All outputs of the root, oldest first, each with the step and the run that wrote it."""
    query = (
        sa.select(ArtifactRecord, ExecutionRecord.step, ExecutionRecord.run_id)
        .join(EventRecord, EventRecord.artifact_id == ArtifactRecord.id)
        .join(ExecutionRecord, ExecutionRecord.id == EventRecord.execution_id)
        .join(RunRecord, RunRecord.id == ExecutionRecord.run_id)
        .where(store.within)
        .where(EventRecord.role == "output", ExecutionRecord.status == "ran")
        .order_by(ArtifactRecord.id)
    )
    with store.session() as session:
        return [(record, step, run) for record, step, run in session.execute(query)]
