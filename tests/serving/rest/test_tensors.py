"""JSON values as arrays: exact texts, and agreement of the fast and the slow conversion."""

import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from millrace.serving.client import rest_messages
from millrace.serving.errors import RpcError
from millrace.serving.rest import document, tensors, writing
from millrace.serving.signature import TensorInfo


def request(text):
    return document.parse(f'{{"v": {text}}}'.encode())


def read(text, dtype):
    found = request(text)
    return tensors.to_array(found.values["v"], dtype, found)


def refusal(text, dtype):
    with pytest.raises(RpcError) as caught:
        read(text, dtype)
    return caught.value.code, str(caught.value)


def check(array, dtype, value):
    assert array.dtype == dtype
    assert array.tolist() == value


def test_integers_and_floats_mix_in_a_float_tensor():
    check(read("[1, 2.0, 5.5]", "float32"), np.float32, [1.0, 2.0, 5.5])
    check(read("[[1, 2], [3, 4]]", "float64"), np.float64, [[1.0, 2.0], [3.0, 4.0]])


def test_a_scalar_and_empty_lists_have_their_shapes():
    assert read("5", "int32").shape == ()
    assert read("[]", "int32").shape == (0,)
    assert read("[[], []]", "string").shape == (2, 0)


def test_text_and_base64_make_strings():
    check(read('["a", {"b64": "/w=="}]', "string"), object, [b"a", b"\xff"])
    check(read('{"b64": "aGVsbG8="}', "string"), object, b"hello")


def test_booleans_have_a_type_of_their_own():
    check(read("[true, false]", "bool"), bool, [True, False])
    assert refusal("[1]", "bool")[1] == ("JSON Value: 1 Type: Number is not of expected type: bool")


def test_narrow_integers_wrap_around_as_in_the_real_server():
    check(read("[300, -1]", "uint8"), np.uint8, [44, 255])
    check(read("[300]", "int8"), np.int8, [44])


REFUSALS = {
    ('"a"', "int32"): 'JSON Value: "a" Type: String is not of expected type: int32',
    ("[1.5]", "int32"): "JSON Value: 1.5 Type: Number is not of expected type: int32",
    ("[1, true]", "float32"): "JSON Value: true Type: True is not of expected type: float",
    ("[null]", "float64"): "JSON Value: null Type: Null is not of expected type: double",
    ("[2147483648]", "int32"): (
        "JSON Value: 2147483648 Type: Number is not of expected type: int32"
    ),
    ("[-1]", "uint32"): "JSON Value: -1 Type: Number is not of expected type: uint32",
    ("[1]", "string"): "JSON Value: 1 Type: Number is not of expected type: string",
    ("[{}]", "string"): "JSON Value: {} not formatted correctly for base64 data",
    ('[{"b64": "YQ=="}]', "float32"): (
        'JSON Value: {\n    "b64": "YQ=="\n} Type: Object is not of expected type: float'
    ),
    ('{"b64": "*"}', "string"): "Unable to base64 decode",
    ("[16777217]", "float32"): (
        "Cannot convert JSON value: 16777217 to float without loss of precision."
    ),
    ("[9007199254740993]", "float64"): (
        "Cannot convert JSON value: 9007199254740993 to double without loss of precision."
    ),
    ("[1.7976931348623157e+308]", "float32"): (
        "Cannot convert JSON value: 1.7976931348623157e+308 to float without loss of precision."
    ),
    ("[1, [2]]", "int32"): "Encountered list at unexpected level: 1 expected < 1",
    ("[[1], 2]", "int32"): (
        "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2"
    ),
    ("[[1, 2], [3]]", "int32"): (
        "Encountered list at unexpected size: 1 at level: 1 expected size: 2"
    ),
    ("[" * 65 + "1" + "]" * 65, "float32"): (
        "Encountered list at unexpected level: 64 expected < 64"
    ),
    ("[1e400]", "float32"): "JSON Parse error: Number too big to be stored in double.",
}


