"""Orientations from EXIF, Pillow's own and broken ones."""

import io
import warnings

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from millrace.components.features import exif
from tests.components.pictures import file, noise

_ORIENTATIONS = tf.function(exif.orientations, input_signature=[tf.TensorSpec([None], tf.string)])
_UPRIGHT = tf.function(
    exif.upright,
    input_signature=[tf.TensorSpec([None, None, None], tf.uint8), tf.TensorSpec([], tf.int32)],
)
PIXELS = noise(3, 5, 3)


def orientation(content):
    return int(_ORIENTATIONS(tf.constant([content]))[0])


def jpeg(tag):
    data = Image.Exif()
    data[0x0112] = tag
    return file(PIXELS, "JPEG", exif=data)


def tiff(order, entries, *, magic=42, first=8):
    """A TIFF header and directory: `entries` of (tag, type, value as 4 bytes)."""
    mark = b"II" if order == "little" else b"MM"
    number = lambda value, size: value.to_bytes(size, order)  # noqa: E731
    body = b"".join(number(tag, 2) + number(kind, 2) + number(1, 4) + v for tag, kind, v in entries)
    return mark + number(magic, 2) + number(first, 4) + number(len(entries), 2) + body + bytes(4)


def with_exif(payload, before=b"", *, length=None):
    """A JPEG whose APP1 segment holds `payload`, after the bytes `before`."""
    content = b"Exif\0\0" + payload
    size = (len(content) + 2 if length is None else length).to_bytes(2, "big")
    return b"\xff\xd8" + before + b"\xff\xe1" + size + content + file(PIXELS, "JPEG")[2:]


@pytest.mark.parametrize("tag", range(1, 9))
def test_every_orientation_is_read_and_applied_as_pillow_does(tag):
    image = Image.fromarray(PIXELS)
    image.getexif()[0x0112] = tag
    assert orientation(jpeg(tag)) == tag
    turned = _UPRIGHT(tf.constant(PIXELS), tf.constant(tag)).numpy()
    np.testing.assert_array_equal(turned, np.asarray(ImageOps.exif_transpose(image)))


@pytest.mark.parametrize(
    ("order", "kind", "value"),
    [
        ("little", 3, b"\x06\0\xff\xff"),
        ("big", 3, b"\0\x06\xff\xff"),
        ("little", 4, b"\x06\0\0\0"),
        ("big", 4, b"\0\0\0\x06"),
    ],
)
def test_both_byte_orders_and_both_types_are_read(order, kind, value):
    entries = [(0x010F, 2, b"abc\0"), (0x0112, kind, value)]
    assert orientation(with_exif(tiff(order, entries))) == 6


@pytest.mark.parametrize(
    "before",
    [
        b"\xff\xe0\0\x04ab",  # another segment
        b"\xff\xff",  # fill bytes
        b"\0\x01\x02",  # junk
        b"\xff\x01",  # TEM, a marker without a length
        b"\xff\xe1\0\x08http:/",  # XMP, the other use of APP1
    ],
)
def test_what_comes_before_the_exif_segment_is_passed_over(before):
    payload = tiff("big", [(0x0112, 3, b"\0\x03\0\0")])
    assert orientation(with_exif(payload, before)) == 3


@pytest.mark.parametrize(
    "content",
    [
        file(PIXELS, "JPEG"),
        file(PIXELS, "PNG"),
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff\xe1",
        b"\xff\xd8\xff\xe1\xff\xffExif\0\0",
        jpeg(9),
        jpeg(0),
        with_exif(tiff("big", [(0x0112, 3, b"\0\x06\0\0")], magic=43)),
        with_exif(tiff("big", [(0x0112, 3, b"\0\x06\0\0")], first=0xFFFFFFFF)),
        with_exif(tiff("big", [(0x0112, 3, b"\0\x06\0\0")]), length=10),
        with_exif(tiff("big", [(0x0112, 3, b"\0\0\0\x06")])),
        with_exif(tiff("big", [(0x0112, 3, b"\0\x09\0\0"), (0x0112, 3, b"\0\x06\0\0")])),
        # The tag's two bytes in the value of another, with what would follow them in an entry.
        with_exif(tiff("big", [(0x010F, 2, b"\0\0\x01\x12"), (0x0004, 1, b"\0\x06\0\0")])),
        file(PIXELS, "JPEG") + with_exif(tiff("big", [(0x0112, 3, b"\0\x06\0\0")]))[2:],
    ],
)
def test_a_file_without_a_valid_orientation_stays_as_it_is(content):
    assert orientation(content) == 1


