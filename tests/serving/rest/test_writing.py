"""Responses as JSON: the real server's exact layout, and its errors; floats by its rule."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from millrace.serving.errors import InvalidArgumentError
from millrace.serving.protos import prediction_service_pb2 as messages
from millrace.serving.rest import writing


def floats(*values):
    return np.array(values, np.float32)


def strings(*values):
    return np.array(values, object)


def test_rows_of_one_output_are_bare_and_on_one_line():
    assert writing.predictions({"y": floats(2.5, 3, 4.5)}) == (
        b'{\n    "predictions": [2.5, 3.0, 4.5\n    ]\n}'
    )
    assert writing.predictions({"y": np.array([[[1, 2]], [[3, 4]]], np.int32)}) == (
        b'{\n    "predictions": [[[1, 2]], [[3, 4]]\n    ]\n}'
    )


def test_rows_of_several_outputs_are_objects():
    outputs = {"b": np.array([True, False]), "y": floats([1, 2], [3, 4])}
    assert writing.predictions(outputs) == (
        b'{\n    "predictions": [\n'
        b'        {\n            "b": true,\n            "y": [1.0, 2.0]\n        },\n'
        b'        {\n            "b": false,\n            "y": [3.0, 4.0]\n        }\n'
        b"    ]\n}"
    )


def test_columns_have_a_line_for_each_element():
    assert writing.columns({"y": floats([1, np.nan])}) == (
        b'{\n    "outputs": [\n        [\n            1.0,\n            NaN\n        ]\n    ]\n}'
    )
    assert writing.columns({"n": np.array(5), "y": floats(1)}) == (
        b'{\n    "outputs": {\n        "n": 5,\n'
        b'        "y": [\n            1.0\n        ]\n    }\n}'
    )


def test_only_an_output_with_the_suffix_bytes_is_base64():
    assert json.loads(writing.predictions({"y_bytes": strings(b"hello", b"\xff")})) == {
        "predictions": [{"b64": "aGVsbG8="}, {"b64": "/w=="}]
    }
    assert writing.predictions({"y_bytes": strings(b"tf")}) == (
        b'{\n    "predictions": [{\n            "b64": "dGY="\n        }\n    ]\n}'
    )
    assert json.loads(writing.columns({"y": strings(b'he said "\n"', "é".encode())})) == {
        "outputs": ['he said "\n"', "é"]
    }


def test_other_strings_are_written_as_their_bytes():
    assert b'"a\xff\xfe"' in writing.columns({"y": strings(b"a\xff\xfe")})


@pytest.mark.parametrize("name", ["y", "y_bytes"])
def test_zero_rows_are_an_empty_list(name):
    assert writing.predictions({name: strings().reshape(0, 2)}) == b'{\n    "predictions": []\n}'
    two = {name: strings(), "z": floats().reshape(0, 3)}
    assert writing.predictions(two) == b'{\n    "predictions": []\n}'


REFUSALS = {
    "nothing": ({}, "Cannot convert empty tensor map to JSON"),
    "a scalar": ({"y": np.array(1)}, "Tensor name: y has no shape information "),
    "two sizes": (
        {"a": floats(1, 2), "b": floats(1)},
        "Tensor name: b has inconsistent batch size: 1 expecting: 2",
    ),
    "complex numbers": (
        {"y": np.zeros(1, np.complex64)},
        "Failed to write JSON value for tensor type: complex64",
    ),
    "half floats": (
        {"y": np.zeros(1, np.float16)},
        "Failed to write JSON value for tensor type: half",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_outputs_that_cannot_be_split_into_rows_are_refused(case):
    outputs, text = REFUSALS[case]
    with pytest.raises(InvalidArgumentError) as refusal:
        writing.predictions(outputs)
    assert str(refusal.value) == text


def test_columns_need_an_output_and_a_type_that_json_supports():
    with pytest.raises(InvalidArgumentError, match=r"^Cannot convert empty tensor map to JSON$"):
        writing.columns({})
    with pytest.raises(InvalidArgumentError, match=r"tensor type: complex128$"):
        writing.columns({"y": np.zeros(1, complex)})


def classified(*rows):
    result = messages.ClassificationResult()
    for row in rows:
        classes = result.classifications.add().classes
        for label, score in row:
            classes.add(label=label, score=score)
    return result


def test_classes_are_pairs_of_label_and_score():
    result = classified([("car", 0.2), ("bike", 0.7)], [("car", math.inf), ("bike", 1.0)])
    assert writing.classifications(result) == (
        b'{\n    "results": [[["car", 0.2], ["bike", 0.7]], [["car", Infinity], ["bike", 1.0]]\n'
        b"    ]\n}"
    )
    with pytest.raises(InvalidArgumentError, match=r"^Cannot convert empty ClassificationResults"):
        writing.classifications(classified())


def test_values_are_on_one_line():
    result = messages.RegressionResult()
    for value in (0.2, math.inf, 1.0, -math.inf, math.nan):
        result.regressions.add(value=value)
    assert writing.regressions(result) == (
        b'{\n    "results": [0.2, Infinity, 1.0, -Infinity, NaN]\n}'
    )
    with pytest.raises(InvalidArgumentError, match=r"^Cannot convert empty RegressionResults"):
        writing.regressions(messages.RegressionResult())


def test_an_error_is_valid_json_whatever_its_text():
    assert writing.error('Bad key: "key"') == b'{\n    "error": "Bad key: \\"key\\""\n}'
    assert json.loads(writing.error("\udcff\ud800é\n")) == {"error": "??é\n"}


@given(arrays.arrays(np.int64, arrays.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=3)))
def test_rows_and_columns_are_the_arrays_own_lists(array):
    rows = json.loads(writing.predictions({"y": array}))["predictions"]
    assert rows == array.tolist()
    assert json.loads(writing.columns({"y": array}))["outputs"] == array.tolist()
    both = json.loads(writing.predictions({"a": array, "b": array}))["predictions"]
    assert both == [{"a": row, "b": row} for row in array.tolist()]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_any_text_survives_the_round_trip(texts):
    raw = writing.predictions({"y": strings(*(text.encode() for text in texts))})
    assert json.loads(raw)["predictions"] == texts


FLOAT32 = {
    9000000: "9e+06",
    999999: "999999.0",
    0.5: "0.5",
    0.0003: "0.0003",
    0.00003: "3e-05",
    555557.5: "555557.5",
    3: "3.0",
    -0.0: "-0.0",
    0.2: "0.2",
    1 / 3: "0.333333343",
    16777216: "16777216.0",
    1e38: "1e+38",
    np.nan: "NaN",
    np.inf: "Infinity",
    -np.inf: "-Infinity",
}


def test_float32_has_six_or_nine_digits_and_a_point():
    assert writing.float_texts(np.array(list(FLOAT32), np.float32)) == list(FLOAT32.values())


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1, "0.1"), (1 / 3, "0.33333333333333331"), (123456789.0, "123456789.0"), (1e300, "1e+300")],
)
def test_float64_has_six_or_seventeen_digits(value, text):
    assert writing.float_texts(np.array([value])) == [text]


def plainly(value, dtype):
    """The rule, applied to one number at a time."""
    if np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    text = f"{value:.6g}"
    if dtype(float(text)) != value:
        text = f"{value:.9g}" if dtype is np.float32 else f"{value:.17g}"
    return text if "." in text or "e" in text else text + ".0"


@given(arrays.arrays(np.float32, st.integers(0, 20), elements=st.floats(width=32)))
def test_float32_follows_the_rule_and_reads_back_the_same(values):
    texts = writing.float_texts(values)
    with np.errstate(over="ignore"):
        assert texts == [plainly(float(value), np.float32) for value in values]
    back = np.array([float(text) for text in texts], np.float64).astype(np.float32)
    assert np.array_equal(back, values, equal_nan=True)


@given(arrays.arrays(np.float64, st.integers(0, 20), elements=st.floats()))
def test_float64_follows_the_rule_and_reads_back_the_same(values):
    texts = writing.float_texts(values)
    assert texts == [plainly(float(value), np.float64) for value in values]
    assert np.array_equal([float(text) for text in texts], values, equal_nan=True)
