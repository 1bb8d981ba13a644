"""Image classifiers in Keras: from uint8 pixels to the scores of classes.

Every model begins with a layer that scales uint8 0..255 to floats, so a served model and a saved
`.keras` file take what `features.image` returns. Layers have fixed names, by which a later training
finds the weights of an earlier one.
"""

import functools
from collections.abc import Callable, Iterator
from typing import assert_never

import keras

from millrace.components.features.image_spec import ImageSpec
from millrace.components.models import sizes, transfer
from millrace.components.models.image_layers import augmentation
from millrace.components.models.image_options import Augment, Cnn, ImageModel, Patches, Transfer
from millrace.components.models.layer_options import Dense, Kernels
from millrace.components.models.layer_pieces import initializer, within
from millrace.components.models.networks import (
    Networks,
    Wired,
    chained,
    fully_connected,
    left_out,
    penalty,
    scores,
)
from millrace.components.models.picture_features import PictureFeatures

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


def build(
    options: ImageModel,
    augment: Augment,
    spec: ImageSpec,
    *,
    units: int,
    activation: str,
) -> Networks:
    """The network that `options` describe, its last layer of `units` with `activation`.

    Both take uint8 [batch, height, width, channels] and return float32 [batch, units].

    Raises:
        OptionError: a kernel or a pool is larger than what is left of the picture, or a
            pretrained network lacks the requested layer.
        ModelError: its weights cannot be loaded, or are another network's.
    """
    inputs = keras.Input(spec.shape, dtype="uint8", name="image")
    layers = list(_hidden(options, spec))
    layers.append(scores(_last(options), units, activation))
    augmented = chained(augmentation(augment), inputs)
    return Networks(
        training=keras.Model(inputs, chained(layers, augmented), name=options.kind),
        inference=keras.Model(inputs, chained(layers, inputs), name=options.kind),
    )


def _hidden(options: ImageModel, spec: ImageSpec) -> Iterator[Wired]:
    match options:
        case Dense():
            yield _SCALES[spec.scale](spec)
            yield keras.layers.Flatten(name="flatten")
            yield from fully_connected(options, options.units)
        case Cnn():
            sizes.after_blocks(options, spec.height, spec.width)
            yield _SCALES[spec.scale](spec)
            for number, filters in enumerate(options.filters, start=1):
                yield from _block(options, f"block{number}", filters)
            yield _HEADS[options.head](name=options.head)
            yield from fully_connected(options, options.dense)
        case Transfer():
            yield from transfer.backbone(options, spec)
            yield functools.partial(_pooled, _HEADS[options.head](name=options.head))
            if options.dropout and not options.dense:
                yield keras.layers.Dropout(options.dropout, name="dropout")
            yield from fully_connected(options, options.dense)
        case Patches():
            yield PictureFeatures(options.typical, name="features")
        case _:
            assert_never(options)


def _last(options: ImageModel) -> Kernels:
    """The options of the last layer."""
    return Kernels() if isinstance(options, Patches) else options


def _pooled(head: keras.Layer, maps: keras.KerasTensor) -> keras.KerasTensor:
    """The vector that `head` makes of `maps`; some pretrained networks return one themselves."""
    return head(maps) if len(maps.shape) == 4 else maps


def _block(options: Cnn, name: str, filters: int) -> Iterator[keras.Layer]:
    for number in range(1, options.convolutions + 1):
        yield keras.layers.Conv2D(
            filters,
            options.kernel_size,
            strides=options.strides,
            padding=options.padding,
            activation=None if options.batch_normalization else within(options),
            kernel_initializer=initializer(options),
            kernel_regularizer=penalty(options),
            name=f"{name}_conv{number}",
        )
        yield from left_out(options, f"{name}_conv{number}")
    if options.pooling != "none":
        yield _POOLINGS[options.pooling](options.pool_size, name=f"{name}_pool")
    if options.block_dropout:
        yield keras.layers.SpatialDropout2D(options.block_dropout, name=f"{name}_dropout")
