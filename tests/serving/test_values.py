"""Conversion of Python's values, by themselves and for a model with another type."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from millrace.serving.errors import WireError
from millrace.serving.values import as_array, as_typed, is_masked, named, typed, utf8
from millrace.serving.wire import to_proto

WIDTHS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16"]
WIDTHS += ["float32", "float64"]


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (1.5, "float32"),
        ([1, 2.5], "float32"),
        ([[1], [2]], "int32"),
        ([1, 2**31], "int64"),
        ([True], "bool"),
        (np.float64(1.5), "float64"),
        ([np.float64(1.5)], "float32"),
        ([np.int64(1)], "int32"),
        (np.array([1.5]), "float64"),
        ([b"a"], "object"),
        ("é", "object"),
        (np.array(["a"]), "object"),
    ],
)
def test_python_values_get_the_types_that_tensorflow_gives_them(value, dtype):
    assert as_array(value, name="x").dtype == dtype
    assert tf.make_tensor_proto(value).dtype == to_proto(value, name="x").dtype


def test_a_float_too_large_for_float32_stays_float64():
    array = as_array([1.0, 1e308], name="x")
    assert (array.dtype, array.tolist()) == (np.float64, [1.0, 1e308])
    assert as_array([1.0, np.inf, -np.inf], name="x").dtype == np.float32


@pytest.mark.parametrize("value", [b"a\0\0", np.bytes_(b"a\0\0"), np.array(b"a\0\0", object)])
def test_a_single_string_keeps_its_trailing_zeros(value):
    array = as_array(value, name="x")
    assert (array.shape, array.dtype, array.item()) == ((), object, b"a\0\0")


def test_integers_that_a_float_cannot_represent_are_refused_beside_floats():
    with pytest.raises(WireError, match=r"^Input 'x': .* Received: floats and integers that"):
        as_array([0.5, 2**53 + 1], name="x")
    with pytest.raises(WireError, match=r"Received: integers that no single type can hold"):
        as_array([-1, 2**63 + 1], name="x")
    assert as_array([0.5, 2**53], name="x").tolist() == [0.5, 2.0**53]
    assert as_array([1, 2**63 + 1], name="x").tolist() == [1, 2**63 + 1]
    assert as_array([1, np.uint64(2**63 + 1)], name="x").tolist() == [1, 2**63 + 1]


@given(
    st.sampled_from(WIDTHS).flatmap(lambda dtype: hnp.arrays(dtype, st.integers(0, 5))),
    st.sampled_from(WIDTHS),
)
def test_changing_the_width_changes_no_number(array, dtype):
    try:
        found = as_typed(array, dtype, name="x")
    except WireError:
        found = array  # refused, so no number was changed
    pairs = zip(found.tolist(), array.tolist(), strict=True)
    assert all(new == old or (new != new and old != old) for new, old in pairs)


@pytest.mark.parametrize(
    ("value", "dtype", "found"),
    [
        ([1700000000.25], "float64", [1700000000.25]),
        ([0.1], "float32", [float(np.float32(0.1))]),  # rounded, as TensorFlow does
        ([1, 2], "float32", [1.0, 2.0]),
        ([1, 2], "int64", [1, 2]),
        (np.array([0.5]), "float32", [0.5]),
        (np.array([2**24], np.int64), "float32", [2.0**24]),
        (np.array([np.nan]), "float32", ["nan"]),
    ],
)
def test_numbers_are_converted_to_the_models_width(value, dtype, found):
    array = as_typed(value, dtype, name="x")
    assert array.dtype == dtype
    assert [str(one) for one in array.tolist()] == [str(one) for one in found]


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (np.array([0.1]), "float32"),
        (np.array([2**24 + 1]), "float32"),
        (np.array([2**31]), "int32"),
        ([-1], "uint8"),
        ([16777217, 3], "float32"),
        ([1e39], "float32"),
    ],
)
def test_a_number_that_would_change_is_refused_with_the_inputs_name(value, dtype):
    with pytest.raises(WireError) as refusal:
        as_typed(value, dtype, name="age")
    text = str(refusal.value)
    assert text.startswith(f"Input 'age': expected {dtype}, the type of the model's input. ")
    assert text.endswith(
        f"Convert them first, e.g. `array.astype('{dtype}')`, which rounds or wraps them."
    )


@pytest.mark.parametrize(
    ("value", "dtype"), [(["a"], "float32"), ([True], "float32"), ([1], "string"), ([0.5], "int32")]
)
def test_other_kinds_of_values_are_left_to_the_server(value, dtype):
    assert as_typed(value, dtype, name="x").dtype == as_array(value, name="x").dtype


def test_a_masked_array_with_hidden_elements_is_refused():
    hiding = np.ma.masked_array([1.0, 2.0], [False, True])
    assert is_masked(hiding)
    for value in (hiding, [np.zeros(2), hiding]):
        with pytest.raises(WireError) as refusal:
            as_array(value, name="x")
        assert str(refusal.value) == (
            "Input 'x': expected a value for each element. Received: a masked array with "
            "hidden elements. Fill them first, e.g. `array.filled(0)`."
        )
    assert as_array(np.ma.masked_array([1.0]), name="x").tolist() == [1.0]


@pytest.mark.parametrize("text", ["\ud800", "a\udcffb"])
def test_half_of_a_surrogate_pair_is_refused(text):
    with pytest.raises(WireError, match=r"^Input 'x': expected text\. Received: '\\ud.*half of"):
        as_array([text], name="x")
    with pytest.raises(WireError, match=r"^Text: expected text\. Received"):
        utf8(text, "Text")


def test_names_of_inputs_must_be_text():
    assert list(named({"x": 1})) == [("x", 1)]
    for inputs, received in (([1.0], "Received: list"), ({1: [1.0]}, "Received: 1")):
        with pytest.raises(WireError, match=f"^Inputs: expected .*{received}"):
            named(inputs)
    with pytest.raises(WireError, match=r"^Input name: expected text"):
        named({"\ud800": 1})


def test_inputs_of_unknown_type_are_not_changed():
    found = typed({"x": [1], "y": [2]}, {"x": "float64"})
    assert (found["x"].dtype, found["y"]) == (np.float64, [2])
