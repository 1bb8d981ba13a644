"""What a model is asked about raw records."""

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.errors import DataError
from millrace.components.features import precision
from millrace.components.files import columns
from millrace.components.files.pictures import Picture
from millrace.components.inference import requests
from millrace.serving.example import decode, encode
from millrace.serving.signature import CLASSIFY, PREDICT, Signature, TensorInfo


def signature(method=PREDICT, **inputs):
    tensors = {name: TensorInfo(f"{name}:0", *tensor) for name, tensor in inputs.items()}
    return Signature("serving_default", method, tensors, {}, {}, None)


def asked(rows, **inputs):
    found = requests.inputs(signature(**inputs), [decode(encode(row)) for row in rows])
    return {name: array.tolist() for name, array in found.items()}


def test_inputs_are_filled_by_the_features_of_their_names_or_their_usual_ones():
    rows = [{"image/encoded": b"one", "text": "hello", "width": 3}]
    assert asked(rows, image_bytes=("string", (None,))) == {"image_bytes": [b"one"]}
    assert asked(rows, prompt=("string", (None,))) == {"prompt": [b"hello"]}
    assert asked(rows, text=("string", (None,)), width=("float32", (None,))) == {
        "text": [b"hello"],
        "width": [3.0],
    }


def test_numbers_get_the_shape_of_the_input():
    rows = [{"window": [1.0, 2.0, 3.0, 4.0]}, {"window": [5.0, 6.0, 7.0, 8.0]}]
    assert asked(rows, window=("float32", (None, 2, 2))) == {
        "window": [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]
    }


def test_what_is_missing_is_an_empty_text_or_no_number():
    found = asked([{"other": 1}], name=("string", (None,)), size=("float32", (None,)))
    assert found["name"] == [b""]
    assert np.isnan(found["size"]).all()


def test_an_input_without_a_batch_has_a_fixed_value():
    inputs = {
        "prompt": ("string", (None,)),
        "length": ("int32", ()),
        "temperature": ("float32", ()),
    }
    assert asked([{"text": "a"}, {"text": "b"}], **inputs) == {
        "prompt": [b"a", b"b"],
        "length": 20,
        "temperature": 0.0,
    }


def test_a_signature_over_examples_gets_the_whole_record():
    row = {"text": "hello", "label": 1}
    found = requests.inputs(signature(CLASSIFY, inputs=("string", (None,))), [decode(encode(row))])
    assert found["inputs"].tolist() == [encode(row)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"window": [1.0]}, "expected 2 numbers for the model's input 'window'. Received: 1 numb"),
        (
            {"window": ["a", "b"]},
            "expected 2 numbers for the model's input 'window'. Received: 2 t",
        ),
    ],
)
def test_values_that_do_not_fit_are_refused(row, message):
    with pytest.raises(DataError, match=message):
        asked([row], window=("float32", (None, 2)))


def test_a_signature_that_only_initialises_is_not_asked():
    found = {"a": signature(), "init": signature("")}
    assert requests.callable_signatures(found) == [found["a"]]


def described(*shape, **inputs):
    return {"inputs": {name: {"dtype": dtype, "shape": shape} for name, dtype in inputs.items()}}


def test_the_features_that_requests_can_hold_are_those_of_all_signatures():
    column, scalar = described(None, prompt="string"), described(length="int32")
    generate = {"inputs": {**column["inputs"], **scalar["inputs"]}}
    signatures = {"serving_default": column, "generate": generate}
    signatures["classify"] = described(None, inputs="string")
    signatures = json.loads(json.dumps(signatures))
    assert requests.request_features(signatures) == {"text"}


def test_a_picture_also_tells_its_measures():
    signatures = {"serving_default": described(None, image_bytes="string")}
    measures = set(Picture(b"", "png", 1, 1, 1).measures)
    assert requests.request_features(signatures) == {"image/encoded"} | measures


def test_what_a_record_has_as_a_base_is_added_where_the_model_takes_float64():
    row = {"window": np.float32([1, 2, 3, 4]), "window/base": [precision.encoded([6e9, 0.5])]}
    for dtype, expected in (
        ("float64", [[6000000001, 2.5], [6000000003, 4.5]]),
        ("float32", [[1, 2], [3, 4]]),
    ):
        found = requests.inputs(signature(window=(dtype, (None, 2, 2))), [row])["window"]
        assert (found.dtype, found.tolist()) == (dtype, [expected])


ALIASES = {
    "size": ("float32", (None,)),
    "window": ("float32", (None, 2)),
    "places": ("float64", (None, 2)),
    "total": ("float64", (None,)),
    "count": ("int64", (None, 1)),
    "name": ("string", (None,)),
    "length": ("int32", ()),
}
FLOATS = st.lists(st.floats(width=32), max_size=3).map(np.float32)
WHOLE = st.lists(st.integers(-(2**31), 2**31), max_size=2).map(np.int64)
TEXTS = st.lists(st.binary(max_size=3), max_size=2).map(lambda each: np.array(each, object))
KIND = st.sampled_from([FLOATS, WHOLE, TEXTS])
BASES = st.floats(-1e9, 1e9).map(lambda base: precision.encoded([base]))


@st.composite
def alike(draw):
    """Rows whose features are of one kind each, most of them such as the inputs take."""
    kinds = dict.fromkeys(("size", "window", "places", "total"), FLOATS)
    kinds |= {"count": WHOLE, "name": TEXTS}
    kinds |= dict.fromkeys(draw(st.sets(st.sampled_from([*kinds]), max_size=1)), draw(KIND))
    pairs, ones = (lambda each: len(each) == 2), (lambda each: len(each) == 1)
    values = {
        name: kind | kind.filter(pairs if name in ("window", "places") else ones)
        for name, kind in kinds.items()
    }
    bases = {"places/base": BASES, "total/base": BASES}
    return draw(st.lists(st.fixed_dictionaries({}, optional=values | bases)))


@given(rows=alike(), names=st.sets(st.sampled_from([*ALIASES]), min_size=1))
def test_columns_give_the_inputs_that_their_rows_give(rows, names):
    decoded = [decode(encode(row)) for row in rows]
    batch = columns.of_rows(decoded, "f")
    asked = signature(**{name: ALIASES[name] for name in names})
    try:
        expected = requests.inputs(asked, decoded) if rows else {}
    except DataError as error:
        with pytest.raises(DataError, match=re.escape(str(error))):
            requests.inputs_of_columns(asked, batch)
        return
    found = requests.inputs_of_columns(asked, batch)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_a_signature_over_examples_gets_the_whole_record_of_columns_too():
    records = [encode({"text": "hello", "label": 1}), encode({"text": "bye"})]
    asked = signature(CLASSIFY, inputs=("string", (None,)))
    batch = columns.of_records(records, "f")
    assert requests.inputs_of_columns(asked, batch)["inputs"].tolist() == records
