"""Many texts as tokens at once: the distinct ones, and which of them stands where. No TensorFlow.

Arrow splits and numbers the words, NumPy counts them: no Python object per token.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from millrace.components.features.tokenization import Level, longest_pieces

_HIGH = 32  # bits of a key above the number of the text


class TokenBatch(NamedTuple):
    """The tokens of texts.

    Attributes:
        names: the distinct ones; some may not occur.
        codes: int64 [tokens], places in `names`, one text after the other.
        lengths: int64 [texts], the tokens of each.
    """

    names: list[str]
    codes: np.ndarray
    lengths: np.ndarray

    def counts(self) -> dict[str, int]:
        """How often each token occurs."""
        return self._named(self.codes)

    def documents(self) -> dict[str, int]:
        """In how many texts each token occurs."""
        texts = np.repeat(np.arange(len(self.lengths), dtype=np.uint64), self.lengths)
        keys = self.codes.astype(np.uint64) << np.uint64(_HIGH) | texts
        keys.sort()  # NumPy sorts numbers faster than it hashes them
        is_first = np.ones(len(keys), bool)
        np.not_equal(keys[1:], keys[:-1], out=is_first[1:])
        return self._named((keys[is_first] >> np.uint64(_HIGH)).astype(np.int64))

    def _named(self, codes: np.ndarray) -> dict[str, int]:
        counts = np.bincount(codes, minlength=len(self.names)).tolist()
        return {name: count for name, count in zip(self.names, counts, strict=True) if count}


def of(texts: Sequence[bytes], level: Level, pieces: Collection[str] = ()) -> TokenBatch:
    """The tokens of standardised texts, UTF-8; `pieces` are the subwords of the vocabulary."""
    match level:
        case "character":
            return _characters(texts)
        case "word":
            return _words(texts)
        case "subword":
            words = _words(texts)
            return _parted(words, [longest_pieces(word, pieces) for word in words.names])


def _characters(texts: Sequence[bytes]) -> TokenBatch:
    points = np.frombuffer(b"".join(texts).decode().encode("utf-32-le"), np.uint32)
    present = np.flatnonzero(np.bincount(points))
    places = np.zeros(int(present.max(initial=0)) + 1, np.int64)
    places[present] = np.arange(len(present))
    lengths = np.array([len(text.decode()) for text in texts], np.int64)
    return TokenBatch(list(map(chr, present.tolist())), places[points], lengths)


def _words(texts: Sequence[bytes]) -> TokenBatch:
    """Words are separated by ASCII whitespace."""
    lists = pc.ascii_split_whitespace(pa.array(texts, pa.binary()).cast(pa.string()))
    encoded = lists.values.dictionary_encode()
    codes, names = encoded.indices.to_numpy().astype(np.int64), encoded.dictionary.to_pylist()
    is_word = np.array([name != "" for name in names], bool)[codes]  # none before a first space
    ends = np.concatenate([[0], is_word.cumsum()])[lists.offsets.to_numpy()]
    return TokenBatch(names, codes[is_word], np.diff(ends))


def _parted(words: TokenBatch, pieces: Sequence[Iterable[str]]) -> TokenBatch:
    """The pieces of `words`, whose names are made of `pieces`."""
    places: dict[str, int] = {}
    parts = [[places.setdefault(piece, len(places)) for piece in each] for each in pieces]
    sizes = np.array([len(part) for part in parts], np.int64)
    flat = np.array([place for part in parts for place in part], np.int64)
    starts, taken = sizes.cumsum() - sizes, sizes[words.codes]
    ends = taken.cumsum()
    within = np.arange(int(taken.sum())) - np.repeat(ends - taken, taken)
    codes = flat[np.repeat(starts[words.codes], taken) + within]
    bounds = np.concatenate([[0], ends])[np.concatenate([[0], words.lengths.cumsum()])]
    return TokenBatch(list(places), codes, np.diff(bounds))
