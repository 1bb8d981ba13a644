"""From raw records to analysis.json."""

import json
import logging

import numpy as np
import pytest

from millrace.components.analyze import analyze
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.features import spec
from millrace.components.features.image_spec import ImageOptions, ImageSpec
from tests.components.pictures import blobs, file, raw, write


@pytest.fixture
def analyzed(tmp_path):
    def run(splits, options=None, shards=1):
        examples = write(tmp_path / "raw", splits, shards)
        (tmp_path / "out").mkdir()
        given = {} if options is None else {"features": options}
        found = analyze(examples, tmp_path / "out", run_on=BeamOptions(), **given)
        return spec.read(found.file)

    return run


def test_classes_size_and_channels_come_from_the_train_split(analyzed):
    train = blobs(6, names=("a", "b", "c"), side=5)
    found = analyzed({"train": train, "eval": blobs(3, side=9)}, shards=2)
    assert found == ImageSpec(("a", "b", "c"), 5, 5, 1)


def test_options_overrule_what_was_found(analyzed):
    options = ImageOptions(width=7, channels=3, resize="pad", scale="symmetric")
    found = analyzed({"train": blobs(4)}, options)
    assert found == ImageSpec(("dark", "light"), 7, 7, 3, "pad", "symmetric")


def test_standardising_takes_mean_and_variance_of_the_resized_train_pixels(analyzed):
    levels = [10, 20, 60, 110]
    train = [
        raw(file(np.full((4, 4), level, np.uint8)), "ab"[n % 2], n % 2, size=(4, 4))
        for n, level in enumerate(levels)
    ]
    broken = raw(b"junk", "a", size=(4, 4))
    options = ImageOptions(height=2, width=3, scale="standardise")
    found = analyzed({"train": [*train, broken], "eval": blobs(2)}, options, shards=3)
    assert found.mean == pytest.approx([50.0])
    assert found.variance == pytest.approx([np.var(levels)])


def test_pictures_of_many_sizes_get_a_square_and_a_line_that_says_so(analyzed, caplog):
    caplog.set_level(logging.INFO, "millrace.components")
    train = [raw(b"", "ab"[n % 2], n % 2, size=(50 + n, 90), channels=3) for n in range(9)]
    found = analyzed({"train": train})
    assert found.shape == (48, 48, 3)
    assert "9 sizes: taking 48 x 48; set analyze.features.height for another" in caplog.text
    assert "2 classes, pictures of 48 x 48 pixels with 3 channels" in caplog.text


def test_classes_that_only_other_splits_have_are_reported(analyzed, caplog):
    extra = raw(b"", "zebra", 2)
    found = analyzed({"train": blobs(4), "test": [*blobs(2), extra]})
    assert found.classes == ("dark", "light")
    assert "split test has 1 classes that train lacks" in caplog.text
    assert "zebra" in caplog.text


def test_the_counts_are_kept_beside(analyzed, tmp_path):
    analyzed({"train": blobs(4), "eval": blobs(2)})
    counts = json.loads((tmp_path / "out" / "survey-eval.json").read_text())
    assert counts["sizes"] == [[8, 8, 2]]
    assert counts["classes"] == [["dark", 0, 1], ["light", 1, 1]]


def test_an_empty_train_split_is_refused(analyzed):
    with pytest.raises(DataError, match=r"records in the train split\. Received: \{'train': 0, "):
        analyzed({"train": [], "eval": blobs(2)})


def test_a_single_class_is_refused(analyzed):
    with pytest.raises(DataError, match=r"two or more in the train split\. Received: 'dark'"):
        analyzed({"train": blobs(4, names=("dark",))})
