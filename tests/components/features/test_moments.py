"""Moments of parts merge into the moments of the whole."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from millrace.components.features import moments

VALUES = st.floats(-1e3, 1e3, width=32)


@given(
    values=arrays.arrays(np.float32, st.tuples(st.integers(1, 40), st.just(2)), elements=VALUES),
    cuts=st.lists(st.integers(0, 40), max_size=4),
)
def test_however_the_values_are_cut_the_merged_moments_are_numpys(values, cuts):
    parts = np.split(values, sorted(cuts))
    merged = moments.merge(map(moments.of, parts))
    assert merged.count == len(values)
    np.testing.assert_allclose(merged.mean, values.mean(0, dtype=np.float64), atol=1e-9)
    np.testing.assert_allclose(
        merged.variance, values.var(0, dtype=np.float64), rtol=1e-9, atol=1e-7
    )


@given(arrays.arrays(np.float64, (3, 2), elements=VALUES))
def test_json_keeps_every_bit(values):
    found = moments.of(values)
    back = moments.Moments.from_json(found.to_json())
    assert (back.count, back.mean.tolist(), back.m2.tolist()) == (
        found.count,
        found.mean.tolist(),
        found.m2.tolist(),
    )


def test_pictures_are_reduced_to_their_channels():
    pixels = np.array([[[[0, 10], [2, 10]], [[4, 10], [6, 10]]]], np.uint8)
    found = moments.of(pixels)
    assert (found.count, found.mean.tolist(), found.variance.tolist()) == (4, [3, 10], [5, 0])


def test_nothing_merges_to_nothing_and_changes_nothing():
    assert moments.merge([]).count == 0
    found = moments.of(np.array([[1.0, 5.0]]))
    assert moments.merge([moments.NONE, found, moments.NONE]).mean.tolist() == [1, 5]
    assert moments.of(np.zeros((0, 3))).count == 0
