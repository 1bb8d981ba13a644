"""Losses of texts summed up, and the figures that follow: perplexity and what it is compared with.

Sums are whole numbers, losses in units of 2^-32 nats: any partition of the rows gives the same.
"""

import dataclasses
import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Self

import numpy as np

UNIT = 2**32  # sums of losses count whole multiples of 1 / UNIT nats
NAMES = (
    *("loss", "perplexity", "accuracy", "bits_per_character", "unknown"),
    *("vocabulary_size", "perplexity_ratio", "unigram_perplexity"),
)


@dataclasses.dataclass(frozen=True)
class TextSums:
    """Of rows; losses in units of 2^-32 nats.

    The last five are of each row's numbers squared, or one times another: how much rows differ.
    """

    rows: int = 0
    tokens: int = 0
    correct: int = 0
    unknown: int = 0
    characters: int = 0
    loss: int = 0
    unigram: int = 0
    loss_squares: int = 0
    loss_tokens: int = 0
    token_squares: int = 0
    correct_squares: int = 0
    correct_tokens: int = 0

    def __add__(self, other: Self) -> "TextSums":
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        return TextSums(*(one + another for one, another in pairs))

    @classmethod
    def total(cls, rows: Iterable[Self]) -> Self:
        """Of all of `rows`, one or more."""
        return cls(*map(sum, zip(*map(_FIELDS, rows), strict=True)))


_FIELDS = operator.attrgetter(*(field.name for field in dataclasses.fields(TextSums)))


def of_rows(outputs: Mapping[str, np.ndarray], characters: Sequence[int]) -> list[TextSums]:
    """What each row adds.

    Args:
        outputs: of the signature `score`: loss and unigram float32 [rows], tokens, correct and
            unknown int32 [rows].
        characters: that each row's tokens stand for.
    """
    counts = zip(
        *(outputs[name].tolist() for name in ("tokens", "correct", "unknown")), strict=True
    )
    nats = [np.rint(outputs[name].astype(np.float64) * UNIT) for name in ("loss", "unigram")]
    losses = zip(*(array.astype(np.int64).tolist() for array in nats), strict=True)
    return [
        TextSums(
            *(1, tokens, correct, unknown, letters, loss, unigram),
            *(loss**2, loss * tokens, tokens**2, correct**2, correct * tokens),
        )
        for (tokens, correct, unknown), letters, (loss, unigram) in zip(
            counts, characters, losses, strict=True
        )
    ]


def figures(sums: TextSums, vocabulary: int) -> dict[str, float]:
    """The metrics of rows with one token or more.

    loss: nats per token. perplexity: exp(loss). accuracy: the share of tokens that were the
    likeliest. bits_per_character: all the loss in bits over all characters, delimiters
    included (the first of a passage is given, and free); an unknown token costs what an unknown
    token costs, whatever it is. unknown: the share of those. perplexity_ratio: perplexity over
    vocabulary_size, 1 for a model that knows nothing. unigram_perplexity: that of the counts of
    tokens in the train split.
    """
    loss = sums.loss / UNIT / sums.tokens
    perplexity = _exp(loss)
    return {
        "loss": loss,
        "perplexity": perplexity,
        "accuracy": sums.correct / sums.tokens,
        "bits_per_character": sums.loss / UNIT / math.log(2) / max(1, sums.characters),
        "unknown": sums.unknown / sums.tokens,
        "vocabulary_size": float(vocabulary),
        "perplexity_ratio": perplexity / max(1, vocabulary),
        "unigram_perplexity": _exp(sums.unigram / UNIT / sums.tokens),
    }


def _exp(loss: float) -> float:
    """exp(loss), but finite: JSON has no infinity."""
    return math.exp(min(loss, 700.0))
