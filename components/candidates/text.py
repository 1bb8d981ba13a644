"""The networks that are worth trying for texts."""

from millrace.components.candidates.candidate import Candidate
from millrace.components.features.text_spec import TextSpec
from millrace.components.models.text_options import Embedding, Letters, Ngrams

_WEIGHTS = 1 << 20  # of a network of n-grams, so that it is solved for in seconds
_RUNS = 1 << 17  # of tokens, at most
_FEW_RUNS = 1 << 12
_CELLS = 50_000_000  # tokens and padding of all rows, whose features are held in memory at once
_LETTERS = 20_000_000  # likewise; a letter begins a run of each length


def of(spec: TextSpec, rows: int) -> tuple[Candidate, ...]:
    """For `rows` texts to train on."""
    return (
        *_solved(spec, rows),
        Candidate("embedding", Embedding(dropout=0.3), learning_rate=0.003),
    )


def _solved(spec: TextSpec, rows: int) -> tuple[Candidate, ...]:
    """Networks of n-grams: quick, and hard to beat; none of what there is too much of."""
    cells = rows * spec.sequence_length
    units = 1 if len(spec.classes) == 2 else len(spec.classes)
    most = max(_FEW_RUNS, min(_RUNS, cells, _WEIGHTS // units - spec.size))
    found = []
    if cells <= _CELLS:
        found += [
            Candidate("ngrams", Ngrams(most=most)),
            Candidate("ngrams_ratios", Ngrams(most=most, log_ratios=True)),
        ]
    if 0 < rows * spec.letters <= _LETTERS:
        most = max(_FEW_RUNS, min(_RUNS, rows * spec.letters, _WEIGHTS // units))
        found.append(Candidate("ngrams_of_letters", Letters(most=most)))
    return tuple(found)
