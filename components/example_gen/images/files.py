"""Picture files as a source of records."""

import dataclasses
import io
from collections.abc import Iterator, Sequence

from etils.epath import Path

from millrace.components.artifacts import Examples, Rejected
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.example_gen.images.pictures import read_picture
from millrace.components.example_gen.shards.folders import Listing, Row
from millrace.components.example_gen.shards.splits import SplitRule
from millrace.components.example_gen.shards.tally import Tally
from millrace.components.example_gen.shards.writing import Record, mixed, shard_count, write_shards
from millrace.serving.example import encode


def write_files(
    run_on: BeamOptions,
    out: Examples,
    root: Path,
    listing: Listing,
    rule: SplitRule,
    *,
    shards: int,
) -> Tally:
    """Write the rows of `listing`, which lie below `root`, and tell what became of them."""
    rule = rule.for_given(listing.given)
    rows = mixed(listing.rows)
    labels = {name: label for label, name in enumerate(listing.classes)}
    tally = write_shards(
        run_on,
        out,
        PictureFiles(str(root), labels, rule),
        rows,
        splits=rule.reachable(listing.given),
        shards=shard_count(root, rows, shards),
    )
    tally.rejected.extend(listing.rejected)
    return tally


@dataclasses.dataclass(frozen=True)
class PictureFiles:
    """Picture files below `root`, with the label of each class name."""

    root: str
    labels: dict[str, int]
    rule: SplitRule

    def read(self, rows: Sequence[Row]) -> Iterator[Row]:
        """The rows themselves: the threads of `convert` read the files."""
        yield from rows

    def convert(self, row: Row) -> Record | Rejected:
        """Read, prove and encode the file of `row`."""
        try:
            data = _read(f"{self.root}/{row.path}")
            picture = read_picture(data)
        except OSError as error:
            return Rejected(row.path, f"cannot be read: {error.strerror}")
        except DataError as error:
            return Rejected(row.path, str(error))
        label = self.labels[row.label]
        features = picture.features(filename=row.path, label=label, text=row.label)
        return Record(self.rule.choose(row.split, data), row.label, encode(features))


def _read(path: str) -> bytes:
    with io.FileIO(path) as file:  # a third of the time of a path object and a buffer
        return file.readall()
