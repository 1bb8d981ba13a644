"""Files to pixels, compared with Pillow on every format, and on real odd files."""

import functools
import io
import warnings

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from millrace.components.features import image
from millrace.components.features.image_spec import ImageSpec
from tests.components.pictures import file, noise

BILINEAR = Image.Resampling.BILINEAR
COLOUR = noise(20, 30, 3)
GREY = COLOUR[..., 0]
SMOOTH = np.add.outer(np.arange(24), 4 * np.arange(36))[..., None].repeat(3, 2).astype(np.uint8)


@functools.cache
def compiled(*shape):
    spec = ImageSpec(("a", "b"), *shape)
    signature = [tf.TensorSpec([None], tf.string)]
    return tf.function(lambda files: image.preprocess(files, spec), input_signature=signature)


def preprocess(contents, height=20, width=30, channels=3, resize="stretch"):
    run = compiled(height, width, channels, resize)
    return run(tf.constant(contents, tf.string)).numpy()


def pillow(content, mode="RGB"):
    with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(content)) as picture:
        return np.asarray(ImageOps.exif_transpose(picture).convert(mode)).astype(int)


LOSSLESS = {
    "png_grey": file(GREY),
    "png_colour": file(COLOUR),
    "png_palette": file(Image.fromarray(COLOUR).quantize(16)),
    "png_one_bit": file(Image.fromarray(COLOUR).convert("1")),
    "png_grey_alpha": file(Image.fromarray(COLOUR).convert("LA")),
    "png_alpha": file(noise(20, 30, 4)),
    "gif": file(COLOUR, "GIF"),
    "gif_first_frame": file(
        COLOUR, "GIF", save_all=True, append_images=[Image.fromarray(255 - COLOUR)]
    ),
    "bmp": file(COLOUR, "BMP"),
    "bmp_grey": file(GREY, "BMP"),
    "bmp_palette": file(Image.fromarray(COLOUR).quantize(16), "BMP"),
    "bmp_alpha": file(noise(20, 30, 4), "BMP"),
    "webp": file(COLOUR, "WEBP"),
    "webp_alpha": file(noise(20, 30, 4), "WEBP", lossless=True, exact=True),
}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_a_lossless_file_has_pillows_pixels(kind):
    content = LOSSLESS[kind]
    np.testing.assert_array_equal(preprocess([content])[0], pillow(content))
    grey = preprocess([content], channels=1)[0, ..., 0]
    np.testing.assert_allclose(grey, pillow(content, "L"), atol=1)  # rounding of the weights


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_has_pillows_pixels_up_to_its_transform(mode):
    content = file(Image.fromarray(SMOOTH).convert(mode), "JPEG", quality=95)
    np.testing.assert_allclose(preprocess([content], 24, 36)[0], pillow(content), atol=4)


def test_of_sixteen_bits_the_upper_eight_are_taken():
    deep = (GREY.astype(np.uint16) << 8) + 200
    np.testing.assert_array_equal(preprocess([file(deep)], channels=1)[0, ..., 0], GREY)


def test_a_turned_jpeg_is_upright():
    data = Image.Exif()
    data[0x0112] = 6
    content = file(SMOOTH, "JPEG", quality=95, exif=data)
    found = preprocess([content], 36, 24)[0]
    np.testing.assert_allclose(found, pillow(content), atol=4)


def test_an_animated_webp_is_refused_rather_than_crash_the_process():
    frames = [Image.fromarray(noise(20, 30, 3, seed=seed)) for seed in range(2)]
    content = file(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"animated WebP\. Save its first"):
        preprocess([file(COLOUR), content])


def test_files_of_one_batch_may_differ_in_all():
    contents = [file(GREY), file(noise(7, 9, 4)), file(COLOUR, "JPEG"), file(COLOUR, "GIF")]
    together = preprocess(contents)
    assert together.shape == (4, 20, 30, 3)
    assert together.dtype == np.uint8
    for content, pixels in zip(contents, together, strict=True):
        np.testing.assert_array_equal(preprocess([content])[0], pixels)


def test_an_empty_batch_gives_an_empty_batch():
    assert preprocess([]).shape == (0, 20, 30, 3)


def test_the_batch_has_a_static_shape():
    outputs = compiled(20, 30, 3, "stretch").get_concrete_function().outputs
    assert outputs[0].shape.as_list() == [None, 20, 30, 3]


@pytest.mark.parametrize("content", [b"", b"junk", b"RIFF", b"BM", file(COLOUR)[:60]])
def test_what_is_no_picture_is_an_invalid_argument(content):
    with pytest.raises(tf.errors.InvalidArgumentError):
        preprocess([content])


def test_stretching_shrinks_as_pillow_does():
    content = file(SMOOTH)
    expected = Image.fromarray(SMOOTH).resize((12, 6), BILINEAR)
    np.testing.assert_allclose(preprocess([content], 6, 12)[0], np.asarray(expected), atol=1)


def test_padding_keeps_the_aspect_on_black():
    found = preprocess([file(np.full((10, 20), 200, np.uint8))], 8, 8, 1, "pad")[0, ..., 0]
    expected = np.zeros((8, 8), int)
    expected[2:6] = 200
    np.testing.assert_array_equal(found, expected)


def test_cropping_keeps_the_aspect_and_the_middle():
    wide = np.zeros((4, 12), np.uint8)
    wide[:, 4:8] = np.arange(16).reshape(4, 4)
    found = preprocess([file(wide)], 4, 4, 1, "crop")[0, ..., 0]
    np.testing.assert_array_equal(found, wide[:, 4:8])


@pytest.mark.parametrize("resize", ["stretch", "pad", "crop"])
@pytest.mark.parametrize("size", [(1, 300), (300, 1), (1, 1), (9, 7)])
def test_every_shape_of_picture_comes_out_right(resize, size):
    assert preprocess([file(noise(*size))], 9, 7, 1, resize).shape == (1, 9, 7, 1)


def test_real_odd_files_are_read_as_pillow_reads_them(shared_data):
    refused = []
    for path in sorted((shared_data / "odd_images").iterdir()):
        try:
            expected = pillow(path.read_bytes())
        except (OSError, SyntaxError):
            refused.append(path.name)
            with pytest.raises(tf.errors.InvalidArgumentError):
                preprocess([path.read_bytes()])
            continue
        if path.name in ("hopper_16bit.pgm", "no_palette.gif"):  # ingest re-encodes these
            continue
        found = preprocess([path.read_bytes()], 32, 32)[0]
        shrunk = Image.fromarray(expected.astype(np.uint8)).resize((32, 32), BILINEAR)
        assert np.abs(found - np.asarray(shrunk).astype(int)).mean() <= 1, path.name
    assert refused == [
        "LICENSE.pillow",
        "broken.png",
        "broken_data_stream.png",
        "crash-2020-10-test.tif",
        "truncated_image.png",
        "truncated_jpeg.jpg",
    ]
