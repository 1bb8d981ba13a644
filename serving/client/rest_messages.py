"""Encodes the REST client's requests as JSON, and decodes the responses to arrays.

Numbers keep their value but not their type: the server uses that of its signature. Bytes are sent
as base64; text in a response is returned as the bytes that the server sent.
"""

import binascii
import contextlib
import json
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from millrace.serving import dtypes, example, inference, values
from millrace.serving.client.calls import (
    Class,
    ExampleLike,
    Inference,
    Metadata,
    Prediction,
    Spec,
    VersionStatus,
    typed,
)
from millrace.serving.errors import InternalError, WireError
from millrace.serving.protos import signature_pb2
from millrace.serving.signature import DEFAULT, TensorInfo, from_proto


def path(spec: Spec, method: str = "") -> str:
    """Returns the path of a model; `method` is e.g. `:predict` or `/metadata`."""
    which = ""
    if spec.version is not None:
        which = f"/versions/{spec.version}"
    elif spec.label is not None:
        which = f"/labels/{_quote(spec.label)}"
    return f"/v1/models/{_quote(spec.model)}{which}{method}"


def predict(spec: Spec, inputs: Mapping[str, values.ArrayLike], described: Metadata) -> bytes:
    """Returns the body of a Predict request to the model `described`, in columnar format."""
    given = typed(inputs, described, spec.signature)
    return _body(spec, inputs={alias: to_json(value, alias) for alias, value in given.items()})


def examples(spec: Spec, records: Sequence[ExampleLike], context: ExampleLike | None) -> bytes:
    """Returns the body of a Classify or Regress request."""
    shared = {} if context is None else {"context": _features(context)}
    return _body(spec, examples=[_features(record) for record in records], **shared)


def to_json(value: values.ArrayLike, alias: str) -> Any:
    """Converts `value` to nested lists, like `values.as_array`; bytes become `{"b64": …}`.

    Raises:
        WireError: JSON cannot hold such values.
    """
    array = values.as_array(value, name=alias)
    if array.dtype.kind == "O":
        objects = np.empty(array.size, object)
        objects[:] = [_b64(item) for item in array.ravel().tolist()]
        return objects.reshape(array.shape).tolist()
    if array.dtype.kind not in "biuf":
        raise WireError(
            f"Input {alias!r}: expected numbers or text for REST. Received: {array.dtype} values. "
            "Convert them first, or use gRPC."
        )
    return array.tolist()


def from_json(value: Any, info: TensorInfo) -> np.ndarray:
    """Converts an output's `value` to an array of its type; strings become an object array."""
    shape = _shape(value)
    array = (
        _texts(value) if info.dtype == "string" else np.array(value, dtypes.numpy_dtype(info.dtype))
    )
    if array.size == 0 and info.shape is not None:  # JSON lacks the dimensions after an empty one
        shape = (*shape, *(size or 0 for size in info.shape[len(shape) :]))
    return array.reshape(shape)


def prediction(
    raw: bytes, described: Metadata, signature: str, output_filter: Sequence[str]
) -> Prediction:
    """Decode the response to Predict."""
    found = described.signatures[signature or DEFAULT]
    outputs = read(raw, "outputs")
    if len(found.outputs) == 1:
        outputs = dict.fromkeys(found.outputs, outputs)
    selected = inference.fetch(found, output_filter)
    with _readable(raw, "outputs"):
        arrays = {alias: from_json(outputs[alias], found.outputs[alias]) for alias in selected}
    return Prediction(arrays, described.version)


def classes(raw: bytes) -> list[list[Class]]:
    """Decode the response to Classify."""
    with _readable(raw, "results"):
        return [
            [Class(label, float(score)) for label, score in row] for row in read(raw, "results")
        ]


def regressions(raw: bytes) -> np.ndarray:
    """Decode the response to Regress, float32 `[examples]`."""
    with _readable(raw, "results"):
        return np.array(read(raw, "results"), np.float32)


def reader(signature: str, method: str) -> Callable[[bytes], Inference]:
    """Returns the decoder for responses of `method`, called on `signature`.

    Raises:
        WireError: the method is neither `classify` nor `regress`.
    """
    match method:
        case "classify":
            return classes
        case "regress":
            return regressions
    raise WireError(
        f"Signature {signature!r}: expected 'classify' or 'regress'. Received: {method!r}. "
        "Call others by `predict`."
    )


def metadata(raw: bytes) -> Metadata:
    """Decode a model's signatures."""
    from google.protobuf import json_format  # slow to import, and only needed here

    with _readable(raw, "metadata"):
        try:
            found = json_format.ParseDict(
                read(raw, "metadata")["signature_def"],
                signature_pb2.SignatureDefMap(),
                ignore_unknown_fields=True,
            ).signature_def
        except json_format.ParseError as error:
            raise ValueError(str(error)) from error
        signatures = {name: from_proto(name, found[name]) for name in sorted(found)}
        return Metadata(int(read(raw, "model_spec")["version"]), signatures)


def statuses(raw: bytes) -> list[VersionStatus]:
    """Decode the states of a model's versions."""
    with _readable(raw, "model_version_status"):
        return [
            VersionStatus(int(one["version"]), one["state"], one["status"]["error_message"])
            for one in read(raw, "model_version_status")
        ]


def read(raw: bytes, key: str) -> Any:
    """Returns the value of `key` in a response.

    Raises:
        InternalError: it is not the response of a model server.
    """
    with _readable(raw, key):
        return json.loads(raw.decode(errors="surrogateescape"))[key]


@contextlib.contextmanager
def _readable(raw: bytes, key: str) -> Iterator[None]:
    """Turn what goes wrong in the block, which reads `raw`, into an InternalError."""
    try:
        yield
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        raise InternalError(
            f"Response: expected JSON with {key!r}. Received: {raw[:100]!r}. "
            "Check that a model server is at this address."
        ) from error


def _body(spec: Spec, **fields: Any) -> bytes:
    name = {"signature_name": spec.signature} if spec.signature else {}
    return json.dumps({**name, **fields}).encode()


def _features(record: ExampleLike) -> dict[str, Any]:
    """Returns an Example's features; integers and floats are distinguished by their notation."""
    encoded = record if isinstance(record, bytes) else example.encode(record)
    return {
        name: [_b64(item) for item in feature] if isinstance(feature, list) else feature.tolist()
        for name, feature in example.decode(encoded).items()
    }


def _texts(value: Any) -> np.ndarray:
    """Converts nested lists of text, or of base64 objects, to a flat array of `bytes`."""
    flat: list[bytes] = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting.extend(reversed(one))
        elif isinstance(one, dict):
            flat.append(binascii.a2b_base64(one["b64"]))
        else:
            flat.append(one.encode(errors="surrogateescape"))
    return np.fromiter(flat, object, len(flat))


def _shape(value: Any) -> tuple[int, ...]:
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return tuple(shape)


def _b64(value: bytes) -> dict[str, str]:
    return {"b64": binascii.b2a_base64(value, newline=False).decode()}


def _quote(text: str) -> str:
    return urllib.parse.quote(text, safe="")
