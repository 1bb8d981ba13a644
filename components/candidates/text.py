"""The networks that are worth trying for texts."""

from millrace.components.candidates.candidate import Candidate
from millrace.components.features.text_spec import TextSpec
from millrace.components.models.text_options import Bag, Embedding


def of(spec: TextSpec, rows: int) -> tuple[Candidate, ...]:
    """For `rows` texts to train on."""
    return (
        Candidate("embedding", Embedding(dropout=0.3), learning_rate=0.003),
        Candidate("bag", Bag(weigh="tf_idf", dense=()), learning_rate=0.01),
    )
