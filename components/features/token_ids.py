"""The ids of many texts at once by Arrow and NumPy, and rows and windows of them. No TensorFlow.

What `features.text` and `features.language` do by TensorFlow's ops, which are served: property
tests hold these to those. Both agree where texts are UTF-8 (`are_utf8`); what becomes of other
bytes is left to the ops.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from millrace.components.features.text_survey import Tokenizer
from millrace.components.features.tokenization import FIRST, PADDING, UNKNOWN, Side

_AT_ONCE = 1 << 19  # ids of the rows or windows that are made at once


class TokenIds(NamedTuple):
    """The ids of sequences of tokens.

    Attributes:
        flat: int32 [tokens], one sequence after the other.
        lengths: int64 [sequences], the tokens of each.
    """

    flat: np.ndarray
    lengths: np.ndarray

    def known(self) -> "TokenIds":
        """Without the ids of unknown tokens."""
        is_known = self.flat != UNKNOWN
        before = np.concatenate([[0], is_known.cumsum()])
        ends = before[np.concatenate([[0], self.lengths.cumsum()])]
        return TokenIds(self.flat[is_known], np.diff(ends))

    def between(self, edge: int) -> "TokenIds":
        """Each sequence with `edge` before and after it; those without ids stay empty."""
        is_filled = self.lengths > 0
        lengths = self.lengths + 2 * is_filled
        ends = lengths.cumsum()[is_filled]
        flat, is_inner = np.full(int(lengths.sum()), edge, np.int32), np.ones(lengths.sum(), bool)
        is_inner[ends - lengths[is_filled]] = False
        is_inner[ends - 1] = False
        flat[is_inner] = self.flat
        return TokenIds(flat, lengths)

    def rows(self, length: int, padding: Side, truncating: Side) -> Iterator[np.ndarray]:
        """Rows as `tokens.pad` makes them, int32 [some, length] at a time."""
        taken = np.minimum(self.lengths, length)
        starts = self.lengths.cumsum() - (self.lengths if truncating == "post" else taken)
        shifts = np.zeros_like(taken) if padding == "post" else taken - length
        for part in _parts(len(taken), length):
            within = shifts[part, None] + np.arange(length)
            yield self._at(starts[part], within, taken[part])

    def windows(self, length: int, stride: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Windows of `length` + 1 ids, one every `stride`, as `language.windows` cuts them.

        Yields:
            int32 [some, length + 1], and the sequence that each window is of, int64 [some].
        """
        beyond = np.maximum(0, self.lengths - 1 - length)
        counts = np.where(self.lengths < 2, 0, 1 + (beyond + stride - 1) // stride)
        owners = np.repeat(np.arange(len(counts)), counts)
        offsets = (np.arange(len(owners)) - (counts.cumsum() - counts)[owners]) * stride
        starts = (self.lengths.cumsum() - self.lengths)[owners] + offsets
        left = self.lengths[owners] - offsets
        within = np.arange(length + 1)[None]
        for part in _parts(len(owners), length + 1):
            yield self._at(starts[part], within, left[part]), owners[part]

    def _at(self, starts: np.ndarray, within: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """The ids at places `within` sequences of `sizes` from `starts`; padding beside them."""
        is_there = (within >= 0) & (within < sizes[:, None])
        found = np.full(is_there.shape, PADDING, np.int32)
        found[is_there] = self.flat[(starts[:, None] + within)[is_there]]
        return found


def _parts(count: int, width: int) -> Iterator[slice]:
    step = max(1, _AT_ONCE // width)
    for start in range(0, count, step):
        yield slice(start, start + step)


def of(texts: Sequence[bytes], tokenizer: Tokenizer, vocabulary: pa.StringArray) -> TokenIds:
    """The ids of texts that are UTF-8, as `tokens.lookup` numbers what `tokens.split` cuts."""
    found = tokenizer.tokens(texts)
    places = pc.index_in(found.names, value_set=vocabulary).fill_null(UNKNOWN - FIRST)
    return TokenIds((places.to_numpy() + np.int32(FIRST))[found.codes], found.lengths)


def are_utf8(texts: pa.BinaryArray) -> bool:
    """Whether every one of `texts` is UTF-8."""
    try:
        texts.cast(pa.string())
    except pa.ArrowInvalid:
        return False
    return True
