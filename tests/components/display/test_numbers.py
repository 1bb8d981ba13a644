"""Numbers for people: every digit of an answer, few of a figure, and no powers of ten."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.display import numbers


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1234572.0, "1234572"),
        (float(np.float32(0.1)), "0.1"),
        (0.1, "0.1"),
        (float(np.float32(1234572.25)), "1234572.2"),
        (6779547060.56, "6779547060.56"),
        (6779547060.560001, "6779547060.56"),
        (-2.5, "-2.5"),
        (0.0, "0"),
        (-0.0, "0"),
        (123456789012345.0, "123456789012345"),
        (1e300, "1e+300"),
        (1e-7, "1e-07"),
        (math.nan, "nan"),
    ],
)
def test_an_answer_has_all_its_digits(value, expected):
    assert numbers.exact(value) == expected


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float32_is_read_back_from_its_text(value):
    text = numbers.exact(value)
    assert np.float32(text) == np.float32(value)
    assert "e" not in text or not 1e-4 <= abs(value) < 1e15


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [
        (0.1234567, 6, "0.123457"),
        (6779547060.56, 6, "6779547060.56"),
        (1234572.0, 6, "1234572"),
        (999999.9, 6, "999999.9"),
        (0.95123, 4, "0.9512"),
        (12345.678, 4, "12345.68"),
        (1e15, 6, "1e+15"),
        (0.0, 6, "0"),
        (math.inf, 6, "inf"),
    ],
)
def test_a_figure_is_short_but_without_a_power_of_ten(value, digits, expected):
    assert numbers.short(value, digits) == expected


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9_949, "9.9 kB"),
        (9_950, "10 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (3_400_000_000, "3.4 GB"),
        (5_000 * 10**12, "5000 TB"),
    ],
)
def test_bytes_are_told_in_two_or_three_digits(count, expected):
    assert numbers.size(count) == expected
