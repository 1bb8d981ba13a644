"""Python's values as arrays of the types that TensorFlow has.

`as_array` gives the types that TensorFlow gives to Python's own values, whatever the model is;
`as_typed` the type of a signature's input, where no number changes on the way.
"""

import numbers
from collections.abc import ItemsView, Mapping, Sequence
from typing import TypeGuard

import numpy as np

from millrace.serving import dtypes
from millrace.serving.errors import WireError

ArrayLike = np.ndarray | Sequence["ArrayLike"] | bytes | str | bool | int | float

_EXACT = 2**53  # the whole numbers below it are all float64's


def as_array(value: ArrayLike, *, name: str) -> np.ndarray:
    """`value` as an array, with the types that TensorFlow gives to Python's own values.

    In a list, a `float` becomes float32, or float64 where one is too large for that; an `int`
    int32, or int64 where one does not fit; text and bytes become an object array of `bytes`,
    trailing zero bytes kept. An array keeps its dtype.

    Raises:
        WireError: `value` is ragged, masked, or holds what no tensor can hold.
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
    """`value` as an array of TensorFlow's type `dtype`, if it has numbers of another width.

    Whole numbers become wider or narrower ones, or decimals; decimals become wider or narrower
    ones. In a list, Python's floats are rounded, as everywhere; nothing else is. What is of
    another kind (text, say) is read as `as_array` does.

    Raises:
        WireError: as `as_array`; or a number would not be the same in `dtype`.
    """
    array = _read(value, name)
    wanted = np.dtype(object) if dtype == "string" else dtypes.numpy_dtype(dtype)
    if array.dtype == wanted:
        return array
    if array.dtype.kind in "iu" and wanted.kind in "iu":
        limits = np.iinfo(str(wanted))
        fits = not array.size or (limits.min <= array.min() and array.max() <= limits.max)
        return _checked(array.astype(wanted), array, dtype, name, fits=bool(fits))
    if array.dtype.kind in "iuf" and wanted.kind == "f":
        with np.errstate(over="ignore"):
            found = array.astype(wanted)
        is_rounded = array.dtype.kind == "f" and not isinstance(value, np.ndarray | np.generic)
        if is_rounded:
            fits = np.array_equal(np.isinf(found), np.isinf(array))
        else:
            fits = _is_same(found, array)
        return _checked(found, array, dtype, name, fits=fits)
    return as_array(value, name=name)


def typed(inputs: Mapping[str, ArrayLike], types: Mapping[str, str]) -> dict[str, ArrayLike]:
    """Each of `inputs` as `as_typed` reads it in its type of `types`; others as they are."""
    return {
        alias: as_typed(value, types[alias], name=alias) if alias in types else value
        for alias, value in named(inputs)
    }


def named(inputs: Mapping[str, ArrayLike]) -> ItemsView[str, ArrayLike]:
    """Each input with its alias.

    Raises:
        WireError: `inputs` are rows, as REST's `instances` have them, or a bare array; or an alias
            is no text.
    """
    if not hasattr(inputs, "items"):  # a data frame has them, and is no Mapping
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
        utf8(alias, "Input's name")
    return inputs.items()


def is_masked(value: object) -> bool:
    """Whether `value` is an array that hides some of its elements."""
    return isinstance(value, np.ma.MaskedArray) and bool(np.ma.is_masked(value))


def utf8(text: str, what: str, name: str = "") -> bytes:
    """`text` as UTF-8; `what` it is, and whose, for the error.

    Raises:
        WireError: it holds half of a surrogate pair, which stands for no character.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        where = f"{what} {name!r}" if name else what
        raise WireError(
            f"{where}: expected text. Received: {text[error.start]!a}, half of a surrogate "
            "pair, which UTF-8 has not. Pass bytes, or leave it out: "
            "`text.encode(errors='ignore')`."
        ) from error


def _read(value: ArrayLike, name: str) -> np.ndarray:
    """`value` as an array: text as objects, numbers in the widest type of their kind."""
    if isinstance(value, bytes | str):  # numpy's own, too, whose arrays drop trailing zero bytes
        return _texts(np.array(value, dtype=object), name)
    if is_masked(value) or (_holds_arrays(value) and any(map(is_masked, value))):
        raise WireError(
            f"Input {name!r}: expected a value in each place. Received: a masked array, which "
            "hides some. Fill them first, e.g. `array.filled(0)`."
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
    """Numbers that numpy reads as float64: whole ones that it lacks must not become others."""
    found = np.array(value, dtype=object)
    whole = [int(one) for one in found.ravel().tolist() if isinstance(one, numbers.Integral)]
    if len(whole) == found.size:  # some are more than int64 holds
        try:
            return found.astype(np.uint64)
        except OverflowError as error:
            raise refusal(name, "whole numbers of which no type holds all") from error
    if all(int(float(one)) == one for one in whole):
        return array
    raise refusal(name, "whole numbers beside decimals, which do not hold them")


def _holds_arrays(value: ArrayLike) -> TypeGuard[Sequence[ArrayLike]]:
    return isinstance(value, Sequence) and len(value) > 0 and isinstance(value[0], np.ndarray)


def _holds_text(value: object) -> bool:
    while isinstance(value, Sequence) and not isinstance(value, bytes | str) and len(value) > 0:
        value = value[0]
    return isinstance(value, bytes | str) or (
        isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "OSU"
    )


def _texts(array: np.ndarray, name: str) -> np.ndarray:
    """`array` with each element as `bytes`."""
    texts = np.empty(array.shape, object)
    for index, item in enumerate(array.ravel().tolist()):
        if not isinstance(item, bytes | str):
            raise refusal(name, f"an array with {type(item).__name__} where text belongs")
        texts.flat[index] = utf8(item, "Input", name) if isinstance(item, str) else bytes(item)
    return texts


def _is_same(found: np.ndarray, array: np.ndarray) -> bool:
    """Whether each of the numbers of `array` is the same in `found`, which are floats."""
    if array.dtype.kind == "f":
        return np.array_equal(found.astype(array.dtype), array, equal_nan=True)
    most = 2 ** (np.finfo(found.dtype).nmant + 1)  # up to which a float has all whole numbers
    return not array.size or (-most <= int(array.min()) and int(array.max()) <= most)


def _checked(
    found: np.ndarray, array: np.ndarray, dtype: str, name: str, *, fits: bool
) -> np.ndarray:
    if fits:
        return found
    raise WireError(
        f"Input {name!r}: expected {dtype}, which the model takes. Received: {array.dtype} values "
        f"that {dtype} does not hold. Convert it first, e.g. `array.astype('{dtype}')`, which "
        "rounds or wraps them."
    )


def refusal(name: str, received: str) -> WireError:
    """The error of a value that no tensor holds."""
    known = ", ".join(dtype for dtype in dtypes.BY_NAME if dtype != "object")
    return WireError(
        f"Input {name!r}: expected bytes, text or one of {known}. Received: {received}. "
        "Convert it first, e.g. `array.astype('float32')`."
    )