@pytest.mark.parametrize(("text", "dtype"), REFUSALS, ids=str)
def test_invalid_values_are_refused_with_the_real_servers_text(text, dtype):
    assert refusal(text, dtype) == ("INVALID_ARGUMENT", REFUSALS[text, dtype])


@pytest.mark.parametrize(("dtype", "shown"), [("float16", "half"), ("complex64", "complex64")])
def test_a_type_that_json_does_not_support_is_unimplemented(dtype, shown):
    assert refusal("[1.5]", dtype) == (
        "UNIMPLEMENTED",
        f"Conversion of JSON Value: 1.5 to type: {shown}",
    )


def test_the_largest_numbers_of_each_type_are_accepted():
    check(read("[16777215, 16777217.0]", "float32"), np.float32, [16777215.0, 16777216.0])
    check(read(f"[{2**53 - 1}]", "float64"), np.float64, [2.0**53 - 1])
    check(read(f"[{2**64 - 1}]", "uint64"), np.uint64, [2**64 - 1])
    check(read(f"[{-(2**63)}]", "int64"), np.int64, [-(2**63)])
    check(read("[NaN]", "float32"), np.float32, pytest.approx([np.nan], nan_ok=True))
    check(read("[Infinity, -Infinity]", "float32"), np.float32, [np.inf, -np.inf])


LEAVES = (
    st.integers(-4, 4)
    | st.sampled_from([2**24, 2**24 - 1, 2**31, 2**53, 2**63, 2**64, -(2**31) - 1, -(2**63)])
    | st.floats()
    | st.booleans()
    | st.none()
    | st.sampled_from(["", "é", {"b64": "YQ=="}, {}])
)
NUMBERS = st.integers(-(2**65), 2**65) | st.floats()


def nested(leaves):
    even = st.integers(0, 3).flatmap(
        lambda columns: st.lists(st.lists(leaves, min_size=columns, max_size=columns), max_size=3)
    )
    return leaves | st.lists(leaves, max_size=4) | even | st.lists(st.lists(leaves, max_size=2))


@given(
    nested(LEAVES) | nested(NUMBERS),
    st.sampled_from(["float32", "float64", "int32", "uint8", "int64", "uint64", "bool", "string"]),
)
@example([-(2**63), 1], "float32")
@example([2**63, -1], "int64")
@example([float("nan"), float("inf")], "float32")
def test_the_fast_and_the_slow_conversion_agree(value, dtype):
    found = request(json.dumps(value))

    def outcome(way):
        try:
            array = way(found.values["v"], dtype, found)
        except RpcError as error:
            return error.code, str(error)
        return array.dtype, array.shape, array.tobytes() if dtype != "string" else array.tolist()

    assert outcome(tensors.to_array) == outcome(tensors.one_by_one)


SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
ARRAYS = st.one_of(
    arrays.arrays(np.float32, SHAPES, elements=st.floats(width=32)),
    arrays.arrays(np.float64, SHAPES, elements=st.floats()),
    arrays.arrays(st.sampled_from([np.int32, np.int64, np.uint8, np.uint64, np.bool_]), SHAPES),
    arrays.arrays(object, SHAPES, elements=st.binary(max_size=4)),
)


@given(ARRAYS, st.sampled_from(["y", "y_bytes"]))
def test_any_array_survives_the_round_trip_from_client_to_server_and_back(array, alias):
    dtype = "string" if array.dtype == object else array.dtype.name
    found = request(json.dumps(rest_messages.to_json(array, "x")))
    on_server = tensors.to_array(found.values["v"], dtype, found)
    raw = writing.columns({alias: on_server})
    info = TensorInfo("y:0", dtype, array.shape)
    back = rest_messages.from_json(rest_messages.read(raw, "outputs"), info)
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert np.array_equal(back, array, equal_nan=array.dtype.kind == "f")
