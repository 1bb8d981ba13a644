"""Transformed records as batches for Keras: read, shuffled and parsed by tf.data.

The order of an epoch follows from the seed and the epoch alone, so that training resumed
at an epoch sees what unbroken training would have seen. A split of at most 256 MiB is read once and
kept: of an epoch, only the numbers of the examples are shuffled, as the records themselves are if
they are read anew in every epoch. Of a larger split, a shuffle buffer's worth is in memory.
"""

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import tensorflow as tf
from etils.epath import Path

from millrace.components.features.layout import LayoutColumn, RecordLayout
from millrace.components.training.mixing import Mixing
from millrace.components.training.objective import Objective
from millrace.components.training.plan import TrainingPlan

_BUFFER_BYTES = 256 << 20
_FILES_AT_ONCE = 16
_EVALUATION_BATCH = 256
_CHUNK_BYTES = 4 << 20  # examples taken out of memory, or parsed, at once
_CHUNK_EXAMPLES = 4096

Inputs: TypeAlias = "tf.Tensor | dict[str, tf.Tensor]"
Values: TypeAlias = Mapping[str, tf.Tensor]


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


@dataclasses.dataclass(frozen=True)
class Share:
    """Which replicas of a distributed training read here, each its part of every batch.

    Attributes:
        first: the number of the first of them, from 0.
        count: how many.
        of: how many there are on all machines.
    """

    first: int
    count: int
    of: int


class Kept(NamedTuple):
    """A split in memory.

    Attributes:
        values: by feature, [examples, *shape], file by file.
        bounds: of each file, its first example and the one after its last, int64 [files, 2].
    """

    values: Values
    bounds: tf.Tensor


