"""Converts Python's values to arrays of TensorFlow's types.

`as_array` uses the types that TensorFlow gives Python's own values, whatever the model;
`as_typed` uses the type of a signature's input, provided that no value changes.
"""

import numbers
from collections.abc import ItemsView, Mapping, Sequence
from typing import TypeGuard

import numpy as np

from millrace.serving import dtypes
from millrace.serving.errors import WireError

ArrayLike = np.ndarray | Sequence["ArrayLike"] | bytes | str | bool | int | float

_EXACT = 2**53  # float64 represents all integers below it


def as_array(value: ArrayLike, *, name: str) -> np.ndarray:
    """Returns `value` as an array, with the types that TensorFlow gives Python's own values.

    In a list, a `float` becomes float32, or float64 if one is too large for that; an `int` becomes
    int32, or int64 if one does not fit; text and bytes become an object array of `bytes`, with
    trailing zero bytes kept. An array keeps its dtype.

    Raises:
        WireError: `value` is ragged, masked, or has elements that no tensor can hold.
    """
    array = _read(value, name)
    if isinstance(value, np.ndarray | np.generic):
        return array
    if array.dtype == np.float64:
        with np.errstate(over="ignore"):
            narrow = array.astype(np.float32)
        return narrow if np.array_equal(np.isinf(narrow), np.isinf(array)) else array
    if array.dtype == np.int64:
        narrow = array.astype(np.int32)
        return narrow if np.array_equal(narrow, array) else array
    return array


def as_typed(value: ArrayLike, dtype: str, *, name: str) -> np.ndarray:
    """Returns `value` as an array of TensorFlow's type `dtype`, if it has other numbers.

    Integers become integers of another width, or floats; floats become floats of another width.
    Only Python's floats in a list are rounded. Other values, e.g. text, are converted as by
    `as_array`.

    Raises:
        WireError: see `as_array`; or a number cannot be represented in `dtype`.
    """
    array = _read(value, name)
    target = np.dtype(object) if dtype == "string" else dtypes.numpy_dtype(dtype)
    if array.dtype == target:
        return array
    if array.dtype.kind in "iu" and target.kind in "iu":
        limits = np.iinfo(str(target))
        fits = not array.size or (limits.min <= array.min() and array.max() <= limits.max)
        return _checked(array.astype(target), array, dtype, name, fits=bool(fits))
    if array.dtype.kind in "iuf" and target.kind == "f":
        with np.errstate(over="ignore"):
            found = array.astype(target)
        is_rounded = array.dtype.kind == "f" and not isinstance(value, np.ndarray | np.generic)
        if is_rounded:
            fits = np.array_equal(np.isinf(found), np.isinf(array))
        else:
            fits = _is_same(found, array)
        return _checked(found, array, dtype, name, fits=fits)
    return as_array(value, name=name)


def typed(inputs: Mapping[str, ArrayLike], types: Mapping[str, str]) -> dict[str, ArrayLike]:
    """Converts each of `inputs` by `as_typed` to its type in `types`; others are kept."""
    return {
        alias: as_typed(value, types[alias], name=alias) if alias in types else value
        for alias, value in named(inputs)
    }


def named(inputs: Mapping[str, ArrayLike]) -> ItemsView[str, ArrayLike]:
    """Returns the inputs with their aliases.

    Raises:
        WireError: `inputs` are rows, as in REST's `instances`, or a bare array; or an alias is not
            text.
    """
    if not hasattr(inputs, "items"):  # a DataFrame has items, but is not a Mapping
        raise WireError(
            "Inputs: expected a mapping from names to values, such as {'text': ['one', 'two']}. "
            f"Received: {type(inputs).__name__}. Name the input; `metadata(model)` lists them."
        )
    for alias in inputs:
        if not isinstance(alias, str):
            raise WireError(
                f"Inputs: expected names that are text. Received: {alias!r}. `metadata(model)` "
                "lists them."
            )
        utf8(alias, "Input name")
    return inputs.items()


def is_masked(value: object) -> bool:
    """Whether `value` is a masked array with hidden elements."""
    return isinstance(value, np.ma.MaskedArray) and bool(np.ma.is_masked(value))


