"""The networks that are worth trying for series."""

import dataclasses

from millrace.components.candidates.candidate import Candidate
from millrace.components.features.series_spec import SeriesSpec
from millrace.components.models.series_options import Linear

_MANY = 1000  # windows from which on a level need not be each window's own
_ALONE = 1e6  # a ridge of this strength leaves what it draws towards as it is


def of(spec: SeriesSpec, rows: int) -> tuple[Candidate, ...]:
    """For `rows` windows to train on.

    All are solved at once. Those upon logarithms only where there are such.
    """
    models = {
        "smoothed": Linear(towards="smoothing"),
        "changes": Linear(),
        "smoothing": Linear(towards="smoothing", strength=_ALONE),
    }
    if spec.has_logarithms:
        of_logs = {
            f"{name}_of_logs": dataclasses.replace(m, log=True) for name, m in models.items()
        }
        models |= of_logs
    if rows >= _MANY:
        models["values"] = Linear(own_level=False)
    return tuple(Candidate(name, model) for name, model in models.items())
