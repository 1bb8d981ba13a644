"""Exact while few values are distinct; after that, within the stated width, in any order."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.statistics.distribution import Distribution

numbers = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=120)


def merged(values, cuts, limit):
    parts = np.split(np.array(values), sorted(cut % len(values) for cut in cuts))
    whole = Distribution.of(parts[0], limit)
    for part in parts[1:]:
        whole = whole.merge(Distribution.of(part, limit))
    return whole


@given(values=numbers, cuts=st.lists(st.integers(0, 1000), max_size=5), limit=st.integers(40, 80))
def test_any_partition_gives_the_same_buckets(values, cuts, limit):
    whole, parts = Distribution.of(np.array(values), limit), merged(values, cuts, limit)
    assert (whole.keys.tolist(), whole.counts.tolist()) == (
        parts.keys.tolist(),
        parts.counts.tolist(),
    )
    assert whole.level == parts.level


@given(left=numbers, right=numbers)
def test_merging_is_commutative(left, right):
    a, b = Distribution.of(np.array(left), 50), Distribution.of(np.array(right), 50)
    assert a.merge(b).counts.tolist() == b.merge(a).counts.tolist()


@given(values=numbers)
def test_within_the_limit_order_statistics_are_the_sorted_values(values):
    found = Distribution.of(np.array(values)).order_statistics(np.arange(len(values)))
    assert found.tolist() == np.sort(np.array(values) + 0.0).tolist()


def test_beyond_the_limit_the_error_is_the_bucket_width():
    values = np.random.default_rng(1).lognormal(0, 3, 50_000)
    distribution = Distribution.of(values)
    found = distribution.order_statistics(np.arange(len(values)))
    assert 0 < distribution.level < 52
    assert len(distribution.keys) <= 8192
    assert np.abs(found / np.sort(values) - 1).max() <= 2.0 ** (distribution.level - 52)


@pytest.mark.parametrize("distinct", [64, 65, 66, 200])
def test_never_more_buckets_than_the_limit(distinct):
    distribution = Distribution.of(np.arange(1, distinct + 1), 64)
    assert len(distribution.keys) <= 64
    assert (distribution.level == 0) == (distinct == 64)
    assert distribution.total == distinct


def test_the_values_of_a_bucket_are_spread_evenly_over_it():
    distribution = Distribution.of(np.array([4.0, 7.0]), 1)
    assert distribution.order_statistics(np.arange(2)) == pytest.approx([5.0, 7.0])


def test_beyond_the_limit_an_atom_stays_exact():
    spread = np.random.default_rng(2).normal(5, 1, 20_000)
    distribution = Distribution.of(np.concatenate([np.zeros(30_000), spread]))
    assert distribution.median() < 1e-300
    assert distribution.below(np.array([1e-300])).tolist() == [30_000]


def test_the_median_of_an_even_number_is_the_mean_of_the_middle_two():
    assert Distribution.of(np.array([4, 1, 3, 2])).median() == 2.5
    assert Distribution.of(np.array([3, 1, 2])).median() == 2.0


def test_quantiles_are_values_that_occur():
    assert Distribution.of(np.arange(1, 11)).quantiles(5).tolist() == [2, 4, 6, 8]


def test_values_below_a_bound_do_not_include_the_bound():
    below = Distribution.of(np.array([1, 2, 2, 3])).below(np.array([1.0, 2.0, 3.5]))
    assert below.tolist() == [0, 1, 4]


def test_infinities_sort_to_the_ends_and_can_be_left_out():
    distribution = Distribution.of(np.array([math.inf, -math.inf, 1.0, math.inf]))
    assert distribution.order_statistics(np.arange(4)).tolist() == [
        -math.inf,
        1.0,
        math.inf,
        math.inf,
    ]
    assert distribution.finite().total == 1


def test_infinities_stay_apart_beyond_the_limit():
    spread = np.random.default_rng(3).normal(0, 1, 20_000)
    distribution = Distribution.of(np.concatenate([[math.inf, -math.inf], spread]))
    ends = distribution.order_statistics(np.array([0, 20_001]))
    assert distribution.level > 0
    assert ends.tolist() == [-math.inf, math.inf]
    assert distribution.finite().total == 20_000


def test_both_zeros_are_one_value():
    assert Distribution.of(np.array([0.0, -0.0])).counts.tolist() == [2]


@pytest.mark.parametrize("value", [2**53 + 1, -(2**63), 2**63 - 1])
def test_integers_beyond_doubles_are_rounded_to_doubles(value):
    assert Distribution.of(np.array([value])).median() == float(value)
