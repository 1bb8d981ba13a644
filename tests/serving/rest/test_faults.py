"""RapidJSON's words and offsets, for what Python's parser refuses in its own."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.serving.rest import faults
from millrace.serving.rest.faults import Fault

TEXTS = {
    b"": (faults.EMPTY, 0),
    b" \n": (faults.EMPTY, 2),
    b"{} {}": (faults.ROOT, 3),
    b"nul": (faults.VALUE, 3),
    b"tRue": (faults.VALUE, 1),
    b"[1,]": (faults.VALUE, 3),
    b"[-]": (faults.VALUE, 2),
    b"[Na]": (faults.VALUE, 3),
    b"[Infin]": (faults.VALUE, 6),
    b"{1:2}": (faults.NAME, 1),
    b'{"a":1,}': (faults.NAME, 7),
    b'{"a" 1}': (faults.COLON, 5),
    b'{"a":1 "b":2}': (faults.OBJECT_END, 7),
    b'{"a":[1,2}': (faults.ARRAY_END, 9),
    b"[01]": (faults.ARRAY_END, 2),
    b'["\\u12G4"]': (faults.HEX, 2),
    b'["\\ud800"]': (faults.SURROGATE, 2),
    b'["\\udc00"]': (faults.SURROGATE, 2),
    b'["\\ud800\\u0041"]': (faults.SURROGATE, 2),
    b'["\\x"]': (faults.ESCAPE, 2),
    b'["ab': (faults.QUOTE, 4),
    b'["a\nb"]': (faults.ENCODING, 3),
    b"[1e400]": (faults.TOO_BIG, 1),
    b"[1.]": (faults.FRACTION, 3),
    b"[1e+]": (faults.EXPONENT, 4),
}


@pytest.mark.parametrize("raw", TEXTS)
def test_a_fault_is_told_in_rapidjsons_words_with_its_offset(raw):
    assert faults.find(raw) == Fault(*TEXTS[raw])


@pytest.mark.parametrize(
    "raw",
    [
        *(b'{"a": [NaN, -NaN, Inf, -Inf, Infinity, -Infinity]}', b"[[], {}, [[{}]]]", b" 1.5e-3 "),
        *(b'"\\ud83d\\ude00\\u0041\\n"', b"[null, true, false]", b"[-0, 0.5, 1E5]"),
    ],
)
def test_what_rapidjson_takes_has_no_fault(raw):
    assert faults.find(raw) is None


def test_depth_needs_no_recursion():
    deep = 100_000
    assert faults.find(b"[" * deep + b"]" * deep) is None
    assert faults.find(b"[" * deep) == Fault(faults.VALUE, deep)


SKIPPED = b'1, -2.5e3 ,[], [true, "a,b]" ,null],\n[ 3 ],'


@pytest.mark.parametrize(
    "raw", [raw for raw in TEXTS if raw.strip() and TEXTS[raw][0] != faults.ROOT]
)
def test_rows_that_are_passed_over_in_one_step_change_no_fault(raw):
    before = b"[" + SKIPPED * 3
    text, offset = TEXTS[raw]
    assert faults.find(before + raw) == Fault(text, len(before) + offset)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES, st.sampled_from([None, 0, 3]))
def test_whatever_python_writes_has_no_fault(value, indent):
    assert faults.find(json.dumps(value, indent=indent).encode()) is None


JSON_LIKE = st.lists(st.sampled_from(list('{}[],:"\\ un0159.-+eEtrufalsNIn'))).map("".join)


@given(
    JSON_LIKE | st.builds(lambda value, cut: json.dumps(value)[:cut], VALUES, st.integers(0, 60))
)
def test_a_fault_is_found_just_where_python_refuses(text):
    try:
        json.loads(text)
        is_json = True
    except ValueError:
        is_json = False
    found = faults.find(text.encode())
    if found is None:
        assert is_json or "Inf" in text or "NaN" in text  # Python lacks Inf and -NaN
    else:
        assert 0 <= found.offset <= len(text.encode())
        assert not is_json or found.text in (faults.TOO_BIG, faults.SURROGATE)
