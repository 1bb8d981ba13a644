"""Raw records of a table to transformed ones, ready to train on, by the ops that are served."""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeGuard

import numpy as np
import tensorflow as tf

from millrace.components.artifacts import Rejected
from millrace.components.errors import OptionError
from millrace.components.features import hook as hooks
from millrace.components.features import table
from millrace.components.features.hook_spec import PLACE, Hook
from millrace.components.features.table_spec import RawColumn, TableSpec
from millrace.serving.example import Decoded, Value, encode

_BATCH = 1024  # rows preprocessed at once


def transform(
    rows: Iterable[tuple[Decoded, str]], spec: TableSpec, rejected: list[Rejected]
) -> Iterator[bytes]:
    """The transformed records of `rows`: raw ones, each with its position.

    Yields the inputs of `spec.layout`, float and int64 lists, and `label`: the index of the
    class, or the number to predict. Rows without a usable label, or with several values in one
    column, go to `rejected`.
    """
    usable = _usable(rows, spec, rejected)
    for batch in iter(lambda: list(itertools.islice(usable, _BATCH)), []):
        inputs = inputs_of([row for row, _ in batch], spec)
        for place, (_, label) in enumerate(batch):
            values = {name: array[place] for name, array in inputs.items()}
            yield encode({**values, "label": label})


def inputs_of(rows: Sequence[Decoded], spec: TableSpec) -> dict[str, np.ndarray]:
    """The inputs of a network for raw `rows`: [rows, width] by name."""
    columns = [tf.constant(column(rows, raw)) for raw in spec.raw]
    return {name: array.numpy() for name, array in _compiled(spec)(*columns).items()}


def column(rows: Sequence[Decoded], raw: RawColumn) -> np.ndarray:
    """One raw column [rows], as the model takes it: bytes as objects, or float32."""
    values = [row.get(raw.name) for row in rows]
    if raw.dtype == "bytes":
        return np.array([bytes(each[0]) if _holds(each) else b"" for each in values], object)
    return np.array([each[0] if _holds(each) else np.nan for each in values], np.float32)


def preprocessed(
    rows: Iterable[Decoded], raw: Sequence[RawColumn], hook: Hook, label: str
) -> Iterator[bytes]:
    """Each raw record with the columns that the function of `hook` makes, and its label.

    `transform` and `export` have that function in their graphs, see `features.table`; `analyze`,
    which needs no TensorFlow otherwise, counts values after this one. NaN and the empty text are
    missing cells, which the record leaves out.

    Args:
        rows: raw records.
        raw: the columns that the function is given.
        hook: the function.
        label: the feature that it is not given.

    Raises:
        OptionError: it makes a column of the label's name.
    """
    waiting = iter(rows)
    for batch in iter(lambda: list(itertools.islice(waiting, _BATCH)), []):
        given = {each.name: tf.constant(column(batch, each)) for each in raw}
        made = {name: each.numpy() for name, each in hooks.columns(hook, given).items()}
        if label in made:
            raise OptionError(
                f"{PLACE}: expected {hook.function} to leave the label {label!r} to the data. "
                "Received: a column of this name. Call it otherwise."
            )
        for place, row in enumerate(batch):
            cells = {name: values[place] for name, values in made.items()}
            features = {name: _value(cell) for name, cell in cells.items() if _is_there(cell)}
            truth: dict[str, Value] = {label: row[label]} if label in row else {}
            yield encode(features | truth)


def _holds(value: list[bytes] | np.ndarray | None) -> TypeGuard[list[bytes] | np.ndarray]:
    return value is not None and len(value) > 0


def _usable(
    rows: Iterable[tuple[Decoded, str]], spec: TableSpec, rejected: list[Rejected]
) -> Iterator[tuple[Decoded, int | float]]:
    """Each row whose label is known, with it; the others go to `rejected`."""
    label_of = _class_of(spec) if spec.problem == "classification" else _number_of(spec)
    for row, position in rows:
        label = _crowded(row, spec) or label_of(row)
        if isinstance(label, str):
            rejected.append(Rejected("", label, position))
        else:
            yield row, label


def _crowded(row: Decoded, spec: TableSpec) -> str:
    names = [raw.name for raw in spec.raw if len(row.get(raw.name, ())) > 1]
    return f"several values in column {names[0]!r}" if names else ""


def _class_of(spec: TableSpec) -> Callable[[Decoded], int | str]:
    labels = {name: label for label, name in enumerate(spec.classes)}

    def class_of(row: Decoded) -> int | str:
        name = label_text(row, spec.label)
        if name in labels:
            return labels[name]
        return f"class {name!r} is not in the train split" if name else f"no {spec.label!r}"

    return class_of


def _number_of(spec: TableSpec) -> Callable[[Decoded], float | str]:
    def number_of(row: Decoded) -> float | str:
        value = row.get(spec.label)
        if not isinstance(value, np.ndarray) or len(value) != 1:
            return f"no number {spec.label!r}"
        is_finite = bool(np.isfinite(value[0]))
        return float(value[0]) if is_finite else f"{spec.label!r} is not a finite number"

    return number_of


def label_text(row: Decoded, label: str) -> str:
    """The class of a row as text; empty if there is none."""
    value = row.get(label)
    if not _holds(value):
        return ""
    first = value[0]
    return first.decode("utf-8", "backslashreplace") if isinstance(first, bytes) else str(first)


def _is_there(cell: bytes | np.float32) -> bool:
    return bool(cell) if isinstance(cell, bytes) else not np.isnan(cell)


def _value(cell: bytes | np.float32) -> Value:
    return cell if isinstance(cell, bytes) else np.array([cell], np.float32)


@functools.cache
def _compiled(spec: TableSpec) -> Callable[..., dict[str, tf.Tensor]]:
    signature = [
        tf.TensorSpec([None], tf.string if raw.dtype == "bytes" else tf.float32) for raw in spec.raw
    ]

    def preprocess(*columns: tf.Tensor) -> dict[str, tf.Tensor]:
        named = {raw.name: column for raw, column in zip(spec.raw, columns, strict=True)}
        return table.preprocess(named, spec)

    return tf.function(preprocess, input_signature=signature)
