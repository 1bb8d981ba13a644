"""Parses the JSON of a request, and describes values in the real server's error texts.

A JSON integer that does not fit into 64 bits counts as a decimal number, as in RapidJSON. Bytes
that are not valid UTF-8 are kept as lone surrogates until the text becomes bytes again. Error
texts are those of tensorflow_serving/util/json_tensor.cc, except for JSON that does not parse: what
follows the real server's `JSON Parse error: ` is the message of Python's parser.
"""

import binascii
import dataclasses
import json
import math
import re
from typing import Any

from millrace.serving.errors import InvalidArgumentError

Json = Any  # None, bool, int, float, str, list or dict of these: the result of `json.loads`

_BOM = b"\xef\xbb\xbf"
_STRING_OR_INF = re.compile(r'"(?:[^"\\]|\\.)*"|Inf(?!inity)')
_B64 = "b64"
_INDENTED = json.JSONEncoder(indent=4, ensure_ascii=False)
_LONGEST = 1 << 16  # characters of a value in an error
_LEAST_INTEGER, _MOST_INTEGER = -(2**63), 2**64 - 1
_TOO_BIG = "JSON Parse error: Number too big to be stored in double."


@dataclasses.dataclass(frozen=True)
class Document:
    """The JSON object in a request; `has_booleans` is False if none of its values is boolean."""

    values: dict[str, Json]
    has_booleans: bool
    raw: bytes

    def check_numbers(self, largest: float) -> None:
        """Refuse a number that does not fit into a double; `largest` is the largest one read."""
        if math.isinf(largest) and b"Inf" not in self.raw:
            raise InvalidArgumentError(_TOO_BIG)

    @property
    def signature_name(self) -> str:
        """The name of the signature; empty if there is none.

        Raises:
            InvalidArgumentError: it is not text.
        """
        name = self.values.get("signature_name", "")
        if not isinstance(name, str):
            raise InvalidArgumentError(
                f"JSON Value: {show(self.values)} not formatted correctly. "
                "'signature_name' key must be a string value."
            )
        return from_text(name).decode(errors="replace")


def parse(raw: bytes) -> Document:
    """Parse a request's body.

    Raises:
        InvalidArgumentError: it is not JSON, or not an object.
    """
    if not raw:
        raise InvalidArgumentError("JSON Parse error: The document is empty")
    text = raw.removeprefix(_BOM).decode(errors="surrogateescape")
    try:
        values = _loads(text)
    except json.JSONDecodeError as error:
        offset = len(text[: error.pos].encode(errors="surrogateescape"))
        raise InvalidArgumentError(f"JSON Parse error: {error.msg} at offset: {offset}") from error
    except ValueError as error:  # an integer of thousands of digits
        raise InvalidArgumentError(_TOO_BIG) from error
    except RecursionError as error:
        raise InvalidArgumentError(
            "JSON Parse error: The document is nested too deeply."
        ) from error
    if not isinstance(values, dict):
        raise InvalidArgumentError(f"JSON Value: {show(values)} Is not object")
    return Document(values, "true" in text or "false" in text, raw)


def _loads(text: str) -> Json:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        if "Inf" not in text:
            raise
        # The real server also accepts Inf, which Python's parser only knows as Infinity.
        return json.loads(_STRING_OR_INF.sub(_full_name, text))


def _full_name(matched: re.Match[str]) -> str:
    return "Infinity" if matched[0] == "Inf" else matched[0]


def show(value: Json) -> str:
    """Returns `value` as the real server shows it in an error, or the beginning of it.

    Each level indents by four more: of 60 KB nested 300 deep, all of it would be 36 MB.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    shown, length = [], 0
    for part in _INDENTED.iterencode(value):
        shown.append(part)
        length += len(part)
        if length > _LONGEST:
            return f"{''.join(shown)[:_LONGEST]}…"
    return "".join(shown)


def kind(value: Json) -> str:
    """Returns the real server's name for the type of a JSON value."""
    match value:
        case None:
            return "Null"
        case bool():
            return "True" if value else "False"
        case dict():
            return "Object"
        case list():
            return "Array"
        case str():
            return "String"
        case _:
            return "Number"


def is_integer(value: Json) -> bool:
    """Whether `value` is a number without fraction and exponent that fits into 64 bits."""
    return type(value) is int and _LEAST_INTEGER <= value <= _MOST_INTEGER


def is_decimal(value: Json) -> bool:
    """Whether `value` is any other number."""
    return type(value) is float or (type(value) is int and not is_integer(value))


def magnitude(value: float) -> float:
    """Returns the absolute value of a number; infinity if it does not fit into a double."""
    try:
        return abs(float(value))
    except OverflowError:  # an integer of hundreds of digits
        return math.inf


def is_b64(value: Json) -> bool:
    """Whether `value` is an object that represents bytes: `{"b64": text}`."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get(_B64), str)


def from_b64(value: Json) -> bytes:
    """Returns the bytes that `value` represents.

    Raises:
        InvalidArgumentError: it is not such an object, or not valid base64.
    """
    if not is_b64(value):
        raise InvalidArgumentError(
            f"JSON Value: {show(value)} not formatted correctly for base64 data"
        )
    text = value[_B64]
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return _lenient_b64(text)


def from_text(text: str) -> bytes:
    """Returns `text` as the bytes of the request, valid UTF-8 or not.

    Raises:
        InvalidArgumentError: it has half of a surrogate pair.
    """
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(
            "JSON Parse error: The surrogate pair in string is invalid."
        ) from error


def _lenient_b64(text: str) -> bytes:
    """Decode base64 like abseil: whitespace is ignored, padding may be omitted or be dots."""
    packed = "".join(text.split()).replace(".", "=")
    if "=" not in packed:
        packed += "=" * (-len(packed) % 4)
    try:
        return binascii.a2b_base64(packed, strict_mode=True)
    except ValueError as error:
        raise InvalidArgumentError("Unable to base64 decode") from error
