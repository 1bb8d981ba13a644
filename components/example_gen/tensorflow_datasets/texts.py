"""TFRecord files of `tf.train.Example` with a text and a class as a source of text records."""

import dataclasses
from collections.abc import Iterator, Sequence

from etils.epath import Path

from millrace.components.artifacts import Rejected
from millrace.components.errors import DataError
from millrace.components.example_gen.shards.folders import ListedRow
from millrace.components.example_gen.shards.splits import SplitRule
from millrace.components.example_gen.shards.tfrecords import (
    RecordInput,
    bytes_of,
    number_of,
    read_files,
)
from millrace.components.example_gen.shards.writing import SplitCells
from millrace.components.example_gen.texts.files import Decoding, text_record
from millrace.serving.errors import WireError
from millrace.serving.example import decode

_UTF8 = Decoding("utf-8", "reject")


@dataclasses.dataclass(frozen=True)
class TextRecords:
    """TFRecord files below `root`; `text` and `label` are the names of two features, bytes and
    int64, `classes` the class names in the order of their labels.
    """

    root: Path
    text: str
    label: str
    classes: tuple[str, ...]
    rule: SplitRule

    def read(self, rows: Sequence[ListedRow]) -> Iterator[RecordInput]:
        """Yield every record of the files in `rows`."""
        return read_files(self.root, rows)

    def convert(self, item: RecordInput) -> SplitCells | Rejected:
        """Prove one record and give its features the names that all text records have."""
        try:
            values = decode(item.record)
            label = number_of(values, self.label)
            if label is None or not 0 <= label < len(self.classes):
                raise DataError(f"no label ({self.label!r}) of a known class")
            text = _UTF8.decode(bytes_of(values, self.text))
        except (DataError, WireError) as error:
            return Rejected(item.place, str(error), item.position)
        filename, name = f"{item.place}, {item.position}", self.classes[label]
        return text_record(self.rule, item.split, text, filename=filename, label=label, name=name)
