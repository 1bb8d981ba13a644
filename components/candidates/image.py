"""The networks that are worth trying for pictures."""

from millrace.components.candidates.candidate import Candidate
from millrace.components.features.image_spec import ImageSpec
from millrace.components.models.image_options import Cnn


def of(spec: ImageSpec, rows: int) -> tuple[Candidate, ...]:
    """For `rows` pictures to train on."""
    return (Candidate("cnn", Cnn()),)
