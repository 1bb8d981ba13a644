"""A vocabulary of subwords, learned from counted words: byte-pair encoding, over characters.

Source: Sennrich, Haddow, Birch, "Neural Machine Translation of Rare Words with Subword Units",
ACL 2016, algorithm 1. Starting from single characters, the pair of neighbours that occurs most
often becomes a new piece, again and again. Equal counts go by the pieces' text, so that the
same words give the same vocabulary. Unlike there, a text is later cut by the longest pieces
that fit (`features.tokenization`), not by replaying the merges.
"""

import heapq
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from millrace.components.features.tokenization import LONGEST_PIECE, WORD_START

Pair = tuple[str, str]


def learn(words: Mapping[str, int], size: int, minimum: int = 2) -> tuple[str, ...]:
    """At most `size` pieces: the characters by descending frequency, then the merges in order.

    Args:
        words: how often each occurs.
        size: of the vocabulary.
        minimum: times that a pair must occur to become a piece; at least 2.
    """
    pieces = list(_alphabet(words))[:size]
    known = set(pieces)
    for piece in _merges(words, max(minimum, 2)):
        if len(pieces) >= size:
            break
        if piece not in known:  # the same text can come of two pairs
            known.add(piece)
            pieces.append(piece)
    return tuple(pieces)


def _alphabet(words: Mapping[str, int]) -> Iterator[str]:
    counts = Counter[str]()
    for word, count in words.items():
        for char in WORD_START + word:
            counts[char] += count
    yield from sorted(counts, key=lambda char: (-counts[char], char))


def _merges(words: Mapping[str, int], minimum: int) -> Iterator[str]:
    """Each new piece, in the order in which it is learned."""
    table = _Pairs(words)
    while pair := table.most_frequent(minimum):
        table.join(pair)
        yield "".join(pair)


class _Pairs:
    """Words as lists of pieces, and how often each pair of neighbours occurs in them."""

    def __init__(self, words: Mapping[str, int]) -> None:
        self._words = [(list(WORD_START + word), count) for word, count in sorted(words.items())]
        self._counts = Counter[Pair]()
        self._places: defaultdict[Pair, set[int]] = defaultdict(set)
        for place in range(len(self._words)):
            self._count(place, 1)
        self._heap = [(-count, pair) for pair, count in self._counts.items()]
        heapq.heapify(self._heap)

    def most_frequent(self, minimum: int) -> Pair | None:
        """The pair that occurs most often, `minimum` times at least and short enough."""
        while self._heap:
            count, pair = heapq.heappop(self._heap)
            if -count < minimum:
                return None
            is_current = self._counts[pair] == -count  # others were changed after they were put in
            if is_current and len(pair[0]) + len(pair[1]) <= LONGEST_PIECE:
                return pair
        return None

    def join(self, pair: Pair) -> None:
        """Make one piece of each occurrence of `pair`."""
        touched: set[Pair] = set()
        for place in sorted(self._places.pop(pair)):
            pieces, count = self._words[place]
            touched |= self._count(place, -1)
            self._words[place] = (_joined(pieces, pair), count)
            touched |= self._count(place, 1)
        for changed in touched:
            if self._counts[changed] > 0:
                heapq.heappush(self._heap, (-self._counts[changed], changed))

    def _count(self, place: int, sign: int) -> set[Pair]:
        """Add (or with -1 take away) the pairs of a word; returns them."""
        pieces, count = self._words[place]
        pairs = list(itertools.pairwise(pieces))
        for pair in pairs:
            self._counts[pair] += sign * count
            if sign > 0:
                self._places[pair].add(place)
        return set(pairs)


def _joined(pieces: list[str], pair: Pair) -> list[str]:
    joined: list[str] = []
    skip = False
    for index, piece in enumerate(pieces):
        if skip:
            skip = False
        elif (piece, *pieces[index + 1 : index + 2]) == pair:
            joined.append(piece + pair[1])
            skip = True
        else:
            joined.append(piece)
    return joined
