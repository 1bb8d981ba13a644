"""TFRecord files of `tf.train.Example` as a source of records."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from etils.epath import Path

from millrace.components.artifacts import Examples
from millrace.components.beam.options import BeamOptions
from millrace.components.example_gen.shards.folders import ListedRow, Listing
from millrace.components.example_gen.shards.splits import SplitRule
from millrace.components.example_gen.shards.tally import IngestTally
from millrace.components.example_gen.shards.writing import Inputs, listed, shard_count, write_shards
from millrace.components.files.tfrecord import read_records
from millrace.serving.example import Decoded


class RecordInput(NamedTuple):
    """A serialised record: the file it is in, where in it, and the split that it came in."""

    place: str
    position: str
    split: str
    record: bytes


class RecordSource(Inputs[ListedRow], Protocol):
    """TFRecord files below `root`, split by `rule`, which knows the splits they come in."""

    @property
    def root(self) -> Path: ...
    @property
    def rule(self) -> SplitRule: ...


def read_files(root: Path, rows: Sequence[ListedRow]) -> Iterator[RecordInput]:
    """Yield every record of the files in `rows`, which lie below `root`."""
    for row in rows:
        for number, record in enumerate(read_records(root / row.path)):
            yield RecordInput(row.path, f"record {number}", row.split, record)


def bytes_of(values: Decoded, name: str) -> bytes:
    """The one value of the bytes feature `name`; b"" if it has none."""
    value = values.get(name, [])
    return value[0] if isinstance(value, list) and len(value) == 1 else b""


def number_of(values: Decoded, name: str) -> int | None:
    """The one value of the int64 feature `name`, if it has one."""
    value = values.get(name)
    if not isinstance(value, np.ndarray) or value.dtype != np.int64 or value.shape != (1,):
        return None
    return int(value[0])


def write_files(
    run_on: BeamOptions, out: Examples, source: RecordSource, listing: Listing, *, shards: int
) -> IngestTally:
    """Write the records of the files in `listing`, and report what became of them."""
    return write_shards(
        run_on,
        out,
        source,
        listing.rows,
        splits=source.rule.reachable(listing.given),
        shards=shard_count(source.root, listing.rows, shards),
        reads=listed(source.root),
    )
