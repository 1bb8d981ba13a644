"""Transformed records as batches for Keras: read, shuffled and parsed by tf.data.

The order of an epoch follows from the seed and the epoch alone, so that training resumed
at an epoch sees what unbroken training would have seen. At most a shuffle buffer's worth of
examples is in memory.
"""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf
from etils.epath import Path

from components.features import record
from components.features.spec import ImageSpec
from components.training.objective import Objective

_BUFFER_BYTES = 256 << 20
_FILES_AT_ONCE = 16
_EVALUATION_BATCH = 256


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


def default_buffer(spec: ImageSpec, count: int) -> int:
    """All of `count` examples, or as many as fit 256 MiB."""
    height, width, channels = spec.shape
    return max(1, min(count, _BUFFER_BYTES // (height * width * channels)))


def training(
    files: Sequence[Path], spec: ImageSpec, objective: Objective, order: Order, batch_size: int
) -> tf.data.Dataset:
    """The batches of all epochs, one after another.

    Yields:
        uint8 [batch, height, width, channels] and the labels: float32 [batch, 1] for a binary
        objective, float32 [batch, classes] for a one-hot one, else int64 [batch]. The last
        batch of an epoch may be smaller.
    """
    names = list(map(str, files))

    def epoch(number: tf.Tensor) -> tf.data.Dataset:
        seed = number + tf.constant(order.seed, tf.int64) * 1_000_003
        shuffled = tf.data.Dataset.from_tensor_slices(names).shuffle(len(names), seed)
        # In parallel this takes turns on threads that the model needs: half as fast on two cores.
        records = shuffled.interleave(_records, cycle_length=min(len(names), _FILES_AT_ONCE))
        return records.shuffle(order.buffer, seed).batch(batch_size)

    epochs = tf.data.Dataset.range(order.first, order.epochs).flat_map(epoch)
    return _parsed(epochs, spec, objective)


def evaluation(
    files: Sequence[Path], spec: ImageSpec, objective: Objective, count: int
) -> tf.data.Dataset:
    """The batches of a split's `count` examples once, in the order of its files."""
    records = _records(list(map(str, files))).batch(_EVALUATION_BATCH)
    batches = -(-count // _EVALUATION_BATCH)  # unknown to Keras, it would warn of the end
    known = records.apply(tf.data.experimental.assert_cardinality(batches))
    return _parsed(known, spec, objective)


def labels(files: Sequence[Path]) -> tf.data.Dataset:
    """The labels of a split in batches, int64 [batch]."""
    records = _records(list(map(str, files))).batch(_EVALUATION_BATCH)
    index = {record.INDEX: tf.io.FixedLenFeature([], tf.int64)}
    return records.map(lambda batch: tf.io.parse_example(batch, index)[record.INDEX])


def _records(files: tf.Tensor | list[str]) -> tf.data.Dataset:
    return tf.data.TFRecordDataset(files, compression_type="GZIP", buffer_size=1 << 20)


def _parsed(records: tf.data.Dataset, spec: ImageSpec, objective: Objective) -> tf.data.Dataset:
    features = {
        record.PIXELS: tf.io.FixedLenFeature([], tf.string),
        record.INDEX: tf.io.FixedLenFeature([], tf.int64),
    }

    def parse(batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        parsed = tf.io.parse_example(batch, features)
        pixels = tf.io.decode_raw(parsed[record.PIXELS], tf.uint8)
        return tf.reshape(pixels, [-1, *spec.shape]), _targets(parsed[record.INDEX], objective)

    return records.map(parse, num_parallel_calls=1).prefetch(tf.data.AUTOTUNE)


def _targets(index: tf.Tensor, objective: Objective) -> tf.Tensor:
    if objective.is_binary:
        return tf.cast(index[:, None], tf.float32)
    return tf.one_hot(index, objective.classes) if objective.is_one_hot else index
