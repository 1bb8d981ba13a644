"""Floats as text: the real server's own cases, and the rule for all others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from millrace.serving.rest import decimals

FLOAT32 = {
    9000000: "9e+06",
    999999: "999999.0",
    0.5: "0.5",
    0.0003: "0.0003",
    0.00003: "3e-05",
    555557.5: "555557.5",
    3: "3.0",
    -0.0: "-0.0",
    0.2: "0.2",
    1 / 3: "0.333333343",
    16777216: "16777216.0",
    1e38: "1e+38",
    np.nan: "NaN",
    np.inf: "Infinity",
    -np.inf: "-Infinity",
}


def test_float32_has_six_digits_or_nine_and_a_point():
    assert decimals.texts(np.array(list(FLOAT32), np.float32)) == list(FLOAT32.values())


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1, "0.1"), (1 / 3, "0.33333333333333331"), (123456789.0, "123456789.0"), (1e300, "1e+300")],
)
def test_float64_has_six_digits_or_seventeen(value, text):
    assert decimals.texts(np.array([value])) == [text]


def plainly(value, dtype):
    """The rule, one number at a time."""
    if np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    text = f"{value:.6g}"
    if dtype(float(text)) != value:
        text = f"{value:.9g}" if dtype is np.float32 else f"{value:.17g}"
    return text if "." in text or "e" in text else text + ".0"


@given(arrays.arrays(np.float32, st.integers(0, 20), elements=st.floats(width=32)))
def test_float32_follows_the_rule_and_reads_back_the_same(values):
    texts = decimals.texts(values)
    with np.errstate(over="ignore"):
        assert texts == [plainly(float(value), np.float32) for value in values]
    back = np.array([float(text) for text in texts], np.float64).astype(np.float32)
    assert np.array_equal(back, values, equal_nan=True)


@given(arrays.arrays(np.float64, st.integers(0, 20), elements=st.floats()))
def test_float64_follows_the_rule_and_reads_back_the_same(values):
    texts = decimals.texts(values)
    assert texts == [plainly(float(value), np.float64) for value in values]
    assert np.array_equal([float(text) for text in texts], values, equal_nan=True)
