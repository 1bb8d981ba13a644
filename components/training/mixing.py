"""Pictures of a training batch mixed in pairs, and their labels with them.

MixUp (Zhang et al., 2018) blends two pictures; CutMix (Yun et al., 2019) pastes a rectangle of one
onto the other. A label becomes the shares of both. Keras has layers for these, but with a random
state that is no variable of the network, so that no backup would hold it. Here what is drawn
follows from the seed and the number of the batch alone: training that is resumed, and each replica,
mixes as unbroken training on one device does. And a share is that of whole pixels.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from millrace.components.models.image_options import Augment

_DRAWS = 6  # random streams of a batch
Pair = tuple[Any, Any]


@dataclasses.dataclass(frozen=True)
class Mixing:
    """How the batches of a training are mixed.

    Attributes:
        augment: of which `mixup` and `cutmix` count.
        class_weight: of each class, if they do not weigh the same.
    """

    augment: Augment
    class_weight: Mapping[int, float] | None = None

    def mixed(self, batches: tf.data.Dataset, seed: int, first: int) -> tf.data.Dataset:
        """`batches` of pictures and labels, mixed, and weights of the rows where they differ.

        Args:
            batches: uint8 [batch, height, width, channels], and float32 [batch, classes] or, of
                two classes, [batch, 1].
            seed: of what is drawn.
            first: the number of the first of them, counted from the first epoch on.
        """

        def one(number: tf.Tensor, batch: Pair) -> tuple[Any, ...]:
            pictures, labels = _mixed(batch, self.augment, tf.stack([seed, number]))
            if self.class_weight is None:
                return pictures, labels
            return pictures, labels, weights(labels, self.class_weight)

        return batches.enumerate(first).map(one)


def weights(labels: tf.Tensor, class_weight: Mapping[int, float]) -> tf.Tensor:
    """Of each row, float32 [batch]: what the classes weigh that its label has shares of.

    Args:
        labels: float32 [batch, classes] or, of two classes, [batch, 1].
        class_weight: of each class.
    """
    each = tf.constant([class_weight[label] for label in range(len(class_weight))], tf.float32)
    shares = labels if labels.shape[1] != 1 else tf.concat([1 - labels, labels], 1)
    return tf.linalg.matvec(shares, each)


def _mixed(batch: Pair, augment: Augment, seed: tf.Tensor) -> Pair:
    seeds = tf.unstack(tf.random.split(tf.cast(seed, tf.int64), _DRAWS))
    if not augment.cutmix:
        return _blended(batch, augment.mixup, seeds)
    if not augment.mixup:
        return _pasted(batch, augment.cutmix, seeds)
    is_blended = tf.random.stateless_uniform([], seeds[5]) < 0.5  # each batch one or the other
    return tf.cond(
        is_blended,
        lambda: _blended(batch, augment.mixup, seeds),
        lambda: _pasted(batch, augment.cutmix, seeds),
    )


def _blended(batch: Pair, alpha: float, seeds: list[tf.Tensor]) -> Pair:
    pictures, labels = batch
    order = _order(pictures, seeds)
    share = _beta(tf.shape(pictures)[0], alpha, seeds)
    wide = share[:, None, None, None]
    floats = tf.cast(pictures, tf.float32)
    mixed = wide * floats + (1 - wide) * tf.gather(floats, order)
    # As whole numbers again, which the network takes.
    return tf.cast(tf.round(mixed), pictures.dtype), _shared(labels, order, share)


def _pasted(batch: Pair, alpha: float, seeds: list[tf.Tensor]) -> Pair:
    pictures, labels = batch
    order, shape = _order(pictures, seeds), tf.shape(pictures)
    side = tf.sqrt(1 - _beta(shape[0], alpha, seeds))
    rows, height = _range(shape[1], side, seeds[3])
    columns, width = _range(shape[2], side, seeds[4])
    rectangle = rows[:, :, None, None] & columns[:, None, :, None]
    mixed = tf.where(rectangle, tf.gather(pictures, order), pictures)
    return mixed, _shared(labels, order, 1 - height * width)


def _shared(labels: tf.Tensor, order: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    return share[:, None] * labels + (1 - share[:, None]) * tf.gather(labels, order)


def _range(length: tf.Tensor, side: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """A part of each picture's axis: which of its pixels, bool [batch, length], and their share."""
    pixels = tf.cast(length, tf.float32)
    taken = tf.round(side * pixels)
    start = tf.floor(tf.random.stateless_uniform(tf.shape(side), seed) * (pixels - taken + 1))
    places = tf.range(pixels)[None]
    chosen = (places >= start[:, None]) & (places < (start + taken)[:, None])
    return chosen, taken / pixels


def _beta(count: tf.Tensor, alpha: float, seeds: list[tf.Tensor]) -> tf.Tensor:
    """Draws from Beta(alpha, alpha), float32 [count]: a share of the sum of two gamma variates.

    By their logarithms, since those of a small `alpha` vanish: Marsaglia, Tsang (2000), section 6.
    """
    one, other = (_log_gamma(count, alpha, seed) for seed in seeds[:2])
    return tf.sigmoid(one - other)


def _log_gamma(count: tf.Tensor, alpha: float, seed: tf.Tensor) -> tf.Tensor:
    first, second = tf.unstack(tf.random.split(seed, 2))
    larger = tf.random.stateless_gamma([count], first, alpha=alpha + 1)
    uniform = tf.random.stateless_uniform([count], second, minval=1e-30)
    return tf.math.log(larger) + tf.math.log(uniform) / alpha


def _order(pictures: tf.Tensor, seeds: list[tf.Tensor]) -> tf.Tensor:
    """Which picture each is mixed with, int32 [batch]."""
    count = tf.shape(pictures)[0]
    return tf.random.experimental.stateless_shuffle(tf.range(count), seeds[2])
