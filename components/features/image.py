"""From the bytes of an image file to the pixels a model sees: written once, in TensorFlow ops.

`transform` runs these in Beam and `export` puts them in front of the model, so a picture is
decoded, turned, coloured and resized the same way in training and in serving. JPEG, PNG, BMP,
WebP and the first frame of a GIF; grey, colour, alpha (dropped), palette, 16 bits (the upper 8) and
CMYK. The EXIF orientation of a JPEG, PNG or WebP is honoured. Stock ops only: TensorFlow Serving
runs them.
"""

import tensorflow as tf

from millrace.components.features import exif, formats, hook
from millrace.components.features.image_spec import ImageSpec

# A function that is called, not inlined: the inlined ops of a branch that is not taken are still
# visited one by one, which halves the pictures per second of small PNGs.
_not_inlined = tf.function(experimental_attributes={"_noinline": True}, autograph=False)


def preprocess(encoded: tf.Tensor, spec: ImageSpec) -> tf.Tensor:
    """The pictures in files, as a model of `spec` takes them.

    Args:
        encoded: string [batch], the files' bytes; the batch may be empty.
        spec: height, width, channels and how to resize.

    Returns:
        uint8 [batch, height, width, channels].

    Raises:
        tf.errors.InvalidArgumentError: a file is not a picture that TensorFlow decodes.
    """
    encoded = formats.refuse_animated_webp(encoded)

    def one(file: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> tf.Tensor:
        picture = _preprocessed(with_channels(_decode(*file), spec.channels), spec)
        return tf.ensure_shape(resize(picture, spec), shape)

    shape = tf.TensorShape(spec.shape)
    files = encoded, exif.orientations(encoded), formats.has_palette(encoded)
    return tf.map_fn(one, files, fn_output_signature=tf.TensorSpec(shape, tf.uint8))


def _preprocessed(image: tf.Tensor, spec: ImageSpec) -> tf.Tensor:
    """What the user's function makes of a picture, if there is one."""
    if spec.hook is None:
        return image
    wanted = tf.TensorSpec([None, None, spec.channels], tf.uint8)
    return hook.apply(spec.hook, tf.ensure_shape(image, wanted.shape), wanted)


def _decode(encoded: tf.Tensor, orientation: tf.Tensor, has_palette: tf.Tensor) -> tf.Tensor:
    """The upright picture in a file (string []): uint8 [height, width, 1..4 channels]."""
    image = tf.io.decode_image(encoded, channels=0, expand_animations=False)
    image = tf.reshape(image, tf.shape(image)[:3])  # decode_image leaves the rank open
    is_odd = tf.logical_or(has_palette, orientation > 1)
    return tf.cond(
        is_odd, lambda: _corrected(encoded, image, orientation, has_palette), lambda: image
    )


@_not_inlined
def _corrected(
    encoded: tf.Tensor, image: tf.Tensor, orientation: tf.Tensor, has_palette: tf.Tensor
) -> tf.Tensor:
    coloured = tf.cond(has_palette, lambda: formats.with_palette(encoded, image), lambda: image)
    return exif.upright(coloured, orientation)


def with_channels(image: tf.Tensor, channels: int) -> tf.Tensor:
    """Grey (1) or red, green, blue (3) of a picture of 1..4 channels, without its alpha.

    Grey is `0.2989 red + 0.5870 green + 0.1140 blue` (ITU-R BT.601), as in Pillow.
    """
    has_colour = tf.shape(image)[2] >= 3
    if channels == 1:
        return tf.cond(
            has_colour,
            lambda: tf.image.rgb_to_grayscale(image[..., :3]),
            lambda: image[..., :1],
        )
    return tf.cond(has_colour, lambda: image[..., :3], lambda: tf.repeat(image[..., :1], 3, -1))


def resize(image: tf.Tensor, spec: ImageSpec) -> tf.Tensor:
    """uint8 [any height, any width, channels] to uint8 [height, width, channels].

    Bilinear with antialiasing; a picture of the right size is left alone. `stretch` ignores the
    aspect ratio; `crop` keeps it and cuts out the middle; `pad` keeps it and centres the picture
    on black.
    """
    target = tf.constant([spec.height, spec.width])
    is_right = tf.reduce_all(tf.equal(tf.shape(image)[:2], target))
    fit = {"stretch": _interpolate, "crop": _crop, "pad": _pad}[spec.resize]
    return tf.cond(is_right, lambda: image, lambda: _not_inlined(fit)(image, target))


def _interpolate(image: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    pixels = tf.image.resize(image, size, antialias=True)
    return tf.saturate_cast(tf.round(pixels), tf.uint8)


def _crop(image: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """The largest box of the target's aspect ratio in the middle of `image`, resized."""
    size = tf.shape(image)[:2]
    box = _scaled(target, tf.reduce_min(size / target))
    top, left = tf.unstack((size - box) // 2)
    return _interpolate(tf.image.crop_to_bounding_box(image, top, left, box[0], box[1]), target)


def _pad(image: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """`image` resized to fit the target, in its middle, black around."""
    size = tf.shape(image)[:2]
    fitted = _scaled(size, tf.reduce_min(target / size))
    before = (target - fitted) // 2
    margins = tf.concat([tf.stack([before, target - fitted - before], 1), [[0, 0]]], 0)
    return tf.pad(_interpolate(image, fitted), margins)


def _scaled(size: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """`size` (int32 [2]) times `factor`, to the nearest pixel and at least one."""
    scaled = tf.cast(tf.round(tf.cast(size, tf.float64) * factor), tf.int32)
    return tf.maximum(scaled, 1)
