"""The networks that are worth trying for texts."""

from millrace.components.candidates.candidate import Candidate
from millrace.components.features.text_spec import TextSpec
from millrace.components.models.text_options import Embedding, Ngrams

_WEIGHTS = 1 << 20  # of a network of n-grams, so that it is solved for in seconds
_RUNS = 1 << 17  # of tokens, at most
_FEW_RUNS = 1 << 12


def of(spec: TextSpec, rows: int) -> tuple[Candidate, ...]:
    """For `rows` texts to train on."""
    units = 1 if len(spec.classes) == 2 else len(spec.classes)
    possible = min(_RUNS, rows * spec.sequence_length)
    most = max(_FEW_RUNS, min(possible, _WEIGHTS // units - spec.size))
    return (
        Candidate("ngrams", Ngrams(most=most)),
        Candidate("ngrams_ratios", Ngrams(most=most, log_ratios=True)),
        Candidate("embedding", Embedding(dropout=0.3), learning_rate=0.003),
    )
