"""Parsing a request's body, and describing its values."""

import contextlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.serving.errors import InvalidArgumentError
from millrace.serving.rest import document


def refusal(raw):
    with pytest.raises(InvalidArgumentError) as caught:
        document.parse(raw)
    return str(caught.value)


def test_an_empty_body_is_an_empty_document():
    assert refusal(b"") == "JSON Parse error: The document is empty"


@pytest.mark.parametrize(
    ("raw", "message", "offset"),
    [
        (b"  ", "Expecting value", 2),
        (b'{"a": [1, 2}', "Expecting ',' delimiter", 11),
        (b"{} {}", "Extra data", 3),
        (b'\xef\xbb\xbf["\xff\xc3\xa9", tRue]', "Expecting value", 8),
    ],
)
def test_invalid_json_is_refused_with_its_offset_in_bytes(raw, message, offset):
    assert refusal(raw) == f"JSON Parse error: {message} at offset: {offset}"


def test_a_number_of_thousands_of_digits_is_too_big():
    assert refusal(b'{"a": ' + b"9" * 5000 + b"}") == (
        "JSON Parse error: Number too big to be stored in double."
    )


def test_unlimited_nesting_is_refused():
    assert refusal(b"[" * 100_000) == "JSON Parse error: The document is nested too deeply."


@pytest.mark.parametrize(
    ("raw", "shown"), [(b"[1]", "[\n    1\n]"), (b"NaN", "NaN"), (b'"a"', '"a"'), (b"2.5", "2.5")]
)
def test_a_document_is_an_object(raw, shown):
    assert refusal(raw) == f"JSON Value: {shown} Is not object"


@pytest.mark.parametrize("depth", [1, 300, 900])
def test_of_a_value_the_beginning_is_shown_however_deep_it_is(depth):
    value = [0] * 30_000
    for _ in range(depth):
        value = [value]
    whole = "".join(f"{'    ' * level}[\n" for level in range(depth + 1))
    whole += f"{'    ' * (depth + 1)}0,\n" * 30_000
    assert document.show(value) == f"{whole[:65_536]}…"


@pytest.mark.parametrize(
    "value", [None, True, "é\n", [], {}, [[], {}, [1.5, {"a": {"b": [None, "c"]}}]], "a" * 65_534]
)
def test_a_shorter_value_is_shown_whole(value):
    assert document.show(value) == json.dumps(value, indent=4, ensure_ascii=False)


def test_nan_and_infinity_are_read_by_all_their_names():
    values = document.parse(b'{"a": [NaN, Inf, -Inf, Infinity, -Infinity], "Inf": "Inf"}').values
    assert math.isnan(values["a"][0])
    assert values["a"][1:] == [math.inf, -math.inf, math.inf, -math.inf]
    assert values["Inf"] == "Inf"


def test_a_byte_order_mark_is_ignored():
    assert document.parse(b'\xef\xbb\xbf{"a": 1}').values == {"a": 1}


def test_bytes_that_are_not_valid_utf8_are_kept():
    value = document.parse(b'{"a": "\xff\xfe"}').values["a"]
    assert document.from_text(value) == b"\xff\xfe"


def test_half_a_surrogate_pair_is_refused():
    value = document.parse(b'{"a": "\\ud800"}').values["a"]
    with pytest.raises(InvalidArgumentError, match=r"^JSON Parse error: The surrogate pair"):
        document.from_text(value)


def test_a_signature_name_must_be_text():
    assert document.parse(b'{"signature_name": "s"}').signature_name == "s"
    assert document.parse(b"{}").signature_name == ""
    with pytest.raises(InvalidArgumentError) as caught:
        _ = document.parse(b'{"signature_name": 5}').signature_name
    assert str(caught.value) == (
        'JSON Value: {\n    "signature_name": 5\n} not formatted correctly. '
        "'signature_name' key must be a string value."
    )


KINDS = [
    *((None, "Null"), (True, "True"), (False, "False"), ({}, "Object"), ([], "Array")),
    *(("", "String"), (1, "Number"), (1.5, "Number")),
]


@pytest.mark.parametrize(("value", "kind"), KINDS)
def test_kinds_have_the_real_servers_names(value, kind):
    assert document.kind(value) == kind


def test_an_integer_that_does_not_fit_into_64_bits_counts_as_a_decimal_number():
    assert document.is_integer(2**64 - 1)
    assert document.is_integer(-(2**63))
    assert document.is_decimal(2**64)
    assert not any(map(document.is_integer, (True, 1.0, None)))
    assert not any(map(document.is_decimal, (False, 1, None)))


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        *(("aGVsbG8=", b"hello"), ("aGVsbG8", b"hello"), ("aGVs bG8=\n", b"hello")),
        *(("aGVsbG8.", b"hello"), ("", b"")),
    ],
)
def test_base64_is_decoded_as_by_abseil(text, raw):
    assert document.from_b64({"b64": text}) == raw


@pytest.mark.parametrize("text", ["a", "a*==", "aGVsbG8==", "=aGVs"])
def test_broken_base64_is_refused(text):
    with pytest.raises(InvalidArgumentError, match=r"^Unable to base64 decode$"):
        document.from_b64({"b64": text})


@pytest.mark.parametrize("value", [{"b64": 1}, {"b64": "YQ==", "x": 1}, {}])
def test_only_an_object_with_one_text_represents_bytes(value):
    with pytest.raises(InvalidArgumentError) as caught:
        document.from_b64(value)
    assert str(caught.value) == (
        f"JSON Value: {document.show(value)} not formatted correctly for base64 data"
    )


@given(st.binary())
def test_any_body_is_parsed_or_refused(raw):
    with contextlib.suppress(InvalidArgumentError):
        assert isinstance(document.parse(raw).values, dict)
