r"""The EXIF orientation of a JPEG, PNG or WebP, in TensorFlow ops: a served model honours it.

A JPEG is a chain of segments: 0xFF, marker, big-endian uint16 length that counts itself.
EXIF is the APP1 segment (marker 0xE1) that begins with `Exif\0\0`; a TIFF header follows:
`II` or `MM` (the byte order), uint16 42, uint32 offset of the first directory. A directory
is a uint16 count and entries of 12 bytes: tag, type, count, value. Orientation is tag 0x0112.

A PNG is a chain of chunks: big-endian uint32 length, four letters, content, checksum; the chunk
`eXIf` is a TIFF. A WebP is a chain of little-endian RIFF chunks: four letters, uint32 length,
content, padded to an even length; the chunk `EXIF` is a TIFF, after `Exif\0\0` of some writers.
Either may stand behind the pixels.
Sources: ISO/IEC 10918-1 annex B, CIPA DC-008 (Exif) 4.5-4.6, TIFF 6.0 sections 2 and 8,
PNG (third edition) 5.3 and 11.3.4.5, WebP RIFF specification.

Anything broken on the way reads as orientation 1: such a file is shown as it is stored.
"""

from collections.abc import Callable

import tensorflow as tf

_HEAD = 1 << 17  # bytes searched of a JPEG: an APP1 segment holds at most 64 KiB and comes early
_STEPS = 4096  # segments and bytes of junk skipped before the search is given up
_CHUNKS = 1 << 16
_ENTRY = 12  # bytes of a directory entry


def orientations(encoded: tf.Tensor) -> tf.Tensor:
    """The orientation 1..8 of each image file.

    Args:
        encoded: string [batch], the files' bytes, of any format.

    Returns:
        int32 [batch]; 1 where a file is no JPEG, PNG or WebP or has no valid orientation.
    """
    starts = tf.strings.substr(encoded, 0, 2)
    found = tf.ones_like(encoded, tf.int32)
    heads = tf.strings.substr(encoded, 0, _HEAD)
    found = _with(found, tf.equal(starts, b"\xff\xd8"), heads, _of_jpeg)
    # The letters are looked for first: nearly no file has them, and a walk takes its time. RE2's
    # `\C` is any byte.
    is_png = tf.logical_and(
        tf.equal(starts, b"\x89P"), tf.strings.regex_full_match(encoded, rb"\C*eXIf\C*")
    )
    found = _with(found, is_png, encoded, _of_png)
    is_webp = tf.logical_and(
        tf.equal(tf.strings.substr(heads, 0, 4), b"RIFF"),
        tf.strings.regex_full_match(encoded, rb"\C{8}WEBPVP8X\C*EXIF\C*"),
    )
    return _with(found, is_webp, encoded, _of_webp)


def _with(
    found: tf.Tensor, chosen: tf.Tensor, files: tf.Tensor, find: Callable[[tf.Tensor], tf.Tensor]
) -> tf.Tensor:
    """`found`, with what `find` says of those of `files` that are `chosen`."""
    places = tf.where(chosen)
    values = tf.map_fn(find, tf.gather_nd(files, places), fn_output_signature=tf.int32)
    return tf.tensor_scatter_nd_update(found, places, values)


def upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """`image` [height, width, channels] turned as `orientation` (int32 []) says."""
    turned = tf.transpose(image, tf.where(orientation >= 5, [1, 0, 2], [0, 1, 2]))
    upside_down, mirrored = _is(orientation, 3, 4, 7, 8), _is(orientation, 2, 3, 6, 7)
    return tf.raw_ops.Reverse(tensor=turned, dims=tf.stack([upside_down, mirrored, False]))


def _of_jpeg(head: tf.Tensor) -> tf.Tensor:
    data = tf.io.decode_raw(head, tf.uint8)
    begin, end = _exif_segment(data)
    return tf.cond(end > 0, lambda: _of_tiff(data[begin:end]), lambda: tf.constant(1))


def _of_png(file: tf.Tensor) -> tf.Tensor:
    data = tf.io.decode_raw(file, tf.uint8)
    return _of_chunk(data, 8, 4, b"eXIf", little=False, after=4)


def _of_webp(file: tf.Tensor) -> tf.Tensor:
    data = tf.io.decode_raw(file, tf.uint8)
    return _of_chunk(data, 12, 0, b"EXIF", little=True, after=0)


