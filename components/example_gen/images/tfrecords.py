"""TFRecord files of `tf.train.Example` as a source of image records."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from etils.epath import Path

from millrace.components.artifacts import Rejected
from millrace.components.errors import DataError
from millrace.components.example_gen.images.options import FeatureNames
from millrace.components.example_gen.shards.folders import ListedRow
from millrace.components.example_gen.shards.splits import SplitRule
from millrace.components.example_gen.shards.tfrecords import (
    RecordInput,
    bytes_of,
    number_of,
    read_files,
)
from millrace.components.example_gen.shards.writing import SplitRecord
from millrace.components.files.pictures import read_picture
from millrace.components.files.tfrecord import read_records
from millrace.serving.errors import WireError
from millrace.serving.example import Decoded, decode, encode


@dataclasses.dataclass(frozen=True)
class RecordFiles:
    """TFRecord files below `root`.

    `classes` are the class names in the order of their labels; where it is empty, a record's
    own name and label are taken as they are, and a label without a name is its own name.
    `kept` are the other features that a record keeps; None keeps all.
    """

    root: Path
    features: FeatureNames
    classes: tuple[str, ...]
    rule: SplitRule
    kept: frozenset[str] | None = None

    def read(self, rows: Sequence[ListedRow]) -> Iterator[RecordInput]:
        """Yield every record of the files in `rows`."""
        return read_files(self.root, rows)

    def convert(self, item: RecordInput) -> SplitRecord | Rejected:
        """Prove one record and give its features the names that all image records have."""
        try:
            values = decode(item.record)
            data = bytes_of(values, self.features.image)
            if not data:
                raise DataError(f"no image in feature {self.features.image!r}")
            picture = read_picture(data)
            label, text = self._class(values)
        except (DataError, WireError) as error:
            return Rejected(item.place, str(error), item.position)
        filename = bytes_of(values, self.features.filename).decode(errors="replace")
        ours = picture.features(
            filename=filename or f"{item.place}#{item.position.removeprefix('record ')}",
            label=label,
            text=text,
        )
        example = encode({**self._others(values), **ours})
        return SplitRecord(self.rule.choose(item.split, data), text, example)

    def _class(self, values: Decoded) -> tuple[int, str]:
        text = bytes_of(values, self.features.text).decode(errors="replace")
        label = number_of(values, self.features.label)
        if label is None and text in self.classes:
            return self.classes.index(text), text
        if label is None or label < 0:
            raise DataError(f"no label ({self.features.label!r}) of a known class")
        if not self.classes:
            return label, text or str(label)
        if label >= len(self.classes) or text not in ("", self.classes[label]):
            raise DataError(f"label {label} {text!r} is none of the {len(self.classes)} classes")
        return label, self.classes[label]

    def _others(self, values: Decoded) -> Mapping[str, list[bytes] | np.ndarray]:
        ours = self.features
        used = {ours.image, ours.label, ours.text, ours.filename}
        names = values.keys() - used if self.kept is None else values.keys() & self.kept
        return {name: values[name] for name in names}


def class_names(root: Path, rows: Sequence[ListedRow], features: FeatureNames) -> tuple[str, ...]:
    """The sorted class names in records that have no labels; empty where the first has one.

    Reads every record once if it must, for a label is a place among all the names.
    """
    names: set[str] = set()
    for row in rows:
        for record in read_records(root / row.path):
            try:
                values = decode(record)
            except WireError:  # it will be set aside by its number when it is read for good
                continue
            if number_of(values, features.label) is not None:
                return ()
            names.add(bytes_of(values, features.text).decode(errors="replace"))
    return tuple(sorted(names - {""}))
