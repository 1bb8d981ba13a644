"""Reads the arrays in the JSON of a Predict request: rows (`instances`) or columns (`inputs`).

The order of the checks and the error texts are those of tensorflow_serving/util/json_tensor.cc.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from millrace.serving.errors import InvalidArgumentError, RpcError
from millrace.serving.rest import document
from millrace.serving.rest.document import Document, Json, show
from millrace.serving.rest.tensors import one_by_one, to_array
from millrace.serving.signature import TensorInfo

Arrays = dict[str, np.ndarray]
Inputs = Mapping[str, TensorInfo]


@dataclasses.dataclass(frozen=True)
class PredictBody:
    """The body of a Predict request; `by_row` is whether it is in row format."""

    document: Document
    by_row: bool

    def arrays(self, inputs: Inputs) -> Arrays:
        """Returns the arrays for a signature's `inputs`.

        Raises:
            InvalidArgumentError: an input is missing or invalid.
            UnimplementedError: an input has a type that JSON does not support.
        """
        if not inputs:
            name = self.document.signature_name or "DEFAULT"
            raise InvalidArgumentError(f"Failed to get input map for signature: {name}")
        read = _rows if self.by_row else _columns
        return read(self._values(), inputs, self.document)

    def _values(self) -> Json:
        values = self.document.values
        if self.by_row and "inputs" in values:
            raise _format_error(
                values,
                "Not formatted correctly expecting only one of 'inputs' or 'instances' "
                "keys to exist ",
            )
        if not self.by_row:
            if "inputs" not in values:
                raise InvalidArgumentError("Missing 'inputs' or 'instances' key")
            return values["inputs"]
        if not isinstance(values["instances"], list):
            raise _format_error(values, "Excepting 'instances' to be an list/array")
        if not values["instances"]:
            raise _format_error(values, "No values in 'instances' array")
        return values["instances"]


def predict_body(request: Document) -> PredictBody:
    """Returns the body of `request`, in the format that it has."""
    return PredictBody(request, "instances" in request.values)


def _columns(values: Json, inputs: Inputs, request: Document) -> Arrays:
    if not isinstance(values, dict) or document.is_b64(values):
        if len(inputs) > 1:
            raise InvalidArgumentError(
                "inputs is a plain value/list, but expecting an object as multiple input "
                "tensors required as per tensorinfo_map"
            )
        values = dict.fromkeys(inputs, values)
    arrays = {}
    for alias, info in inputs.items():
        if alias not in values:
            raise InvalidArgumentError(f"Missing named input: {alias} in 'inputs' object.")
        arrays[alias] = to_array(values[alias], info.dtype, request)
    return arrays


def _rows(rows: Sequence[Json], inputs: Inputs, request: Document) -> Arrays:
    if not isinstance(rows[0], dict) and len(inputs) > 1:
        raise InvalidArgumentError(
            "instances is a plain list, but expecting list of objects as multiple input "
            "tensors required as per tensorinfo_map"
        )
    arrays = _rows_at_once(rows, inputs, request)
    return _rows_one_by_one(rows, inputs, request) if arrays is None else arrays


def _rows_at_once(rows: Sequence[Json], inputs: Inputs, request: Document) -> Arrays | None:
    """Converts each input's rows as one tensor; returns None if they must be read one by one."""
    if _is_named(rows[0]):
        if not all(isinstance(row, dict) and row.keys() == inputs.keys() for row in rows):
            return None
        columns = {alias: [row[alias] for row in rows] for alias in inputs}
    elif any(_is_named(row) for row in rows):
        return None
    else:
        columns = {next(iter(inputs)): list(rows)}
    try:
        return {a: to_array(rows_, inputs[a].dtype, request) for a, rows_ in columns.items()}
    except RpcError:
        return None  # reading row by row finds the same error, and its row


def _rows_one_by_one(rows: Sequence[Json], inputs: Inputs, request: Document) -> Arrays:
    """Converts the rows one by one, each with the shape of the first."""
    named = _is_named(rows[0])
    (first, *_), tensors = inputs, {alias: _Stack(info.dtype) for alias, info in inputs.items()}
    for number, row in enumerate(rows):
        if _is_named(row) != named:
            expected, got = ("object", "list") if named else ("value/list", "object")
            raise InvalidArgumentError(
                f"Expecting {expected} but got {got} at item {number} of input list"
            )
        for alias, value in row.items() if named else ((first, row),):
            where = f"{number} key: {alias}" if named else str(number)
            try:
                if alias not in tensors:
                    raise InvalidArgumentError(f"JSON object: does not have named input: {alias}")
                tensors[alias].add(value, request)
            except RpcError as error:
                raise InvalidArgumentError(
                    f"Failed to process element: {where} of 'instances' list. "
                    f"Error: {error.code}: {error}"
                ) from error
        if named and row.keys() != inputs.keys():
            raise InvalidArgumentError(
                f"Failed to process element: {number} of 'instances' list. "
                f"JSON object: {show(row)} keys must be equal to: {','.join(sorted(inputs))}"
            )
    return {alias: np.stack(stack.arrays) for alias, stack in tensors.items() if stack.arrays}


class _Stack:
    """The arrays of one input, row by row, all with one shape."""

    def __init__(self, dtype: str) -> None:
        self._dtype = dtype
        self.arrays: list[np.ndarray] = []

    def add(self, value: Json, request: Document) -> None:
        array = one_by_one(value, self._dtype, request)
        self.arrays.append(array)
        first = self.arrays[0]
        if array.size != first.size:
            raise InvalidArgumentError(f"Expecting tensor size: {first.size} but got: {array.size}")
        if array.shape != first.shape:
            raise InvalidArgumentError(f"Expecting shape {_shape(first)} but got: {_shape(array)}")


def _is_named(row: Json) -> bool:
    """Whether a row names its inputs."""
    return isinstance(row, dict) and not document.is_b64(row)


def _shape(array: np.ndarray) -> str:
    return f"[{','.join(map(str, array.shape))}]"


def _format_error(values: Json, text: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"JSON Value: {show(values)} {text}")
