"""From raw records to pixels and labels."""

import numpy as np
import pytest

from components.artifacts import Analysis, Rejected
from components.beam_options import BeamOptions
from components.errors import DataError
from components.features import spec
from components.features.image_spec import ImageSpec
from components.tfrecord import read_records
from components.transform import transform
from serving.example import decode, encode
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
        "transform: expected at most 1.0% to be set aside. Received: 1 of 4, first x/junk.png: "
        "Unknown image file format. One of JPEG, JPEG XL, PNG, GIF, BMP, WebP required. Mend or "
        "remove them, or raise transform.max_rejected."
    )
