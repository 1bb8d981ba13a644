"""The networks that are worth trying for series."""

from millrace.components.candidates.candidate import Candidate
from millrace.components.features.series_spec import SeriesSpec
from millrace.components.models.layer_options import Dense


def of(spec: SeriesSpec, rows: int) -> tuple[Candidate, ...]:
    """For `rows` windows to train on."""
    return (
        Candidate("linear", Dense(units=()), epochs=100),
        Candidate("dense", Dense(units=(64,)), epochs=100),
    )
