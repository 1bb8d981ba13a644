"""Rows to pixels in batches, the broken ones with a reason."""

import numpy as np
import pytest

from millrace.components.features import image_rows
from millrace.components.features.image_spec import ImageSpec
from millrace.components.files import columns
from millrace.serving.example import decode
from tests.components.pictures import file, noise, raw

SPEC = ImageSpec(("a", "b"), 3, 3, 1)


def pixels(number):
    return np.full((3, 3), number, np.uint8)


def test_every_file_comes_back_in_order_with_its_own_pixels():
    count = 3 * image_rows.BATCH + 5
    files = (file(pixels(n)) for n in range(count))
    assert [int(array[0, 0, 0]) for array in image_rows.pixels(files, SPEC)] == list(range(count))


def test_a_broken_file_takes_no_other_with_it():
    files = [file(pixels(1)), b"junk", None, file(pixels(2))]
    found = list(image_rows.pixels(files, SPEC))
    np.testing.assert_array_equal(found[0], pixels(1)[..., None])
    np.testing.assert_array_equal(found[3], pixels(2)[..., None])
    assert found[1] == (
        "Unknown image file format. One of JPEG, JPEG XL, PNG, GIF, BMP, WebP required"
    )
    assert found[2] == "no `image/encoded`"


def test_an_animated_webp_is_given_the_reason_in_words():
    content = file(noise(4, 4, 3), "WEBP", save_all=True, append_images=[_frame()])
    [reason] = image_rows.pixels([content], SPEC)
    assert "animated WebP. Save its first frame" in reason


def test_no_files_give_none():
    assert list(image_rows.pixels([], SPEC)) == []


@pytest.mark.parametrize("written", [1, 1 << 21])
def test_what_cannot_be_used_is_set_aside_in_the_order_of_the_records(written, monkeypatch):
    monkeypatch.setattr(image_rows, "_WRITTEN", written)  # one batch at once, or all
    used = [n for n in range(2 * image_rows.BATCH) if n % 5]
    records = [
        raw(file(pixels(n)) if n % 5 != 1 else b"junk", "b" if n % 5 else "c", filename=f"{n}.png")
        for n in range(2 * image_rows.BATCH)
    ]
    rejected = []
    batches = [columns.of_records(part, "p") for part in (records[:10], records[10:])]
    found = [decode(each) for each in image_rows.transform(batches, "p", SPEC, rejected)]
    assert [row["image/filename"] for row in found] == [
        [f"{n}.png".encode()] for n in used if n % 5 != 1
    ]
    assert {row["image"][0] for row in found[:2]} == {pixels(n).tobytes() for n in (2, 3)}
    assert {row["label"][0] for row in found} == {1}
    lost = [n for n in range(2 * image_rows.BATCH) if n % 5 < 2]
    assert [item.position for item in rejected] == [f"p, record {n}" for n in lost]
    assert [item.source for item in rejected] == [f"{n}.png" for n in lost]
    assert [item.reason for item in rejected[:2]] == [
        "class 'c' is not in the train split",
        "Unknown image file format. One of JPEG, JPEG XL, PNG, GIF, BMP, WebP required",
    ]


def _frame():
    from PIL import Image

    return Image.fromarray(noise(4, 4, 3, seed=1))
