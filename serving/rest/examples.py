"""Reads the Examples in the JSON of a Classify or Regress request.

A feature's values are of one kind: integers and booleans become int64, other numbers float, text
and base64 objects bytes. Error texts are those of tensorflow_serving/util/json_tensor.cc.
"""

import math

import numpy as np

from millrace.serving import example
from millrace.serving.errors import InvalidArgumentError
from millrace.serving.protos import prediction_service_pb2 as messages
from millrace.serving.rest import document
from millrace.serving.rest.document import Document, Json, show

_MOST_INTEGER = 2**63 - 1
_LARGEST_FLOAT = float(np.finfo(np.float32).max)


def read(request: Document) -> messages.Input:
    """Returns the Examples of `request`, with their context if there is one.

    Raises:
        InvalidArgumentError: they are missing, or a value is not valid in an Example.
    """
    values = request.values
    has_context = "context" in values
    context = _example(values["context"], request) if has_context else b""
    if "examples" not in values:
        raise InvalidArgumentError(
            f"JSON Value: {show(values)} When method is classify, key 'examples' is expected "
            "and was not found"
        )
    records = values["examples"]
    if not isinstance(records, list):
        raise InvalidArgumentError(
            f"JSON Value: {show(values)} Expecting 'examples' value to be an list/array"
        )
    if not records:
        raise InvalidArgumentError(f"JSON Value: {show(values)} 'examples' value is an empty array")
    encoded = [_example(record, request) for record in records]
    if not has_context:
        return messages.Input(example_list=messages.ExampleList(examples=encoded))
    shared = messages.ExampleListWithContext(examples=encoded, context=context)
    return messages.Input(example_list_with_context=shared)


def _example(value: Json, request: Document) -> bytes:
    """Returns one serialised Example."""
    if not isinstance(value, dict):
        raise InvalidArgumentError(
            f"Example must be JSON object but got JSON {document.kind(value)}"
        )
    return example.encode(
        {
            document.from_text(name).decode(errors="replace"): _feature(name, content, request)
            for name, content in value.items()
        }
    )


def _feature(name: str, content: Json, request: Document) -> example.Value:
    values = content if isinstance(content, list) else [content]
    kind, found = "", []
    for value in values:
        own, checked = _value(name, value, request)
        kind = kind or own
        if own != kind:
            raise InvalidArgumentError(
                f"Unexpected element type in feature: {name} expecting type: {kind}"
            )
        found.append(checked)
    if kind == "float":
        return np.array(found, np.float32)
    return np.array(found, np.int64) if kind == "int64" else found


def _value(name: str, value: Json, request: Document) -> tuple[str, bytes | int | float]:
    """Returns the kind of list that `value` belongs in, and its content there."""
    if isinstance(value, str):
        return "bytes", document.from_text(value)
    if document.is_b64(value):
        return "bytes", document.from_b64(value)
    if isinstance(value, bool):
        return "int64", value
    if document.is_integer(value):
        if value > _MOST_INTEGER:
            raise InvalidArgumentError(
                f"Feature: {name} has uint64 element. Only int64 is supported."
            )
        return "int64", value
    if document.is_decimal(value):
        return "float", _float(value, request)
    raise InvalidArgumentError(
        f"Feature: {name} has element with unexpected JSON type: {document.kind(value)}"
    )


def _float(value: float, request: Document) -> float:
    size = document.magnitude(value)
    request.check_numbers(size)
    if math.isfinite(size) and size > _LARGEST_FLOAT:
        raise InvalidArgumentError(
            f"Cannot convert JSON value: {show(value)} to float without loss of precision."
        )
    return float(value)
