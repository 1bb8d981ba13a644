"""A Keras layer that describes a picture by numbers that need no descent.

They are colours, edges and small patches: how much of each colour a quarter of the picture has
(Swain, Ballard, "Color indexing", 1991); how edges are directed in each of its cells (Dalal,
Triggs, "Histograms of oriented gradients for human detection", 2005); and how near its patches are
to each of some typical ones, in each quarter (Coates, Ng, Lee, "An analysis of single-layer
networks in unsupervised feature learning", 2011, with their triangle activation).
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

SIDE = 32  # pixels, to which pictures are brought for their patches
PATCH = 6  # pixels a side
CELLS, DIRECTIONS = 8, 8  # a side; of half a turn
LEVELS = 4  # of each of red, green and blue
_EDGE_SIDE = 64
_CONTRAST = 10.0  # added to the variance of a patch in 0..255, so that noise is not enlarged


@keras.saving.register_keras_serializable(package="millrace")
class PictureFeatures(keras.layers.Layer):
    """uint8 or float32 0..255 [batch, height, width, channels] to float32 [batch, features].

    Attributes:
        typical: how many typical patches there are; they are set by `know`.
    """

    def __init__(self, typical: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.typical = typical
        self.supports_jit = False

    def build(self, shape: Any) -> None:
        """Make room for the typical patches, and the scale of the features."""
        size, channels = PATCH * PATCH * shape[-1], shape[-1]
        fixed: dict[str, Any] = {"initializer": "zeros", "trainable": False}
        self.mean = self.add_weight(name="mean", shape=(size,), **fixed)
        self.whitening = self.add_weight(name="whitening", shape=(size, size), **fixed)
        self.patches = self.add_weight(name="patches", shape=(size, self.typical), **fixed)
        colours = 4 * (LEVELS**3 if channels == 3 else LEVELS**2)
        self.size = 4 * self.typical + CELLS * CELLS * DIRECTIONS + colours
        self.centre = self.add_weight(name="centre", shape=(self.size,), **fixed)
        self.scale = self.add_weight(name="scale", shape=(self.size,), **fixed)

    def know(self, mean: np.ndarray, whitening: np.ndarray, patches: np.ndarray) -> None:
        """Set what patches are compared with, float [size], [size, size], [size, typical]."""
        self.mean.assign(mean)
        self.whitening.assign(whitening)
        self.patches.assign(patches)

    def standardise(self, centre: np.ndarray, scale: np.ndarray) -> None:
        """Set what is subtracted from each feature, and what it is then multiplied by."""
        self.centre.assign(centre)
        self.scale.assign(scale)

    def call(self, pictures: Any) -> Any:
        """The features, standardised."""
        pictures = tf.cast(pictures, tf.float32)
        found = [self._patches(pictures), _edges(pictures), _colours(pictures)]
        return (tf.concat(found, 1) - self.centre) * self.scale

    def _patches(self, pictures: tf.Tensor) -> tf.Tensor:
        """How near the patches of each quarter are to the typical ones, [batch, 4 typical]."""
        patches = (normalised(small_patches(pictures)) - self.mean) @ tf.convert_to_tensor(
            self.whitening
        )
        typical = tf.convert_to_tensor(self.patches)
        apart = (
            tf.reduce_sum(patches**2, -1, keepdims=True)
            - 2 * patches @ typical
            + tf.reduce_sum(typical**2, 0)
        )
        away = tf.sqrt(tf.maximum(apart, 0.0))
        near = tf.nn.relu(tf.reduce_mean(away, -1, keepdims=True) - away)
        return _in_quarters(near)

    def compute_output_shape(self, shape: Any) -> tuple[int | None, int]:
        """[batch, features]."""
        return (shape[0], self.size)

    def get_config(self) -> dict[str, Any]:
        """What it is made of again."""
        return {**super().get_config(), "typical": self.typical}


def small_patches(pictures: tf.Tensor) -> tf.Tensor:
    """Every patch of the pictures brought to `SIDE`: [batch, rows, columns, PATCH^2 channels]."""
    small = tf.image.resize(pictures, (SIDE, SIDE), "area")
    sizes, ones = [1, PATCH, PATCH, 1], [1, 1, 1, 1]
    return tf.image.extract_patches(small, sizes, ones, ones, "VALID")


def normalised(patches: tf.Tensor) -> tf.Tensor:
    """Each patch with mean 0, and its contrast about 1."""
    mean, variance = tf.nn.moments(patches, -1, keepdims=True)
    return (patches - mean) / tf.sqrt(variance + _CONTRAST)


def _edges(pictures: tf.Tensor) -> tf.Tensor:
    """The root of how strong edges of each direction are in each cell, of all in the picture."""
    grey = tf.reduce_mean(tf.image.resize(pictures, (_EDGE_SIDE, _EDGE_SIDE), "area"), -1) / 255
    down = tf.pad(grey[:, 2:] - grey[:, :-2], [[0, 0], [1, 1], [0, 0]])
    right = tf.pad(grey[:, :, 2:] - grey[:, :, :-2], [[0, 0], [0, 0], [1, 1]])
    strength = tf.sqrt(down**2 + right**2 + 1e-12)
    place = tf.math.floormod(tf.atan2(down, right), np.pi) / np.pi * DIRECTIONS
    bins = tf.range(DIRECTIONS, dtype=tf.float32)
    apart = tf.abs(place[..., None] - bins)
    near = tf.nn.relu(1 - tf.minimum(apart, DIRECTIONS - apart))  # shared by the nearest two
    side = _EDGE_SIDE // CELLS
    cells = tf.nn.avg_pool2d(near * strength[..., None], side, side, "VALID")
    found = tf.reshape(cells, [-1, CELLS * CELLS * DIRECTIONS])
    return tf.sqrt(found / (tf.norm(found, axis=1, keepdims=True) + 0.01))


def _colours(pictures: tf.Tensor) -> tf.Tensor:
    """The root of the share of each colour, or of each of 16 greys, in each quarter."""
    channels = pictures.shape[-1]
    levels = LEVELS if channels == 3 else LEVELS**2
    level = tf.cast(tf.clip_by_value(pictures * (levels / 256), 0, levels - 1), tf.int32)
    powers = tf.constant([levels**at for at in range(channels)], tf.int32)
    one_hot = tf.one_hot(tf.reduce_sum(level * powers, -1), levels**channels)
    return tf.sqrt(_in_quarters(one_hot))


def _in_quarters(maps: tf.Tensor) -> tf.Tensor:
    """The mean of each map in the four quarters of a picture: [batch, 4 maps]."""
    high, wide = tf.shape(maps)[1], tf.shape(maps)[2]
    parts = [
        tf.reduce_mean(maps[:, rows, columns], (1, 2))
        for rows in (slice(None, (high + 1) // 2), slice(high // 2, None))
        for columns in (slice(None, (wide + 1) // 2), slice(wide // 2, None))
    ]
    return tf.concat(parts, 1)
