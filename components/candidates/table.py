"""The networks that are worth trying for tables."""

from millrace.components.candidates.candidate import Candidate
from millrace.components.features.table_spec import TableSpec
from millrace.components.models.layer_options import Dense
from millrace.components.models.table_options import Trees, WideDeep


def of(spec: TableSpec, rows: int) -> tuple[Candidate, ...]:
    """For `rows` rows to train on."""
    return (
        Candidate("trees", Trees()),
        Candidate("wide_deep", WideDeep(), learning_rate=0.003),
        Candidate("dense", Dense(), learning_rate=0.003),
    )
