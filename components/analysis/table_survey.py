"""What one pass over a table's records says of each column, or of those that a hook makes."""

import collections
import dataclasses
import functools
from typing import Annotated

import numpy as np
from etils.epath import Path
from pydantic import Field, TypeAdapter

from millrace.components.artifacts import Examples
from millrace.components.beam.options import BeamOptions
from millrace.components.beam.shard_pass import LONG, SHORT, shard_pass
from millrace.components.features import table_label
from millrace.components.features.hook_spec import Hook
from millrace.components.features.table_spec import CellDtype, RawColumn
from millrace.components.files import columns
from millrace.components.files.tfrecord import read_records
from millrace.components.statistics.dataset import Dataset, Feature, fold, merge
from millrace.components.statistics.numbers import Numbers


@dataclasses.dataclass(frozen=True)
class ColumnSurvey:
    """Of one column of some records.

    Attributes:
        dtype: of the feature.
        present: records that have a value, NaN not among them.
        longest: values that a record has at most.
        distinct: how many different values there are.
        counts: times that each value occurs, by its text, the most frequent first; of numbers
            empty where not all are known.
        mean, deviation, low, high: of finite numbers; 0 where there are none.
        boundaries: between quantiles, rising and distinct; of numbers.
    """

    dtype: CellDtype
    present: int
    longest: int
    distinct: int
    counts: dict[str, int]
    mean: float = 0.0
    deviation: float = 0.0
    low: float = 0.0
    high: float = 0.0
    boundaries: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True)
class TableSurvey:
    """The number of records, and what is known of each column, by name."""

    records: int
    columns: Annotated[dict[str, ColumnSurvey], Field(default_factory=dict)]


@dataclasses.dataclass(frozen=True)
class Own:
    """A person's own function, the columns that it is given, and the label, which it is not."""

    hook: Hook
    raw: tuple[RawColumn, ...]
    label: str


_JSON = TypeAdapter(TableSurvey)


def survey(
    examples: Examples,
    quantiles: int,
    out: Path,
    name: str,
    run_on: BeamOptions,
    own: Own | None = None,
) -> TableSurvey:
    """The survey of the train split; left in `<name>.json` in `out`.

    Args:
        examples: raw records.
        quantiles: that lie between boundaries.
        out: the folder of the analysis.
        name: what the file there is called.
        run_on: Beam's flags.
        own: the columns are those that it makes.
    """
    files = list(map(str, examples.files("train")))
    work = functools.partial(_fold, own=own)
    worth = LONG if own else SHORT  # a function of one's own is TensorFlow's
    found = merge(shard_pass("Fold", files, work, out, run_on, worth=worth))
    surveyed = of(found, quantiles)
    (out / f"{name}.json").write_bytes(to_json(surveyed))
    return surveyed


def labels_elsewhere(
    examples: Examples, label: str, out: Path, run_on: BeamOptions
) -> collections.Counter[str]:
    """How often each value of `label`, as a class is called, occurs outside the train split."""
    splits = [split for split in examples.splits if split != "train"]
    files = [str(file) for split in splits for file in examples.files(split)]
    if not files:
        return collections.Counter()
    work = functools.partial(_labels, label)
    found = shard_pass("Labels", files, work, out, run_on, worth=SHORT)
    return sum(found, collections.Counter())


def _labels(label: str, file: str) -> collections.Counter[str]:
    found = collections.Counter[str]()
    for batch in columns.batches(read_records(Path(file)), file):
        cells = columns.first(batch, label)
        if cells is not None:
            counted = cells.drop_null().value_counts()
            names = map(table_label.class_name, counted.field("values"))
            for name, count in zip(names, counted.field("counts").to_pylist(), strict=True):
                found[name] += count
    return found


def _fold(file: str, own: Own | None) -> Dataset:
    batches = columns.batches(read_records(Path(file)), file)
    if own is not None:
        from millrace.components.features import table_rows  # TensorFlow

        batches = table_rows.preprocessed(batches, own.raw, own.hook, own.label)
    return fold(batches, file)


def of(dataset: Dataset, quantiles: int) -> TableSurvey:
    """The survey that follows from exact counts; `quantiles` parts lie between boundaries."""
    columns = {
        name: _column(feature, quantiles) for name, feature in sorted(dataset.features.items())
    }
    return TableSurvey(dataset.examples, columns)


def to_json(survey: TableSurvey) -> bytes:
    """As JSON, to the last bit."""
    return _JSON.dump_json(survey, indent=1)


def from_json(text: bytes) -> TableSurvey:
    """What `to_json` wrote."""
    return _JSON.validate_json(text)


def _column(feature: Feature, quantiles: int) -> ColumnSurvey:
    longest = int(feature.lengths.order_statistics(np.array([feature.lengths.total - 1]))[0])
    values = feature.values
    if isinstance(values, Numbers):
        return _numbers(feature, values, longest, quantiles)
    counts = dict(values.frequent())
    return ColumnSurvey("bytes", values.count, longest, values.unique, counts)


def _numbers(feature: Feature, values: Numbers, longest: int, quantiles: int) -> ColumnSurvey:
    dtype: CellDtype = "int64" if feature.kind == "int64" else "float32"
    finite = values.distribution.finite()
    if not values.finite:
        return ColumnSurvey(dtype, 0, longest, 0, {})
    counts: dict[str, int] = {}
    if finite.level == 0:  # every value is a bucket of its own
        ranks = finite.counts.cumsum() - 1
        pairs = zip(finite.order_statistics(ranks), finite.counts.tolist(), strict=True)
        counts = {as_text(value, dtype): count for value, count in pairs}
    return ColumnSurvey(
        dtype=dtype,
        present=values.finite,
        longest=longest,
        distinct=len(finite.keys),
        counts=dict(sorted(counts.items(), key=lambda item: -item[1])),
        mean=values.mean,
        deviation=values.std_dev,
        low=float(values.least),
        high=float(values.greatest),
        boundaries=tuple(np.unique(finite.quantiles(quantiles)).tolist()),
    )


def as_text(value: float, dtype: CellDtype) -> str:
    """A number as a class or a category is called: as numpy writes it."""
    return str(int(value)) if dtype == "int64" else str(np.float32(value))
