"""The requests that raw records become, by the inputs of a model's signature.

An input is filled by the feature of its name; `image_bytes` by `image/encoded`, `prompt` by
`text`. An input without a batch, such as a generator's `length`, gets a fixed value.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from millrace.components.errors import DataError
from millrace.components.features import precision
from millrace.serving.example import Decoded, encode
from millrace.serving.signature import PREDICT, Signature, TensorInfo

if TYPE_CHECKING:
    import pyarrow as pa  # not there where only serving is installed

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
    if _takes_records(signature):
        return {SERIALISED: _texts([encode(row) for row in rows])}
    return {alias: _input(alias, tensor, rows) for alias, tensor in signature.inputs.items()}


def inputs_of_columns(signature: Signature, batch: "pa.RecordBatch") -> dict[str, np.ndarray]:
    """The inputs of `signature` for the columns of raw records; see `inputs`."""
    from millrace.components.files import columns

    if _takes_records(signature):
        return inputs(signature, columns.rows(batch))
    return {alias: _column(alias, tensor, batch) for alias, tensor in signature.inputs.items()}


def callable_signatures(signatures: Mapping[str, Signature]) -> list[Signature]:
    """The signatures that requests can name: not those that only initialise."""
    return [signature for signature in signatures.values() if signature.method_name]


def is_predict(signature: Signature) -> bool:
    """Whether it answers Predict alone, not Classify or Regress."""
    return signature.method_name == PREDICT


def _takes_records(signature: Signature) -> bool:
    return list(signature.inputs) == [SERIALISED] and _is_text(signature.inputs[SERIALISED])


def _column(alias: str, tensor: TensorInfo, batch: "pa.RecordBatch") -> np.ndarray:
    """What `_input` gives; row by row only where a row holds what the input does not take."""
    import pyarrow as pa

    from millrace.components.files import columns

    name, shape, is_text = feature_of(alias), _shape(tensor), _is_text(tensor)
    if tensor.shape == ():
        return _input(alias, tensor, [])
    flat, lengths = pa.array([], pa.float32()), np.zeros(batch.num_rows, np.int64)
    if name in batch.schema.names:
        flat, lengths = columns.values(batch.column(name))
    is_given = lengths > 0
    size = 1 if is_text else int(np.prod(shape, dtype=np.int64))
    is_fit = is_text == pa.types.is_binary(flat.type) and (lengths[is_given] == size).all()
    if is_given.any() and not is_fit:
        return _input(alias, tensor, columns.rows(batch.select([name])))
    if is_text:
        found = np.full(len(lengths), b"", object)
    else:
        found = np.full((len(lengths), *shape), _absent(tensor.dtype), tensor.dtype)
    if is_given.any():
        cells = flat.to_numpy(zero_copy_only=False)
        found[is_given] = cells if is_text else cells.astype(tensor.dtype).reshape(-1, *shape)
    bases = columns.first(batch, precision.feature(alias)) if tensor.dtype == "float64" else None
    return found if bases is None else _based(found, _bases(bases))


def _bases(cells: "pa.BinaryArray") -> np.ndarray:
    """What `precision.base_in` gives for each record, by the first value of the feature."""
    from millrace.components.files import columns

    numbers, found = columns.distinct(cells)
    bases = [np.frombuffer(each, "<f8") for each in found]
    return np.stack([*bases, np.zeros(1)] if cells.null_count else bases)[numbers]


def _shape(tensor: TensorInfo) -> tuple[int, ...]:
    """Of one row."""
    return tuple(size or 1 for size in (tensor.shape or (None,))[1:])


def _absent(dtype: str) -> float:
    """The number that stands for none."""
    return np.nan if dtype.startswith("float") else 0


def _input(alias: str, tensor: TensorInfo, rows: Sequence[Decoded]) -> np.ndarray:
    if tensor.shape == ():
        return np.array(_SCALARS.get(alias, 0), tensor.dtype)
    values = [row.get(feature_of(alias)) for row in rows]
    if _is_text(tensor):
        return _texts([_text(alias, value) for value in values])
    shape = _shape(tensor)
    array = np.stack([_number(alias, value, shape, tensor.dtype) for value in values])
    if tensor.dtype != "float64" or not any(precision.feature(alias) in row for row in rows):
        return array
    return _based(array, np.stack([precision.base_in(row, alias) for row in rows]))


def _based(array: np.ndarray, bases: np.ndarray) -> np.ndarray:
    """`array` [rows, ..., channels] or [rows], and `bases` [rows, channels] added."""
    if array.ndim == 1:
        return array + bases[:, 0]
    return array + bases.reshape(len(bases), *(1,) * (array.ndim - 2), -1)


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
        return np.full(shape, _absent(dtype), dtype)
    if isinstance(value, list) or len(value) != size:
        raise _refusal(alias, f"{size} numbers" if size > 1 else "one number", value)
    return value.astype(dtype).reshape(shape)


def _refusal(alias: str, expected: str, value: list[bytes] | np.ndarray) -> DataError:
    kind = "texts" if isinstance(value, list) else "numbers"
    return DataError(
        f"Feature {feature_of(alias)!r}: expected {expected} for the model's input {alias!r}. "
        f"Received: {len(value)} {kind}. Give the records that the model was made for."
    )
