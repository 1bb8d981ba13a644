"""What is known of a set of records: folded shard by shard, merged in any order.

Only these accumulators travel between workers: some kilobytes per feature, at most about a
megabyte, whatever the number of records.
"""

import dataclasses
from collections.abc import Iterable
from typing import cast

import numpy as np
import pyarrow as pa

from millrace.components.files import columns
from millrace.components.statistics.distribution import Distribution
from millrace.components.statistics.numbers import Numbers
from millrace.components.statistics.texts import Texts


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
    def of(cls, column: pa.ListArray, place: str) -> "Feature":
        """Take in a column of `files.columns`, which at least one record has."""
        lists = column.drop_null()
        lengths = np.diff(lists.offsets.to_numpy()).astype(np.int64)
        flat, kind = lists.flatten(), columns.kind_of(column)
        values: Numbers | Texts
        if kind == "bytes":
            values = Texts()
            values.add(flat)
        else:
            values = Numbers.of(flat.to_numpy())
        return cls(kind, place, len(lists), Distribution.of(lengths), values)

    def merge(self, other: "Feature", name: str) -> None:
        """Take in what `other` knows of the feature `name`.

        Raises:
            DataError: the two are of different kinds.
        """
        if self.kind != other.kind:
            raise columns.mixed_kinds(name, (self.kind, self.place), (other.kind, other.place))
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


def fold(batches: Iterable[pa.RecordBatch], place: str) -> Dataset:
    """What is known of the records of `batches`, as `files.columns` has them.

    Args:
        batches: of one shard.
        place: the shard, for the errors.

    Raises:
        DataError: a feature is of different kinds in two records.
    """
    dataset = Dataset()
    for batch in batches:
        names = batch.schema.names
        features = {name: Feature.of(batch.column(name), place) for name in names}
        dataset.merge(Dataset(batch.num_rows, features))
    return dataset
