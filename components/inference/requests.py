"""The requests that raw records become, by the inputs of a model's signature.

An input is filled by the feature of its name; `image_bytes` by `image/encoded`, `prompt` by
`text`. An input without a batch, such as a generator's `length`, gets a fixed value.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from millrace.components.errors import DataError
from millrace.components.features import precision
from millrace.serving.example import Decoded, encode
from millrace.serving.signature import PREDICT, Signature, TensorInfo

SERIALISED = "inputs"  # the input of a signature over serialised Examples
_FEATURES = {"image_bytes": "image/encoded", "prompt": "text"}
_MEASURES = ("image/format", "image/height", "image/width", "image/channels")
_SCALARS = {"length": 20, "temperature": 0, "top_k": 0, "seed": 0}


def feature_of(alias: str) -> str:
    """The raw feature that fills the input `alias`."""
    return _FEATURES.get(alias, alias)


def request_features(signatures: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The raw features that requests of a model can hold.

    Args:
        signatures: by name, as a model's `model.json` describes them.

    Returns:
        What fills the signatures' inputs; of a picture also the measures that its bytes tell.
    """
    found = {
        feature_of(alias)
        for signature in signatures.values()
        for alias, tensor in signature["inputs"].items()
        if list(signature["inputs"]) != [SERIALISED] and tensor["shape"] != []
    }
    return found | set(_MEASURES if _FEATURES["image_bytes"] in found else ())


def inputs(signature: Signature, rows: Sequence[Decoded]) -> dict[str, np.ndarray]:
    """The inputs of `signature` for raw records.

    A missing text is empty, a missing number NaN. To float64 belongs the base that a record has
    beside the feature, see `features.precision`.

    Args:
        signature: of a model.
        rows: raw records.

    Returns:
        By alias: strings as objects [rows], numbers [rows, *shape]; serialised records as
        objects [rows]; scalars [].

    Raises:
        DataError: a row holds another number of values than an input takes, or another type.
    """
    if list(signature.inputs) == [SERIALISED] and _is_text(signature.inputs[SERIALISED]):
        return {SERIALISED: _texts([encode(row) for row in rows])}
    return {alias: _input(alias, tensor, rows) for alias, tensor in signature.inputs.items()}


def callable_signatures(signatures: Mapping[str, Signature]) -> list[Signature]:
    """The signatures that requests can name: not those that only initialise."""
    return [signature for signature in signatures.values() if signature.method_name]


def is_predict(signature: Signature) -> bool:
    """Whether it answers Predict alone, not Classify or Regress."""
    return signature.method_name == PREDICT


def _input(alias: str, tensor: TensorInfo, rows: Sequence[Decoded]) -> np.ndarray:
    if tensor.shape == ():
        return np.array(_SCALARS.get(alias, 0), tensor.dtype)
    values = [row.get(feature_of(alias)) for row in rows]
    if _is_text(tensor):
        return _texts([_text(alias, value) for value in values])
    shape = tuple(size or 1 for size in (tensor.shape or (None,))[1:])
    array = np.stack([_number(alias, value, shape, tensor.dtype) for value in values])
    if tensor.dtype != "float64":
        return array
    return array + np.stack([precision.base_in(row, alias) for row in rows])[:, None]


def _is_text(tensor: TensorInfo) -> bool:
    return tensor.dtype == "string"


def _texts(values: list[bytes]) -> np.ndarray:
    array = np.empty(len(values), object)
    array[:] = values
    return array


def _text(alias: str, value: list[bytes] | np.ndarray | None) -> bytes:
    if value is None or not len(value):
        return b""
    if not isinstance(value, list) or len(value) != 1:
        raise _refusal(alias, "one text", value)
    return bytes(value[0])


def _number(
    alias: str, value: list[bytes] | np.ndarray | None, shape: tuple[int, ...], dtype: str
) -> np.ndarray:
    size = int(np.prod(shape, dtype=np.int64))
    if value is None or not len(value):
        return np.full(shape, np.nan if dtype.startswith("float") else 0, dtype)
    if isinstance(value, list) or len(value) != size:
        raise _refusal(alias, f"{size} numbers" if size > 1 else "one number", value)
    return value.astype(dtype).reshape(shape)


def _refusal(alias: str, expected: str, value: list[bytes] | np.ndarray) -> DataError:
    kind = "texts" if isinstance(value, list) else "numbers"
    return DataError(
        f"Feature {feature_of(alias)!r}: expected {expected} for the model's input {alias!r}. "
        f"Received: {len(value)} {kind}. Give the records that the model was made for."
    )
