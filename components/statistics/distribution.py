"""How often each number occurs, exactly while few are distinct and in fine buckets after.

A bucket is a run of neighbouring float64 values: all that share their leading bits. Level 0
keeps every bit, so every value is a bucket of its own and all answers are exact. When more
than `limit` buckets are in use, neighbours are joined by dropping one more trailing bit.
The level depends on the values alone, never on their order or partition, so the same
records give the same answer bit for bit however they are cut into shards. (A KLL sketch
flips coins: two runs over the same records differ, and so would everything fed by them.)

Error: an order statistic lies in the right bucket, which at level L is at most `2**(L - 52)`
of its value wide. With 8,192 buckets, values spread evenly over d octaves come to about
`d / 8192` relative width.

Sources: uniform collapse, Epicoco et al., "UDDSketch: Accurate Tracking of Quantiles in Data
Streams", IEEE Access 8, 2020; relative-error buckets, Masson et al., "DDSketch", VLDB 2019.
"""

import dataclasses
from typing import Self

import numpy as np

LIMIT = 8192
_MAGNITUDE = np.int64(np.iinfo(np.int64).max)  # every bit but the sign


@dataclasses.dataclass(frozen=True)
class Distribution:
    """Buckets in use, by rising value: `keys` and `counts`, both int64 `[buckets]`."""

    keys: np.ndarray
    counts: np.ndarray
    level: int = 0
    limit: int = LIMIT

    @classmethod
    def of(cls, values: np.ndarray, limit: int = LIMIT) -> Self:
        """The distribution of `values`, numbers without NaN; int64 is rounded to float64."""
        keys, counts = np.unique(_to_keys(values.astype(np.float64)), return_counts=True)
        return cls(keys, counts.astype(np.int64), 0, limit)._within_limit()

    def merge(self, other: Self) -> Self:
        """The distribution of the values of both."""
        level = max(self.level, other.level)
        keys = np.concatenate([part.keys >> (level - part.level) for part in (self, other)])
        counts = np.concatenate([self.counts, other.counts])
        return self._joined(keys, counts, level)._within_limit()

    @property
    def total(self) -> int:
        """How many values there are."""
        return int(self.counts.sum())

    def finite(self) -> Self:
        """The part of it that is neither infinity."""
        inside = np.isfinite(self._edges()[0])
        return dataclasses.replace(self, keys=self.keys[inside], counts=self.counts[inside])

    def order_statistics(self, ranks: np.ndarray) -> np.ndarray:
        """The values at `ranks` (0 is the smallest), float64; spread evenly in a bucket."""
        low, high = self._edges()
        ends = self.counts.cumsum()
        bucket = ends.searchsorted(ranks, side="right")
        place = (ranks - (ends - self.counts)[bucket] + 0.5) / self.counts[bucket]
        exact = low[bucket] == high[bucket]  # infinities among them: no arithmetic on these
        width = np.subtract(high[bucket], low[bucket], where=~exact, out=np.zeros(len(bucket)))
        return low[bucket] + width * place

    def quantiles(self, parts: int) -> np.ndarray:
        """The `parts - 1` inner boundaries of `parts` parts alike: inverse of the CDF."""
        ranks = np.ceil(np.arange(1, parts) / parts * self.total).astype(np.int64) - 1
        return self.order_statistics(ranks)

    def median(self) -> float:
        """The middle value, or the mean of the two in the middle."""
        middle = np.array([(self.total - 1) // 2, self.total // 2])
        low, high = self.order_statistics(middle)
        return float(low if low == high else (low + high) / 2)

    def below(self, bounds: np.ndarray) -> np.ndarray:
        """How many values lie below each of `bounds`, float64 `[bounds]`; all must be finite."""
        low, high = self._edges()
        width = np.where(high > low, high - low, 1)
        inside = (bounds[:, None] - low) / width
        share = np.where(high > low, inside.clip(0, 1), low < bounds[:, None])
        return share @ self.counts

    def _edges(self) -> tuple[np.ndarray, np.ndarray]:
        """The smallest and largest float64 of each bucket."""
        first = self.keys << self.level
        low, high = _to_values(first), _to_values(first | ((1 << self.level) - 1))
        # Beyond an infinity lie only the bits of NaN, which never occurs.
        return np.where(np.isnan(low), high, low), np.where(np.isnan(high), low, high)

    def _within_limit(self) -> Self:
        if len(self.keys) <= self.limit:
            return self
        drop = 0
        changed = np.bitwise_xor(self.keys[1:], self.keys[:-1])
        while np.count_nonzero(changed >> drop) >= self.limit:
            drop += 1
        return self._joined(self.keys >> drop, self.counts, self.level + drop)

    def _joined(self, keys: np.ndarray, counts: np.ndarray, level: int) -> Self:
        joined, bucket = np.unique(keys, return_inverse=True)
        sums = np.zeros(len(joined), np.int64)
        np.add.at(sums, bucket, counts)
        return dataclasses.replace(self, keys=joined, counts=sums, level=level)


def _to_keys(values: np.ndarray) -> np.ndarray:
    """int64 that sort as the float64 `values` do; both zeros get key 0."""
    bits = (values + 0.0).view(np.int64)
    return np.where(bits < 0, bits ^ _MAGNITUDE, bits)


def _to_values(keys: np.ndarray) -> np.ndarray:
    return np.where(keys < 0, keys ^ _MAGNITUDE, keys).view(np.float64)
