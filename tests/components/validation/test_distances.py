"""Distances against hand-made cases and SciPy's."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from tensorflow_metadata.proto.v0 import statistics_pb2

from millrace.components.validation.distances import (
    histogram_divergence,
    jensen_shannon,
    l_infinity,
    text_divergence,
)

counts = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 1000), min_size=1)


def histogram(*buckets, nan=0):
    message = statistics_pb2.Histogram(num_nan=nan)
    for low, high, count in buckets:
        message.buckets.add(low_value=low, high_value=high, sample_count=count)
    return message


def test_l_infinity_is_the_largest_difference_of_shares():
    assert l_infinity({"a": 3, "b": 1}, {"a": 1, "b": 2, "c": 1}) == (0.5, "a")
    assert l_infinity({"a": 1}, {"b": 7}) == (1.0, "a")


@given(left=counts, right=counts)
def test_the_divergence_of_texts_is_scipys(left, right):
    names = sorted(left | right)
    p, q = ([side.get(name, 0) for name in names] for side in (left, right))
    expected = jensenshannon(p, q, base=2) ** 2
    assert text_divergence(left, right) == pytest.approx(expected, abs=1e-9)


@given(left=counts, right=counts)
def test_distances_are_symmetric_and_between_0_and_1(left, right):
    assert l_infinity(left, right)[0] == l_infinity(right, left)[0]
    assert 0 <= l_infinity(left, right)[0] <= 1
    assert -1e-12 <= text_divergence(left, right) <= 1
    assert text_divergence(left, left) == 0


def test_the_divergence_of_separate_shares_is_one():
    assert jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1.0


def test_histograms_with_the_same_buckets_compare_bucket_by_bucket():
    left, right = histogram((0, 1, 3), (1, 2, 1)), histogram((0, 1, 1), (1, 2, 1))
    assert histogram_divergence(left, right) == pytest.approx(
        text_divergence({"a": 3, "b": 1}, {"a": 1, "b": 1})
    )


def test_values_are_spread_evenly_within_a_bucket():
    assert histogram_divergence(histogram((0, 2, 8)), histogram((0, 1, 1), (1, 2, 1))) == 0


def test_histograms_without_overlap_are_one_apart():
    assert histogram_divergence(histogram((0, 1, 5)), histogram((2, 3, 5))) == 1


def test_a_constant_is_itself_and_no_other_constant():
    assert histogram_divergence(histogram((28, 28, 5)), histogram((28, 28, 9))) == 0
    assert histogram_divergence(histogram((28, 28, 5)), histogram((32, 32, 5))) == 1
    assert histogram_divergence(histogram((28, 28, 5)), histogram((27, 29, 5))) == 1


def test_nan_and_infinities_are_parts_of_their_own():
    with_nan = histogram((0, 1, 5), nan=5)
    assert histogram_divergence(with_nan, with_nan) == 0
    assert histogram_divergence(histogram((0, 1, 5)), histogram(nan=5)) == 1
    infinite = histogram((0, 1, 5), (math.inf, math.inf, 5))
    assert histogram_divergence(infinite, infinite) == 0
    assert 0 < histogram_divergence(infinite, histogram((0, 1, 5))) < 1


def test_gaps_between_buckets_hold_nothing():
    gap = histogram((0, 1, 1), (9, 10, 1))
    assert histogram_divergence(gap, histogram((0, 10, 2))) == pytest.approx(
        text_divergence({"in": 2}, {"in": 0.4, "gap": 1.6})
    )
