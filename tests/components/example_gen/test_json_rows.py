"""JSON objects are read one at a time, wherever the pieces of a file end."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.errors import DataError
from components.example_gen import json_rows

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@given(st.lists(VALUES, max_size=6), st.sampled_from([None, 1]), st.integers(1, 9))
def test_an_array_is_read_whole_in_pieces_of_any_size(values, indent, size):
    class Pieces(io.BytesIO):
        def read(self, _=-1):
            return super().read(size)

    file = Pieces(json.dumps(values, indent=indent, ensure_ascii=False).encode())
    assert list(json_rows.array_values(file, "x.json", "utf-8")) == values


def test_members_become_text_and_nested_ones_are_left_out():
    value = {"a": "x", "b": 1, "c": True, "d": None, "e": [1], "f": 1.5}
    assert json_rows.cells_of(value) == {"a": "x", "b": "1", "c": "true", "f": "1.5"}
    with pytest.raises(DataError, match=r"^expected an object, received \[1\]$"):
        json_rows.cells_of([1])


def test_what_is_no_array_or_broken_off_is_refused():
    for content, message in ((b'{"a": 1}', "member 1: .*Received"), (b"[1, 2", "member 2: .*end")):
        with pytest.raises(DataError, match=message):
            list(json_rows.array_values(io.BytesIO(content), "x.json", "utf-8"))
