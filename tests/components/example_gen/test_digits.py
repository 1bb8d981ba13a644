"""scikit-learn's digits as files, pixel for pixel."""

import collections
import pathlib

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from millrace.components.example_gen.digits import digits_images


def test_every_scan_is_a_png_in_the_folder_of_its_digit(out):
    root = pathlib.Path(digits_images(out).path)
    scans = load_digits()
    files = sorted(root.glob("*/*.png"), key=lambda path: path.name)
    assert [path.name for path in files] == [f"{number:04d}.png" for number in range(1797)]
    assert [path.parent.name for path in files] == [str(digit) for digit in scans.target]
    counts = collections.Counter(path.parent.name for path in files)
    assert (len(counts), counts["0"], counts["8"]) == (10, 178, 174)
    for path, scan in zip(files, scans.images, strict=True):
        with Image.open(path) as image:
            assert (image.mode, image.size) == ("L", (8, 8))
            pixels = np.asarray(image, dtype=int)
        assert (np.rint(pixels / 255 * 16) == scan).all()
    assert pixels.max() == 255
    assert pixels.min() == 0
