"""The networks that are worth trying for generated text.

Each is mixed with the continuations of runs of tokens, which on little text say most; then a small
network beside them, which learns less by heart, is as good as a wide one or better.
"""

from millrace.components.candidates.candidate import Candidate
from millrace.components.features.language_spec import LanguageSpec
from millrace.components.models.language_options import Generator

_WORK = 8e12  # multiplications of a training, two minutes of two cores
_RUN = 6  # tokens of the longest run whose continuations are counted
_WIDE, _NARROW, _LEAST = 256, 96, 24  # units


def of(spec: LanguageSpec, rows: int) -> tuple[Candidate, ...]:
    """For `rows` windows of text to train on.

    Each is trained for as many epochs as its work allows, if the options ask for so many; the last
    one stands for the counts alone.
    """
    return (
        _gru(spec, rows, "gru", _WIDE, dropout=0.2, rate=0.004),
        _gru(spec, rows, "small_gru", _NARROW, dropout=0.3, rate=0.006),
        _gru(spec, rows, "counts", _LEAST, dropout=0.0, rate=0.01),
    )


def _gru(
    spec: LanguageSpec, rows: int, name: str, units: int, *, dropout: float, rate: float
) -> Candidate:
    dim = min(64, units)
    network = Generator(
        cell="gru", units=(units,), embedding_dim=dim, dropout=dropout, continuations=_RUN
    )
    each = units * (3 * (dim + units) + spec.tokens)  # multiplications of a token
    epochs = int(_WORK / (3 * each * rows * spec.sequence_length))
    return Candidate(name, network, epochs=max(1, epochs), learning_rate=rate)
