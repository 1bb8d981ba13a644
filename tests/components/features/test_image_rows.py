"""Rows to pixels in batches, the broken ones with a reason."""

import numpy as np

from millrace.components.features import image_rows
from millrace.components.features.image_spec import ImageSpec
from millrace.serving.example import decode, encode
from tests.components.pictures import file, noise, raw

SPEC = ImageSpec(("a", "b"), 3, 3, 1)


def pixels(number):
    return np.full((3, 3), number, np.uint8)


def test_every_row_comes_back_in_order_with_its_own_pixels_and_company():
    count = 3 * image_rows.BATCH + 5
    rows = ((decode(raw(file(pixels(n)), "a")), n) for n in range(count))
    found = [(n, int(array[0, 0, 0])) for (_, n), array in image_rows.decode_rows(rows, SPEC)]
    assert found == [(n, n) for n in range(count)]


def test_a_broken_file_takes_no_other_with_it():
    records = [
        raw(file(pixels(1)), "a"),
        raw(b"junk", "a"),
        encode({"x": 1}),
        raw(file(pixels(2)), "a"),
    ]
    found = [what for _, what in image_rows.decode_rows(((decode(r),) for r in records), SPEC)]
    np.testing.assert_array_equal(found[0], pixels(1)[..., None])
    np.testing.assert_array_equal(found[3], pixels(2)[..., None])
    assert found[1] == (
        "Unknown image file format. One of JPEG, JPEG XL, PNG, GIF, BMP, WebP required"
    )
    assert found[2] == "no `image/encoded`"


def test_an_animated_webp_is_given_the_reason_in_words():
    content = file(noise(4, 4, 3), "WEBP", save_all=True, append_images=[_frame()])
    [(_, reason)] = image_rows.decode_rows([(decode(raw(content, "a")),)], SPEC)
    assert "animated WebP. Save its first frame" in reason


def test_no_rows_give_none():
    assert list(image_rows.decode_rows([], SPEC)) == []


def _frame():
    from PIL import Image

    return Image.fromarray(noise(4, 4, 3, seed=1))
