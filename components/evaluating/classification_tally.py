"""What is remembered of answered rows: counts that merge, whatever the partition.

A `Tally` holds whole numbers only: sparse counts, and sums in units of 2^-32. Adding
tallies is therefore exact, associative and commutative: however the rows were partitioned
and in whatever order the parts were merged, the figures are the same to the last bit.

Nothing is kept per row but, with two classes, the score of the second one: exact ROC and
precision-recall curves need it. Equal scores share one counter. Past 2^20 different
scores, each is rounded to ten significant bits of its distance from the nearer of 0 and
1: about 129,000 counters are left, and in the tests an AUC moves by under 1e-4.
"""

import dataclasses
import functools
from collections.abc import Iterable, Iterator
from typing import Self

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

UNIT = 2**32  # sums count whole multiples of 1 / UNIT
SQUARE_UNIT = 2**16  # squares are of whole multiples of 1 / SQUARE_UNIT, and fit into 64 bits
EPSILON = 1e-7  # keras.config.epsilon()
BINS = 15  # of confidence, as in Guo et al. 2017
EXACT_SCORES = 2**20  # different scores kept apart
_DROPPED_BITS = 14  # of float32's 24 significant ones: ten stay


@dataclasses.dataclass(frozen=True, eq=False)
class Counts:
    """How often each whole number was seen: `keys` int64 [distinct], ascending, `counts` alike."""

    keys: Ints
    counts: Ints

    @classmethod
    def of(cls, values: Ints, counts: Ints | None = None) -> Self:
        """Count `values` int64 [n], each once or `counts` int64 [n] times."""
        if counts is None:
            keys, totals = np.unique(values, return_counts=True)
            return cls(keys.astype(np.int64), totals.astype(np.int64))
        keys, where = np.unique(values, return_inverse=True)
        totals = np.zeros(len(keys), np.int64)
        np.add.at(totals, where, counts)
        return cls(keys.astype(np.int64), totals)

    def __add__(self, other: "Counts") -> "Counts":
        return Counts.of(
            np.concatenate([self.keys, other.keys]), np.concatenate([self.counts, other.counts])
        )

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Counts)
            and np.array_equal(self.keys, other.keys)
            and np.array_equal(self.counts, other.counts)
        )

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    def dense(self, size: int) -> Ints:
        """The counts of 0 ... size - 1, int64 [size]."""
        array = np.zeros(size, np.int64)
        array[self.keys] = self.counts
        return array


