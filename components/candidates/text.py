"""The networks that are worth trying for texts."""

from millrace.components.candidates.candidate import Candidate
from millrace.components.features.text_spec import TextSpec
from millrace.components.models.text_options import Embedding, Ngrams

_WEIGHTS = 1 << 20  # of a network of n-grams, so that it is solved for in seconds
_RUNS = 1 << 17  # of tokens, at most
_FEW_RUNS = 1 << 12
_CELLS = 50_000_000  # tokens and padding of all rows, whose features are held in memory at once


def of(spec: TextSpec, rows: int) -> tuple[Candidate, ...]:
    """For `rows` texts to train on."""
    return (
        *_solved(spec, rows),
        Candidate("embedding", Embedding(dropout=0.3), learning_rate=0.003),
    )


def _solved(spec: TextSpec, rows: int) -> tuple[Candidate, ...]:
    """Networks of n-grams: quick, and hard to beat; none where there are too many texts."""
    cells = rows * spec.sequence_length
    if cells > _CELLS:
        return ()
    units = 1 if len(spec.classes) == 2 else len(spec.classes)
    most = max(_FEW_RUNS, min(_RUNS, cells, _WEIGHTS // units - spec.size))
    return (
        Candidate("ngrams", Ngrams(most=most)),
        Candidate("ngrams_ratios", Ngrams(most=most, log_ratios=True)),
    )
