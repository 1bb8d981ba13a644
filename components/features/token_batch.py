"""Many texts as tokens at once: the distinct ones, and which of them stands where. No TensorFlow.

Arrow splits and numbers the words and adds up the counts of batches, NumPy counts within one: no
Python object per token.
"""

import functools
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from millrace.components.features.tokenization import Level, longest_pieces

_HIGH = 32  # bits of a key above the number of the text
_MOST = 1 << 20  # counts that wait to be added up


class TokenBatch(NamedTuple):
    """The tokens of texts.

    Attributes:
        names: the distinct ones; some may not occur.
        codes: int64 [tokens], places in `names`, one text after the other.
        lengths: int64 [texts], the tokens of each.
    """

    names: pa.StringArray
    codes: np.ndarray
    lengths: np.ndarray

    def counts(self) -> np.ndarray:
        """How often each token occurs, int64 [names]."""
        return np.bincount(self.codes, minlength=len(self.names))

    def documents(self) -> np.ndarray:
        """In how many texts each token occurs, int64 [names]."""
        texts = np.repeat(np.arange(len(self.lengths), dtype=np.uint64), self.lengths)
        keys = self.codes.astype(np.uint64) << np.uint64(_HIGH) | texts
        keys.sort()  # NumPy sorts numbers faster than it hashes them
        is_first = np.ones(len(keys), bool)
        np.not_equal(keys[1:], keys[:-1], out=is_first[1:])
        codes = (keys[is_first] >> np.uint64(_HIGH)).astype(np.int64)
        return np.bincount(codes, minlength=len(self.names))


class Tally:
    """Counts of tokens, of as many `kinds`, added up over batches."""

    def __init__(self, kinds: int = 1) -> None:
        self._names = ["token", *map(str, range(kinds))]
        self._parts: list[pa.Table] = []
        self._rows = 0

    def add(self, names: pa.StringArray, *counts: np.ndarray) -> None:
        """Add counts of each kind, int64 [names]; a token of which the first is 0 is none."""
        part = pa.table([names, *counts], self._names)
        self._parts.append(part.filter(pa.array(counts[0] > 0)))
        self._rows += len(self._parts[-1])
        if self._rows > _MOST:
            self._parts = [self._added()]
            self._rows = 0

    def totals(self) -> list[Counter[str]]:
        """The counts of each kind."""
        if not self._parts:
            return [Counter() for _ in self._names[1:]]
        tokens, *counts = (column.to_pylist() for column in self._added().columns)
        return [Counter(dict(zip(tokens, each, strict=True))) for each in counts]

    def _added(self) -> pa.Table:
        groups = pa.concat_tables(self._parts).group_by("token", use_threads=False)
        sums = [(kind, "sum") for kind in self._names[1:]]
        return groups.aggregate(sums).rename_columns(self._names)


def of(texts: Sequence[bytes], level: Level, pieces: Collection[str] = ()) -> TokenBatch:
    """The tokens of standardised texts, UTF-8; `pieces` are the subwords of the vocabulary."""
    match level:
        case "character":
            return _characters(texts)
        case "word":
            return _words(texts)
        case "subword":
            words, every = _words(texts), frozenset(pieces)
            return _parted(words, [_cut(word, every) for word in words.names.to_pylist()])


@functools.lru_cache(1 << 17)
def _cut(word: str, pieces: frozenset[str]) -> tuple[str, ...]:
    """The subwords of a word, cut once: words recur."""
    return tuple(longest_pieces(word, pieces))


def _characters(texts: Sequence[bytes]) -> TokenBatch:
    points = np.frombuffer(b"".join(texts).decode().encode("utf-32-le"), np.uint32)
    present = np.flatnonzero(np.bincount(points))
    places = np.zeros(int(present.max(initial=0)) + 1, np.int64)
    places[present] = np.arange(len(present))
    lengths = np.array([len(text.decode()) for text in texts], np.int64)
    names = pa.array(map(chr, present.tolist()), pa.string())
    return TokenBatch(names, places[points], lengths)


def _words(texts: Sequence[bytes]) -> TokenBatch:
    """Words are separated by ASCII whitespace."""
    lists = pc.ascii_split_whitespace(pa.array(texts, pa.binary()).cast(pa.string()))
    encoded = lists.values.dictionary_encode()
    codes, names = encoded.indices.to_numpy().astype(np.int64), encoded.dictionary
    is_word = (pc.binary_length(names).to_numpy() > 0)[codes]  # none before a first space
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
    return TokenBatch(pa.array(places, pa.string()), codes, np.diff(bounds))
