"""The Example codec against TensorFlow's own messages."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from millrace.serving.errors import WireError
from millrace.serving.example import decode, encode

NAMES = st.text(max_size=8)
FLOATS = hnp.arrays(np.float32, st.integers(0, 20))
INTS = hnp.arrays(np.int64, st.integers(0, 20))
TEXTS = st.lists(st.binary(max_size=12), min_size=1, max_size=5)


def same(left, right):
    return type(left) is type(right) and (
        left == right if isinstance(left, list) else left.tobytes() == right.tobytes()
    )


@given(st.dictionaries(NAMES, st.one_of(FLOATS, INTS, TEXTS), max_size=5))
def test_decode_reverses_encode(features):
    decoded = decode(encode(features))
    assert list(decoded) == sorted(features)
    assert all(same(decoded[name], features[name]) for name in features)


@given(st.dictionaries(NAMES, st.one_of(FLOATS, INTS, TEXTS), max_size=5))
def test_tensorflow_decodes_the_same_bytes(features):
    theirs = tf.train.Example.FromString(encode(features))
    for name, value in features.items():
        kind = theirs.features.feature[name].WhichOneof("kind")
        values = getattr(theirs.features.feature[name], kind).value
        assert same(type_of(value)(values), value)
    assert decode(theirs.SerializeToString()).keys() == features.keys()


def type_of(value):
    return list if isinstance(value, list) else lambda values: np.array(values, value.dtype)


def test_features_are_sorted_by_name():
    names = [f"feature-{number:02d}" for number in range(40)]
    record = encode(dict.fromkeys(reversed(names), 1))
    places = [record.index(name.encode()) for name in names]
    assert places == sorted(places)
    assert record == encode(dict.fromkeys(names, 1))


@pytest.mark.parametrize(
    ("value", "decoded"),
    [
        (b"\x00\xff\x00", [b"\x00\xff\x00"]),
        ("é", ["é".encode()]),
        (["a", b"b"], [b"a", b"b"]),
        (np.array(["a", "bc"]), [b"a", b"bc"]),
        (np.array([b"a", "b"], object), [b"a", b"b"]),
        (3, np.array([3], np.int64)),
        (-(2**63), np.array([-(2**63)], np.int64)),
        (True, np.array([1], np.int64)),
        ([1, 2], np.array([1, 2], np.int64)),
        (np.uint8([[1, 2], [3, 4]]), np.array([1, 2, 3, 4], np.int64)),
        (np.uint64([7]), np.array([7], np.int64)),
        (1.5, np.array([1.5], np.float32)),
        ([1, 2.5], np.array([1, 2.5], np.float32)),
        (np.float64([0.1]), np.array([0.1], np.float32)),
        (np.float16([0.5]), np.array([0.5], np.float32)),
        (np.zeros((0, 3), np.float32), np.zeros(0, np.float32)),
    ],
)
def test_each_kind_of_value_has_its_list(value, decoded):
    assert same(decode(encode({"x": value}))["x"], decoded)


def test_an_empty_sequence_is_a_missing_value_as_tensorflow_reads_it():
    record = encode({"x": [], "y": 1})
    parsed = tf.io.parse_single_example(record, {"x": tf.io.VarLenFeature(tf.int64)})
    assert decode(record).keys() == {"y"}
    assert parsed["x"].values.shape == (0,)


@pytest.mark.parametrize(
    ("value", "received"),
    [
        (None, "None (NoneType)"),
        (2**64, "18446744073709551616 (int)"),
        (np.uint64([2**63]), "uint64 values, which fit none of these"),
        (1 + 2j, "complex128 values, which fit none of these"),
        (np.array(["2020-01-01"], "M8[D]"), "datetime64[D] values"),
        (1e300, "a number too large for float32"),
        ([b"a", 1], "1 (int)"),
        ([[1], [1, 2]], "a ragged list"),
    ],
)
def test_invalid_values_are_refused_with_the_features_name(value, received):
    with pytest.raises(WireError) as refusal:
        encode({"age": value})
    assert str(refusal.value).startswith("Feature 'age': expected bytes, text, int64 or float32")
    assert f"Received: {received}" in str(refusal.value)


def test_bytes_that_are_not_an_example_are_refused():
    with pytest.raises(WireError, match=r"expected a serialised tf\.train\.Example\. Received: 3"):
        decode(b"\xff\xff\xff")
