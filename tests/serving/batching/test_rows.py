"""Merging the arrays of several requests, and splitting the outputs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from millrace.serving.batching.rows import layout, merge, rows, split
from millrace.serving.errors import FailedPreconditionError, InvalidArgumentError


def floats(*values):
    return np.array(values, np.float32)


def test_rows_are_concatenated_and_padded_with_the_last_requests_first_row():
    merged = merge([{"x": floats(1, 2)}, {"x": floats(3, 4)}], 6)
    assert merged["x"].tolist() == [1, 2, 3, 4, 3, 3]
    assert merged["x"].dtype == np.float32


def test_one_request_without_padding_is_not_copied():
    x = floats(1, 2)
    assert merge([{"x": x}], 2)["x"] is x


def test_other_dimensions_are_padded_with_the_arrays_first_element():
    merged = merge([{"x": floats([1, 2])}, {"x": floats([3], [4])}], 3)
    assert merged["x"].tolist() == [[1, 2], [3, 3], [4, 3]]
    texts = [np.array([[b"a", b"b"]], object), np.array([[b"c"]], object)]
    assert merge([{"s": text} for text in texts], 2)["s"].tolist() == [[b"a", b"b"], [b"c", b"c"]]


@pytest.mark.parametrize(
    ("feeds", "text"),
    [
        ({}, "Batching Run() must have at least one input tensor"),
        (
            {"x": floats(1), "length": np.int32(3)},
            "Batching Run() input tensors must have at least one dimension",
        ),
        (
            {"x": floats(1), "y": floats(1, 2)},
            "Batching Run() input tensors must have equal 0th-dimension size",
        ),
    ],
)
def test_inputs_without_common_rows_are_refused_with_the_real_servers_text(feeds, text):
    with pytest.raises(InvalidArgumentError) as refusal:
        rows(feeds)
    assert str(refusal.value) == text


def test_a_layout_is_the_dtypes_and_the_sizes_beyond_the_rows():
    one = layout({"x": np.zeros((2, 3), "f4")}, pad=False)
    assert one == layout({"x": np.zeros((9, 3), "f4")}, pad=False)
    for other in (np.zeros((2, 4), "f4"), np.zeros((2, 3), "f8"), np.zeros((2, 3, 1), "f4")):
        assert one != layout({"x": other}, pad=False)


def test_with_padding_a_layout_is_the_dtypes_and_the_number_of_dimensions():
    one = layout({"x": np.zeros((2, 3), "f4")}, pad=True)
    assert one == layout({"x": np.zeros((9, 4), "f4")}, pad=True)
    for other in (np.zeros((2, 3), "f8"), np.zeros((2, 3, 1), "f4"), np.zeros((2, 0), "f4")):
        assert one != layout({"x": other}, pad=True)


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (np.float32(1), "Batched output tensor has 0 dimensions"),
        (
            floats(1),
            "Batched output tensor's 0th dimension does not equal the sum of the "
            "0th dimension sizes of the input tensors",
        ),
    ],
)
def test_an_output_without_the_batchs_rows_is_refused_with_the_real_servers_text(output, text):
    with pytest.raises(FailedPreconditionError) as refusal:
        split([output], [1, 1], 2)
    assert str(refusal.value) == text


@given(
    st.lists(arrays.arrays(np.int32, st.tuples(st.integers(0, 4), st.just(3))), min_size=1),
    st.integers(0, 5),
)
def test_each_request_gets_its_own_rows_back(requests, spare):
    counts = [len(one) for one in requests]
    size = sum(counts) + (spare if counts[-1] else 0)
    merged = merge([{"x": one} for one in requests], size)["x"]
    assert len(merged) == size
    for own, (back,) in zip(requests, split([merged], counts, size), strict=True):
        assert np.array_equal(own, back)


@given(st.lists(arrays.array_shapes(min_dims=3, max_dims=3), min_size=1, max_size=5))
def test_padded_requests_keep_their_own_part(shapes):
    requests = [np.arange(np.prod(shape)).reshape(shape) + 7 for shape in shapes]
    counts = [len(one) for one in requests]
    merged = merge([{"x": one} for one in requests], sum(counts))["x"]
    for own, (back,) in zip(requests, split([merged], counts, sum(counts)), strict=True):
        corner = tuple(slice(size) for size in own.shape)
        assert np.array_equal(back[corner], own)
        outside = np.ones(back.shape, bool)
        outside[corner] = False
        assert set(back[outside].tolist()) <= {7}
