"""One value of a feature of somebody else's records."""

import numpy as np
import pytest

from millrace.components.example_gen.shards.tfrecords import bytes_of, number_of


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"a": [b"x"]}, b"x"),
        ({"a": [b"x", b"y"]}, b""),
        ({"a": []}, b""),
        ({"a": np.array([1])}, b""),
        ({}, b""),
    ],
)
def test_bytes_are_those_of_a_feature_that_has_one_value(values, found):
    assert bytes_of(values, "a") == found


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"a": np.array([7])}, 7),
        ({"a": np.array([7, 8])}, None),
        ({"a": np.array([7], np.float32)}, None),
        ({"a": [b"7"]}, None),
        ({}, None),
    ],
)
def test_a_number_is_that_of_an_int64_feature_that_has_one_value(values, found):
    assert number_of(values, "a") == found
