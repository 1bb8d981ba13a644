"""The vectorised encoder writes what the general one does, to the byte."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.features.series_encoding import encode_rows
from millrace.serving.example import decode, encode

NAMES = st.text(st.sampled_from("az\n\x0a\x12é"), min_size=1, max_size=4)
INTS = st.integers(-(2**63) + 1, 2**63 - 1) | st.integers(-130, 130) | st.sampled_from([10, 18])


def encoded(*features):
    return [bytes(record) for block in encode_rows(*features) for record in block]


@given(
    st.lists(INTS, min_size=1, max_size=12),
    st.lists(NAMES, min_size=4, max_size=4, unique=True),
    st.binary(max_size=200),
    st.integers(1, 40),
    st.integers(0, 99),
)
def test_records_are_those_of_the_general_encoder(numbers, names, text, width, seed):
    rows = len(numbers)
    floats = np.random.default_rng(seed).normal(size=(rows, width)).astype(np.float32)
    more = floats[:, :1].copy()
    whole = np.array(numbers, np.int64)
    found = encoded({names[0]: floats, names[1]: more}, {names[2]: whole}, {names[3]: text})
    assert found == [
        encode({names[0]: floats[i], names[1]: more[i], names[2]: whole[i : i + 1], names[3]: text})
        for i in range(rows)
    ]


def test_arrays_of_any_shape_are_written_row_major():
    window = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    time = np.array([5, 300], np.int64)
    first, second = map(decode, encoded({"window": window}, {"time": time}, {"series": b"a"}))
    assert first["window"].tolist() == [0, 1, 2, 3, 4, 5]
    assert second["window"].tolist() == [6, 7, 8, 9, 10, 11]
    assert (first["time"].tolist(), second["time"].tolist()) == ([5], [300])
    assert first["series"] == [b"a"]


def test_a_view_with_gaps_is_written_as_its_values():
    values = np.arange(10, dtype=np.float32)
    views = np.lib.stride_tricks.sliding_window_view(values, 3)[::2]
    rows = encoded({"w": views}, {"t": np.zeros(len(views), np.int64)}, {})
    assert [decode(row)["w"].tolist() for row in rows] == views.tolist()
