"""Predictions as JSON, cells or features of Examples, a whole batch at once; compared.

They are the outputs of a signature: arrays `[rows, ...]` by name, strings as bytes. A classifier's
`scores` are named by its `classes`.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from millrace.components.models.certainty import LEVELS
from millrace.serving import example

if TYPE_CHECKING:
    import pyarrow as pa  # which asking a served model does without

Outputs = Mapping[str, np.ndarray]
PREFIX = "prediction/"  # of the features that are added to an Example


def as_json(outputs: Outputs) -> Iterator[dict[str, Any]]:
    """JSON values by output, row by row; a classifier's `scores` become an object by class."""
    names, plain = list(outputs), [_plain(array) for array in outputs.values()]
    is_named = _has_named_scores(outputs)
    for values in zip(*plain, strict=True):
        found = dict(zip(names, values, strict=True))
        if is_named:
            found["scores"] = dict(zip(found.pop("classes"), found["scores"], strict=True))
        yield found


def as_columns(outputs: Outputs) -> Iterator[dict[str, str | int | float | bool]]:
    """Single values by column, row by row: `output`, or `output/class`, `output/0`, … of arrays.

    The ends of intervals end in their level: `prediction_lower/80`.
    """
    names: dict[str, str] = {}
    for row in as_json(outputs):
        found = {}
        for name, each in row.items():
            for column, value in _flat(name, each):
                found[names.setdefault(column, _named(column, name, outputs))] = value
        yield found


def _named(column: str, name: str, outputs: Outputs) -> str:
    """A column of the output `name`; the place of a level by the level itself."""
    if name.removesuffix("_lower").removesuffix("_upper") not in outputs.keys() - {name}:
        return column
    start, _, place = column.rpartition("/")
    is_level = place.isdecimal() and int(place) < len(LEVELS)
    return f"{start}/{100 * LEVELS[int(place)]:g}" if is_level else column


def as_features(outputs: Outputs) -> "dict[str, pa.ListArray]":
    """Columns by `prediction/<output>`; float64, which an Example lacks, as text.

    Raises:
        WireError: an Example cannot hold an output's numbers.
    """
    from millrace.components.files import columns

    return {PREFIX + name: columns.of_array(_held(name, array)) for name, array in outputs.items()}


def _held(name: str, array: np.ndarray) -> np.ndarray:
    """The values [rows, values] in a type that an Example has."""
    values = array.reshape(len(array), -1)
    if values.dtype == object:
        return values
    if values.dtype == np.float64:
        texts = np.empty(values.size, object)
        texts[:] = [repr(value).encode() for value in values.ravel().tolist()]
        return texts.reshape(values.shape)
    if values.dtype.kind in "bi":
        return values.astype(np.int64)
    if values.dtype != np.float32:
        example.encode({name: values})  # refuses what does not fit
    return values.astype(np.int64 if values.dtype.kind == "u" else np.float32)


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest absolute difference; of numbers above 1 in size, relative to the largest.

    float32 sums come out differently by their order, in proportion to their size. Infinite where
    the shapes differ.
    """
    if found.shape != expected.shape:
        return float("inf")
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    return float(np.abs(found.astype(np.float64) - expected).max(initial=0.0)) / scale


def _has_named_scores(outputs: Outputs) -> bool:
    classes, scores = outputs.get("classes"), outputs.get("scores")
    return (
        classes is not None
        and scores is not None
        and classes.shape == scores.shape
        and classes.ndim == 2
        and classes.dtype == object
    )


def _plain(array: np.ndarray) -> list[Any]:
    if array.dtype != object:
        return array.tolist()
    flat = array.ravel().tolist()
    texts = {value: value.decode(errors="replace") for value in set(flat)}
    found = np.empty(len(flat), object)
    found[:] = [texts[value] for value in flat]
    return found.reshape(array.shape).tolist()


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        parts = list(value.items())
    elif isinstance(value, list):
        parts = list(enumerate(value))
    else:
        yield name, value
        return
    for key, part in parts:
        yield from _flat(f"{name}/{key}", part)
