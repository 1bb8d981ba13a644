"""Keras layers over pixels: random changes in training, and what pretrained networks take.

The conventions and numbers of pretrained networks are those of
`keras.applications.imagenet_utils.preprocess_input`.
"""

from collections.abc import Iterator

import keras

from millrace.components.models.image_options import Augment, Pixels

_RANGE = (0.0, 255.0)
_FULL_CIRCLE = 360.0
_MEAN_BGR = (103.939, 116.779, 123.68)  # of ImageNet, in 0..255
_MEAN_RGB, _DEVIATION_RGB = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # in 0..1


def augmentation(options: Augment) -> list[keras.Layer]:
    """The layers of `options`, from uint8 to float32 pictures; none if they change nothing.

    They come before the scaling layer, on values 0..255, and only in the network that trains:
    `tf.saved_model.save` fails on their random state, and inference has no use for them.
    """
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


@keras.saving.register_keras_serializable(package="millrace")
class ReverseChannels(keras.layers.Layer):
    """[..., channels] to the same, the last channel first: red, green, blue to blue, green, red."""

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Reverse the last axis."""
        return keras.ops.flip(inputs, axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the input."""
        return input_shape


def input_pixels(pixels: Pixels) -> Iterator[keras.Layer]:
    """From uint8 or float32 0..255 [batch, height, width, 3] to float32 as `pixels` says."""
    match pixels:
        case "unit":
            yield keras.layers.Rescaling(1 / 255, name="pixels")
        case "symmetric":
            yield keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="pixels")
        case "caffe":
            yield ReverseChannels(name="reverse_channels")
            yield keras.layers.Rescaling(1.0, [-mean for mean in _MEAN_BGR], name="pixels")
        case "torch":
            scale = [1 / (255 * deviation) for deviation in _DEVIATION_RGB]
            pairs = zip(_MEAN_RGB, _DEVIATION_RGB, strict=True)
            offset = [-mean / deviation for mean, deviation in pairs]
            yield keras.layers.Rescaling(scale, offset, name="pixels")
        case "none" | "auto":
            yield keras.layers.Rescaling(1.0, name="pixels")
