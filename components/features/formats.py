"""What `tf.io.decode_image` of TensorFlow 2.21 gets wrong, and the workarounds.

- An animated WebP without alpha is written past the end of its buffer (the process dies, the
  server with it), so every animated WebP is refused. Container: WebP RIFF specification,
  chunk `VP8X`, flag 0x02.
- A BMP of 8 bits per pixel is read as grey, its palette ignored: the palette is applied here.
  Header: BITMAPINFOHEADER, offsets 10 (pixels), 14 (header size) and 28 (bits per pixel).
"""

import tensorflow as tf

_FLAGS, _ANIMATED = 20, 0x02  # where a WebP has its flags, and one of them


def refuse_animated_webp(encoded: tf.Tensor) -> tf.Tensor:
    """`encoded` (string [batch]), unchanged.

    Raises:
        tf.errors.InvalidArgumentError: one is an animated WebP.
    """
    head = tf.io.decode_raw(encoded, tf.uint8, fixed_length=_FLAGS + 1)
    is_extended = tf.strings.regex_full_match(
        tf.strings.substr(encoded, 0, _FLAGS),
        rb"RIFF\C{4}WEBPVP8X\C*",  # `\C` is any byte
    )
    has_frames = tf.equal(tf.bitwise.bitwise_and(head[:, _FLAGS], _ANIMATED), _ANIMATED)
    is_still = tf.logical_not(tf.reduce_any(tf.logical_and(is_extended, has_frames)))
    message = (
        "image: expected still pictures. Received: an animated WebP. "
        "Save its first frame, e.g. as PNG."
    )
    with tf.control_dependencies([tf.debugging.Assert(is_still, [message])]):
        return tf.identity(encoded)


def has_palette(encoded: tf.Tensor) -> tf.Tensor:
    """Which files (string [batch]) are BMPs of palette indices: bool [batch]."""
    head = tf.strings.substr(encoded, 0, 30)
    return tf.strings.regex_full_match(head, rb"BM\C{26}\x08\x00")


def with_palette(encoded: tf.Tensor, indices: tf.Tensor) -> tf.Tensor:
    """The colours of a BMP of palette indices.

    Args:
        encoded: string [], the file.
        indices: uint8 [height, width, 1 or more], its pixels as `tf.io.decode_image` gives them.

    Returns:
        uint8 [height, width, 3], red, green and blue; black beyond the palette's end.
    """
    pixels, header = tf.unstack(tf.io.decode_raw(tf.strings.substr(encoded, 10, 8), tf.int32), 2)
    start = 14 + header
    size = 256 * 4  # blue, green, red and an unused byte for each of at most 256 colours
    entries = tf.strings.substr(encoded, start, tf.clip_by_value(pixels - start, 0, size))
    colours = tf.io.decode_raw(entries, tf.uint8, fixed_length=size)
    colours = tf.reshape(colours, [256, 4])[:, 2::-1]
    return tf.gather(colours, tf.cast(indices[..., 0], tf.int32))
