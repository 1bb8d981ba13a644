"""Accumulated statistics as tensorflow-metadata's `DatasetFeatureStatisticsList`.

The layout is what TensorFlow Data Validation writes: features by `path`, in the order of
their names; numbers with a STANDARD and a QUANTILES histogram; text with its top values and a
rank histogram; bytes that are not text with their sizes only. The data set bears the name of
its split.
"""

import dataclasses
import itertools
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from tensorflow_metadata.proto.v0 import statistics_pb2

from millrace.components.statistics.dataset import Dataset, Feature
from millrace.components.statistics.distribution import Distribution
from millrace.components.statistics.numbers import Numbers
from millrace.components.statistics.texts import Texts

Stats: TypeAlias = statistics_pb2.FeatureNameStatistics
Histogram: TypeAlias = statistics_pb2.Histogram
Bucket: TypeAlias = statistics_pb2.Histogram.Bucket


@dataclasses.dataclass(frozen=True)
class Detail:
    """How much of a distribution to write down."""

    histogram_buckets: int = 10
    top_values: int = 20
    rank_buckets: int = 1000


def to_proto(
    split: str, dataset: Dataset, detail: Detail, bases: Mapping[str, float] = MappingProxyType({})
) -> statistics_pb2.DatasetFeatureStatisticsList:
    """The message of one split; without records, one without features.

    Args:
        split: its name.
        dataset: what was counted.
        detail: how much of it to write.
        bases: by feature, what its values are less in the records; see `features.precision`.
    """
    features = [
        _feature(name, dataset.features[name], dataset.examples, detail)
        for name in sorted(dataset.features)
    ]
    for feature in features:
        if base := bases.get(feature.path.step[0]):
            _add(base, feature.num_stats)
    whole = statistics_pb2.DatasetFeatureStatistics(
        name=split, num_examples=dataset.examples, features=features
    )
    return statistics_pb2.DatasetFeatureStatisticsList(datasets=[whole])


def _feature(name: str, feature: Feature, examples: int, detail: Detail) -> Stats:
    stats = Stats()
    stats.path.step.append(name)
    common = _common(feature, examples, detail)
    if isinstance(feature.values, Numbers):
        stats.type = Stats.INT if feature.kind == "int64" else Stats.FLOAT
        stats.num_stats.CopyFrom(_numeric(feature.values, detail))
        stats.num_stats.common_stats.CopyFrom(common)
    elif feature.values.opaque:
        stats.type = Stats.BYTES
        stats.bytes_stats.CopyFrom(_bytes(feature.values))
        stats.bytes_stats.common_stats.CopyFrom(common)
    else:
        stats.type = Stats.STRING
        stats.string_stats.CopyFrom(_string(feature.values, detail))
        stats.string_stats.common_stats.CopyFrom(common)
    return stats


def _common(feature: Feature, examples: int, detail: Detail) -> statistics_pb2.CommonStatistics:
    values = feature.values
    total = values.count + (values.nan if isinstance(values, Numbers) else 0)
    last = feature.lengths.total - 1
    fewest, most = feature.lengths.order_statistics(np.array([0, last]))
    return statistics_pb2.CommonStatistics(
        num_non_missing=feature.present,
        num_missing=examples - feature.present,
        min_num_values=int(fewest),
        max_num_values=int(most),
        avg_num_values=total / feature.present,
        tot_num_values=total,
        num_values_histogram=_quantiles(feature.lengths, fewest, most, detail),
    )


def _numeric(numbers: Numbers, detail: Detail) -> statistics_pb2.NumericStatistics:
    stats = statistics_pb2.NumericStatistics()
    standard = stats.histograms.add(type=Histogram.STANDARD, num_nan=numbers.nan)
    quantiles = stats.histograms.add(type=Histogram.QUANTILES, num_nan=numbers.nan)
    if not numbers.count:
        return stats
    stats.num_zeros = numbers.zeros
    stats.min, stats.max = numbers.low, numbers.high
    stats.median = min(max(numbers.distribution.median(), numbers.low), numbers.high)
    spread = _quantiles(numbers.distribution, numbers.low, numbers.high, detail)
    quantiles.buckets.extend(spread.buckets)
    if numbers.finite:
        stats.mean, stats.std_dev = numbers.mean, numbers.std_dev
    standard.buckets.extend(_standard(numbers, detail))
    return stats


def _add(base: float, stats: statistics_pb2.NumericStatistics) -> None:
    """Describe the values that are `base` larger."""
    stats.mean += base
    stats.min += base
    stats.median += base
    stats.max += base
    stats.num_zeros = 0  # a base is there because all values are far from 0, by their own measure
    for histogram in stats.histograms:
        for bucket in histogram.buckets:
            bucket.low_value += base
            bucket.high_value += base


def _quantiles(distribution: Distribution, low: float, high: float, detail: Detail) -> Histogram:
    """Buckets of equal counts, no bound outside the smallest and largest value."""
    inner = distribution.quantiles(detail.histogram_buckets).clip(low, high)
    bounds = [low, *inner, high]
    share = distribution.total / detail.histogram_buckets
    buckets = [_bucket(*edges, share) for edges in itertools.pairwise(bounds)]
    return Histogram(type=Histogram.QUANTILES, buckets=buckets)


def _standard(numbers: Numbers, detail: Detail) -> list[Bucket]:
    """Buckets of equal width over the finite values, a bucket of its own for each infinity.

    Bounds belong to the bucket above them, the largest value to the last one. Equal values
    make one bucket without width.
    """
    finite = numbers.distribution.finite()
    buckets = []
    if finite.total:
        parts = detail.histogram_buckets if numbers.greatest > numbers.least else 1
        bounds = np.linspace(float(numbers.least), float(numbers.greatest), parts + 1)
        below = np.append(finite.below(bounds)[:-1], finite.total)
        below[0] = 0
        for index, count in enumerate(np.diff(below)):
            buckets.append(_bucket(bounds[index], bounds[index + 1], count))
    if numbers.minus_infinity:
        buckets.insert(0, _bucket(-math.inf, -math.inf, numbers.minus_infinity))
    if numbers.plus_infinity:
        buckets.append(_bucket(math.inf, math.inf, numbers.plus_infinity))
    return buckets


def _bucket(low: float, high: float, count: float) -> Bucket:
    return Bucket(low_value=low, high_value=high, sample_count=count)


def _string(texts: Texts, detail: Detail) -> statistics_pb2.StringStatistics:
    stats = statistics_pb2.StringStatistics(
        unique=texts.unique, invalid_utf8_count=texts.invalid_utf8
    )
    if texts.count:
        stats.avg_length = texts.bytes / texts.count
    frequent = texts.frequent()
    for value, count in frequent[: detail.top_values]:
        stats.top_values.add(value=value, frequency=count)
    for rank, (value, count) in enumerate(frequent[: detail.rank_buckets]):
        stats.rank_histogram.buckets.add(
            low_rank=rank, high_rank=rank, label=value, sample_count=count
        )
    return stats


def _bytes(texts: Texts) -> statistics_pb2.BytesStatistics:
    return statistics_pb2.BytesStatistics(
        unique=texts.unique,
        avg_num_bytes=texts.bytes / texts.count,
        min_num_bytes=texts.shortest,
        max_num_bytes=texts.longest,
        max_num_bytes_int=texts.longest,
    )
