"""A request's JSON text as Python values, and what the real server says of values that do not fit.

A JSON integer outside 64 bits counts as a decimal number, as it does in RapidJSON. Text that is
not UTF-8 is kept: each such byte stands as a lone surrogate until it becomes bytes again.
Texts are those of tensorflow_serving/util/json_tensor.cc.
"""

import binascii
import dataclasses
import json
import math
import re
from typing import Any, NoReturn

from millrace.serving.errors import InvalidArgumentError
from millrace.serving.rest import faults

Json = Any  # None, bool, int, float, str, list or dict of these: what `json.loads` gives

_BOM = b"\xef\xbb\xbf"
_STRING_OR_INF = re.compile(r'"(?:[^"\\]|\\.)*"|Inf(?!inity)')
_B64 = "b64"
_LEAST_INTEGER, _MOST_INTEGER = -(2**63), 2**64 - 1


@dataclasses.dataclass(frozen=True)
class Document:
    """The object that a request is; `has_booleans` is False where no value in it is one."""

    values: dict[str, Json]
    has_booleans: bool
    raw: bytes

    def check_numbers(self, largest: float) -> None:
        """Refuse a number that was too big for a double, given the `largest` that was read."""
        if math.isinf(largest) and b"Inf" not in self.raw:
            _refuse(self.raw, faults.TOO_BIG)

    @property
    def signature_name(self) -> str:
        """The signature asked for; empty where none is.

        Raises:
            InvalidArgumentError: it is no text.
        """
        name = self.values.get("signature_name", "")
        if not isinstance(name, str):
            raise InvalidArgumentError(
                f"JSON Value: {show(self.values)} not formatted correctly. "
                "'signature_name' key must be a string value."
            )
        return from_text(name).decode(errors="replace")


def parse(raw: bytes) -> Document:
    """Read a request's body.

    Raises:
        InvalidArgumentError: it is not JSON, or no object.
    """
    if not raw:
        raise InvalidArgumentError("JSON Parse error: The document is empty")
    text = raw.removeprefix(_BOM).decode(errors="surrogateescape")
    try:
        values = _loads(text, raw)
    except (ValueError, RecursionError) as error:
        _refuse(raw, str(error))
    if not isinstance(values, dict):
        raise InvalidArgumentError(f"JSON Value: {show(values)} Is not object")
    return Document(values, "true" in text or "false" in text, raw)


def _loads(text: str, raw: bytes) -> Json:
    try:
        return json.loads(text)
    except ValueError:
        if "Inf" not in text or faults.find(raw):
            raise
        # Python's parser knows Infinity by its full name only.
        return json.loads(_STRING_OR_INF.sub(_full_name, text))


def _full_name(matched: re.Match[str]) -> str:
    return "Infinity" if matched[0] == "Inf" else matched[0]


def _refuse(raw: bytes, otherwise: str) -> NoReturn:
    """Refuse `raw` in RapidJSON's words; in `otherwise` where it has none."""
    fault = faults.find(raw)
    told = f"{fault.text} at offset: {fault.offset}" if fault else otherwise
    raise InvalidArgumentError(f"JSON Parse error: {told}")


def show(value: Json) -> str:
    """`value` as the real server shows it in an error."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return json.dumps(value, indent=4, ensure_ascii=False)


def kind(value: Json) -> str:
    """What a JSON value is, in the real server's words."""
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
    """Whether `value` is a number written without fraction and exponent, within 64 bits."""
    return type(value) is int and _LEAST_INTEGER <= value <= _MOST_INTEGER


def is_decimal(value: Json) -> bool:
    """Whether `value` is any other number."""
    return type(value) is float or (type(value) is int and not is_integer(value))


def magnitude(value: float) -> float:
    """The size of a number; infinite where a double does not reach."""
    try:
        return abs(float(value))
    except OverflowError:  # a whole number of hundreds of digits
        return math.inf


def is_b64(value: Json) -> bool:
    """Whether `value` is an object that stands for bytes: `{"b64": text}`."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get(_B64), str)


def from_b64(value: Json) -> bytes:
    """The bytes that `value` stands for.

    Raises:
        InvalidArgumentError: it stands for none.
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
    """`text` as UTF-8, with the bytes of the request that were none.

    Raises:
        InvalidArgumentError: it holds half of a surrogate pair.
    """
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(f"JSON Parse error: {faults.SURROGATE}") from error


def _lenient_b64(text: str) -> bytes:
    """Base64 as abseil reads it: blanks are passed over, padding may be left out or be dots."""
    packed = "".join(text.split()).replace(".", "=")
    if "=" not in packed:
        packed += "=" * (-len(packed) % 4)
    try:
        return binascii.a2b_base64(packed, strict_mode=True)
    except ValueError as error:
        raise InvalidArgumentError("Unable to base64 decode") from error
