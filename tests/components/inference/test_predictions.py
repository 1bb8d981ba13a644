"""Predictions as features, and how far apart they are."""

import numpy as np
import pytest

from millrace.components.inference.predictions import as_columns, as_features, difference
from millrace.serving.errors import WireError


def test_small_numbers_are_compared_absolutely_and_large_ones_to_the_largest():
    assert difference(np.array([0.5]), np.array([0.25])) == 0.25
    assert difference(np.array([1000.0, 1.0]), np.array([1001.0, 1.0])) == pytest.approx(1 / 1001)


def test_another_shape_is_infinitely_far_and_nothing_is_nowhere_apart():
    assert difference(np.zeros(2), np.zeros(3)) == float("inf")
    assert difference(np.zeros((0, 2)), np.zeros((0, 2))) == 0.0


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (np.array([[True, False]]), [[1, 0]]),
        (np.array([[2], [3]], np.uint64), [[2], [3]]),
        (np.array([0.5], np.float16), [[0.5]]),
        (np.array([[0.1]]), [[b"0.1"]]),
        (np.zeros((2, 0), np.float32), [[], []]),
    ],
)
def test_an_output_becomes_a_feature_of_a_type_that_examples_have(output, expected):
    (name,), (column,) = zip(*as_features({"y": output}).items(), strict=True)
    assert (name, column.to_pylist()) == ("prediction/y", expected)


@pytest.mark.parametrize("output", [np.array([2**63], np.uint64), np.array([1j])])
def test_numbers_that_no_example_holds_are_refused(output):
    with pytest.raises(WireError, match=r"^Feature 'y': expected .* Received: "):
        as_features({"y": output})


def test_the_ends_of_intervals_are_named_by_their_level():
    ends = {"prediction_lower": np.array([[1.0, 0.0]]), "prediction_upper": np.array([[3.0, 4.0]])}
    assert list(as_columns({"prediction": np.array([2.0]), **ends})) == [
        {
            "prediction": 2.0,
            "prediction_lower/80": 1.0,
            "prediction_lower/95": 0.0,
            "prediction_upper/80": 3.0,
            "prediction_upper/95": 4.0,
        }
    ]
    (row,) = as_columns({"y_lower": np.array([[1.0, 2.0]])})
    assert list(row) == ["y_lower/0", "y_lower/1"]