def utf8(text: str, what: str, name: str = "") -> bytes:
    """Returns `text` as UTF-8; `what` and `name` identify it in the error.

    Raises:
        WireError: it has half of a surrogate pair.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        where = f"{what} {name!r}" if name else what
        raise WireError(
            f"{where}: expected text. Received: {text[error.start]!a}, half of a surrogate "
            "pair, which UTF-8 cannot encode. Pass bytes, or remove it: "
            "`text.encode(errors='ignore')`."
        ) from error


def _read(value: ArrayLike, name: str) -> np.ndarray:
    """Returns `value` as an array: text as objects, numbers in the widest type of their kind."""
    if isinstance(value, bytes | str):  # also np.bytes_, whose arrays drop trailing zero bytes
        return _texts(np.array(value, dtype=object), name)
    if is_masked(value) or (_holds_arrays(value) and any(map(is_masked, value))):
        raise WireError(
            f"Input {name!r}: expected a value for each element. Received: a masked array with "
            "hidden elements. Fill them first, e.g. `array.filled(0)`."
        )
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        return _texts(array, name) if array.dtype.kind in "OSU" else array
    if _holds_text(value):
        return _texts(np.array(value, dtype=object), name)
    return _numbers(value, name)


def _numbers(value: ArrayLike, name: str) -> np.ndarray:
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError) as error:
        raise refusal(name, f"a ragged list ({error})") from error
    if array.dtype.kind in "OSU":
        return _texts(array, name)
    if array.dtype == np.float64 and (np.abs(array) >= _EXACT).any():
        return _whole(value, array, name)
    return array


def _whole(value: ArrayLike, array: np.ndarray, name: str) -> np.ndarray:
    """Returns numbers that numpy reads as float64, unless that would change an integer."""
    found = np.array(value, dtype=object)
    whole = [int(one) for one in found.ravel().tolist() if isinstance(one, numbers.Integral)]
    if len(whole) == found.size:  # some do not fit into int64
        try:
            return found.astype(np.uint64)
        except OverflowError as error:
            raise refusal(name, "integers that no single type can hold") from error
    if all(int(float(one)) == one for one in whole):
        return array
    raise refusal(name, "floats and integers that a float cannot represent")


def _holds_arrays(value: ArrayLike) -> TypeGuard[Sequence[ArrayLike]]:
    return isinstance(value, Sequence) and len(value) > 0 and isinstance(value[0], np.ndarray)


def _holds_text(value: object) -> bool:
    while isinstance(value, Sequence) and not isinstance(value, bytes | str) and len(value) > 0:
        value = value[0]
    return isinstance(value, bytes | str) or (
        isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "OSU"
    )


def _texts(array: np.ndarray, name: str) -> np.ndarray:
    """Returns `array` with each element as `bytes`: itself where they are."""
    items = array.ravel().tolist()
    if array.dtype == object and set(map(type, items)) <= {bytes}:
        return array
    texts = np.empty(array.shape, object)
    for index, item in enumerate(items):
        if not isinstance(item, bytes | str):
            raise refusal(name, f"an array of text with an element of type {type(item).__name__}")
        texts.flat[index] = utf8(item, "Input", name) if isinstance(item, str) else bytes(item)
    return texts


def _is_same(found: np.ndarray, array: np.ndarray) -> bool:
    """Whether the floats `found` have the same values as `array`."""
    if array.dtype.kind == "f":
        return np.array_equal(found.astype(array.dtype), array, equal_nan=True)
    most = 2 ** (np.finfo(found.dtype).nmant + 1)  # all integers up to this are exact
    return not array.size or (-most <= int(array.min()) and int(array.max()) <= most)


def _checked(
    found: np.ndarray, array: np.ndarray, dtype: str, name: str, *, fits: bool
) -> np.ndarray:
    if fits:
        return found
    raise WireError(
        f"Input {name!r}: expected {dtype}, the type of the model's input. Received: {array.dtype} "
        f"values that {dtype} cannot represent. Convert them first, e.g. "
        f"`array.astype('{dtype}')`, which rounds or wraps them."
    )


def refusal(name: str, received: str) -> WireError:
    """Returns the error for a value that no tensor can hold."""
    known = ", ".join(dtype for dtype in dtypes.BY_NAME if dtype != "object")
    return WireError(
        f"Input {name!r}: expected bytes, text or one of {known}. Received: {received}. "
        "Convert it first, e.g. `array.astype('float32')`."
    )
