"""What float32 keeps of a column, and the base that keeps more."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from millrace.components.features import precision

NONE = 0.0


def base_of(values):
    values = np.array(values, np.float64)
    return precision.base_of(values, np.diff(values))


@pytest.mark.parametrize(
    ("values", "base"),
    [
        ([6779547060.56, 6779547100.56, 6779546900.56], 6779547100.0),
        ([150000003, 150000006, np.nan, 150000012], 150000006.0),
        ([-3e9, -3e9 + 50, -3e9 + 100], -3e9),
        ([0.5, 0.5 + 1e-7, 0.5 + 3e-7], 0.5000001),
        ([20.1, 20.2, 20.4], NONE),
        ([5.0, 5.0, 5.0], NONE),
        ([5.0, 5.0 + 1e-15, 5.0 - 1e-15], NONE),  # noise of float64, not a change
        ([0.0, 3.0, 6.0, 1e9, 1e9 + 3], NONE),  # none helps
        ([np.nan, 1.0], NONE),
    ],
)
def test_a_base_is_round_and_only_where_it_helps(values, base):
    assert base_of(values) == pytest.approx(base, abs=1e-12)


def test_where_no_base_helps_the_column_stays_coarse():
    values = np.array([0.0, 3.0, 6.0, 1e9, 1e9 + 3])
    assert precision.is_coarse(values, np.diff(values))


@given(
    st.floats(1e6, 1e12),
    st.lists(st.integers(-1000, 1000), min_size=3, max_size=20),
)
def test_values_less_their_base_come_back_within_float32_of_the_rest(level, steps):
    values = level + np.cumsum(steps, dtype=np.float64)
    base = base_of(values)
    assume(base)
    back = (values - base).astype(np.float32).astype(np.float64) + base
    reach = np.abs(values - base).max()
    assert np.abs(back - values).max() <= np.spacing(np.float32(reach)) + np.spacing(level)
    assert precision.spacing(values - base) * 4 <= precision.spacing(values)


def test_a_base_stands_beside_its_feature():
    row = {precision.feature("window"): [precision.encoded([6779547100.0, 0.1])]}
    assert precision.base_in(row, "window").tolist() == [6779547100.0, 0.1]
    assert precision.base_in(row, "known").tolist() == [0.0]
