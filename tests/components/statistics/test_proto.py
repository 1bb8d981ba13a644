"""The message of small sets of records, figure by figure."""

import dataclasses
import math

import numpy as np
import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from millrace.components.files import columns
from millrace.components.statistics.dataset import Dataset, fold
from millrace.components.statistics.distribution import Distribution
from millrace.components.statistics.proto import Detail, to_proto
from millrace.components.statistics.reading import common_of, name_of
from millrace.serving.example import encode

Histogram = statistics_pb2.Histogram
Type = statistics_pb2.FeatureNameStatistics.Type


def features_of(records, **detail):
    message = to_proto(
        "train", fold(columns.batches(map(encode, records), "f"), "f"), Detail(**detail)
    )
    return {name_of(feature): feature for feature in message.datasets[0].features}


def buckets_of(histogram):
    return [(b.low_value, b.high_value, b.sample_count) for b in histogram.buckets]


def test_a_data_set_bears_its_splits_name_and_sorts_its_features():
    message = to_proto(
        "eval", fold(columns.batches([encode({"b": 1, "a": 2})], "f"), "f"), Detail()
    )
    [dataset] = message.datasets
    assert (dataset.name, dataset.num_examples) == ("eval", 1)
    assert [list(feature.path.step) for feature in dataset.features] == [["a"], ["b"]]


def test_no_records_make_a_data_set_without_features():
    [dataset] = to_proto("eval", Dataset(), Detail()).datasets
    assert (dataset.name, dataset.num_examples, len(dataset.features)) == ("eval", 0, 0)


def test_presence_and_numbers_of_values():
    records = [{"a": [1, 2, 3]}, {"a": np.array([], np.int64)}, {"b": 1}, {"a": [4]}]
    common = common_of(features_of(records)["a"])
    assert (common.num_non_missing, common.num_missing) == (3, 1)
    assert (common.min_num_values, common.max_num_values, common.tot_num_values) == (0, 3, 4)
    assert common.avg_num_values == pytest.approx(4 / 3)
    assert len(common.num_values_histogram.buckets) == 10
    assert common.num_values_histogram.type == Histogram.QUANTILES


def test_the_figures_of_integers():
    feature = features_of([{"a": value} for value in (0, 0, 5, 10)])["a"]
    stats = feature.num_stats
    assert feature.type == Type.Value("INT")
    assert (stats.mean, stats.num_zeros, stats.min, stats.median, stats.max) == (
        3.75,
        2,
        0,
        2.5,
        10,
    )
    assert stats.std_dev == pytest.approx(np.std([0, 0, 5, 10]))


def test_the_standard_histogram_has_equal_widths_and_keeps_every_value():
    stats = features_of([{"a": value} for value in (0, 0, 5, 10)], histogram_buckets=2)[
        "a"
    ].num_stats
    standard, quantiles = stats.histograms
    assert standard.type == Histogram.STANDARD
    assert buckets_of(standard) == [(0, 5, 2), (5, 10, 2)]
    assert quantiles.type == Histogram.QUANTILES
    assert buckets_of(quantiles) == [(0, 0, 2), (0, 10, 2)]


def test_equal_values_make_one_bucket():
    stats = features_of([{"a": 28}] * 3)["a"].num_stats
    assert buckets_of(stats.histograms[0]) == [(28, 28, 3)]
    assert stats.std_dev == 0


def test_histograms_of_many_values_keep_every_value_and_end_at_the_extremes():
    values = np.random.default_rng(4).normal(5, 1, 20_000).astype(np.float32)
    stats = features_of([{"a": values}])["a"].num_stats
    for histogram in stats.histograms:
        found = buckets_of(histogram)
        assert sum(count for _, _, count in found) == pytest.approx(20_000, abs=1e-6)
        assert (found[0][0], found[-1][1]) == (values.min(), values.max())
    bounds = [low for low, _, _ in buckets_of(stats.histograms[0])] + [float(values.max())]
    expected, _ = np.histogram(values.astype(np.float64), bounds)
    assert [count for _, _, count in found] == [2000] * 10
    assert [b.sample_count for b in stats.histograms[0].buckets] == pytest.approx(expected, abs=5)


