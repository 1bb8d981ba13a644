"""Statistics as rows for a person: plain data, for the command line and reports to print."""

import dataclasses

from tensorflow_metadata.proto.v0 import statistics_pb2

from millrace.components.artifacts import Statistics
from millrace.components.statistics.reading import (
    FeatureStats,
    common_of,
    histogram_of,
    name_of,
    read,
)

BUCKETS = 20  # of a text's histogram, at most


@dataclasses.dataclass(frozen=True)
class FeatureRow:
    """One feature of one split; None where the feature's type has no such figure.

    `type` is INT, FLOAT, STRING or BYTES; `count` and `missing` are numbers of records. For
    BYTES `mean`, `min` and `max` are sizes in bytes. `top` is the most frequent values with
    their numbers, `buckets` the labels and counts of a histogram: of numbers from the lowest,
    of text the most frequent values.
    """

    split: str
    feature: str
    type: str
    count: int
    missing: int
    mean: float | None = None
    std_dev: float | None = None
    min: float | None = None
    median: float | None = None
    max: float | None = None
    unique: int | None = None
    top: tuple[tuple[str, int], ...] = ()
    buckets: tuple[tuple[str, float], ...] = ()


def rows(statistics: Statistics, *, top: int = 3) -> list[FeatureRow]:
    """One row per split and feature, in the order of the splits and of the names.

    Args:
        statistics: what `statistics_gen` wrote.
        top: how many frequent values to name.

    Raises:
        DataError: a split's file does not hold statistics.
    """
    return [
        _row(split, feature, top)
        for split in statistics.splits
        for feature in read(statistics, split).features
    ]


def _row(split: str, feature: FeatureStats, top: int) -> FeatureRow:
    common = common_of(feature)
    row = FeatureRow(
        split=split,
        feature=name_of(feature),
        type=FeatureStats.Type.Name(feature.type),
        count=common.num_non_missing,
        missing=common.num_missing,
    )
    match feature.WhichOneof("stats"):
        case "num_stats":
            return _numeric(row, feature)
        case "string_stats":
            text = feature.string_stats
            named = tuple((item.value, int(item.frequency)) for item in text.top_values[:top])
            counted = [(item.value, item.frequency) for item in text.top_values]
            return dataclasses.replace(
                row, unique=text.unique, top=named, buckets=tuple(counted[:BUCKETS])
            )
        case "bytes_stats":
            raw = feature.bytes_stats
            return dataclasses.replace(
                row,
                mean=raw.avg_num_bytes,
                min=raw.min_num_bytes,
                max=raw.max_num_bytes,
                unique=raw.unique,
            )
        case _:
            return row


def _numeric(row: FeatureRow, feature: FeatureStats) -> FeatureRow:
    stats = feature.num_stats
    if not any(histogram.buckets for histogram in stats.histograms):
        return row  # nothing but NaN, or only empty lists
    return dataclasses.replace(
        row,
        mean=stats.mean,
        std_dev=stats.std_dev,
        min=stats.min,
        median=stats.median,
        max=stats.max,
        buckets=_buckets(feature),
    )


def _buckets(feature: FeatureStats) -> tuple[tuple[str, float], ...]:
    histogram = histogram_of(feature, statistics_pb2.Histogram.STANDARD)
    return tuple(
        (f"{bucket.low_value:.4g} to {bucket.high_value:.4g}", bucket.sample_count)
        for bucket in (histogram.buckets if histogram else ())
    )
