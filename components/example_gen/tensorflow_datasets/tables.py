"""Prepared TFRecord files of TensorFlow Datasets as a source of a table's rows."""

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from etils.epath import Path

from millrace.components.artifacts import Examples, Rejected
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError, OptionError
from millrace.components.example_gen.shards.folders import ListedRow, Listing
from millrace.components.example_gen.shards.splits import SplitRule
from millrace.components.example_gen.shards.tally import IngestTally
from millrace.components.example_gen.shards.tfrecords import RecordInput, read_files
from millrace.components.example_gen.shards.writing import (
    SplitRecord,
    Unlabelled,
    listed,
    shard_count,
    write_shards,
)
from millrace.components.features import table_label
from millrace.serving.errors import WireError, few
from millrace.serving.example import Decoded, Value, decode, encode

_log = logging.getLogger(__name__)


class TfdsColumn(NamedTuple):
    """A feature of the set: its name, its classes if it is one, its length if it is a vector."""

    name: str
    classes: tuple[str, ...] = ()
    width: int = 0

    @property
    def features(self) -> list[str]:
        """The features that it makes: itself, or one per component."""
        return [f"{self.name}_{n}" for n in range(self.width)] if self.width else [self.name]


def columns_of(step: str, builder: Any) -> tuple[TfdsColumn, ...]:
    """The features of the set that are columns, the one that TFDS supervises with last.

    Raises:
        DataError: there is none.
    """
    features = builder.info.features
    columns = {name: _column(name, feature) for name, feature in features.items()}
    kept = {name: column for name, column in columns.items() if column is not None}
    others = sorted(columns.keys() - kept.keys())
    if not kept:
        raise DataError(
            f"{step}, {builder.info.full_name}: expected features that are numbers, texts, classes "
            f"or vectors of numbers. Received: {', '.join(others) or 'none'}. Choose another set."
        )
    if others:
        _log.info("features that are not columns, left out: %s", ", ".join(others))
    label = _supervised(builder)
    return tuple(kept[name] for name in sorted(kept, key=lambda name: name == label))


def label_of(step: str, builder: Any, columns: Sequence[TfdsColumn], given: str | None) -> str:
    """The feature to predict: the one `given`, else that which TFDS supervises with, or chosen.

    Raises:
        OptionError: none has the name that is given.
    """
    names = [name for column in columns for name in column.features]
    if given is None:
        if _supervised(builder) in names:
            return _supervised(builder)
        chosen, how = table_label.choose(names, "")
        _log.info("label: %r (%s); analyze.features.label names another", chosen, how)
        return chosen
    if given not in names:
        raise OptionError(
            f"{step}, option label, which a recipe takes from analyze.features.label: expected a "
            f"feature of the set: {few(names)}. Received: {given!r}. Correct the name."
        )
    return given


def _supervised(builder: Any) -> str:
    return (builder.info.supervised_keys or ("", ""))[-1]


def _column(name: str, feature: Any) -> TfdsColumn | None:
    import numpy as np
    import tensorflow_datasets as tfds

    if isinstance(feature, tfds.features.ClassLabel):
        return TfdsColumn(name, tuple(feature.names or map(str, range(feature.num_classes or 0))))
    shape: tuple[int | None, ...] | None = getattr(feature, "shape", None)
    is_number = np.dtype(getattr(feature, "np_dtype", object)).kind in "iufb"
    if shape == () and (is_number or isinstance(feature, tfds.features.Text)):
        return TfdsColumn(name)
    if type(feature) is tfds.features.Tensor and is_number and shape and len(shape) == 1:
        return TfdsColumn(name, width=shape[0]) if shape[0] else None
    return None


@dataclasses.dataclass(frozen=True)
class TableRecords:
    """TFRecord files below `root`, of which `columns` are taken; a record needs its `label`."""

    root: Path
    columns: tuple[TfdsColumn, ...]
    rule: SplitRule
    label: str

    def read(self, rows: Sequence[ListedRow]) -> Iterator[RecordInput]:
        """Yield every record of the files in `rows`."""
        return read_files(self.root, rows)

    def convert(self, item: RecordInput) -> SplitRecord | Rejected | Unlabelled:
        """One record with a feature per column; a class of no name is a missing cell."""
        try:
            values = decode(item.record)
        except WireError as error:
            return Rejected(item.place, str(error), item.position)
        features = self._features(values)
        if not features:
            return Rejected(item.place, "no value in any column", item.position)
        if self.label not in features:
            missing = Rejected(item.place, f"no label {self.label!r}", item.position)
            return Unlabelled(missing)
        example = encode(features)
        return SplitRecord(self.rule.choose(item.split, example), "", example)

    def _features(self, values: Decoded) -> dict[str, Value]:
        features: dict[str, Value] = {}
        for column in self.columns:
            found = values.get(column.name, [])
            if column.classes and len(found):
                label = int(found[0])
                if 0 <= label < len(column.classes):
                    features[column.name] = column.classes[label]
            elif column.width:
                parts = enumerate(found)
                features |= {f"{column.name}_{place}": part for place, part in parts}
            elif len(found):
                features[column.name] = found[0]
        return features


def write_rows(
    run_on: BeamOptions, out: Examples, source: TableRecords, listing: Listing, *, shards: int
) -> IngestTally:
    """Write the records of the files in `listing`; of a set's only split, each by its content."""
    rows = listing.rows
    if len(listing.given) == 1:
        rows = [row._replace(split="") for row in rows]
    given = {row.split for row in rows}
    source = dataclasses.replace(source, rule=source.rule.for_given(given))
    return write_shards(
        run_on,
        out,
        source,
        rows,
        splits=source.rule.reachable(given),
        shards=shard_count(source.root, rows, shards),
        reads=listed(source.root),
    )
