"""An artifact that a page is asked for, its kin, and its place on this machine."""

import dataclasses
import math
from typing import Any

import sqlalchemy as sa
from etils.epath import Path
from sqlalchemy.orm import Session

from millrace.components import artifacts as kinds
from millrace.components.artifacts import Artifact
from millrace.components.errors import DataError
from millrace.components.features import spec as specs
from millrace.components.features.spec import Spec
from millrace.pipeline import lineage
from millrace.pipeline.errors import UsageError
from millrace.pipeline.records import ArtifactRecord, EventRecord
from millrace.pipeline.ui.site import Asked
from millrace.serving.errors import MillraceError


@dataclasses.dataclass(frozen=True)
class Found:
    """An artifact that a page is about.

    Attributes:
        asked: for the page.
        session: a transaction, in which its relations are read.
        record: what the store knows of it.
    """

    asked: Asked
    session: Session
    record: ArtifactRecord

    @property
    def artifact(self) -> Artifact:
        """It, on this machine; of a type that is not ours, as a plain one.

        Raises:
            DataError: it is gone.
        """
        try:
            place = self.record.fetch()
        except FileNotFoundError:
            place = None
        if place is None or not place.exists():
            raise DataError(
                f"{self.record.uri}: expected an artifact. Received: nothing there. A run makes "
                "it again."
            )
        return typed(self.record.type, place)

    def page(self, record: ArtifactRecord) -> str:
        """The address of an artifact's page."""
        return self.asked.address("artifacts", record.id)

    def at(self, record: ArtifactRecord) -> "Found":
        """Another artifact, for the same page."""
        return dataclasses.replace(self, record=record)

    def input(self, type_name: str) -> ArtifactRecord | None:
        """What of this type its step read."""
        maker = self.record.maker
        read = maker.inputs.values() if maker else ()
        return next((each for each in read if each.type == type_name), None)

    def made_of_it(self, type_name: str) -> ArtifactRecord | None:
        """The newest of this type that a step has made of it."""
        read = sa.select(EventRecord.execution_id).where(
            EventRecord.artifact_id == self.record.id, EventRecord.role == "input"
        )
        query = (
            sa.select(ArtifactRecord)
            .join(EventRecord)
            .where(
                EventRecord.role == "output",
                EventRecord.execution_id.in_(read),
                ArtifactRecord.type == type_name,
            )
            .order_by(ArtifactRecord.id.desc())
            .limit(1)
        )
        return self.session.scalars(query).first()

    def spec(self) -> Spec | None:
        """What `analyze` settled about records like its own; None if that is not at hand."""
        for record in (self.input("Analysis"), self.made_of_it("Analysis")):
            if record is not None:
                try:
                    return specs.read(kinds.Analysis(record.fetch()).file)
                except (MillraceError, OSError):
                    return None
        return None


def typed(type_name: str, place: Path) -> Artifact:
    """The artifact at `place` with what its type knows about its files."""
    kind = getattr(kinds, type_name, Artifact)
    is_known = isinstance(kind, type) and issubclass(kind, Artifact)
    return (kind if is_known else Artifact)(place)


def find(asked: Asked, session: Session) -> Found:
    """The artifact that is asked for by its number.

    Raises:
        UsageError: there is none.
    """
    number = asked.parts["number"]
    if not number.isdecimal():
        raise UsageError(f"Artifact {number!r}: expected a number.")
    return Found(asked, session, lineage.find_artifact(session, number, asked.store.within))


def title(type_name: str) -> str:
    """A type's name as words: `TrainedModel` is a trained model."""
    words = "".join(f" {each.lower()}" if each.isupper() else each for each in type_name)
    return words.strip().capitalize()


def finite(value: Any) -> Any:
    """`value` with None for each number that JSON has no way to write."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(name): finite(each) for name, each in value.items()}
    return [finite(each) for each in value] if isinstance(value, list | tuple) else value
