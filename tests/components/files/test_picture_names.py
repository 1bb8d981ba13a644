"""What a file's name says of whether it is a picture."""

import pytest

from millrace.components.files.picture_names import is_other, is_picture


@pytest.mark.parametrize("path", ["a/1.JPG", "x.jpeg", "scan.tiff", "x.avif", "x.jp2", "x.pgm"])
def test_a_picture_is_known_by_its_extension(path):
    assert (is_picture(path), is_other(path)) == (True, False)


@pytest.mark.parametrize(
    "path",
    ["readme.txt", "a/README", "Thumbs.db", ".DS_Store", "a/labels.csv", "__MACOSX/a.png", "x.npz"],
)
def test_what_lies_beside_pictures_is_none(path):
    assert is_other(path)


@pytest.mark.parametrize("path", ["a/1", "x.bin", "x.heic", "LICENSE.pillow"])
def test_of_other_names_the_content_decides(path):
    assert (is_picture(path), is_other(path)) == (False, False)
