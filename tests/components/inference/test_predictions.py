"""How far apart predictions are."""

import numpy as np
import pytest

from millrace.components.inference.predictions import difference


def test_small_numbers_are_compared_absolutely_and_large_ones_to_the_largest():
    assert difference(np.array([0.5]), np.array([0.25])) == 0.25
    assert difference(np.array([1000.0, 1.0]), np.array([1001.0, 1.0])) == pytest.approx(1 / 1001)


def test_another_shape_is_infinitely_far_and_nothing_is_nowhere_apart():
    assert difference(np.zeros(2), np.zeros(3)) == float("inf")
    assert difference(np.zeros((0, 2)), np.zeros((0, 2))) == 0.0
