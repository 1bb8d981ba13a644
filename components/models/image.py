"""Image classifiers in Keras: from uint8 pixels to the scores of classes.

Every model begins with a layer that scales uint8 0..255 to floats, so a served model and a
saved `.keras` file take what `features.image` gives. Layers have fixed names: a later
training finds the weights of an earlier one by them.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import assert_never

import keras

from components.features.spec import ImageSpec
from components.models import sizes
from components.models.augmentation import augmentation
from components.models.options import Augment, Cnn, Dense

SCORES = "scores"  # the last layer

_SCALES: dict[str, Callable[[ImageSpec], keras.Layer]] = {
    "unit": lambda spec: keras.layers.Rescaling(1 / 255, name="scale"),
    "symmetric": lambda spec: keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scale"),
    "none": lambda spec: keras.layers.Rescaling(1.0, name="scale"),
    "standardise": lambda spec: keras.layers.Normalization(
        mean=spec.mean, variance=spec.variance, name="scale"
    ),
}
_POOLINGS = {"max": keras.layers.MaxPooling2D, "average": keras.layers.AveragePooling2D}
_HEADS = {
    "flatten": keras.layers.Flatten,
    "global_average": keras.layers.GlobalAveragePooling2D,
    "global_max": keras.layers.GlobalMaxPooling2D,
}


@dataclasses.dataclass(frozen=True)
class Networks:
    """One set of layers, wired twice; both take uint8 [batch, height, width, channels] and give
    float32 [batch, units].

    Attributes:
        training: with augmentation; to be compiled.
        inference: without, and never compiled: it is saved and exported without an optimizer's
            state, which is twice as large as the weights and of no use there.
    """

    training: keras.Model
    inference: keras.Model


def build(
    options: Dense | Cnn, augment: Augment, spec: ImageSpec, *, units: int, activation: str
) -> Networks:
    """The network that `options` describe, its last layer of `units` with `activation`.

    Raises:
        OptionError: a kernel or a pool is larger than what is left of the picture.
    """
    inputs = keras.Input(spec.shape, dtype="uint8", name="image")
    layers = [_SCALES[spec.scale](spec), *_hidden(options, spec)]
    layers.append(keras.layers.Dense(units, activation=activation, name=SCORES, dtype="float32"))
    augmented = _chained(augmentation(augment), inputs)
    return Networks(
        training=keras.Model(inputs, _chained(layers, augmented), name=options.kind),
        inference=keras.Model(inputs, _chained(layers, inputs), name=options.kind),
    )


def _chained(layers: list[keras.Layer], inputs: keras.KerasTensor) -> keras.KerasTensor:
    return functools.reduce(lambda tensor, layer: layer(tensor), layers, inputs)


def _hidden(options: Dense | Cnn, spec: ImageSpec) -> Iterator[keras.Layer]:
    match options:
        case Dense():
            yield keras.layers.Flatten(name="flatten")
            yield from _fully_connected(options, options.units)
        case Cnn():
            sizes.after_blocks(options, spec.height, spec.width)
            for number, filters in enumerate(options.filters, start=1):
                yield from _block(options, f"block{number}", filters)
            yield _HEADS[options.head](name=options.head)
            yield from _fully_connected(options, options.dense)
        case _:
            assert_never(options)


def _block(options: Cnn, name: str, filters: int) -> Iterator[keras.Layer]:
    for number in range(1, options.convolutions + 1):
        yield keras.layers.Conv2D(
            filters,
            options.kernel_size,
            strides=options.strides,
            padding=options.padding,
            activation=None if options.batch_normalization else options.activation,
            kernel_initializer=options.kernel_initializer,
            kernel_regularizer=_penalty(options),
            name=f"{name}_conv{number}",
        )
        yield from _normalization(options, f"{name}_conv{number}")
    if options.pooling != "none":
        yield _POOLINGS[options.pooling](options.pool_size, name=f"{name}_pool")
    if options.block_dropout:
        yield keras.layers.SpatialDropout2D(options.block_dropout, name=f"{name}_dropout")


def _fully_connected(options: Dense | Cnn, widths: tuple[int, ...]) -> Iterator[keras.Layer]:
    for number, units in enumerate(widths, start=1):
        name = f"dense{number}"
        yield keras.layers.Dense(
            units,
            activation=None if options.batch_normalization else options.activation,
            kernel_initializer=options.kernel_initializer,
            kernel_regularizer=_penalty(options),
            name=name,
        )
        yield from _normalization(options, name)
        if options.dropout:
            yield keras.layers.Dropout(options.dropout, name=f"{name}_dropout")


def _normalization(options: Dense | Cnn, name: str) -> Iterator[keras.Layer]:
    """Batch normalisation and, after it, the activation that layer `name` left out."""
    if options.batch_normalization:
        yield keras.layers.BatchNormalization(name=f"{name}_norm")
        yield keras.layers.Activation(options.activation, name=f"{name}_{options.activation}")


def _penalty(options: Dense | Cnn) -> keras.Regularizer | None:
    return keras.regularizers.L1L2(options.l1, options.l2) if options.l1 or options.l2 else None
