"""PredictionLogs of many rows: a Predict request for each, and its answer.

The bytes are those of the message. Of the rows of one tensor only the values differ, which come
last, so what stands before them is serialised once.
"""

import itertools
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa

from millrace.components.inference import requests
from millrace.serving import wire
from millrace.serving.packed import varint
from millrace.serving.signature import DEFAULT, Signature

# Fields of prediction_log.proto, prediction_service.proto and tensor.proto.
_PREDICT_LOG, _REQUEST, _RESPONSE = 6, 1, 2
_INPUTS, _OUTPUTS = 2, 1
_SPEC_OF_REQUEST, _SPEC_OF_RESPONSE, _SIGNATURE_NAME = 1, 2, 3
_KEY, _VALUE = 1, 2
_STRING = 8


def logs(
    batch: pa.RecordBatch, outputs: Mapping[str, np.ndarray], signature: Signature
) -> Iterator[bytes]:
    """A serialised PredictionLog for each row.

    Args:
        batch: the columns of raw records.
        outputs: the answers, `[rows, ...]`.
        signature: how they were asked for.
    """
    spec = _field(_SIGNATURE_NAME, DEFAULT.encode())
    inputs = requests.inputs_of_columns(signature, batch)
    asked = _maps(_INPUTS, inputs, batch.num_rows, typed=False)
    answered = _maps(_OUTPUTS, outputs, batch.num_rows, typed=True)
    for request, response in zip(asked, answered, strict=True):
        yield _field(
            _PREDICT_LOG,
            _field(_REQUEST, _field(_SPEC_OF_REQUEST, spec) + request)
            + _field(_RESPONSE, response + _field(_SPEC_OF_RESPONSE, spec)),
        )


def _maps(
    number: int, arrays: Mapping[str, np.ndarray], rows: int, *, typed: bool
) -> Iterator[bytes]:
    """The field `number` of each row, a map from names to tensors, in protobuf's order."""
    # Where one name begins with another, protobuf writes the longer one first.
    names = sorted(arrays, key=lambda name: name.encode() + b"\xff")
    entries = [_entries(number, name, arrays[name], rows, typed=typed) for name in names]
    return map(b"".join, zip(*entries, strict=True)) if entries else itertools.repeat(b"", rows)


def _entries(
    number: int, name: str, array: np.ndarray, rows: int, *, typed: bool
) -> Iterator[bytes]:
    """The entry of the map `number` for each row of `array`."""
    key = _field(_KEY, name.encode())

    def entry(tensor: bytes) -> bytes:
        return _field(number, key + _field(_VALUE, tensor))

    if array.ndim == 0:
        return itertools.repeat(entry(_serialised(array, name, typed=typed)), rows)
    if array.dtype == object:
        head = _serialised(array[:1], name, typed=typed, is_empty=True)
        texts = list(map(tuple, array.reshape(rows, -1).tolist()))
        known = {
            each: entry(head + b"".join(_field(_STRING, text) for text in each))
            for each in set(texts)
        }
        return map(known.__getitem__, texts)
    first, width = _serialised(array[:1], name, typed=typed), array[:1].nbytes
    is_fixed = array.dtype in (np.float32, np.float64) if typed else array.dtype.isnative
    if not width or not is_fixed or not first.endswith(array[:1].tobytes()):
        each = (array[row : row + 1] for row in range(rows))
        return (entry(_serialised(one, name, typed=typed)) for one in each)
    start, values = entry(first)[:-width], array.tobytes()
    return (start + values[place : place + width] for place in range(0, len(values), width))


def _serialised(array: np.ndarray, name: str, *, typed: bool, is_empty: bool = False) -> bytes:
    proto = wire.to_proto(array, name=name, typed=typed)
    if is_empty:
        proto.ClearField("string_val")
    return proto.SerializeToString(deterministic=True)


def _field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content