def _of_chunk(
    data: tf.Tensor, start: int, letters: int, kind: bytes, *, little: bool, after: int
) -> tf.Tensor:
    """What the first chunk of letters `kind` says, of a chain that begins at `start`.

    A chunk has eight bytes before its content, its letters at `letters` and its length beside
    them, and `after` bytes after it.
    """

    def walk(at: tf.Tensor, begin: tf.Tensor, end: tf.Tensor) -> tuple[tf.Tensor, ...]:
        length = _number(data, at + 4 - letters, 4, little)
        content, stop = at + 8, at + 8 + length
        is_found = tf.reduce_all(tf.equal(_bytes(data, at + letters, 4), list(kind)))
        following = stop + (length % 2 if little else after)
        return (
            tf.where(is_found, tf.size(data), following),
            tf.where(is_found, content, begin),
            tf.where(is_found, tf.minimum(stop, tf.size(data)), end),
        )

    zero = tf.constant(0)
    _, begin, end = tf.while_loop(
        lambda at, *_: tf.logical_and(at >= 0, at < tf.size(data)),
        walk,
        (tf.constant(start), zero, zero),
        maximum_iterations=_CHUNKS,
    )
    prefix = tf.reduce_all(tf.equal(_bytes(data, begin, 6), list(b"Exif\0\0")))
    begin += tf.where(prefix, 6, 0)
    return tf.cond(end > begin, lambda: _of_tiff(data[begin:end]), lambda: tf.constant(1))


def _exif_segment(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Where in `data` the TIFF header begins and its segment ends; 0, 0 if there is none."""

    def walk(at: tf.Tensor, begin: tf.Tensor, end: tf.Tensor) -> tuple[tf.Tensor, ...]:
        marker, length = _number(data, at), _number(data, at + 2)
        following = at + 2 + tf.maximum(length, 2)
        is_exif = tf.logical_and(
            tf.equal(marker, 0xFFE1), tf.reduce_all(_bytes(data, at + 4, 6) == list(b"Exif\0\0"))
        )
        is_end = _is(marker, 0xFFD9, 0xFFDA)  # EOI, SOS: only pixels follow
        is_junk = tf.logical_or(marker <= 0xFF00, tf.equal(marker, 0xFFFF))
        is_bare = tf.logical_or(  # TEM, RST0-7 and SOI have no length
            tf.equal(marker, 0xFF01), tf.logical_and(marker >= 0xFFD0, marker <= 0xFFD8)
        )
        skipped = tf.where(is_junk, at + 1, tf.where(is_bare, at + 2, following))
        return (
            tf.where(tf.logical_or(is_exif, is_end), tf.size(data), skipped),
            tf.where(is_exif, at + 10, begin),
            tf.where(is_exif, following, end),
        )

    zero = tf.constant(0)
    _, begin, end = tf.while_loop(
        lambda at, *_: at < tf.size(data),
        walk,
        (tf.constant(2), zero, zero),
        maximum_iterations=_STEPS,
    )
    return begin, end


# Traced once, not for each of the three formats.
@tf.function(input_signature=[tf.TensorSpec([None], tf.uint8)], autograph=False)
def _of_tiff(tiff: tf.Tensor) -> tf.Tensor:
    little = tf.reduce_all(_bytes(tiff, 0, 2) == list(b"II"))
    directory = _number(tiff, 4, 4, little)
    fitting = tf.maximum(tf.size(tiff) - directory - 2, 0) // _ENTRY
    count = tf.minimum(_number(tiff, directory, 2, little), fitting)
    entries = directory + 2 + _ENTRY * tf.range(count)
    tags, types = _number(tiff, entries, 2, little), _number(tiff, entries + 2, 2, little)
    values = tf.where(  # a SHORT lies in the first two of the value's four bytes, a LONG in all
        tf.equal(types, 3),
        _number(tiff, entries + 8, 2, little),
        _number(tiff, entries + 8, 4, little),
    )
    found = tf.boolean_mask(values, tf.equal(tags, 0x0112))
    value = tf.concat([found, [1]], 0)[0]
    is_tiff = tf.equal(_number(tiff, 2, 2, little), 42)
    is_valid = tf.logical_and(is_tiff, tf.logical_and(value >= 1, value <= 8))
    return tf.where(is_valid, value, 1)


def _number(
    data: tf.Tensor, at: tf.Tensor | int, size: int = 2, little: tf.Tensor | bool = False
) -> tf.Tensor:
    """The unsigned numbers of `size` bytes at each of `at`, int32 of its shape.

    Four bytes over 2^31 - 1 saturate: no offset in a segment of 64 KiB is that large.
    """
    digits = tf.cast(_bytes(data, at, size), tf.int64)
    digits = tf.where(little, digits, digits[..., ::-1])
    number = tf.reduce_sum(digits * [256**place for place in range(size)], -1)
    return tf.cast(tf.minimum(number, tf.int32.max // 2), tf.int32)


def _bytes(data: tf.Tensor, at: tf.Tensor | int, size: int) -> tf.Tensor:
    """`size` bytes of `data` from each of `at`, uint8 [..., size]; 0 beyond its end."""
    index = tf.expand_dims(tf.convert_to_tensor(at), -1) + tf.range(size)
    padded = tf.concat([data, tf.zeros([1], tf.uint8)], 0)
    return tf.gather(padded, tf.minimum(index, tf.size(data)))


def _is(value: tf.Tensor, *of: int) -> tf.Tensor:
    return tf.reduce_any(tf.equal(value, list(of)))
