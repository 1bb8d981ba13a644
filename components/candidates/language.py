"""The networks that are worth trying for generated text."""

from millrace.components.candidates.candidate import Candidate
from millrace.components.features.language_spec import LanguageSpec
from millrace.components.models.language_options import Generator


def of(spec: LanguageSpec, rows: int) -> tuple[Candidate, ...]:
    """For `rows` windows of text to train on."""
    return (
        Candidate("gru", Generator(cell="gru", dropout=0.2, continuations=6), learning_rate=0.004),
    )
