"""Sizes, distinct values and frequent values of a bytes feature.

Up to 8,192 distinct values everything is exact. Beyond, the number of distinct values comes
from a theta sketch (relative standard error 1.1 %, the same for any order of the records)
and the frequent values from a Misra-Gries sketch of 12,288 counters: a value is named only
when it certainly is more frequent than the sketch's error, at most 0.03 % of all values.
Values that are no UTF-8, or longer than 1,024 bytes, count by a digest and are never named.

Source of both sketches: Apache DataSketches.
"""

from collections import Counter
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import datasketches
import pyarrow as pa
import pyarrow.compute as pc

EXACT = 8192
NAMED_BYTES = 1024  # the longest value that is named
_THETA_LOG_K = 13
_FREQUENT_LOG_SIZE = 14

TextKey = str | bytes  # a value's text, or the digest of one that is never named


class Texts:
    """What is known of the bytes values seen."""

    def __init__(self, exact: int = EXACT) -> None:
        self.count = 0
        self.bytes = 0
        self.shortest: int | None = None
        self.longest = 0
        self.invalid_utf8 = 0
        self._exact = exact
        self._counts: Counter[TextKey] | None = Counter()
        self._sketch: _Sketch | None = None  # in place of the counts, once they are too many

    def add(self, values: pa.BinaryArray) -> None:
        """Take in `values`, none of which is null."""
        if not len(values):
            return
        sizes = pc.binary_length(values).to_numpy()
        counted = values.value_counts()
        distinct, counts = counted.field("values"), counted.field("counts")
        keys: Counter[TextKey] = Counter()
        for value, count in zip(distinct.to_pylist(), counts.to_pylist(), strict=True):
            text = _text(value)
            self.invalid_utf8 += count if text is None else 0
            named = text is not None and len(value) <= NAMED_BYTES
            keys[text if named and text is not None else digest(value)] += count
        self._take_sizes(len(values), int(sizes.sum()), int(sizes.min()), int(sizes.max()))
        self._take_counts(keys)

    def merge(self, other: "Texts") -> None:
        """Take in what `other` knows."""
        if other.shortest is not None:
            self._take_sizes(other.count, other.bytes, other.shortest, other.longest)
        self.invalid_utf8 += other.invalid_utf8
        if other._counts is None:
            self._spilled().merge(other._spilled())
        else:
            self._take_counts(other._counts)

    @property
    def unique(self) -> int:
        """The number of distinct values."""
        return self._spilled().unique if self._counts is None else len(self._counts)

    @property
    def opaque(self) -> bool:
        """Whether most values are no text at all: pictures, sounds, raw arrays."""
        return 2 * self.invalid_utf8 > self.count

    def frequent(self) -> list[tuple[str, int]]:
        """Named values and their numbers, most frequent first, then by name."""
        if self._counts is None:
            known: Mapping[TextKey, int] = self._spilled().frequent()
        else:
            known = self._counts
        named = [(key, count) for key, count in known.items() if isinstance(key, str)]
        return sorted(named, key=lambda item: (-item[1], item[0]))

    def _take_sizes(self, count: int, total: int, shortest: int, longest: int) -> None:
        self.count += count
        self.bytes += total
        self.shortest = shortest if self.shortest is None else min(self.shortest, shortest)
        self.longest = max(self.longest, longest)

    def _take_counts(self, keys: Mapping[TextKey, int]) -> None:
        if self._counts is None:
            self._spilled().add(keys)
            return
        self._counts.update(keys)
        if len(self._counts) > self._exact:
            self._spilled()

    def _spilled(self) -> "_Sketch":
        """The sketch, which has what was counted so far."""
        if self._sketch is None:
            self._sketch = _Sketch()
        if self._counts is not None:
            self._sketch.add(self._counts)
            self._counts = None
        return self._sketch


class _Sketch:
    """The two sketches, and how they travel between workers."""

    def __init__(self) -> None:
        self._theta = datasketches.theta_union(_THETA_LOG_K)
        self._frequent = datasketches.frequent_strings_sketch(_FREQUENT_LOG_SIZE)

    def add(self, keys: Mapping[TextKey, int]) -> None:
        theta = datasketches.update_theta_sketch(_THETA_LOG_K)
        for key, count in keys.items():
            if isinstance(key, bytes):
                theta.update(f"\0{key.hex()}")
            else:
                theta.update(key)
                self._frequent.update(key, count)
        self._theta.update(theta)

    def merge(self, other: "_Sketch") -> None:
        self._theta.update(other._theta.get_result())
        self._frequent.merge(other._frequent)

    @property
    def unique(self) -> int:
        return round(self._theta.get_result().get_estimate())

    def frequent(self) -> dict[TextKey, int]:
        sure = datasketches.frequent_items_error_type.NO_FALSE_POSITIVES
        return {item: estimate for item, estimate, *_ in self._frequent.get_frequent_items(sure)}

    def __getstate__(self) -> dict[str, Any]:
        return {
            "theta": self._theta.get_result().serialize(),
            "frequent": self._frequent.serialize(),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._theta = datasketches.theta_union(_THETA_LOG_K)
        self._theta.update(datasketches.compact_theta_sketch.deserialize(state["theta"]))
        self._frequent = datasketches.frequent_strings_sketch.deserialize(state["frequent"])


def digest(value: bytes) -> bytes:
    """What stands for a value that is never named, bytes `[16]`."""
    return blake2b(value, digest_size=16).digest()


def _text(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None
