"""Classify and Regress requests: features from JSON, and errors."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.serving import example
from millrace.serving.client import rest_messages
from millrace.serving.client.calls import Spec
from millrace.serving.errors import InvalidArgumentError
from millrace.serving.rest import document, examples


def read(body):
    return examples.read(document.parse(json.dumps(body).encode()))


def features(record):
    decoded = example.decode(record)
    return {n: v if isinstance(v, list) else (v.dtype, v.tolist()) for n, v in decoded.items()}


def test_features_have_the_kind_of_their_values():
    (record,) = read(
        {
            "examples": [
                {
                    "names": ["baz", {"b64": "aGVsbG8="}],
                    "ratings": [8.0, 1e30],
                    "age": 20,
                    "mixed": [1, True, False],
                    "large": 2**70,
                    "none": [],
                }
            ]
        }
    ).example_list.examples
    assert features(record) == {
        "names": [b"baz", b"hello"],
        "ratings": (np.float32, [8.0, float(np.float32(1e30))]),
        "age": (np.int64, [20]),
        "mixed": (np.int64, [1, 1, 0]),
        "large": (np.float32, [float(2**70)]),
    }


def test_nan_and_infinity_are_floats():
    raw = b'{"examples": [{"x": [NaN, Infinity, -Infinity]}]}'
    (record,) = examples.read(document.parse(raw)).example_list.examples
    dtype, values = features(record)["x"]
    assert dtype == np.float32
    assert np.array_equal(values, [np.nan, np.inf, -np.inf], equal_nan=True)


def test_a_context_is_kept_beside_the_examples():
    source = read({"context": {"query": "pizza"}, "examples": [{"x": 1.0}, {}]})
    shared = source.example_list_with_context
    assert features(shared.context) == {"query": [b"pizza"]}
    assert [features(one) for one in shared.examples] == [{"x": (np.float32, [1.0])}, {}]


REFUSALS = {
    "no examples": (
        {"x": 1},
        "JSON Value: {\n    \"x\": 1\n} When method is classify, key 'examples' is expected "
        "and was not found",
    ),
    "examples that are not a list": (
        {"examples": 1},
        "JSON Value: {\n    \"examples\": 1\n} Expecting 'examples' value to be an list/array",
    ),
    "an empty list": (
        {"examples": []},
        "JSON Value: {\n    \"examples\": []\n} 'examples' value is an empty array",
    ),
    "an example that is not an object": (
        {"examples": [[{}]]},
        "Example must be JSON object but got JSON Array",
    ),
    "a context that is not an object": (
        {"context": [], "examples": [{}]},
        "Example must be JSON object but got JSON Array",
    ),
    "null": (
        {"examples": [{"names": [10, None]}]},
        "Feature: names has element with unexpected JSON type: Null",
    ),
    "a list in a list": (
        {"examples": [{"names": [[10], 20]}]},
        "Feature: names has element with unexpected JSON type: Array",
    ),
    "an object": (
        {"examples": [{"names": [10, {"test": 10}]}]},
        "Feature: names has element with unexpected JSON type: Object",
    ),
    "a mix of numbers": (
        {"examples": [{"names": [10, 10.0]}]},
        "Unexpected element type in feature: names expecting type: int64",
    ),
    "a mix of text and numbers": (
        {"examples": [{"names": ["a", 1]}]},
        "Unexpected element type in feature: names expecting type: bytes",
    ),
    "more than 63 bits": (
        {"examples": [{"names": [20, 2**64 - 13]}]},
        "Feature: names has uint64 element. Only int64 is supported.",
    ),
    "too large for a float": (
        {"examples": [{"names": 1.7976931348623157e308}]},
        "Cannot convert JSON value: 1.7976931348623157e+308 to float without loss of precision.",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_request_is_refused_with_the_real_servers_text(case):
    body, text = REFUSALS[case]
    with pytest.raises(InvalidArgumentError) as refusal:
        read(body)
    assert str(refusal.value) == text


FEATURES = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.lists(st.binary(), min_size=1)
    | st.lists(st.floats(width=32, allow_nan=False), min_size=1)
    | st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1),
    max_size=4,
)


@given(FEATURES)
def test_any_example_arrives_unchanged_from_a_client(values):
    arrays = {
        name: np.array(value, np.int64) if isinstance(value[0], int) else value
        for name, value in values.items()
    }
    record = example.encode(arrays)
    body = rest_messages.examples(Spec("m"), [record], record)
    shared = examples.read(document.parse(body)).example_list_with_context
    assert [shared.context, *shared.examples] == [record, record]
