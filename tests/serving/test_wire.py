"""Arrays and TensorProtos, compared with TensorFlow's own conversion."""

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tensorflow.core.framework import tensor_pb2 as tf_tensor_pb2

from millrace.serving.errors import WireError
from millrace.serving.protos import tensor_pb2
from millrace.serving.wire import to_array, to_proto

NUMBERS = [
    *("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"),
    *("uint64", "bool", "complex64", "complex128", "float16"),
]
EXOTIC = [ml_dtypes.bfloat16, ml_dtypes.float8_e5m2, ml_dtypes.float8_e4m3fn]
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
ARRAYS = st.sampled_from(NUMBERS).flatmap(lambda dtype: hnp.arrays(dtype, SHAPES))
STRINGS = SHAPES.flatmap(
    lambda shape: hnp.arrays(object, shape, elements=st.binary(max_size=6), fill=st.nothing())
)


def theirs(proto):
    return tf_tensor_pb2.TensorProto.FromString(proto.SerializeToString())


def ours(proto):
    return tensor_pb2.TensorProto.FromString(proto.SerializeToString())


def same(left, right):
    equal = left.tolist() == right.tolist() if left.dtype == object else None
    return (left.dtype, left.shape) == (right.dtype, right.shape) and (
        equal if equal is not None else left.tobytes() == right.tobytes()
    )


@given(ARRAYS | STRINGS, st.booleans())
def test_an_array_survives_the_round_trip(array, typed):
    assert same(to_array(to_proto(array, name="x", typed=typed)), array)


@given(ARRAYS | STRINGS, st.booleans())
def test_tensorflow_decodes_our_encoding(array, typed):
    assert same(tf.make_ndarray(theirs(to_proto(array, name="x", typed=typed))), array)


@given(ARRAYS | STRINGS)
def test_we_decode_tensorflows_encoding(array):
    assert same(to_array(ours(tf.make_tensor_proto(array))), array)


@pytest.mark.parametrize("dtype", EXOTIC)
@pytest.mark.parametrize("typed", [False, True])
def test_types_that_numpy_lacks_are_encoded_too(dtype, typed):
    array = np.array([[0.5, 1.0], [2.0, 4.0]], dtype)
    proto = to_proto(array, name="x", typed=typed)
    assert same(to_array(proto), array)
    assert same(tf.make_ndarray(theirs(proto)), array)


@pytest.mark.parametrize("dtype", [ml_dtypes.int4, ml_dtypes.uint4])
def test_four_bit_integers_are_encoded(dtype):
    array = np.array([1, 7], dtype)
    assert same(to_array(to_proto(array, name="x", typed=True)), array)
    assert same(to_array(ours(tf.make_tensor_proto(array))), array)


def test_big_endian_arrays_are_converted():
    array = np.array([1.5, 2.5], ">f4")
    for typed in (False, True):
        assert to_array(to_proto(array, name="x", typed=typed)).tolist() == [1.5, 2.5]


def test_a_strided_array_keeps_its_order():
    array = np.arange(6, dtype=np.float32).reshape(2, 3).T
    for typed in (False, True):
        assert to_array(to_proto(array, name="x", typed=typed)).tolist() == array.tolist()


def test_trailing_zero_bytes_of_text_are_kept():
    assert to_proto([b"a\0\0", "é"], name="x").string_val == [b"a\0\0", "é".encode()]


def test_fewer_values_than_elements_repeat_the_last():
    proto = tensor_pb2.TensorProto(dtype=1, float_val=[1, 2])
    proto.tensor_shape.dim.add(size=4)
    assert to_array(proto).tolist() == [1, 2, 2, 2]
    assert tf.make_ndarray(theirs(proto)).tolist() == [1, 2, 2, 2]
    proto.ClearField("float_val")
    assert to_array(proto).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("sizes", [[2**31], [2**40], [2**62, 2**62], [2**26 + 1]])
def test_a_small_message_cannot_exhaust_the_memory(sizes):
    proto = tensor_pb2.TensorProto(dtype=tensor_pb2.DT_FLOAT, float_val=[1.0])
    for size in sizes:
        proto.tensor_shape.dim.add(size=size)
    with pytest.raises(WireError, match=r"values that fill it\. Received: 1 values"):
        to_array(proto)


def test_strings_in_tensor_content_are_decoded():
    # What C++'s Tensor::AsProtoTensorContent writes: lengths as varints, then the bytes.
    proto = tensor_pb2.TensorProto(dtype=7, tensor_content=b"\x02\x00\x01abc")
    proto.tensor_shape.dim.add(size=3)
    assert to_array(proto).tolist() == [b"ab", b"", b"c"]


@pytest.mark.parametrize(
    ("proto", "text"),
    [
        ({"dtype": 0}, "expected a type that numpy has. Received: data type 0."),
        ({"dtype": 20}, "expected a type that numpy has. Received: data type 20."),
        (
            {"dtype": 1, "tensor_content": b"123", "tensor_shape": {"dim": [{"size": 1}]}},
            r"expected 4 bytes for float32 \[1\]. Received: 3 bytes.",
        ),
        (
            {"dtype": 7, "tensor_content": b"\x05a", "tensor_shape": {"dim": [{"size": 1}]}},
            "expected 1 strings and their lengths. Received: 2 bytes.",
        ),
        (
            {"dtype": 7, "tensor_content": b"\x80", "tensor_shape": {"dim": [{"size": 1}]}},
            "expected 1 strings and their lengths. Received: 1 bytes.",
        ),
        (
            {"dtype": 1, "tensor_shape": {"dim": [{"size": -1}]}},
            r"expected a fully known shape. Received: shape \[-1\].",
        ),
        (
            {"dtype": 1, "tensor_shape": {"dim": [{"size": 0}, {"size": 2**62}, {"size": 4}]}},
            "expected a shape that fits in memory.",
        ),
    ],
)
def test_an_invalid_tensor_is_refused(proto, text):
    with pytest.raises(WireError, match=text):
        to_array(tensor_pb2.TensorProto(**proto))


@pytest.mark.parametrize(
    ("value", "received"),
    [
        (np.array(["2020-01-01"], "M8[D]"), "datetime64[D] values"),
        ([[1.0], [1.0, 2.0]], "a ragged list"),
        (np.array([b"a", 1], object), "an array of text with an element of type int"),
        (None, "an array of text with an element of type NoneType"),
    ],
)
def test_values_that_no_tensor_can_hold_are_refused_with_the_inputs_name(value, received):
    with pytest.raises(WireError) as refusal:
        to_proto(value, name="age")
    text = str(refusal.value)
    assert text.startswith("Input 'age': expected bytes, text or one of float32, float64, int32")
    assert f"Received: {received}" in text
    assert text.endswith("Convert it first, e.g. `array.astype('float32')`.")
