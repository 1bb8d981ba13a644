"""From raw records to pixels and labels."""

import dataclasses

import numpy as np
import pytest

from millrace.components.artifacts import Analysis, Rejected
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.features import spec
from millrace.components.features.image_spec import ImageSpec
from millrace.components.files.tfrecord import read_records
from millrace.components.transform import transform
from millrace.serving.example import decode, encode
from tests.components.features.test_series import FILLED
from tests.components.pictures import blobs, file, noise, raw, write

SPEC = ImageSpec(("light", "dark"), 8, 8, 1)  # not in the order of the raw labels


@pytest.fixture
def transformed(tmp_path):
    def run(splits, found=SPEC, shards=1, **options):
        analysis, out = Analysis(tmp_path / "analysis"), tmp_path / "out"
        for folder in (analysis.path, out):
            folder.mkdir()
        spec.write(found, analysis.file)
        examples = write(tmp_path / "raw", splits, shards)
        return transform(examples, analysis, out, run_on=BeamOptions(), **options)

    return run


def rows(examples, split):
    return [decode(record) for file in examples.files(split) for record in read_records(file)]


def test_every_split_is_decoded_and_labelled_in_order(transformed):
    pictures = [noise(8, 8, seed=seed) for seed in range(4)]
    records = [
        raw(file(pixels), ("dark", "light")[n % 2], n % 2, f"{n}.png")
        for n, pixels in enumerate(pictures)
    ]
    found = transformed({"train": records, "test": blobs(3)})
    assert found.counts == {"train": 4, "test": 3}
    assert list(found.rejected()) == []
    for n, row in enumerate(rows(found, "train")):
        assert row["image"] == [pictures[n].tobytes()]
        assert row["label"].tolist() == [1 - n % 2]
        assert row["image/filename"] == [f"{n}.png".encode()]


def test_a_split_has_as_many_files_as_before_and_no_notes_beside_them(transformed):
    found = transformed({"train": blobs(7), "eval": blobs(1)}, shards=3)
    names = [f"data_tfrecord-0000{n}-of-00003.gz" for n in range(3)]
    for split in ("train", "eval"):
        assert sorted(entry.name for entry in found.split_path(split).iterdir()) == names
    assert sorted(entry.name for entry in found.path.iterdir()) == [
        "Split-eval",
        "Split-train",
        "examples.json",
        "rejected.jsonl",
    ]


def test_pictures_are_resized_and_coloured_as_the_analysis_says(transformed):
    record = raw(file(np.full((4, 6), 9, np.uint8)), "dark")
    found = transformed({"train": [record]}, ImageSpec(("dark", "light"), 2, 5, 3))
    assert rows(found, "train")[0]["image"] == [bytes([9] * 2 * 5 * 3)]


def test_what_cannot_be_used_is_set_aside_with_the_reason(transformed):
    bad = [raw(b"junk", "dark", 0, "x/junk.png"), raw(file(noise(8, 8)), "cat", 2, "x/cat.png")]
    unnamed = encode({"image/encoded": file(noise(8, 8))})
    found = transformed({"train": [*blobs(2), *bad, unnamed]}, max_rejected=0.6)
    assert found.counts == {"train": 2}
    place = "data_tfrecord-00000-of-00001.gz, record"
    assert sorted(found.rejected(), key=lambda item: item.position) == [
        Rejected(
            "x/junk.png",
            "Unknown image file format. One of JPEG, JPEG XL, PNG, GIF, BMP, WebP required",
            f"{place} 2",
        ),
        Rejected("x/cat.png", "class 'cat' is not in the train split", f"{place} 3"),
        Rejected("", "no class", f"{place} 4"),
    ]
    assert found.properties() == {"train": 2, "rejected": 3}


def test_too_many_set_aside_stop_the_step_and_are_named(transformed):
    with pytest.raises(DataError) as caught:
        transformed({"train": [*blobs(3), raw(b"junk", "dark", 0, "x/junk.png")]})
    assert str(caught.value) == (
        "transform: expected at most 1.00% of the records to be unusable. Received: 1 of 4 "
        "(25.00%):\n  x/junk.png, data_tfrecord-00000-of-00001.gz, record 3: Unknown image file "
        "format. One of JPEG, JPEG XL, PNG, GIF, BMP, WebP required\nCorrect or remove them, or "
        "allow more by `--set transform.max_rejected=0.26`."
    )


def _stretch(name, first, last, lacking=()):
    values = np.arange(first, last, dtype=np.float32)
    values[[place - first for place in lacking]] = np.nan
    times = np.arange(first, last, dtype=np.int64) * 3600
    return encode({"series": name, "time": times, "load": values})


@pytest.mark.parametrize("shards", [1, 2])
def test_windows_look_back_at_the_same_series_in_earlier_splits(transformed, shards):
    splits = {
        "train": [_stretch("a", 0, 8), _stretch("b", 0, 8)],
        "eval": [_stretch("a", 8, 10), _stretch("b", 8, 9)],
        "test": [_stretch("a", 10, 12, lacking=[11]), _stretch("b", 9, 13, lacking=[10])],
    }
    found = transformed(splits, dataclasses.replace(FILLED, horizon=1), shards)
    assert found.counts == {"train": 10, "eval": 3, "test": 4}
    judged = [(row["series"][0], row["future"].tolist()) for row in rows(found, "test")]
    assert sorted(judged) == [(b"a", [10]), (b"b", [9]), (b"b", [11]), (b"b", [12])]
    looked_at = {tuple(row["window"].tolist()) for row in rows(found, "test")}
    assert (7.0, 8.0, 9.0) in looked_at  # of a: a row of train, two of eval
    assert (6.0, 7.0, 8.0) in looked_at  # of b: two rows of train, one of eval
    assert found.summary["notes"] == {"test: windows without a known target": 2}
    assert list(found.rejected()) == []


def test_a_split_that_is_sharded_otherwise_is_searched_through(tmp_path):
    analysis, out = Analysis(tmp_path / "analysis"), tmp_path / "out"
    for folder in (analysis.path, out):
        folder.mkdir()
    spec.write(FILLED, analysis.file)
    examples = write(tmp_path / "raw", {"train": [_stretch("b", 0, 8), _stretch("a", 0, 8)]}, 2)
    write(tmp_path / "raw", {"test": [_stretch("a", 8, 10)]})
    examples.write_summary({"train": 2, "test": 1})
    found = transform(examples, analysis, out, run_on=BeamOptions())
    (row,) = rows(found, "test")
    assert (row["window"].tolist(), row["future"].tolist()) == ([5, 6, 7], [8, 9])
