"""Pretrained word vectors, from a text file.

GloVe writes `word v1 v2 ...` per line, word2vec the same after a first line of two counts. UTF-8; a
word may contain spaces, since the numbers are counted from the right.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from etils.epath import Path

from millrace.components.errors import DataError

_SPREAD = 0.05  # of the components of a vector that the file lacks; as Keras's `uniform`


@dataclasses.dataclass(frozen=True)
class WordVectors:
    """A vector for each token, and how many came from the file.

    Attributes:
        matrix: float32 [tokens, dimensions].
        found: tokens that the file has.
    """

    matrix: np.ndarray
    found: int


def read(file: Path, names: Sequence[str]) -> WordVectors:
    """The vectors of the tokens `names`, in their order.

    The first token, padding, gets zeros; one that is not in the file uniform numbers from -0.05
    to 0.05, the same in every run. If the file has a word twice, the first vector counts.

    Raises:
        DataError: there is no such file, or a line is not a word and as many numbers as in the
            first line.
    """
    places = {name: place for place, name in enumerate(names) if name}
    vectors: dict[int, np.ndarray] = {}
    dimensions = 0
    for number, word, numbers in _lines(file):
        dimensions = dimensions or len(numbers)
        vector = _vector(numbers, dimensions, f"{file}:{number}")
        if word in places:
            vectors.setdefault(places[word], vector)
    if not dimensions:
        raise DataError(
            f"{file}: expected lines of a word and its numbers. Received: none. Give a file of "
            "GloVe or word2vec vectors in text form."
        )
    noise = np.random.default_rng(0).uniform(-_SPREAD, _SPREAD, (len(names), dimensions))
    matrix = noise.astype(np.float32)
    matrix[0] = 0
    for place, vector in vectors.items():
        matrix[place] = vector
    return WordVectors(matrix, len(vectors))


def _lines(file: Path) -> Iterator[tuple[int, str, list[str]]]:
    """The number of each line, its word and its numbers, as many as the first line has."""
    try:
        with Path(file).open("rb") as lines:
            size = 0
            for number, line in enumerate(lines, start=1):
                parts = line.decode("utf-8", "replace").rstrip().split(" ")
                if number == 1 and len(parts) == 2:
                    continue  # word2vec's counts
                size = size or len(parts) - 1
                yield number, " ".join(parts[:-size] if size else parts), parts[-size:]
    except OSError as error:
        raise DataError(
            f"{file}: expected a file of word vectors. Received: {error.strerror}. "
            "Correct trainer.model.vectors."
        ) from error


def _vector(numbers: Sequence[str], dimensions: int, place: str) -> np.ndarray:
    try:
        with np.errstate(over="ignore"):  # infinite then, and refused
            vector = np.array(numbers, np.float32)
    except ValueError:
        vector = np.array([])
    if len(vector) != dimensions or not np.isfinite(vector).all():
        raise DataError(
            f"{place}: expected a word and {dimensions} numbers. Received: "
            f"{' '.join(numbers)[:60]!r}. Correct the line or remove it."
        )
    return vector
