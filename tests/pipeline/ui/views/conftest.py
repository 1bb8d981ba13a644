"""Artifacts as steps write them, put into the toy pipeline's root without a run."""

import pytest

from millrace.components.artifacts import Examples
from millrace.components.files.tfrecord import write_records
from millrace.pipeline import damage
from millrace.pipeline.records import (
    ArtifactRecord,
    EventRecord,
    ExecutionRecord,
    RunRecord,
    now,
)
from millrace.serving.example import encode


class Shelf:
    """What steps of one run have written."""

    def __init__(self, toy):
        self.root, self.store = toy.root, toy.store
        started = now()
        with self.store.session() as session:
            session.add(
                RunRecord(
                    id="first",
                    recipe="toy",
                    pipeline="model",
                    root=self.root.name,
                    arguments={},
                    status="done",
                    started=started,
                    ended=started,
                )
            )

    def add(self, kind, step, write, **inputs):
        """The number of an artifact that `write` fills, made by `step` of those numbered."""
        folder = self.root.artifact(step, "first")
        folder.mkdir(parents=True)
        artifact = kind(folder)
        write(artifact)
        digest, files = damage.measure(artifact)
        with self.store.session() as session:
            record = ArtifactRecord(
                type=kind.__name__,
                uri=str(folder),
                digest=digest,
                properties=artifact.properties(),
                created=now(),
                files=files,
            )
            execution = ExecutionRecord(
                run_id="first",
                step=step,
                component=step,
                key=step,
                ingredients={},
                reasons=[],
                status="ran",
                started=now(),
                ended=now(),
            )
            session.add_all([record, execution])
            session.flush()
            events = [("output", "output", record.id)]
            events += [("input", name, number) for name, number in inputs.items()]
            session.add_all(
                EventRecord(execution_id=execution.id, role=role, name=name, artifact_id=number)
                for role, name, number in events
            )
            return record.id

    def examples(self, step="read", rejected=(), **splits):
        """The number of Examples with the rows of each split."""

        def write(artifact):
            for split, rows in splits.items():
                artifact.split_path(split).mkdir()
                write_records(artifact.shard(split, 0, 1), map(encode, rows))
            artifact.write_summary({split: len(rows) for split, rows in splits.items()}, rejected)

        return self.add(Examples, step, write)


@pytest.fixture
def shelf(toy):
    return Shelf(toy)
