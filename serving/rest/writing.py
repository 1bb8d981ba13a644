"""Answers as JSON text, laid out as the real server does.

Its writer puts rows on one line each and everything else on lines of its own, indented by four.
Strings go out as the bytes that they are; a client gets them back by decoding with
`surrogateescape`. Source: tensorflow_serving/util/json_tensor.cc, rapidjson/prettywriter.h.
"""

import binascii
import math
from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring

import numpy as np

from millrace.serving.errors import InvalidArgumentError
from millrace.serving.protos import prediction_service_pb2 as messages
from millrace.serving.rest import decimals
from millrace.serving.rest.tensors import shown_type

_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint32", "uint64")
_BYTES = "_bytes"  # how the name of an output ends that is not text


def predictions(outputs: Mapping[str, np.ndarray]) -> bytes:
    """The answer to a request by rows; arrays by alias, strings as object arrays of `bytes`.

    Raises:
        InvalidArgumentError: the outputs cannot be cut into rows, or JSON has no such type.
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
    """The answer to a request by columns; the arguments and errors of `predictions`."""
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
    """The answer to Classify.

    Raises:
        InvalidArgumentError: there is nothing in it.
    """
    if not result.classifications:
        raise InvalidArgumentError("Cannot convert empty ClassificationResults to JSON")
    rows = [
        f"[{', '.join(f'[{_text(label)}, {score}]' for label, score in _classes(one))}]"
        for one in result.classifications
    ]
    return _object("results", f"[{', '.join(rows)}{_line(1)}]")


def regressions(result: messages.RegressionResult) -> bytes:
    """The answer to Regress.

    Raises:
        InvalidArgumentError: there is nothing in it.
    """
    if not result.regressions:
        raise InvalidArgumentError("Cannot convert empty RegressionResults to JSON")
    values = np.array([one.value for one in result.regressions], np.float32)
    return _object("results", f"[{', '.join(decimals.texts(values))}]")


def error(text: str) -> bytes:
    """The body of a refusal; what is no text in it is shown as question marks."""
    return _object("error", _text(text.encode(errors="replace").decode()))


def _classes(one: messages.Classifications) -> list[tuple[str, str]]:
    scores = np.array([each.score for each in one.classes], np.float32)
    labels = [each.label for each in one.classes]
    return list(zip(labels, decimals.texts(scores), strict=True))


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
    """One text on one line for each row."""
    texts = _elements(alias, array, depth + array.ndim - 1)
    for level in range(array.ndim - 1, 0, -1):
        size, count = array.shape[level], math.prod(array.shape[:level])
        texts = [f"[{', '.join(texts[n * size : (n + 1) * size])}]" for n in range(count)]
    return texts


def _nest(texts: Sequence[str], shape: Sequence[int], depth: int) -> str:
    """`texts` in nested lists of `shape`, each element on a line of its own."""
    for level in range(len(shape) - 1, -1, -1):
        size, inner = shape[level], _line(depth + level + 1)
        count = math.prod(shape[:level])
        groups = (texts[n * size : (n + 1) * size] for n in range(count))
        end = _line(depth + level)
        texts = [f"[{inner}{f',{inner}'.join(g)}{end}]" if g else "[]" for g in groups]
    return texts[0]


def _elements(alias: str, array: np.ndarray, depth: int) -> list[str]:
    """One text for each element, row-major; `depth` is how many brackets are around it."""
    name = array.dtype.name
    if name in ("float32", "float64"):
        return decimals.texts(array)
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
