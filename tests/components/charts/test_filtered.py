"""Filters and pooling on pictures small enough to reckon by hand."""

import numpy as np
import pytest
from PIL import Image

from millrace.components.charts import filtered
from millrace.components.errors import DataError

PIXELS = np.arange(16, dtype=np.float32).reshape(4, 4)


def test_a_map_is_the_sum_of_the_pixels_around_each_times_the_filter():
    vertical = filtered.through(PIXELS, (-1, 0, 1, -2, 0, 2, -1, 0, 1))
    assert vertical.tolist() == [[8, 8], [8, 8]]
    horizontal = filtered.through(PIXELS, (-1, -2, -1, 0, 0, 0, 1, 2, 1))
    assert horizontal.tolist() == [[32, 32], [32, 32]]


def test_a_filter_that_adds_up_to_more_is_divided_by_its_sum_and_pixels_stay_pixels():
    assert filtered.through(PIXELS, (1,) * 9).tolist() == [[5, 6], [9, 10]]
    assert filtered.through(PIXELS, (0, 0, 0, 0, -1, 0, 0, 0, 1)).tolist() == [[5, 5], [5, 5]]
    assert filtered.through(PIXELS, (0, 0, 0, 0, 100, 0, 0, 0, -99)).max() == 0
    assert filtered.through(PIXELS, (-99, 0, 0, 0, 100, 0, 0, 0, 0)).max() == 255


def test_pooling_takes_the_largest_or_the_mean_of_each_square():
    assert filtered.pooled(PIXELS, 2, "max").tolist() == [[5, 7], [13, 15]]
    assert filtered.pooled(PIXELS, 2, "average").tolist() == [[2.5, 4.5], [10.5, 12.5]]
    assert filtered.pooled(PIXELS, 3, "max").tolist() == [[10]]


def test_a_picture_is_read_as_grey_and_brought_down(tmp_path):
    Image.new("RGB", (40, 20), (255, 0, 0)).save(tmp_path / "red.png")
    found = filtered.grey(tmp_path / "red.png", 10)
    assert found.shape == (5, 10)
    assert set(found.ravel()) == {76.0}  # of ITU-R 601: 0.299 of 255
    (tmp_path / "none.png").write_text("none")
    with pytest.raises(DataError, match=r"none.png: expected a picture"):
        filtered.grey(tmp_path / "none.png", 10)
