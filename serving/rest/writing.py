"""Writes responses as JSON, in the layout of the real server.

Each row is on one line and everything else on a line of its own, indented by four spaces. Strings
are written as their bytes, valid UTF-8 or not; a client decodes them with `surrogateescape`.
Floats have six significant digits (`%g`) if that gives the same number in its type, else all
digits of the type; `.0` follows a whole number without an exponent.
Source: tensorflow_serving/util/json_tensor.cc, rapidjson/prettywriter.h.
"""

import binascii
import math
from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring

import numpy as np

from millrace.serving.errors import InvalidArgumentError
from millrace.serving.protos import prediction_service_pb2 as messages
from millrace.serving.rest.tensors import shown_type

_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint32", "uint64")
_ALL_DIGITS = {"float32": "%.9g", "float64": "%.17g"}
_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_BYTES = "_bytes"  # suffix of the names of outputs that are bytes, not text


def predictions(outputs: Mapping[str, np.ndarray]) -> bytes:
    """Returns the response in row format; strings are object arrays of `bytes`.

    Raises:
        InvalidArgumentError: the outputs cannot be split into rows, or JSON has no such type.
    """
    size = _batch_size(outputs)
    depth = 2 + (len(outputs) > 1)
    columns = {alias: _rows(alias, array, depth) for alias, array in outputs.items()}
    if len(columns) == 1:
        (rows,) = columns.values()
        body = f"[{', '.join(rows)}{_line(1)}]" if rows else "[]"
        return _object("predictions", body)
    items = [
        _fields({alias: rows[number] for alias, rows in columns.items()}, 2)
        for number in range(size)
    ]
    body = f"[{_line(2)}{f',{_line(2)}'.join(items)}{_line(1)}]" if items else "[]"
    return _object("predictions", body)


def columns(outputs: Mapping[str, np.ndarray]) -> bytes:
    """Returns the response in columnar format; arguments and errors as in `predictions`."""
    if not outputs:
        raise InvalidArgumentError("Cannot convert empty tensor map to JSON")
    depth = 1 + (len(outputs) > 1)
    texts = {
        alias: _nest(_elements(alias, array, depth + array.ndim), array.shape, depth)
        for alias, array in outputs.items()
    }
    if len(texts) == 1:
        (body,) = texts.values()
        return _object("outputs", body)
    return _object("outputs", _fields(texts, 1))


def classifications(result: messages.ClassificationResult) -> bytes:
    """Returns the response to Classify.

    Raises:
        InvalidArgumentError: it is empty.
    """
    if not result.classifications:
        raise InvalidArgumentError("Cannot convert empty ClassificationResults to JSON")
    rows = [
        f"[{', '.join(f'[{_text(label)}, {score}]' for label, score in _classes(one))}]"
        for one in result.classifications
    ]
    return _object("results", f"[{', '.join(rows)}{_line(1)}]")


def regressions(result: messages.RegressionResult) -> bytes:
    """Returns the response to Regress.

    Raises:
        InvalidArgumentError: it is empty.
    """
    if not result.regressions:
        raise InvalidArgumentError("Cannot convert empty RegressionResults to JSON")
    values = np.array([one.value for one in result.regressions], np.float32)
    return _object("results", f"[{', '.join(float_texts(values))}]")


def error(text: str) -> bytes:
    """Returns the body of an error; invalid characters become question marks."""
    return _object("error", _text(text.encode(errors="replace").decode()))


def _classes(one: messages.Classifications) -> list[tuple[str, str]]:
    scores = np.array([each.score for each in one.classes], np.float32)
    labels = [each.label for each in one.classes]
    return list(zip(labels, float_texts(scores), strict=True))


def _batch_size(outputs: Mapping[str, np.ndarray]) -> int:
    if not outputs:
        raise InvalidArgumentError("Cannot convert empty tensor map to JSON")
    size = None
    for alias, array in outputs.items():
        if not array.ndim:
            raise InvalidArgumentError(f"Tensor name: {alias} has no shape information ")
        if size is not None and len(array) != size:
            raise InvalidArgumentError(
                f"Tensor name: {alias} has inconsistent batch size: {len(array)} expecting: {size}"
            )
        size = len(array)
    return size or 0


def _rows(alias: str, array: np.ndarray, depth: int) -> list[str]:
    """Returns the text of each row, on one line each."""
    texts = _elements(alias, array, depth + array.ndim - 1)
    for level in range(array.ndim - 1, 0, -1):
        size, count = array.shape[level], math.prod(array.shape[:level])
        texts = [f"[{', '.join(texts[n * size : (n + 1) * size])}]" for n in range(count)]
    return texts


def _nest(texts: Sequence[str], shape: Sequence[int], depth: int) -> str:
    """Returns `texts` in nested lists of `shape`, with each element on a line of its own."""
    for level in range(len(shape) - 1, -1, -1):
        size, inner = shape[level], _line(depth + level + 1)
        count = math.prod(shape[:level])
        groups = (texts[n * size : (n + 1) * size] for n in range(count))
        end = _line(depth + level)
        texts = [f"[{inner}{f',{inner}'.join(g)}{end}]" if g else "[]" for g in groups]
    return texts[0]


def _elements(alias: str, array: np.ndarray, depth: int) -> list[str]:
    """Returns the text of each element, row-major; `depth` is the number of enclosing brackets."""
    name = array.dtype.name
    if name in ("float32", "float64"):
        return float_texts(array)
    if name in _INTEGERS:
        return list(map(str, array.ravel().tolist()))
    if name == "bool":
        return ["true" if value else "false" for value in array.ravel().tolist()]
    if name != "object":
        raise InvalidArgumentError(
            f"Failed to write JSON value for tensor type: {shown_type(name)}"
        )
    if not alias.endswith(_BYTES):
        return [_text(value.decode(errors="surrogateescape")) for value in array.ravel().tolist()]
    return [_fields({"b64": _base64(value)}, depth) for value in array.ravel().tolist()]


def _object(name: str, value: str) -> bytes:
    return _fields({name: value}, 0).encode(errors="surrogateescape")


def _fields(values: Mapping[str, str], depth: int) -> str:
    lines = (f"{_line(depth + 1)}{_text(name)}: {value}" for name, value in values.items())
    return f"{{{','.join(lines)}{_line(depth)}}}"


def _text(value: str) -> str:
    return str(encode_basestring(value))


def _base64(value: bytes) -> str:
    return f'"{binascii.b2a_base64(value, newline=False).decode()}"'


def _line(depth: int) -> str:
    return "\n" + " " * (4 * depth)


def float_texts(array: np.ndarray) -> list[str]:
    """Returns the text of each number in `array`, float32 or float64 of any shape, row-major."""
    flat = array.ravel()
    values = flat.tolist()
    short = _format_all("%.6g", values)
    same = np.array(short, np.float64).astype(flat.dtype) == flat
    if not same.all():
        others = np.flatnonzero(~same)
        all_digits = _ALL_DIGITS[flat.dtype.name]
        long = _format_all(all_digits, [values[place] for place in others])
        for place, text in zip(others.tolist(), long, strict=True):
            short[place] = text
    return [text if "." in text or "e" in text else _whole_or_special(text) for text in short]


def _format_all(form: str, values: list[float]) -> list[str]:
    # Formatting all of them at once is several times as fast as one at a time.
    return (f"{form} " * len(values) % tuple(values)).split()


def _whole_or_special(text: str) -> str:
    return _NOT_FINITE.get(text) or f"{text}.0"
