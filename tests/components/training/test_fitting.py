"""The weights of classes."""

from hypothesis import given
from hypothesis import strategies as st

from millrace.components.training.fitting import class_weights


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=5).filter(any))
def test_every_class_present_weighs_the_same_in_all(counts):
    weights = class_weights(counts)
    share = sum(counts) / len(counts)
    for label, count in enumerate(counts):
        assert abs(weights[label] * count - (share if count else 0)) < 1e-9 * share


def test_the_rarer_class_weighs_more():
    assert class_weights([30, 10]) == {0: 40 / 60, 1: 2.0}