@dataclasses.dataclass(frozen=True)
class Scores:
    """The scores that the rows gave the second of two classes, and which rows were of it.

    Attributes:
        counts: keys are `2 * float32 bits of the score + (1 where the row is of the class)`;
            the bits of floats from 0 up sort as the floats do.
        rounded: whether the scores were rounded, because more than `limit` differed.
        limit: how many keys are kept apart.
    """

    counts: Counts
    rounded: bool = False
    limit: int = EXACT_SCORES

    @classmethod
    def of(cls, positive: NDArray[np.bool_], scores: NDArray[np.floating]) -> "Scores":
        """Count `scores` float [rows] in 0 ... 1 of rows that are `positive` or not."""
        bits = (
            (np.clip(scores.astype(np.float32), 0, 1) + np.float32(0))
            .view(np.int32)
            .astype(np.int64)
        )
        return cls(Counts.of(2 * bits + positive)).bounded()

    def __add__(self, other: "Scores") -> "Scores":
        rounded = self.rounded or other.rounded
        return Scores(self.counts + other.counts, rounded, self.limit).bounded()

    def bounded(self) -> "Scores":
        """The same, rounded where there are too many; a part too large makes the whole so."""
        if not self.rounded and len(self.counts.keys) <= self.limit:
            return self
        keys = 2 * _round_bits(self.counts.keys // 2) + self.counts.keys % 2
        return Scores(Counts.of(keys, self.counts.counts), rounded=True, limit=self.limit)

    def by_score(self) -> tuple[Floats, Ints, Ints]:
        """Scores from the highest down, and how many rows are and are not of the class."""
        bits, where = np.unique(self.counts.keys // 2, return_inverse=True)
        sides = np.zeros((2, len(bits)), np.int64)
        sides[self.counts.keys % 2, where] = self.counts.counts
        scores = bits.astype(np.int32).view(np.float32).astype(np.float64)
        return scores[::-1], sides[1, ::-1], sides[0, ::-1]


def _round_bits(bits: Ints) -> Ints:
    """float32 bits with ten significant bits of min(p, 1 - p); monotone and idempotent."""
    values = bits.astype(np.int32).view(np.float32)
    upper = values > 0.5
    near = np.where(upper, np.float32(1) - values, values).astype(np.float32).view(np.int32)
    cut = ((np.abs(near) >> _DROPPED_BITS) << _DROPPED_BITS).astype(np.int32).view(np.float32)
    back = np.where(upper, np.float32(1) - cut, cut).astype(np.float32)
    return back.view(np.int32).astype(np.int64)


@dataclasses.dataclass(frozen=True)
class Tally:
    """All that is remembered of some answered rows.

    Attributes:
        classes: how many the model knows.
        count: rows.
        loss: summed cross-entropy, in nats / UNIT.
        confusion: keys are `truth * classes + answer`.
        ranks: keys are how many classes scored above the true one.
        bins: keys are `2 * confidence bin + (1 where the answer was right)`.
        confidence: the answers' scores summed by bin, in 1 / UNIT.
        scores: of the second class, where there are two.
        loss_squares: the squared losses, in nats² / SQUARE_UNIT².
    """

    classes: int
    count: int
    loss: int
    confusion: Counts
    ranks: Counts
    bins: Counts
    confidence: tuple[int, ...]
    scores: Scores | None
    loss_squares: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        both = None
        if self.scores is not None and other.scores is not None:
            both = self.scores + other.scores
        pairs = zip(self.confidence, other.confidence, strict=True)
        return Tally(
            classes=self.classes,
            count=self.count + other.count,
            loss=self.loss + other.loss,
            confusion=self.confusion + other.confusion,
            ranks=self.ranks + other.ranks,
            bins=self.bins + other.bins,
            confidence=tuple(one + two for one, two in pairs),
            scores=both,
            loss_squares=self.loss_squares + other.loss_squares,
        )

    @property
    def pairs(self) -> tuple[Ints, Ints, Ints]:
        """Truth, answer and count of each filled cell of the confusion matrix."""
        truth, answer = np.divmod(self.confusion.keys, self.classes)
        return truth, answer, self.confusion.counts

    @property
    def matrix(self) -> Ints:
        """The confusion matrix, int64 [truth, answer]."""
        return self.confusion.dense(self.classes**2).reshape(self.classes, self.classes)


def cross_entropy(truth: Ints, scores: NDArray[np.floating]) -> Floats:
    """The loss of each row in nats, float64 [rows].

    `-log(p[truth] / sum(p))` with `p = clip(scores, 1e-7, 1 - 1e-7)`, as
    `keras.losses.sparse_categorical_crossentropy` has it on TensorFlow.

    Args:
        truth: int64 [rows], indices of classes.
        scores: float [rows, classes], probabilities.
    """
    clipped = np.clip(scores.astype(np.float64), EPSILON, 1 - EPSILON)
    return np.log(clipped.sum(axis=1)) - np.log(clipped[np.arange(len(truth)), truth])


def tally(truth: Ints, scores: NDArray[np.floating]) -> Tally:
    """Count one batch: `truth` int64 [rows], `scores` float [rows, classes], finite."""
    return next(tallies(truth, scores, [slice(None)]))


def tallies(
    truth: Ints,
    scores: NDArray[np.floating],
    parts: Iterable[Ints | slice],
    answers: Ints | None = None,
) -> Iterator[Tally]:
    """Count parts of one batch, each the places of its rows; see `tally`.

    `answers`, int64 [rows], are the highest scores' where there are none.
    """
    rows, classes = scores.shape
    answer = scores.argmax(axis=1) if answers is None else answers
    top = scores[np.arange(rows), answer].astype(np.float64)
    nats = cross_entropy(truth, scores)
    losses = np.rint(nats * UNIT).astype(np.int64)
    squares = np.square(np.rint(nats * SQUARE_UNIT).astype(np.int64))
    ranks = (scores > scores[np.arange(rows), truth][:, None]).sum(axis=1)
    bins = np.clip((top * BINS).astype(np.int64), 0, BINS - 1)
    sides = 2 * bins + (answer == truth)
    confidence = np.rint(top * UNIT).astype(np.int64)
    for part in parts:
        sums = np.zeros(BINS, np.int64)
        np.add.at(sums, bins[part], confidence[part])
        yield Tally(
            classes=classes,
            count=len(bins[part]),
            loss=int(losses[part].sum()),
            confusion=Counts.of(truth[part] * classes + answer[part]),
            ranks=Counts.of(ranks[part]),
            bins=Counts.of(sides[part]),
            confidence=tuple(sums.tolist()),
            scores=Scores.of(truth[part] == 1, scores[part, 1]) if classes == 2 else None,
            loss_squares=int(squares[part].sum()),
        )


def merge(tallies: Iterable[Tally]) -> Tally:
    """The tally of all the rows together, in any order; there must be one at least."""
    return functools.reduce(lambda one, two: one + two, tallies)
