"""Converts JSON values to arrays of a signature's types.

Numbers are converted by numpy at once if that cannot change what is accepted. Anything else is
read value by value, in the order and with the error texts of
tensorflow_serving/util/json_tensor.cc.
"""

import math
from collections.abc import Callable

import numpy as np

from millrace.serving import dtypes
from millrace.serving.errors import InvalidArgumentError, UnimplementedError
from millrace.serving.rest import document
from millrace.serving.rest.document import Document, Json, show

_MOST_DIMENSIONS = 64  # of a numpy array
# The names in TensorFlow's `DataTypeString` that differ from numpy's.
_SHOWN = {"float32": "float", "float64": "double", "float16": "half"}
_INTEGERS = {
    **dict.fromkeys(("int8", "int16", "int32", "uint8"), (-(2**31), 2**31 - 1)),
    "int64": (-(2**63), 2**63 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
}
# The largest integer up to which a float type represents all of them, and its largest number.
_FLOATS = {
    "float32": (2**24 - 1, float(np.finfo(np.float32).max)),
    "float64": (2**53 - 1, float(np.finfo(np.float64).max)),
}


def to_array(value: Json, dtype: str, request: Document) -> np.ndarray:
    """Converts `value`, nested lists of one shape, to an array of TensorFlow's type `dtype`.

    Raises:
        InvalidArgumentError: it is ragged, or an element is invalid.
        UnimplementedError: JSON does not support `dtype`.
    """
    array = _at_once(value, dtype, request)
    return one_by_one(value, dtype, request) if array is None else array


def _at_once(value: Json, dtype: str, request: Document) -> np.ndarray | None:
    """Converts numbers by numpy; returns None if that might accept what must be refused."""
    if dtype not in _FLOATS and dtype not in _INTEGERS:
        return None
    if request.has_booleans:  # numpy would convert them to numbers
        return None
    try:
        array = np.array(value)
    except (ValueError, OverflowError, RecursionError):
        return None
    fits = _fits_float if dtype in _FLOATS else _fits_integer
    if array.size and not fits(array, dtype, request):
        return None
    return array.astype(dtype) if array.dtype.kind in "iuf" else None


def _fits_float(array: np.ndarray, dtype: str, request: Document) -> bool:
    """Whether each number is in the range of `dtype`, and each integer exact."""
    whole, most = _FLOATS[dtype]
    if array.dtype.kind in "iu":
        return -whole <= int(array.min()) and int(array.max()) <= whole
    if array.dtype.kind != "f":
        return False
    if np.isinf(array).any():
        request.check_numbers(math.inf)
    sizes = np.abs(array[np.isfinite(array)])
    large = sizes[sizes > whole]
    # numpy no longer shows whether one of these was written as an integer.
    return not large.size or (bool(large.max() <= most) and not np.any(large % 1 == 0))


def _fits_integer(array: np.ndarray, dtype: str, request: Document) -> bool:
    del request
    least, most = _INTEGERS[dtype]
    return array.dtype.kind in "iu" and int(array.min()) >= least and int(array.max()) <= most


def one_by_one(value: Json, dtype: str, request: Document) -> np.ndarray:
    """Like `to_array`, value by value."""
    shape = _dense_shape(value)
    if len(shape) > _MOST_DIMENSIONS:
        raise InvalidArgumentError(
            f"Encountered list at unexpected level: {_MOST_DIMENSIONS} "
            f"expected < {_MOST_DIMENSIONS}"
        )
    elements: list[bytes | int | float] = []
    element = _Element(dtype, request)
    _fill(value, 0, shape, element, elements)
    if dtype == "string":
        return np.fromiter(elements, object, len(elements)).reshape(shape)
    # Narrow integers wrap around, as in the real server's `Tensor::FromProto`.
    wide = "int64" if dtype in ("int8", "int16", "uint8") else dtypes.numpy_dtype(dtype)
    return np.array(elements, wide).astype(dtypes.numpy_dtype(dtype)).reshape(shape)


def _dense_shape(value: Json) -> tuple[int, ...]:
    """Returns the shape, judged by the first values."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(shape)


def _fill(
    value: Json,
    level: int,
    shape: tuple[int, ...],
    element: Callable[[Json], bytes | int | float],
    elements: list[bytes | int | float],
) -> None:
    """Append the elements of `value`, whose lists must have the sizes in `shape`."""
    if not isinstance(value, list):
        if level != len(shape):
            raise InvalidArgumentError(
                f"JSON Value: {show(value)} found at incorrect level: {level + 1} "
                f"in the JSON DOM. Expected at level: {len(shape)}"
            )
        elements.append(element(value))
        return
    if level >= len(shape):
        raise InvalidArgumentError(
            f"Encountered list at unexpected level: {level} expected < {len(shape)}"
        )
    if len(value) != shape[level]:
        raise InvalidArgumentError(
            f"Encountered list at unexpected size: {len(value)} at level: {level} "
            f"expected size: {shape[level]}"
        )
    for one in value:
        _fill(one, level + 1, shape, element, elements)


class _Element:
    """Reads one element of a tensor."""

    def __init__(self, dtype: str, request: Document) -> None:
        self._dtype, self._request = dtype, request

    def __call__(self, value: Json) -> bytes | int | float:
        if self._dtype == "string":
            return self._text(value)
        if isinstance(value, dict):
            raise self._wrong_type(value)
        if self._dtype in _FLOATS:
            return self._float(value)
        if self._dtype in _INTEGERS:
            least, most = _INTEGERS[self._dtype]
            if type(value) is not int or not least <= value <= most:
                raise self._wrong_type(value)
            return value
        if self._dtype != "bool":
            raise UnimplementedError(
                f"Conversion of JSON Value: {show(value)} to type: {self._shown}"
            )
        if not isinstance(value, bool):
            raise self._wrong_type(value)
        return value

    @property
    def _shown(self) -> str:
        return shown_type(self._dtype)

    def _text(self, value: Json) -> bytes:
        if isinstance(value, dict):
            return document.from_b64(value)
        if not isinstance(value, str):
            raise self._wrong_type(value)
        return document.from_text(value)

    def _float(self, value: Json) -> float:
        if not document.is_integer(value) and not document.is_decimal(value):
            raise self._wrong_type(value)
        whole, most = _FLOATS[self._dtype]
        self._request.check_numbers(document.magnitude(value))
        limit = whole if document.is_integer(value) else most
        if math.isfinite(document.magnitude(value)) and abs(value) > limit:
            raise InvalidArgumentError(
                f"Cannot convert JSON value: {show(value)} to {self._shown} "
                "without loss of precision."
            )
        return float(value)

    def _wrong_type(self, value: Json) -> InvalidArgumentError:
        return InvalidArgumentError(
            f"JSON Value: {show(value)} Type: {document.kind(value)} "
            f"is not of expected type: {self._shown}"
        )


def shown_type(dtype: str) -> str:
    """Returns the name of a type in the real server's texts."""
    return _SHOWN.get(dtype, dtype)
