"""What pretrained networks were given instead of uint8 0..255, as Keras layers in the network.

The conventions and numbers are those of `keras.applications.imagenet_utils.preprocess_input`.
"""

from collections.abc import Iterator

import keras

from millrace.components.models.transfer_options import Pixels

_MEAN_BGR = (103.939, 116.779, 123.68)  # of ImageNet, in 0..255
_MEAN_RGB, _DEVIATION_RGB = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # in 0..1


@keras.saving.register_keras_serializable(package="millrace")
class ReverseChannels(keras.layers.Layer):
    """[..., channels] to the same, the last channel first: red, green, blue to blue, green, red."""

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Reverse the last axis."""
        return keras.ops.flip(inputs, axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the input."""
        return input_shape


def layers(pixels: Pixels) -> Iterator[keras.Layer]:
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
