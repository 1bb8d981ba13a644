"""From a picture to charts of its maps, without any training."""

import csv

import numpy as np
import pytest
from etils.epath import Path
from PIL import Image

from millrace.components.artifacts import RawFiles
from millrace.components.convolutions import FILTERS, convolutions
from millrace.components.errors import DataError
from millrace.components.example_gen.samples import sample_picture


def test_each_filter_gets_a_chart_beside_that_of_the_picture(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    Image.fromarray(np.eye(12, dtype=np.uint8) * 200).save(tmp_path / "in" / "line.png")
    filters = {"vertical": FILTERS["vertical"], "mine": (0, 1, 0, 0, 1, 0, 0, 1, 0)}
    plots = convolutions(RawFiles(tmp_path / "in"), Path(tmp_path / "out"), filters=filters)
    names = ["00-picture.png", "01-vertical.png", "02-mine.png"]
    assert [file.name for file in plots.files] == names
    rows = list(csv.reader((tmp_path / "out" / "filters.csv").read_text().splitlines()))
    assert rows[0][:3] == ["filter", "0,0", "0,1"]
    assert [row[0] for row in rows[1:]] == ["vertical", "mine"]
    assert [float(cell) for cell in rows[1][1:]] == list(FILTERS["vertical"])


def test_a_picture_is_at_hand(tmp_path):
    sample_picture(Path(tmp_path))
    with Image.open(tmp_path / "china.jpg") as picture:
        assert picture.size == (640, 427)


def test_no_picture_and_one_too_small_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"expected a picture. Received: none among 0 files"):
        convolutions(RawFiles(tmp_path), Path(tmp_path))
    Image.new("L", (2, 9)).save(tmp_path / "thin.png")
    with pytest.raises(DataError, match=r"thin.png: expected a picture of 3 pixels a side"):
        convolutions(RawFiles(tmp_path / "thin.png"), Path(tmp_path))
