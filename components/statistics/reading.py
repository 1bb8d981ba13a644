"""Statistics read back: the message of a split, and what every kind of feature has."""

from typing import TypeAlias

from google.protobuf.message import DecodeError
from tensorflow_metadata.proto.v0 import statistics_pb2

from millrace.components.artifacts import Statistics
from millrace.components.errors import DataError

DatasetStats: TypeAlias = statistics_pb2.DatasetFeatureStatistics
FeatureStats: TypeAlias = statistics_pb2.FeatureNameStatistics


def read(statistics: Statistics, split: str) -> DatasetStats:
    """The statistics of `split`.

    Raises:
        DataError: there is no such file, or it does not hold statistics of one data set.
    """
    file = statistics.file(split)
    message = statistics_pb2.DatasetFeatureStatisticsList()
    try:
        message.ParseFromString(file.read_bytes())
    except (OSError, DecodeError) as error:
        raise DataError(_not_statistics(file, str(error))) from error
    if len(message.datasets) != 1:
        raise DataError(_not_statistics(file, f"{len(message.datasets)} data sets"))
    return message.datasets[0]


def name_of(feature: FeatureStats) -> str:
    """The feature's name; tensorflow-metadata allows `name` or `path`."""
    return ".".join(feature.path.step) or feature.name


def common_of(feature: FeatureStats) -> statistics_pb2.CommonStatistics:
    """Presence and numbers of values, which every type of feature has."""
    stats = getattr(feature, feature.WhichOneof("stats") or "num_stats")
    return stats.common_stats


def text_counts(feature: FeatureStats) -> dict[str, float]:
    """How often each named value of a text feature occurs: its rank histogram."""
    buckets = feature.string_stats.rank_histogram.buckets
    return {bucket.label: bucket.sample_count for bucket in buckets}


def histogram_of(feature: FeatureStats, kind: int) -> statistics_pb2.Histogram | None:
    """The histogram of type `kind` (STANDARD or QUANTILES), None where there is none."""
    for histogram in feature.num_stats.histograms:
        if histogram.type == kind:
            return histogram
    return None


def _not_statistics(file: object, received: str) -> str:
    return (
        f"{file}: expected the statistics of one data set (DatasetFeatureStatisticsList). "
        f"Received: {received}. Run `statistics_gen` again."
    )