def default_buffer(layout: RecordLayout, count: int) -> int:
    """All of `count` examples, or as many as fit 256 MiB."""
    return max(1, min(count, _BUFFER_BYTES // _bytes(layout)))


def training(
    files: Sequence[Path],
    layout: RecordLayout,
    objective: Objective,
    order: Order,
    batch_size: int,
    count: int,
    share: Share | None = None,
    mixing: Mixing | None = None,
) -> tf.data.Dataset:
    """The batches of all epochs, one after another.

    Args:
        files: of the split.
        layout: of their records.
        objective: what the targets are for.
        order: of the examples.
        batch_size: examples of a batch.
        count: examples of the split.
        share: of each batch, if others read the rest.
        mixing: how pictures are mixed in pairs, if they are: targets may then have weights.

    Yields:
        The inputs, each [batch, *shape] as the layout says, and the targets: for a
        classification float32 [batch, 1] if the objective is binary, float32 [batch, classes]
        if it is one-hot, else int32 [batch]; otherwise [batch, *shape] of the layout's target.
        The last batch of an epoch may be smaller. With a `share`, the parts of each batch that
        are its own, one after another, each with how many examples are its own, int32 []; where
        a batch is too small for all, that is 0, and the part is a copy of another's example.
    """
    kept = _kept(files, layout, count)
    first = order.first * -(-count // batch_size)
    if kept is None:
        records = _epochs(list(map(str, files)), _records, order, batch_size)
        if mixing is None:
            return _parsed(records, layout, objective, share)
        mixed = mixing.mixed(_parsed(records, layout, objective, None), order.seed, first)
        return (mixed if share is None else _with_own(mixed, share)).prefetch(tf.data.AUTOTUNE)
    values, bounds = kept
    # An op for each feature of each batch would take longer than the batch of a small network.
    size = batch_size * max(1, _chunk(layout) // batch_size)
    numbers = _epochs(bounds, _numbers, order, size)
    chunks = numbers.map(lambda chosen: _taken(values, chosen, layout, objective))
    batches = chunks.prefetch(1).flat_map(
        lambda *chunk: tf.data.Dataset.from_tensors(chunk).rebatch(batch_size)
    )
    if mixing is not None:
        batches = mixing.mixed(batches, order.seed, first)
    return (batches if share is None else _with_own(batches, share)).prefetch(tf.data.AUTOTUNE)


def of_plan(
    plan: TrainingPlan, done: int, share: Share | None = None, mixing: Mixing | None = None
) -> tf.data.Dataset:
    """What `training` gives of the train split of `plan`, from the epoch after `done` on."""
    train, layout = plan.train, plan.spec.layout
    buffer = plan.buffer or default_buffer(layout, train.count)
    order = Order(plan.seed, done, plan.epochs, buffer)
    return training(
        train.files, layout, plan.objective, order, plan.batch_size, train.count, share, mixing
    )


def evaluation(
    files: Sequence[Path],
    layout: RecordLayout,
    objective: Objective,
    count: int,
    *,
    again: bool = False,
    share: Share | None = None,
) -> tf.data.Dataset:
    """The batches of a split's `count` examples once, in the order of its files.

    If they will be asked for `again`, they are kept, as far as they fit into memory. Of a `share`,
    the parts that are its own, as in `training`.
    """
    # Unknown to Keras, it would warn of the end.
    known = tf.data.experimental.assert_cardinality(evaluation_batches(count))
    if again and (kept := _kept(files, layout, count)):
        examples = tf.data.Dataset.from_tensors(kept.values).rebatch(_EVALUATION_BATCH)
        fed = examples.apply(known).map(lambda values: _fed(values, layout, objective))
        return fed if share is None else _with_own(fed, share)
    records = _records(list(map(str, files))).batch(_EVALUATION_BATCH)
    return _parsed(records.apply(known), layout, objective, share)


def evaluation_batches(count: int) -> int:
    """How many batches `evaluation` makes of `count` examples."""
    return -(-count // _EVALUATION_BATCH)


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


def _numbers(bounds: tf.Tensor) -> tf.data.Dataset:
    return tf.data.Dataset.range(bounds[0], bounds[1])


def _epochs(
    sources: tf.Tensor | list[str],
    read: Callable[[tf.Tensor], tf.data.Dataset],
    order: Order,
    size: int,
) -> tf.data.Dataset:
    """What `read` gives of each source in every epoch, shuffled, `size` at a time."""
    count = len(sources)

    def epoch(number: tf.Tensor) -> tf.data.Dataset:
        seed = number + tf.constant(order.seed, tf.int64) * 1_000_003
        if count == 1:
            return read(sources[0]).shuffle(order.buffer, seed).batch(size)
        shuffled = tf.data.Dataset.from_tensor_slices(sources).shuffle(count, seed)
        # In parallel this takes turns on threads that the model needs: half as fast on two cores.
        examples = shuffled.interleave(read, cycle_length=min(count, _FILES_AT_ONCE))
        return examples.shuffle(order.buffer, seed).batch(size)

    return tf.data.Dataset.range(order.first, order.epochs).flat_map(epoch)


def _kept(files: Sequence[Path], layout: RecordLayout, count: int) -> Kept | None:
    """The examples of `files`, None if their `count` is too large for memory."""
    if count * _bytes(layout) > _BUFFER_BYTES:
        return None
    parts: list[Values] = []
    ends = [0]
    parse = tf.function(lambda records: _values(records, layout), reduce_retracing=True)
    with tf.device("CPU"):  # as tf.data is
        for file in files:
            found = list(map(parse, _records(str(file)).batch(_chunk(layout))))
            parts += found
            ends.append(ends[-1] + sum(len(part[layout.target.name]) for part in found))
        values = {name: tf.concat([part[name] for part in parts], 0) for name in parts[0]}
        return Kept(values, tf.constant(list(itertools.pairwise(ends)), tf.int64))


def _bytes(layout: RecordLayout) -> int:
    """Of an example in memory."""
    return sum(column.bytes for column in (*layout.inputs, layout.target))


def _chunk(layout: RecordLayout) -> int:
    return max(1, min(_CHUNK_EXAMPLES, _CHUNK_BYTES // _bytes(layout)))


def _taken(
    values: Values, chosen: tf.Tensor, layout: RecordLayout, objective: Objective
) -> tuple[Inputs, tf.Tensor]:
    taken = {name: tf.gather(column, chosen) for name, column in values.items()}
    return _fed(taken, layout, objective)


def _parsed(
    records: tf.data.Dataset, layout: RecordLayout, objective: Objective, share: Share | None
) -> tf.data.Dataset:
    def fed(batch: tf.Tensor, *own: tf.Tensor) -> tuple[Any, ...]:
        return *_fed(_values(batch, layout), layout, objective), *own

    if share is not None:
        records = _parts(records, share)
    return records.map(fed, num_parallel_calls=1).prefetch(tf.data.AUTOTUNE)


def _parts(batches: tf.data.Dataset, share: Share) -> tf.data.Dataset:
    """The parts of each batch that belong to `share`, and how many examples are theirs."""

    def of_batch(*batch: Any) -> tf.data.Dataset:
        if len(batch) == 1:
            (batch,) = batch
        count = tf.shape(tf.nest.flatten(batch)[0])[0]

        def part(number: tf.Tensor) -> tuple[Any, tf.Tensor]:
            first, end = count * number // share.of, count * (number + 1) // share.of
            start = tf.minimum(first, count - 1)  # layers are not made for a batch of nothing
            stop = tf.maximum(end, start + 1)
            taken = tf.nest.map_structure(lambda tensor: tensor[start:stop], batch)
            return taken, end - first

        return tf.data.Dataset.range(
            share.first, share.first + share.count, output_type=tf.int32
        ).map(part)

    return batches.flat_map(of_batch)


def _with_own(batches: tf.data.Dataset, share: Share) -> tf.data.Dataset:
    """`_parts`, each flat: how many examples are its own comes last."""
    return _parts(batches, share).map(lambda part, own: (*part, own))


def _values(records: tf.Tensor, layout: RecordLayout) -> dict[str, tf.Tensor]:
    """The features of a batch of records, as the network sees them."""
    columns = (*layout.inputs, layout.target)
    parsed = tf.io.parse_example(records, {column.name: _feature(column) for column in columns})
    return {column.name: _value(parsed[column.name], column) for column in columns}


def _fed(
    values: dict[str, tf.Tensor], layout: RecordLayout, objective: Objective
) -> tuple[Inputs, tf.Tensor]:
    """What `Model.fit` takes: inputs, and targets."""
    target = _target(values.pop(layout.target.name), objective)
    return values[layout.inputs[0].name] if len(values) == 1 else values, target


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
