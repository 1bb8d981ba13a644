"""Random changes to training pictures, as Keras layers.

They come before the scaling layer, on values 0..255, and only in the network that trains:
`tf.saved_model.save` fails on their random state, and inference has no use for them.
"""

from collections.abc import Iterator

import keras

from millrace.components.models.options import Augment

_RANGE = (0.0, 255.0)
_FULL_CIRCLE = 360.0


def augmentation(options: Augment) -> list[keras.Layer]:
    """The layers for what `options` ask, from uint8 to float32 pictures; none if nothing."""
    changes = [*_moves(options), *_tones(options)]
    to_float = keras.layers.Rescaling(1.0, name="augment_float")
    return [to_float, *changes] if changes else []


def _moves(options: Augment) -> Iterator[keras.Layer]:
    layers = keras.layers
    fill = {"fill_mode": options.fill_mode, "fill_value": options.fill_value}
    if options.flip != "none":
        yield layers.RandomFlip(options.flip, name="augment_flip")
    if options.rotation:
        turn = options.rotation / _FULL_CIRCLE
        yield layers.RandomRotation(turn, **fill, name="augment_rotation")
    if options.width_shift or options.height_shift:
        yield layers.RandomTranslation(
            options.height_shift, options.width_shift, **fill, name="augment_shift"
        )
    if options.shear:
        yield layers.RandomShear(options.shear, options.shear, **fill, name="augment_shear")
    if options.zoom:
        yield layers.RandomZoom(options.zoom, **fill, name="augment_zoom")


def _tones(options: Augment) -> Iterator[keras.Layer]:
    layers = keras.layers
    if options.brightness:
        yield layers.RandomBrightness(options.brightness, _RANGE, name="augment_brightness")
    if options.contrast:
        yield layers.RandomContrast(options.contrast, _RANGE, name="augment_contrast")
