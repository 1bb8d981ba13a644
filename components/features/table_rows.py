"""Raw records of a table to transformed ones, ready to train on, by the ops that are served."""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import tensorflow as tf

from millrace.components.artifacts import Rejected
from millrace.components.errors import DataError, OptionError
from millrace.components.features import class_names, table, table_label
from millrace.components.features import hook as hooks
from millrace.components.features.hook_spec import PLACE, Hook
from millrace.components.features.table_spec import RawColumn, TableSpec
from millrace.components.files import arrow_examples, columns


def transform(
    batches: Iterable[pa.RecordBatch], place: str, spec: TableSpec, rejected: list[Rejected]
) -> Iterator[bytes]:
    """The transformed records of raw ones, batch by batch.

    Yields the inputs of `spec.layout`, float and int64 lists, and `label`: the index of the
    class, or the number to predict. Rows without a usable label, or with several values in one
    column, go to `rejected`.
    The arguments are those of `rows.transform`, the records as `files.columns` has them.
    """
    start = 0
    for batch in batches:
        labels, reasons = _labels(batch, spec)
        for number in np.flatnonzero(reasons.astype(bool)).tolist():
            where = columns.position(place, start + number)
            rejected.append(Rejected("", reasons[number], where))
        start += batch.num_rows
        is_usable = ~reasons.astype(bool)
        usable = batch.filter(pa.array(is_usable))
        inputs = {name: _lists(array) for name, array in inputs_of(usable, spec).items()}
        records = arrow_examples.records({**inputs, "label": pa.array(labels[is_usable])})
        yield from arrow_examples.as_bytes(records)


def _lists(array: np.ndarray) -> pa.FixedSizeListArray:
    """Inputs [rows, width] as a column; whole numbers as int64."""
    flat = array.ravel().astype(np.float32 if array.dtype.kind == "f" else np.int64)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), array.shape[1])


def inputs_of(batch: pa.RecordBatch, spec: TableSpec) -> dict[str, np.ndarray]:
    """The inputs of a network for a batch of raw records: [rows, width] by name."""
    given = [tf.constant(column(batch, raw)) for raw in spec.raw]
    return {name: array.numpy() for name, array in _compiled(spec)(*given).items()}


def column(batch: pa.RecordBatch, raw: RawColumn) -> np.ndarray:
    """One raw column [rows], as the model takes it: bytes as objects, or float32.

    Raises:
        DataError: it holds text for numbers, or numbers for text.
    """
    is_text = raw.dtype == "bytes"
    cells = columns.first(batch, raw.name)
    if cells is None:
        return np.full(batch.num_rows, b"" if is_text else np.nan, object if is_text else "f4")
    if is_text != pa.types.is_binary(cells.type):
        raise DataError(
            f"Column {raw.name!r}: expected {raw.dtype} values, as in the train split. Received: "
            f"{cells.type}. Run `analyze` again, or give records of the same columns."
        )
    if is_text:
        return cells.fill_null(b"").to_numpy(zero_copy_only=False)
    return cells.cast(pa.float32(), safe=False).fill_null(np.nan).to_numpy(zero_copy_only=False)


def preprocessed(
    batches: Iterable[pa.RecordBatch], raw: Sequence[RawColumn], hook: Hook, label: str
) -> Iterator[pa.RecordBatch]:
    """The columns that the function of `hook` makes of raw records, and their label.

    `transform` and `export` have that function in their graphs, see `features.table`; `analyze`,
    which needs no TensorFlow otherwise, counts values after this one. NaN and the empty text are
    missing cells, which the record leaves out.

    Args:
        batches: the columns of raw records, as `files.columns` has them.
        raw: the columns that the function is given.
        hook: the function.
        label: the feature that it is not given.

    Raises:
        OptionError: it makes a column of the label's name.
    """
    for batch in batches:
        given = {each.name: tf.constant(column(batch, each)) for each in raw}
        made = {name: each.numpy() for name, each in hooks.columns(hook, given).items()}
        if label in made:
            raise OptionError(
                f"{PLACE}: expected {hook.function} to leave the label {label!r} to the data. "
                "Received: a column of this name. Call it otherwise."
            )
        found = {
            name: columns.of_array(cells[:, None], _is_missing(cells))
            for name, cells in made.items()
        }
        if label in batch.schema.names:
            found[label] = batch.column(label)
        yield pa.RecordBatch.from_pydict(found)


def _is_missing(cells: np.ndarray) -> np.ndarray:
    return np.isnan(cells) if cells.dtype.kind == "f" else cells == b""


def _labels(batch: pa.RecordBatch, spec: TableSpec) -> tuple[np.ndarray, np.ndarray]:
    """The label of each row, int64 or float32 [rows], and why it has none, "" where it has."""
    name_of = _classes_of if spec.problem == "classification" else _numbers_of
    labels, reasons = name_of(batch, spec)
    for raw in reversed(spec.raw):
        if raw.name in batch.schema.names:
            lists = batch.column(raw.name)
            is_crowded = (np.diff(lists.offsets.to_numpy()) > 1) & ~columns.is_null(lists)
            reasons[is_crowded] = f"several values in column {raw.name!r}"
    return labels, reasons


def _classes_of(batch: pa.RecordBatch, spec: TableSpec) -> tuple[np.ndarray, np.ndarray]:
    missing = f"no {spec.label!r}"
    cells = columns.first(batch, spec.label)
    if cells is None:
        return np.zeros(batch.num_rows, np.int64), np.full(batch.num_rows, missing, object)
    encoded = cells.dictionary_encode()
    places = {class_names.meaning(name): place for place, name in enumerate(spec.classes)}
    names = [table_label.class_name(each) for each in encoded.dictionary]
    unknown = [f"class {name!r} is not in the train split" if name else missing for name in names]
    found = [places.get(class_names.meaning(name)) for name in names]
    reasons = ["" if at is not None else why for at, why in zip(found, unknown, strict=True)]
    codes = encoded.indices.fill_null(len(names)).to_numpy()
    labels = np.array([*(at or 0 for at in found), 0], np.int64)
    return labels[codes], np.array([*reasons, missing], object)[codes]


def _numbers_of(batch: pa.RecordBatch, spec: TableSpec) -> tuple[np.ndarray, np.ndarray]:
    labels = np.full(batch.num_rows, np.nan, np.float32)
    reasons = np.full(batch.num_rows, f"no number {spec.label!r}", object)
    cells = columns.first(batch, spec.label)
    if cells is not None and not pa.types.is_binary(cells.type):
        labels = cells.cast(pa.float32(), safe=False).to_numpy(zero_copy_only=False)
        lists = batch.column(spec.label)
        is_one = (np.diff(lists.offsets.to_numpy()) == 1) & ~columns.is_null(lists)
        reasons[is_one] = ""
        reasons[is_one & ~np.isfinite(labels)] = f"{spec.label!r} is not a finite number"
    return labels, reasons


@functools.cache
def _compiled(spec: TableSpec) -> Callable[..., dict[str, tf.Tensor]]:
    signature = [
        tf.TensorSpec([None], tf.string if raw.dtype == "bytes" else tf.float32) for raw in spec.raw
    ]

    def preprocess(*columns: tf.Tensor) -> dict[str, tf.Tensor]:
        named = {raw.name: column for raw, column in zip(spec.raw, columns, strict=True)}
        return table.preprocess(named, spec)

    # Our own ops need no AutoGraph, which takes a second; a hook is a function of its own.
    return tf.function(preprocess, input_signature=signature, autograph=False)
