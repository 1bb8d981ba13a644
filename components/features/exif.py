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

The files of a batch are walked side by side, and all formats in one loop: every process that loads
a model optimises its graph first, which takes the longer the more ops it has.
"""

import numpy as np
import tensorflow as tf

_HEAD = 1 << 17  # bytes searched of a JPEG: an APP1 segment holds at most 64 KiB and comes early
_STEPS = 1 << 14  # segments, chunks and bytes of junk passed over before the search is given up
_FAR = 1 << 40  # beyond the end of any file
_ENTRY = 12  # bytes of a directory entry
_SHORT = 3  # a type: its value is in the first two of the value's four bytes

# RE2's `\C` is any byte. The letters are looked for first: nearly no file has them.
_PNG_WITH_EXIF = rb"\CPNG\C*eXIf\C*"
_WEBP_WITH_EXIF = rb"RIFF\C{4}WEBPVP8X\C*EXIF\C*"
# A letter for the byte order and the entries of a directory; the groups are the type and the value
# of the first with the tag.
_ORIENTATION = rb"^(?:I(?:\C{12})*?\x12\x01|M(?:\C{12})*?\x01\x12)(\C\C)\C{4}(\C{4})\C*$"
_TYPE_AND_VALUE = 6  # bytes

# A row for each format: none of the three, JPEG, PNG, WebP. A link is a segment or a chunk.
_JPEG, _PNG, _WEBP = 1, 2, 3
_LINK = 10  # bytes that say what a link is and how long
_ANY = -1  # for a byte
_EXIF = np.array(  # how the link with EXIF begins
    [
        [_ANY] * _LINK,
        [0xFF, 0xE1, _ANY, _ANY, *b"Exif\0\0"],
        [*[_ANY] * 4, *b"eXIf", *[_ANY] * 2],
        [*b"EXIF", *[_ANY] * 6],
    ],
    np.int64,
)
_LENGTH = np.array(  # the weights of these bytes in the length
    [
        [0] * _LINK,
        [0, 0, 256, 1, *[0] * 6],
        [256**3, 256**2, 256, 1, *[0] * 6],
        [*[0] * 4, 1, 256, 256**2, 256**3, *[0] * 2],
    ],
    np.int64,
)
_SIZES = np.array(
    [
        # bytes searched, before the first link, before a link's content, of these counted in its
        # length, after the content, and more of them where that is odd
        [0, 0, 0, 0, 0, 0],
        [_HEAD, 2, 4, 2, 0, 0],
        [_FAR, 8, 8, 0, 4, 0],
        [_FAR, 12, 8, 0, 0, 1],
    ],
    np.int64,
)
# By the byte after 0xFF in a JPEG: bytes to the next link; 0 where the length tells.
_TO_NEXT = np.zeros(256, np.int64)
_TO_NEXT[[0x00, 0xFF]] = 1  # no marker
_TO_NEXT[[0x01, *range(0xD0, 0xD9)]] = 2  # TEM, RST0-7 and SOI have no length
_TO_NEXT[[0xD9, 0xDA]] = _FAR  # EOI, SOS: only pixels follow


def orientations(encoded: tf.Tensor) -> tf.Tensor:
    """The orientation 1..8 of each image file.

    Args:
        encoded: string [batch], the files' bytes, of any format.

    Returns:
        int32 [batch]; 1 where a file is no JPEG, PNG or WebP or has no valid orientation.
    """
    is_jpeg = tf.equal(tf.strings.substr(encoded, 0, 2), b"\xff\xd8")
    is_png = tf.strings.regex_full_match(encoded, _PNG_WITH_EXIF)
    is_webp = tf.strings.regex_full_match(encoded, _WEBP_WITH_EXIF)
    formats = tf.where(is_jpeg, _JPEG, tf.where(is_png, _PNG, tf.where(is_webp, _WEBP, 0)))
    return tf.cond(
        tf.reduce_any(formats > 0), lambda: _found(encoded, formats), lambda: tf.ones_like(formats)
    )


# Called, not inlined: few batches need it, and inlined ops take their time in every graph.
@tf.function(experimental_attributes={"_noinline": True}, autograph=False)
def _found(files: tf.Tensor, formats: tf.Tensor) -> tf.Tensor:
    content = _content(files, formats)
    return _of_tiff(tf.strings.regex_replace(content, r"^Exif\x00\x00", "", replace_global=False))


def upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """`image` [height, width, channels] turned as `orientation` (int32 []) says."""
    turned = tf.transpose(image, tf.where(orientation >= 5, [1, 0, 2], [0, 1, 2]))
    upside_down, mirrored = _is(orientation, 3, 4, 7, 8), _is(orientation, 2, 3, 6, 7)
    return tf.raw_ops.Reverse(tensor=turned, dims=tf.stack([upside_down, mirrored, False]))


def _content(files: tf.Tensor, formats: tf.Tensor) -> tf.Tensor:
    """What the first link with EXIF holds, string [batch], of each of `files` of `formats`."""
    exif, weights = tf.gather(_EXIF, formats), tf.gather(_LENGTH, formats)
    searched, first, before, counted, after, odd = tf.unstack(tf.gather(_SIZES, formats), axis=1)
    sizes = tf.minimum(tf.cast(tf.strings.length(files), tf.int64), searched)
    is_jpeg = tf.equal(formats, _JPEG)

    def walk(at: tf.Tensor, begin: tf.Tensor, end: tf.Tensor) -> tuple[tf.Tensor, ...]:
        link = _bytes(_part(files, sizes, at, at + _LINK), _LINK)
        is_exif = tf.reduce_all(tf.logical_or(tf.equal(link, exif), tf.equal(exif, _ANY)), 1)
        is_found = tf.logical_and(is_exif, at < sizes)
        length = tf.maximum(tf.reduce_sum(link * weights, 1) - counted, 0)
        stop = at + before + length
        to_next = tf.where(tf.equal(link[:, 0], 0xFF), tf.gather(_TO_NEXT, link[:, 1]), 1)
        is_told = tf.logical_or(tf.logical_not(is_jpeg), tf.equal(to_next, 0))
        following = tf.where(is_told, stop + after + odd * (length % 2), at + to_next)
        return (
            tf.where(is_found, _FAR, following),
            tf.where(is_found, at + before, begin),
            tf.where(is_found, stop, end),
        )

    none = tf.zeros_like(sizes)
    _, begin, end = tf.while_loop(
        lambda at, *_: tf.reduce_any(at < sizes),
        walk,
        (first, none, none),
        maximum_iterations=_STEPS,
    )
    return _part(files, sizes, begin, end)


def _of_tiff(tiffs: tf.Tensor) -> tf.Tensor:
    """What the first directory of each TIFF (string [batch]) says: int32 [batch]."""
    sizes = tf.cast(tf.strings.length(tiffs), tf.int64)
    is_little = tf.equal(tf.strings.substr(tiffs, 0, 2), b"II")
    magic, directory = _numbers(_bytes(tiffs, 8), is_little, (2, 2), (4, 4))
    (count,) = _numbers(_bytes(_part(tiffs, sizes, directory, directory + 2), 2), is_little, (0, 2))
    entries = _part(tiffs, sizes, directory + 2, directory + 2 + _ENTRY * count)
    marked = tf.strings.join([tf.where(is_little, b"I", b"M"), entries])
    found = tf.strings.regex_replace(marked, _ORIENTATION, rb"\1\2", replace_global=False)
    type_, short, long = _numbers(_bytes(found, _TYPE_AND_VALUE), is_little, (0, 2), (2, 2), (2, 4))
    value = tf.where(tf.equal(type_, _SHORT), short, long)
    is_found = tf.equal(tf.strings.length(found), _TYPE_AND_VALUE)
    is_valid = is_found & tf.equal(magic, 42) & (value >= 1) & (value <= 8)
    return tf.cast(tf.where(is_valid, value, 1), tf.int32)


def _part(texts: tf.Tensor, sizes: tf.Tensor, begin: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
    """The bytes of each of `texts` (string [batch]) from `begin` to `end`, at most its `sizes`."""
    begin = tf.minimum(begin, sizes)
    return tf.strings.substr(texts, begin, tf.minimum(end, sizes) - begin)


def _bytes(texts: tf.Tensor, count: int) -> tf.Tensor:
    """The first `count` bytes of each text, int64 [batch, count]; 0 beyond its end."""
    return tf.cast(tf.io.decode_raw(texts, tf.uint8, fixed_length=count), tf.int64)


def _numbers(digits: tf.Tensor, is_little: tf.Tensor, *fields: tuple[int, int]) -> list[tf.Tensor]:
    """The unsigned numbers in `digits`, int64 [batch] for each of `fields`: its place and size."""
    little, big = np.zeros((2, digits.shape[1], len(fields)), np.int64)
    for number, (at, size) in enumerate(fields):
        little[at : at + size, number] = 256 ** np.arange(size)
        big[at : at + size, number] = 256 ** np.arange(size)[::-1]
    found = tf.where(is_little[:, None], tf.matmul(digits, little), tf.matmul(digits, big))
    return tf.unstack(found, axis=1)


def _is(value: tf.Tensor, *of: int) -> tf.Tensor:
    return tf.reduce_any(tf.equal(value, list(of)))
