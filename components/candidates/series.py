"""The networks that are worth trying for series."""

import dataclasses

from millrace.components.candidates.candidate import Candidate
from millrace.components.features.series_spec import SeriesSpec
from millrace.components.models.series_options import Linear

_SHORT = 30  # rows of a window's end, seen by some where it has more
_CELLS = 20_000_000  # of all windows, read once more for each of these
_ALONE = 1e6  # a ridge of this strength leaves what it draws towards as it is


def of(spec: SeriesSpec, rows: int) -> tuple[Candidate, ...]:
    """For `rows` windows to train on.

    All are solved at once. Those upon logarithms only where there are such; those of a long
    window's last rows only where that is soon done.
    """
    models = {
        "smoothed": Linear(towards="smoothing"),
        "changes": Linear(),
        "values": Linear(own_level=False),
        "smoothing": Linear(towards="smoothing", strength=_ALONE),
    }
    if spec.has_logarithms:
        models |= {
            f"{name}_of_logs": dataclasses.replace(model, log=True)
            for name, model in models.items()
            if model.own_level
        }
    if spec.lookback > _SHORT + 1 and rows * spec.lookback <= _CELLS:
        models |= {
            f"short_{name}": dataclasses.replace(model, rows=_SHORT)
            for name, model in models.items()
            if not model.strength
        }
    return tuple(Candidate(name, model) for name, model in models.items())
