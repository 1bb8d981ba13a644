"""Rows that a model is asked about, as columns, and where each of them came from."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np
import pyarrow as pa
from etils.epath import Path
from numpy.typing import NDArray

from millrace.components.artifacts import Rejected
from millrace.components.files import columns
from millrace.components.files.tfrecord import read_records
from millrace.serving.example import Decoded

_AT_ONCE = 2048  # rows
_BYTES = 32 << 20
_FILENAMES = ("image/filename", "text/filename", "filename", "series")

Texts = NDArray[np.object_]


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """Inputs of a model.

    Attributes:
        features: their raw records, as `files.columns` has them.
        sources: the file that each was, as people know it: text [rows].
        positions: the record that each is now, text [rows]; empty where it is a file.
    """

    features: pa.RecordBatch
    sources: Texts
    positions: Texts

    @classmethod
    def of(
        cls, features: Sequence[Decoded], sources: Sequence[str], positions: Sequence[str]
    ) -> Self:
        """Of decoded records, whose features are of one kind each."""
        return cls(columns.of_rows(features, "rows"), _objects(sources), _objects(positions))

    def __len__(self) -> int:
        return len(self.sources)

    def part(self, start: int, size: int) -> Self:
        """The rows from `start` on, `size` of them at most."""
        where = slice(start, start + size)
        features = self.features.slice(start, size)
        return type(self)(features, self.sources[where], self.positions[where])

    def where(self, mask: NDArray[np.bool_]) -> Self:
        """The rows where `mask` [rows] is true."""
        if mask.all():
            return self
        features = self.features.filter(pa.array(mask))
        return type(self)(features, self.sources[mask], self.positions[mask])

    def rejected(self, row: int, reason: str) -> Rejected:
        """A row, set aside for `reason`."""
        return Rejected(source=self.sources[row], position=self.positions[row], reason=reason)

    def texts(self, feature: str, *, default: str) -> tuple[NDArray[np.int64], list[str]]:
        """The first value of each row's feature as text: its number [rows], and by number the text.

        Args:
            feature: its name.
            default: what stands for no value.
        """
        cells = columns.first(self.features, feature)
        if cells is None:
            return np.zeros(len(self), np.int64), [default]
        numbers, found = columns.distinct(cells)
        return np.where(numbers < 0, len(found), numbers), [*map(text, found), default]


def read_rows(file: Path, size: int) -> Iterator[Rows]:
    """The rows of one shard of Examples: a multiple of `size` at a time, but for the last ones.

    Raises:
        DataError: a record cannot be read, or is not an Example.
    """
    start = 0
    for records in _chunks(read_records(file), size):
        yield from of_records(records, f"{file.parent.name}/{file.name}", file.name, start)
        start += len(records)


def _chunks(records: Iterator[bytes], size: int) -> Iterator[list[bytes]]:
    held: list[bytes] = []
    while part := list(itertools.islice(records, size)):
        held += part
        if len(held) >= _AT_ONCE or sum(map(len, held)) >= _BYTES:
            yield held
            held = []
    if held:
        yield held


def of_records(
    records: Sequence[bytes], place: str, default: str, start: int = 0
) -> Iterator[Rows]:
    """Rows of serialised records, all together unless the kind of a feature changes.

    Args:
        records: one or more.
        place: the shard that they are of.
        default: the source of those that do not name one.
        start: the number of the first of them there.

    Raises:
        DataError: a record is not an Example.
    """
    for batch in columns.alike(records, place, start):
        numbers = range(start, start + batch.num_rows)
        positions = [columns.position(place, number) for number in numbers]
        yield Rows(batch, _sources(batch, default), _objects(positions))
        start += batch.num_rows


def _sources(batch: pa.RecordBatch, default: str) -> Texts:
    """The file that each raw record was: what the first of `_FILENAMES` that it has says."""
    found = np.full(batch.num_rows, default, object)
    for name in reversed(_FILENAMES):
        cells = columns.first(batch, name)
        if cells is not None:
            numbers, values = columns.distinct(cells)
            is_there = ~columns.is_null(batch.column(name))
            found[is_there] = _objects([*map(text, values), default])[numbers[is_there]]
    return found


def text(value: bytes | np.generic) -> str:
    """A feature's value as text."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _objects(values: Sequence[str]) -> Texts:
    array = np.empty(len(values), object)
    array[:] = values
    return array
