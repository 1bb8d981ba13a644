"""Transformed records as batches for Keras: read, shuffled and parsed by tf.data.

The order of an epoch follows from the seed and the epoch alone, so that training resumed
at an epoch sees what unbroken training would have seen. At most a shuffle buffer's worth of
examples is in memory.
"""

import dataclasses
from collections.abc import Sequence
from typing import TypeAlias

import tensorflow as tf
from etils.epath import Path

from millrace.components.features.layout import LayoutColumn, RecordLayout
from millrace.components.training.objective import Objective

_BUFFER_BYTES = 256 << 20
_FILES_AT_ONCE = 16
_EVALUATION_BATCH = 256

Inputs: TypeAlias = "tf.Tensor | dict[str, tf.Tensor]"


@dataclasses.dataclass(frozen=True)
class Order:
    """Which epochs, and how they are shuffled.

    Attributes:
        seed: epoch `e` is shuffled by (seed, e).
        first, epochs: epochs `first` ... `epochs - 1`.
        buffer: examples shuffled among one another.
    """

    seed: int
    first: int
    epochs: int
    buffer: int


def default_buffer(layout: RecordLayout, count: int) -> int:
    """All of `count` examples, or as many as fit 256 MiB."""
    size = sum(column.bytes for column in (*layout.inputs, layout.target))
    return max(1, min(count, _BUFFER_BYTES // size))


def training(
    files: Sequence[Path], layout: RecordLayout, objective: Objective, order: Order, batch_size: int
) -> tf.data.Dataset:
    """The batches of all epochs, one after another.

    Yields:
        The inputs, each [batch, *shape] as the layout says, and the targets: for a
        classification float32 [batch, 1] if the objective is binary, float32 [batch, classes]
        if it is one-hot, else int32 [batch]; otherwise [batch, *shape] of the layout's target.
        The last batch of an epoch may be smaller.
    """
    names = list(map(str, files))

    def epoch(number: tf.Tensor) -> tf.data.Dataset:
        seed = number + tf.constant(order.seed, tf.int64) * 1_000_003
        shuffled = tf.data.Dataset.from_tensor_slices(names).shuffle(len(names), seed)
        # In parallel this takes turns on threads that the model needs: half as fast on two cores.
        records = shuffled.interleave(_records, cycle_length=min(len(names), _FILES_AT_ONCE))
        return records.shuffle(order.buffer, seed).batch(batch_size)

    epochs = tf.data.Dataset.range(order.first, order.epochs).flat_map(epoch)
    return _parsed(epochs, layout, objective)


def evaluation(
    files: Sequence[Path], layout: RecordLayout, objective: Objective, count: int
) -> tf.data.Dataset:
    """The batches of a split's `count` examples once, in the order of its files."""
    records = _records(list(map(str, files))).batch(_EVALUATION_BATCH)
    batches = -(-count // _EVALUATION_BATCH)  # unknown to Keras, it would warn of the end
    known = records.apply(tf.data.experimental.assert_cardinality(batches))
    return _parsed(known, layout, objective)


def targets(files: Sequence[Path], layout: RecordLayout) -> tf.data.Dataset:
    """The targets of a split in batches, [batch, *shape] as the layout says."""
    records = _records(list(map(str, files))).batch(_EVALUATION_BATCH)
    target = layout.target
    feature = {target.name: _feature(target)}
    return records.map(
        lambda batch: _value(tf.io.parse_example(batch, feature)[target.name], target)
    )


def _records(files: tf.Tensor | list[str]) -> tf.data.Dataset:
    return tf.data.TFRecordDataset(files, compression_type="GZIP", buffer_size=1 << 20)


def _parsed(
    records: tf.data.Dataset, layout: RecordLayout, objective: Objective
) -> tf.data.Dataset:
    columns = (*layout.inputs, layout.target)
    features = {column.name: _feature(column) for column in columns}

    def parse(batch: tf.Tensor) -> tuple[Inputs, tf.Tensor]:
        parsed = tf.io.parse_example(batch, features)
        values = {column.name: _value(parsed[column.name], column) for column in columns}
        target = _target(values.pop(layout.target.name), objective)
        return values[layout.inputs[0].name] if len(values) == 1 else values, target

    return records.map(parse, num_parallel_calls=1).prefetch(tf.data.AUTOTUNE)


def _feature(column: LayoutColumn) -> tf.io.FixedLenFeature:
    """How the feature of a record is parsed."""
    if column.dtype == "uint8":
        return tf.io.FixedLenFeature([], tf.string)
    dtype = tf.int64 if column.dtype == "int32" else tf.float32
    return tf.io.FixedLenFeature(column.shape, dtype)


def _value(parsed: tf.Tensor, column: LayoutColumn) -> tf.Tensor:
    """The parsed feature as the network sees it, [batch, *shape]."""
    if column.dtype == "uint8":
        return tf.reshape(tf.io.decode_raw(parsed, tf.uint8), [-1, *column.shape])
    return tf.cast(parsed, column.dtype)


def _target(value: tf.Tensor, objective: Objective) -> tf.Tensor:
    if objective.is_binary:
        return tf.cast(value[:, None], tf.float32)
    if objective.is_one_hot:
        return tf.one_hot(value, objective.classes)
    # A network for one number gives [batch, 1], and Keras would broadcast [batch] against it.
    return value[:, None] if objective.task == "regression" else value
