"""What is known of a set of records: folded shard by shard, merged in any order.

Only these accumulators travel between workers: some kilobytes per feature, at most about a
megabyte, whatever the number of records.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from typing import cast

import numpy as np

from millrace.components.errors import DataError
from millrace.components.statistics.distribution import Distribution
from millrace.components.statistics.numbers import Numbers
from millrace.components.statistics.texts import Texts
from millrace.serving.errors import WireError
from millrace.serving.example import Decoded, decode

_BATCH_RECORDS = 4096
_BATCH_BYTES = 32 << 20
_KINDS = {np.dtype(kind).char: kind for kind in ("int64", "float32")}  # name is slow to compute


@dataclasses.dataclass
class Feature:
    """What is known of one feature: `kind` is bytes, int64 or float32.

    `present` counts the records that have it, an empty list included; `lengths` is the
    distribution of the numbers of values in these records.
    """

    kind: str
    place: str  # where it was first seen, for the error
    present: int
    lengths: Distribution
    values: Numbers | Texts

    @classmethod
    def of(cls, lists: list[list[bytes]] | list[np.ndarray], place: str) -> "Feature":
        """Take in one list of values per record that has the feature, all of one kind."""
        lengths = np.fromiter(map(len, lists), np.int64, len(lists))
        values: Numbers | Texts
        if isinstance(lists[0], list):
            values = Texts()
            values.add(list(itertools.chain.from_iterable(lists)))
        else:
            values = Numbers.of(np.concatenate(lists))
        return cls(_kind(lists[0]), place, len(lists), Distribution.of(lengths), values)

    def merge(self, other: "Feature", name: str) -> None:
        """Take in what `other` knows of the feature `name`.

        Raises:
            DataError: the two are of different kinds.
        """
        if self.kind != other.kind:
            raise _mixed(name, (self.kind, self.place), (other.kind, other.place))
        self.present += other.present
        self.lengths = self.lengths.merge(other.lengths)
        if isinstance(self.values, Texts):
            self.values.merge(cast(Texts, other.values))
        else:
            self.values = self.values.merge(cast(Numbers, other.values))


@dataclasses.dataclass
class Dataset:
    """The number of records, and what is known of each feature, by name."""

    examples: int = 0
    features: dict[str, Feature] = dataclasses.field(default_factory=dict)

    def merge(self, other: "Dataset") -> None:
        """Take in what `other` knows; `other` must not be used after.

        Raises:
            DataError: a feature is of different kinds in the two.
        """
        self.examples += other.examples
        for name, feature in other.features.items():
            if name in self.features:
                self.features[name].merge(feature, name)
            else:
                self.features[name] = feature


def merge(parts: Iterable[Dataset]) -> Dataset:
    """What all of `parts` know together; they must not be used after.

    Raises:
        DataError: a feature is of different kinds in two of them.
    """
    merged = Dataset()
    for part in parts:
        merged.merge(part)
    return merged


def fold(records: Iterable[bytes], place: str) -> Dataset:
    """What is known of serialised `tf.train.Example` records.

    Args:
        records: of one shard; held in memory 32 MiB at a time.
        place: the shard, for the errors.

    Raises:
        DataError: a record is not an Example, or a feature is of different kinds in two records.
    """
    dataset = Dataset()
    for batch in _batches(records, place):
        dataset.merge(_from_batch(batch, place))
    return dataset


def _batches(records: Iterable[bytes], place: str) -> Iterator[list[Decoded]]:
    batch: list[Decoded] = []
    size = 0
    for number, record in enumerate(records):
        try:
            batch.append(decode(record))
        except WireError as error:
            raise DataError(f"{place}, record {number}: {error}") from error
        size += len(record)
        if len(batch) == _BATCH_RECORDS or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    yield batch


def _from_batch(batch: list[Decoded], place: str) -> Dataset:
    columns: dict[str, list[list[bytes] | np.ndarray]] = {}
    for record in batch:
        for name, value in record.items():
            columns.setdefault(name, []).append(value)
    features = {}
    for name, lists in columns.items():
        kinds = sorted(set(map(_kind, lists)))
        if len(kinds) > 1:
            raise _mixed(name, *((kind, place) for kind in kinds))
        features[name] = Feature.of(cast(list[np.ndarray], lists), place)
    return Dataset(len(batch), features)


def _kind(value: list[bytes] | np.ndarray) -> str:
    return "bytes" if isinstance(value, list) else _KINDS[value.dtype.char]


def _mixed(name: str, *found: tuple[str, str]) -> DataError:
    received = " and ".join(f"{kind} in {place}" for kind, place in found)
    return DataError(
        f"Feature {name!r}: expected values of one kind in every record. "
        f"Received: {received}. Write the records again with one kind."
    )
