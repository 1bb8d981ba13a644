"""What earlier runs left that this one can use: outputs under the same key, the newest, others.

Each is looked at before it is used (`damage.look`), and never within a transaction, which other
runs would wait for. A store may know outputs of other roots, too. They are never looked at: these
may be deleted without regard to this one, or lie where no one here can go.
"""

from collections.abc import Iterable, Iterator

from millrace.pipeline import damage
from millrace.pipeline.dag import Previous, Step
from millrace.pipeline.damage import Damage
from millrace.pipeline.errors import UsageError
from millrace.pipeline.records import ArtifactRecord
from millrace.pipeline.root import Root
from millrace.pipeline.store import Store

Damaged = list[tuple[ArtifactRecord, list[Damage]]]  # and what is wrong with each


def cached(store: Store, root: Root, step: Step, key: str) -> tuple[ArtifactRecord | None, Damaged]:
    """A whole output of `step` under `key`, if there is one, and the damaged ones newer than it."""
    with store.session() as session:
        records = list(store.cached(session, step.name, key))
    damaged: Damaged = []
    for record, found in _in_place(store, root, records):
        if not found:
            return record, damaged
        damaged.append((record, found))
    return None, damaged


def newest(store: Store, root: Root, pipeline: str, step: Step) -> ArtifactRecord:
    """The newest output of `step` that is in place.

    Raises:
        UsageError: there is none, or it is damaged.
    """
    with store.session() as session:
        records = list(store.outputs(session, pipeline, step.name))
    record, found = next(_in_place(store, root, records), (None, []))
    if record is None:
        raise UsageError(
            f"Step {step.name}: expected an output of an earlier run, because it was left "
            "out of this one. Received: none. Run it too."
        )
    if found:
        raise UsageError(
            f"Step {step.name}: expected the output of an earlier run, as it was made. Received: "
            f"{damage.described(found)}, in {record.uri}. Run that step too."
        )
    return record


def other(
    store: Store, root: Root, pipeline: str, node: Previous, current: ArtifactRecord
) -> tuple[ArtifactRecord | None, Damaged]:
    """The newest output with other content than `current`, and the damaged ones newer than it."""
    with store.session() as session:
        records = list(store.outputs(session, pipeline, node.of.name))
    damaged: Damaged = []
    differing = (record for record in records if record.digest != current.digest)
    for record, found in _in_place(store, root, differing):
        if node.blessed and not store.was_blessed(record.id):
            continue
        if not found:
            return record, damaged
        damaged.append((record, found))
    return None, damaged


def _in_place(
    store: Store, root: Root, records: Iterable[ArtifactRecord]
) -> Iterator[tuple[ArtifactRecord, list[Damage]]]:
    """Those outputs that are in place, and what is damaged of each; one found whole is trusted."""
    for record in records:
        found = damage.look(record) if root.contains(record.uri) else None
        if found is not None:
            if record.suspect and not found:
                store.amend(record.id, suspect=False)
            yield record, found
