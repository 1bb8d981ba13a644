"""What is known here of a pushed model's making: how its data was read, and what was settled."""

import dataclasses
from typing import TYPE_CHECKING

from millrace.components.artifacts import Analysis, Examples
from millrace.components.features import spec as specs
from millrace.components.features.spec import Spec
from millrace.pipeline import damage
from millrace.pipeline.pushed import last_pusher
from millrace.pipeline.store import Store

if TYPE_CHECKING:
    from millrace.components.example_gen.unlabelled_rows.source import TrainingSource  # pyarrow


@dataclasses.dataclass(frozen=True)
class Origin:
    """How the training data was read, and what `analyze` settled, each if that is known."""

    source: "TrainingSource | None" = None
    spec: Spec | None = None


UNKNOWN = Origin()


def find(store: Store, model: str) -> Origin:
    """The origin of what now serves as `model`; unknown where no run in `store` has pushed it.

    A pipeline of a person's own wiring may have no such steps.
    """
    analysis, examples = folders(store, model)
    if analysis is None or examples is None:
        return UNKNOWN
    from millrace.components.example_gen.unlabelled_rows import source as sources  # pyarrow

    spec = specs.read(analysis.file) if analysis.file.exists() else None
    return Origin(sources.read(examples), spec)


def folders(store: Store, model: str) -> tuple[Analysis | None, Examples | None]:
    """What `analyze` settled for what now serves as `model`, and the records it read, if known.

    Raises:
        DataError: one of the two is damaged.
    """
    with store.session() as session:
        execution = last_pusher(session, store, model)
        made = execution.inputs.get("model") if execution else None
        analysis = made.maker.inputs.get("analysis") if made and made.maker else None
        records = analysis.maker.inputs.get("examples") if analysis and analysis.maker else None
    if analysis is None or records is None:
        return None, None
    for record in (analysis, records):
        damage.require_whole(record)
    return Analysis(analysis.fetch()), Examples(records.fetch())
