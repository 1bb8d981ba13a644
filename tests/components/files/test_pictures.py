"""What is written decodes in TensorFlow, to what Pillow shows; what does not decode is reported."""

import io
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from millrace.components.errors import DataError
from millrace.components.files.pictures import read_picture
from tests.components.example_gen.conftest import image_bytes

KEPT = [  # kind, mode, options, channels
    ("JPEG", "RGB", {}, 3),
    ("JPEG", "L", {}, 1),
    ("JPEG", "CMYK", {}, 3),
    ("JPEG", "RGB", {"progressive": True}, 3),
    ("PNG", "1", {}, 1),
    ("PNG", "L", {}, 1),
    ("PNG", "LA", {}, 1),
    ("PNG", "P", {}, 3),
    ("PNG", "RGB", {}, 3),
    ("PNG", "RGBA", {}, 4),
    ("PNG", "I;16", {}, 1),
    ("GIF", "P", {}, 3),
    ("BMP", "RGB", {}, 3),
    ("WEBP", "RGB", {}, 3),
    ("WEBP", "RGB", {"lossless": True}, 3),
]
ENCODED_AGAIN = [
    ("GIF", "1", {}, 1),
    ("BMP", "1", {}, 1),
    ("BMP", "L", {}, 1),
    ("BMP", "P", {}, 3),
    ("BMP", "RGBA", {}, 3),
    ("WEBP", "RGBA", {}, 4),
    ("TIFF", "L", {}, 1),
    ("TIFF", "RGB", {}, 3),
    ("TIFF", "CMYK", {}, 3),
    ("TIFF", "I;16", {}, 1),
    ("TIFF", "I", {}, 1),
    ("PPM", "L", {}, 1),
    ("PPM", "RGB", {}, 3),
    ("PPM", "I", {}, 1),
    ("JPEG2000", "RGB", {}, 3),
    ("AVIF", "RGB", {}, 3),
]


def by_tensorflow(data: bytes) -> np.ndarray:
    return tf.io.decode_image(data, channels=3, expand_animations=False).numpy()


