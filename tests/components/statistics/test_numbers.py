"""Moments against Python's exact fractions; everything the same for any partition."""

import dataclasses
import math
import statistics
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.statistics.numbers import Numbers, float_moments, integer_moments

int64s = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=50)
float32s = st.lists(st.floats(width=32), min_size=1, max_size=50)
finite32s = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=50)


@given(values=int64s)
def test_integer_moments_are_exact(values):
    found = integer_moments(np.array(values, np.int64))
    assert found == (sum(values), sum(value**2 for value in values))


@given(values=finite32s)
def test_float_moments_are_exact(values):
    total, squares = float_moments(np.array(values, np.float32))
    assert Fraction(total, 2**172) == sum(map(Fraction, values))
    assert Fraction(squares, 2**344) == sum(Fraction(value) ** 2 for value in values)


@given(values=float32s, cut=st.integers(0, 50))
def test_any_partition_gives_the_same_numbers(values, cut):
    array = np.array(values, np.float32)
    parts = Numbers.of(array[cut:]).merge(Numbers.of(array[:cut]))
    whole = Numbers.of(array)
    for field in dataclasses.fields(Numbers):
        if field.name != "distribution":  # has a test of its own
            assert getattr(parts, field.name) == getattr(whole, field.name)


@given(values=st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=30))
def test_mean_and_deviation_are_those_of_the_statistics_module(values):
    numbers = Numbers.of(np.array(values, np.int64))
    assert numbers.mean == statistics.fmean(map(Fraction, values))
    assert math.isclose(numbers.std_dev, statistics.pstdev(values), rel_tol=1e-12, abs_tol=0)


def test_a_small_deviation_far_from_zero_is_not_lost():
    numbers = Numbers.of(np.array([10**15, 10**15 + 1], np.int64))
    assert numbers.std_dev == 0.5


def test_the_largest_integers_keep_their_value():
    numbers = Numbers.of(np.array([2**63 - 1, 2**63 - 2, -(2**63)], np.int64))
    assert (numbers.low, numbers.high) == (-(2**63), 2**63 - 1)
    assert numbers.total == 2**63 - 3


def test_nan_and_infinities_are_counted_and_left_out_of_the_moments():
    values = np.array([math.nan, math.inf, -math.inf, -math.inf, 0.0, 4.0], np.float32)
    numbers = Numbers.of(values)
    assert (numbers.count, numbers.nan, numbers.finite, numbers.zeros) == (5, 1, 2, 1)
    assert (numbers.minus_infinity, numbers.plus_infinity) == (2, 1)
    assert (numbers.low, numbers.high, numbers.mean, numbers.std_dev) == (-math.inf, math.inf, 2, 2)


def test_no_values_merge_with_any():
    numbers = Numbers.of(np.array([], np.int64)).merge(Numbers.of(np.array([3], np.int64)))
    assert (numbers.count, numbers.low, numbers.high, numbers.mean) == (1, 3, 3, 3.0)