def test_figures_from_wide_buckets_stay_between_the_extremes():
    values = np.array([7.5, 7.75, 7.75], np.float32)
    none = np.array([], np.int64)
    coarse = Distribution.of(values).merge(Distribution(none, none, level=52))  # from 4 to 8
    folded = fold(columns.batches([encode({"a": values})], "f"), "f")
    numbers = folded.features["a"].values
    folded.features["a"].values = dataclasses.replace(numbers, distribution=coarse)
    stats = to_proto("train", folded, Detail()).datasets[0].features[0].num_stats
    bounds = [bound for low, high, _ in buckets_of(stats.histograms[1]) for bound in (low, high)]
    assert (min(bounds), stats.median, max(bounds)) == (7.5, 7.5, 7.75)


def test_quantiles_do_not_leave_the_range_of_few_distinct_lengths():
    records = [{"a": np.zeros(length, np.float32)} for length in (1, 2, 2, 7)]
    buckets = buckets_of(common_of(features_of(records)["a"]).num_values_histogram)
    assert (buckets[0][0], buckets[4][1], buckets[-1][1]) == (1, 2, 7)


def test_nan_is_counted_in_the_histograms_and_nowhere_else():
    stats = features_of([{"a": math.nan}, {"a": 1.0}, {"a": 3.0}])["a"].num_stats
    assert [histogram.num_nan for histogram in stats.histograms] == [1, 1]
    assert (stats.mean, stats.median, stats.common_stats.tot_num_values) == (2, 2, 3)


def test_nothing_but_nan_leaves_the_histograms_empty():
    stats = features_of([{"a": math.nan}])["a"].num_stats
    assert [histogram.num_nan for histogram in stats.histograms] == [1, 1]
    assert [len(histogram.buckets) for histogram in stats.histograms] == [0, 0]


def test_infinities_have_buckets_of_their_own():
    records = [{"a": value} for value in (-math.inf, 1.0, 2.0, math.inf, math.inf)]
    stats = features_of(records, histogram_buckets=1)["a"].num_stats
    assert buckets_of(stats.histograms[0]) == [
        (-math.inf, -math.inf, 1),
        (1, 2, 2),
        (math.inf, math.inf, 2),
    ]
    assert (stats.min, stats.max, stats.mean) == (-math.inf, math.inf, 1.5)


def test_text_has_top_values_and_a_complete_rank_histogram():
    records = [{"a": value} for value in ("cat", "dog", "dog", "ox")]
    feature = features_of(records, top_values=1)["a"]
    stats = feature.string_stats
    assert feature.type == Type.Value("STRING")
    assert (stats.unique, stats.avg_length) == (3, pytest.approx(11 / 4))
    assert [(top.value, top.frequency) for top in stats.top_values] == [("dog", 2)]
    ranks = [(b.low_rank, b.label, b.sample_count) for b in stats.rank_histogram.buckets]
    assert ranks == [(0, "dog", 2), (1, "cat", 1), (2, "ox", 1)]


def test_a_thousand_classes_are_all_counted():
    stats = features_of([{"a": f"class {n % 1000}"} for n in range(3000)])["a"].string_stats
    assert len(stats.rank_histogram.buckets) == stats.unique == 1000
    assert {bucket.sample_count for bucket in stats.rank_histogram.buckets} == {3}


def test_pictures_have_sizes_and_no_values():
    feature = features_of([{"a": b"\xff\xd8"}, {"a": b"\xff\xd8\xff\xe0"}])["a"]
    stats = feature.bytes_stats
    assert feature.type == Type.Value("BYTES")
    assert (stats.unique, stats.min_num_bytes, stats.max_num_bytes_int) == (2, 2, 4)
    assert stats.avg_num_bytes == 3


def test_a_feature_of_nothing_but_empty_lists_has_no_figures():
    features = features_of([{"a": np.array([], np.float32)}])
    assert common_of(features["a"]).tot_num_values == 0
    assert [len(histogram.buckets) for histogram in features["a"].num_stats.histograms] == [0, 0]