def by_pillow(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        if image.mode.startswith("I"):
            return np.asarray(image)[:, :, None].repeat(3, 2) >> 8
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize(("kind", "mode", "options", "channels"), KEPT)
def test_a_file_that_tensorflow_reads_is_kept_byte_for_byte(kind, mode, options, channels):
    data = image_bytes(1, size=(40, 30), mode=mode, kind=kind, **options)
    picture = read_picture(data)
    assert picture.encoded == data
    assert (picture.format, picture.channels) == (kind.lower(), channels)
    assert (picture.height, picture.width) == (30, 40)
    difference = by_tensorflow(data).astype(int) - by_pillow(data)
    assert np.abs(difference).max() <= (6 if kind == "JPEG" else 0)


@pytest.mark.parametrize(("kind", "mode", "options", "channels"), ENCODED_AGAIN)
def test_a_file_that_tensorflow_misreads_becomes_a_png_of_the_same_pixels(
    kind, mode, options, channels
):
    data = image_bytes(1, size=(40, 30), mode=mode, kind=kind, **options)
    picture = read_picture(data)
    assert (picture.format, picture.channels) == ("png", channels)
    assert (picture.height, picture.width) == (30, 40)
    np.testing.assert_array_equal(by_pillow(picture.encoded), by_pillow(data))
    np.testing.assert_array_equal(by_tensorflow(picture.encoded), by_pillow(data))


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_of_an_animation_the_first_frame_is_taken(kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime")]
    sink = io.BytesIO()
    frames[0].save(sink, kind, save_all=True, append_images=frames[1:], lossless=True)
    picture = read_picture(sink.getvalue())
    assert picture.format == "png"
    assert by_tensorflow(picture.encoded)[4, 4].tolist() == [255, 0, 0]


def test_transparency_of_a_palette_is_a_channel():
    image = Image.new("P", (4, 4))
    sink = io.BytesIO()
    image.save(sink, "PNG", transparency=0)
    assert read_picture(sink.getvalue()).channels == 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_height_and_width_are_as_displayed_and_the_bytes_keep_their_orientation(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = image_bytes(1, size=(40, 30), kind="JPEG", exif=exif)
    picture = read_picture(data)
    shown = (30, 40) if orientation < 5 else (40, 30)
    assert (picture.height, picture.width, picture.encoded) == (*shown, data)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_orientation_that_only_xmp_tells_is_applied(kind):
    name = "xmp" if kind == "WEBP" else "pnginfo"
    xmp = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6"/></x:xmpmeta>'
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp)
    given_as = {name: xmp.encode() if kind == "WEBP" else info}
    data = image_bytes(1, size=(40, 30), kind=kind, **given_as)
    picture = read_picture(data)
    assert (picture.format, picture.height, picture.width) == ("png", 40, 30)
    np.testing.assert_array_equal(by_pillow(picture.encoded), np.rot90(by_pillow(data), -1))


def test_a_tiff_with_an_orientation_becomes_an_upright_png():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = image_bytes(1, size=(40, 30), kind="TIFF", exif=exif)
    upright = read_picture(data)
    assert (upright.height, upright.width) == (40, 30)
    with Image.open(io.BytesIO(upright.encoded)) as image:
        assert 0x0112 not in image.getexif()


def test_a_jpeg_without_its_end_marker_is_repaired():
    data = image_bytes(1, size=(40, 30), kind="JPEG").removesuffix(b"\xff\xd9") + bytes(200)
    picture = read_picture(data)
    assert picture.format == "png"
    np.testing.assert_array_equal(by_tensorflow(picture.encoded), by_pillow(data))


def test_what_is_encoded_again_is_put_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = image_bytes(1, size=(40, 30), kind="JPEG", exif=exif)
    picture = read_picture(data.removesuffix(b"\xff\xd9") + bytes(200))
    assert (picture.format, picture.height, picture.width) == ("png", 40, 30)
    np.testing.assert_array_equal(by_pillow(picture.encoded), np.rot90(by_pillow(data), -1))


@pytest.mark.parametrize(
    "data",
    [
        image_bytes(1, size=(40, 30), mode="P", kind="GIF").removesuffix(b";"),
        image_bytes(1, size=(40, 30), kind="BMP") + bytes(2),
        image_bytes(1, size=(40, 30)).removesuffix(b"IEND\xaeB`\x82"),
    ],
    ids=["GIF", "BMP", "PNG"],
)
def test_a_file_that_does_not_end_where_it_should_is_repaired(data):
    picture = read_picture(data)
    assert picture.format == "png"
    assert picture.encoded != data
    np.testing.assert_array_equal(by_tensorflow(picture.encoded), by_pillow(data))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "^empty file$"),
        (b"hello", "^not an image in a format that Pillow knows$"),
        (b"\r\n<!DOCTYPE HTML><html>", "that Pillow knows, but a web page$"),
        (b"\xef\xbb\xbf<svg/>", "that Pillow knows, but SVG: save it as PNG$"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "that Pillow knows, but HEIC: save it as JPEG$"),
        (b"version https://git-lfs.github.com", "but a pointer of Git LFS: fetch the file by"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "^not an image in a format"),
        (image_bytes(1, size=(40, 30))[:-200], "^cannot be decoded: .*truncated"),
        (image_bytes(1, size=(40, 30), kind="JPEG")[:-200], "^cannot be decoded: .*truncated"),
        (image_bytes(1, mode="F", kind="TIFF"), "grey levels of mode F outside 0 to 65535"),
    ],
)
def test_what_does_not_decode_is_refused_with_the_reason(data, reason):
    with pytest.raises(DataError, match=reason):
        read_picture(data)


@pytest.mark.parametrize("side", [10_000, 20_000])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(side):
    with pytest.raises(DataError, match=r"^more than 89478485 pixels$"):
        read_picture(f"P5 {side} {side} 255\n".encode())


def test_a_bomb_is_refused_where_warnings_are_shown_only():
    script = (
        "from millrace.components.files.pictures import read_picture\n"
        "read_picture(b'P5 10000 10000 255\\n')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stderr.endswith("DataError: more than 89478485 pixels\n")


SAMPLES = [
    image_bytes(1, size=(24, 16), mode=mode, kind=kind, **options)
    for kind, mode, options, _ in KEPT + ENCODED_AGAIN
]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    data=st.sampled_from(SAMPLES),
    at=st.floats(0, 1),
    cut=st.booleans(),
    noise=st.binary(min_size=1, max_size=8),
)
def test_a_broken_file_is_refused_or_written_so_that_tensorflow_decodes_it(data, at, cut, noise):
    start = int(at * (len(data) - 1))
    broken = data[:start] if cut else data[:start] + noise + data[start + len(noise) :]
    try:
        picture = read_picture(broken)
    except DataError:
        return
    assert by_tensorflow(picture.encoded).ndim == 3


def test_the_features_of_a_record_have_the_usual_names():
    data = image_bytes(1, size=(5, 4))
    assert read_picture(data).features(filename="a/b.png", label=3, text="cat") == {
        "image/encoded": data,
        "image/format": "png",
        "image/height": 4,
        "image/width": 5,
        "image/channels": 3,
        "image/filename": "a/b.png",
        "image/class/label": 3,
        "image/class/text": "cat",
    }
