"""Predict requests by rows and by columns: the real server's own cases."""

import json

import numpy as np
import pytest

from millrace.serving.errors import InvalidArgumentError
from millrace.serving.rest import document, reading
from millrace.serving.signature import TensorInfo


def infos(**dtypes):
    return {alias: TensorInfo(f"{alias}:0", dtype, None) for alias, dtype in dtypes.items()}


def read(body, **dtypes):
    question = reading.predict_body(document.parse(json.dumps(body).encode()))
    return question.arrays(infos(**dtypes))


def refusal(body, **dtypes):
    with pytest.raises(InvalidArgumentError) as caught:
        read(body, **dtypes)
    return str(caught.value)


def lists(arrays):
    return {alias: array.tolist() for alias, array in arrays.items()}


def test_rows_of_one_input_need_no_name():
    arrays = read({"instances": [[1, 2], [3, 4], [5, 6]]}, x="int32")
    assert (arrays["x"].shape, arrays["x"].dtype) == ((3, 2), np.int32)
    assert lists(read({"instances": [{"x": [1]}, {"x": [2]}]}, x="int32")) == {"x": [[1], [2]]}


def test_rows_of_base64_objects_are_values():
    rows = [{"b64": "aGVsbG8="}, {"b64": "d29ybGQ="}]
    assert lists(read({"instances": rows}, x="string")) == {"x": [b"hello", b"world"]}
    assert lists(read({"instances": [[row] for row in rows]}, x="string")) == {
        "x": [[b"hello"], [b"world"]]
    }


def test_rows_of_several_inputs_are_objects():
    rows = [
        {"i": [[1, 2]], "s": ["foo", "bar"], "f": [1.0, float("nan")], "b": True},
        {"i": [[7, 8]], "s": ["baz", "bat"], "f": [2.0, float("inf")], "b": False},
    ]
    arrays = read({"instances": rows}, i="int32", s="string", f="float32", b="bool")
    assert arrays["i"].tolist() == [[[1, 2]], [[7, 8]]]
    assert arrays["s"].tolist() == [[b"foo", b"bar"], [b"baz", b"bat"]]
    assert np.array_equal(arrays["f"], [[1, np.nan], [2, np.inf]], equal_nan=True)
    assert arrays["b"].tolist() == [True, False]


def test_columns_are_by_name_or_bare_for_one_input():
    assert lists(read({"inputs": {"x": [[1, 2]]}}, x="int32")) == {"x": [[1, 2]]}
    assert lists(read({"inputs": [[1, 2]]}, x="int32")) == {"x": [[1, 2]]}
    assert lists(read({"inputs": {"b64": "aGVsbG8="}}, x="string")) == {"x": b"hello"}


def test_columns_of_several_inputs_may_differ_in_shape():
    columns = {"i": [[1, 2]], "s": {"b64": "aGVsbG8="}, "other": 1}
    assert lists(read({"inputs": columns}, i="int64", s="string")) == {"i": [[1, 2]], "s": b"hello"}


ONE = {"x": "int32"}
TWO = {"i": "int32", "s": "string"}
REFUSALS = {
    "neither": ({}, ONE, "Missing 'inputs' or 'instances' key"),
    "both": (
        {"instances": [1], "inputs": [1]},
        ONE,
        'JSON Value: {\n    "instances": [\n        1\n    ],\n'
        '    "inputs": [\n        1\n    ]\n} '
        "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
    ),
    "rows that are not a list": (
        {"instances": 1},
        ONE,
        "JSON Value: {\n    \"instances\": 1\n} Excepting 'instances' to be an list/array",
    ),
    "no rows": (
        {"instances": []},
        ONE,
        "JSON Value: {\n    \"instances\": []\n} No values in 'instances' array",
    ),
    "no inputs": ({"instances": [1]}, {}, "Failed to get input map for signature: DEFAULT"),
    "no inputs of a signature": (
        {"instances": [1], "signature_name": "s"},
        {},
        "Failed to get input map for signature: s",
    ),
    "plain rows for two": (
        {"instances": [1]},
        TWO,
        "instances is a plain list, but expecting list of objects as multiple input tensors "
        "required as per tensorinfo_map",
    ),
    "plain columns for two": (
        {"inputs": [1]},
        TWO,
        "inputs is a plain value/list, but expecting an object as multiple input tensors "
        "required as per tensorinfo_map",
    ),
    "a column is missing": (
        {"inputs": {"i": 1}},
        TWO,
        "Missing named input: s in 'inputs' object.",
    ),
    "a column does not fit": (
        {"inputs": {"i": "a", "s": "a"}},
        TWO,
        'JSON Value: "a" Type: String is not of expected type: int32',
    ),
    "another size": (
        {"instances": [[1, 2], [3, 4], [5, 6, 7]]},
        ONE,
        "Failed to process element: 2 of 'instances' list. Error: INVALID_ARGUMENT: "
        "Expecting tensor size: 2 but got: 3",
    ),
    "another shape": (
        {"instances": [[1, 2], [3, 4], [[5, 6]]]},
        ONE,
        "Failed to process element: 2 of 'instances' list. Error: INVALID_ARGUMENT: "
        "Expecting shape [2] but got: [1,2]",
    ),
    "a scalar, then a list": (
        {"instances": [1, [1]]},
        ONE,
        "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: "
        "Expecting shape [] but got: [1]",
    ),
    "another type": (
        {"instances": [[1, 2], ["a", "b"]]},
        ONE,
        "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: "
        'JSON Value: "a" Type: String is not of expected type: int32',
    ),
    "an unknown name": (
        {"instances": [{"i": 1, "s": "a"}, {"z": 1}]},
        TWO,
        "Failed to process element: 1 key: z of 'instances' list. Error: INVALID_ARGUMENT: "
        "JSON object: does not have named input: z",
    ),
    "a name is missing": (
        {"instances": [{"i": 1}]},
        TWO,
        "Failed to process element: 0 of 'instances' list. JSON object: "
        '{\n    "i": 1\n} keys must be equal to: i,s',
    ),
    "an object, then a list": (
        {"instances": [{"i": 1, "s": "a"}, [1]]},
        TWO,
        "Expecting object but got list at item 1 of input list",
    ),
    "a list, then an object": (
        {"instances": [["a"], {"x": ["a"]}]},
        {"x": "string"},
        "Expecting value/list but got object at item 1 of input list",
    ),
    "a type that JSON cannot fill": (
        {"instances": [1]},
        {"x": "uint16"},
        "Failed to process element: 0 of 'instances' list. Error: UNIMPLEMENTED: "
        "Conversion of JSON Value: 1 to type: uint16",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_request_is_refused_with_the_real_servers_text(case):
    body, dtypes, text = REFUSALS[case]
    assert refusal(body, **dtypes) == text