def test_each_file_of_a_batch_has_its_own():
    png = PNG + chunk(b"tEXt", b"abc") + chunk(b"eXIf", tiff("big", [(0x0112, 3, b"\0\x08\0\0")]))
    webp = (
        RIFF + chunk(b"VP8X", bytes(10), "little") + chunk(b"EXIF", tiff("little", SIX), "little")
    )
    batch = [jpeg(6), file(PIXELS), jpeg(3), b"junk", png, webp, png + b"more", jpeg(5)]
    assert _ORIENTATIONS(tf.constant(batch)).numpy().tolist() == [6, 1, 3, 1, 8, 6, 8, 5]
    assert _ORIENTATIONS(tf.constant([], tf.string)).shape == [0]


@settings(max_examples=60, deadline=None)
@given(tail=st.binary(max_size=80), cut=st.integers(0, 60))
def test_no_bytes_whatever_break_it(tail, cut):
    assert 1 <= orientation(b"\xff\xd8" + tail) <= 8
    damaged = with_exif(tiff("little", [(0x0112, 3, b"\x05\0\0\0")]))
    assert 1 <= orientation(damaged[:cut] + tail + damaged[cut:]) <= 8


def test_real_files_agree_with_pillow(shared_data):
    for name in ("hopper_orientation_6.jpg", "invalid-exif.jpg", "junk_jpeg_header.jpg"):
        content = (shared_data / "odd_images" / name).read_bytes()
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(content)) as image:
            expected = image.getexif().get(0x0112, 1)
        assert orientation(content) == expected, name


def chunk(letters, content, order="big"):
    """A chunk of a PNG, or of a WebP where `order` is little, without a right checksum."""
    if order == "little":
        return letters + len(content).to_bytes(4, order) + content + b"\0" * (len(content) % 2)
    return len(content).to_bytes(4, order) + letters + content + bytes(4)


SIX = [(0x0112, 3, b"\x06\0\0\0")]
PNG, RIFF = b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP"


@pytest.mark.parametrize("before", [[], [(b"IDAT", b"eXIf in the pixels")], [(b"tEXt", b"")] * 300])
def test_the_chunk_of_a_png_is_found_before_and_behind_the_pixels(before):
    chunks = [chunk(*each) for each in [*before, (b"eXIf", tiff("little", SIX))]]
    assert orientation(PNG + b"".join(chunks)) == 6


@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
@pytest.mark.parametrize("before", [(b"ALPH", b"odd"), (b"VP8 ", b"even")])
def test_the_chunk_of_a_webp_is_found_with_and_without_its_prefix(prefix, before):
    chunks = [(b"VP8X", bytes(10)), before, (b"EXIF", prefix + tiff("little", SIX))]
    assert orientation(RIFF + b"".join(chunk(*each, "little") for each in chunks)) == 6


@pytest.mark.parametrize(
    "content",
    [
        PNG + chunk(b"IDAT", b"eXIf"),
        PNG + chunk(b"eXIf", b""),
        PNG + chunk(b"eXIf", tiff("little", SIX))[:20],
        PNG + b"\xff\xff\xff\xffabcd" + chunk(b"eXIf", tiff("little", SIX)),
        PNG + b"eXIf",
        RIFF + chunk(b"VP8X", b"EXIF" * 3, "little"),
        RIFF + chunk(b"VP8X", bytes(10), "little") + b"EXIF\xff\xff\xff\xff",
    ],
)
def test_a_broken_chain_of_chunks_reads_as_upright(content):
    assert orientation(content) == 1


@settings(max_examples=50, derandomize=True)
@given(data=st.binary(max_size=60), is_png=st.booleans())
def test_no_bytes_make_the_walk_fail(data, is_png):
    start = PNG + b"\0\0\0\x01eXIf" if is_png else RIFF + b"VP8X\x02\0\0\0EXIF"
    assert 1 <= orientation(start + data) <= 8
