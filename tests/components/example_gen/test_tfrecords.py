"""Somebody else's TFRecords, taken over under the usual names."""

import numpy as np
import pytest
import tensorflow as tf
from etils.epath import Path

from millrace.components.artifacts import RawFiles
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.example_gen.image import image_example_gen
from millrace.components.example_gen.images.options import FeatureNames
from millrace.components.example_gen.shards.splits import DEFAULT_SHARES, SplitRule
from millrace.components.example_gen.tfrecords import import_example_gen
from millrace.components.files.tfrecord import write_records
from millrace.serving.example import encode
from tests.components.example_gen.conftest import image_bytes, records_of, spoil


@pytest.fixture
def ingest(out):
    def run(root, **options):
        return import_example_gen(RawFiles(root), out, run_on=BeamOptions(), **options)

    return run


@pytest.fixture
def source(tmp_path):
    """Writes `{path: records}` below a source folder, which it returns."""

    def write(files):
        root = Path(tmp_path / "records")
        for path, records in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            write_records(root / path, records)
        root.mkdir(parents=True, exist_ok=True)
        return root

    return write


def ours(seed: int, label: int, text: str, **others) -> bytes:
    return encode(
        {
            "image/encoded": image_bytes(seed),
            "image/class/label": label,
            "image/class/text": text,
            "image/filename": f"{seed}.png",
            **others,
        }
    )


def names_of(examples) -> dict[str, list[str]]:
    return {
        split: [record["image/filename"][0].decode() for record in records]
        for split, records in records_of(examples).items()
    }


def test_our_own_examples_come_back_as_they_were(folder, ingest, tmp_path):
    staged = Path(tmp_path / "examples")
    staged.mkdir()
    root = folder({f"{'ab'[seed % 2]}/{seed}.png": image_bytes(seed) for seed in range(30)})
    examples = image_example_gen(RawFiles(root), staged, run_on=BeamOptions())
    imported = ingest(staged)
    assert imported.counts == examples.counts
    assert records_of(imported) == records_of(examples)


@pytest.mark.parametrize("options", [None, "GZIP"])
def test_records_of_tensorflow_are_read_and_their_other_features_kept(tmp_path, ingest, options):
    feature = {
        "pic": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image_bytes(1)])),
        "y": tf.train.Feature(int64_list=tf.train.Int64List(value=[2])),
        "weight": tf.train.Feature(float_list=tf.train.FloatList(value=[0.5, 1.5])),
    }
    record = tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()
    path = tmp_path / "source" / "train" / f"x.tfrecord{'.gz' if options else ''}"
    path.parent.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(path), options) as writer:
        writer.write(record)
    examples = ingest(
        path.parents[1],
        features=FeatureNames(image="pic", label="y"),
        classes=("ant", "bee", "cow"),
    )
    (found,) = records_of(examples)["train"]
    assert found.pop("weight").tolist() == [0.5, 1.5]
    assert found == {
        "image/encoded": [image_bytes(1)],
        "image/format": [b"png"],
        "image/height": np.array([4]),
        "image/width": np.array([5]),
        "image/channels": np.array([3]),
        "image/class/label": np.array([2]),
        "image/class/text": [b"cow"],
        "image/filename": [f"train/{path.name}#0".encode()],
    }


def test_files_in_no_split_are_split_by_the_content_of_their_images(source, ingest):
    root = source({"a.tfrecord": [ours(seed, seed % 2, "ab"[seed % 2]) for seed in range(50)]})
    rule = SplitRule.of("step", DEFAULT_SHARES)
    expected = {split: [] for split in DEFAULT_SHARES}
    for seed in range(50):
        expected[rule.choose("", image_bytes(seed))].append(f"{seed}.png")
    assert names_of(ingest(root)) == expected


def test_patterns_name_the_splits_of_files(source, ingest):
    root = source(
        {
            "part-train-0": [ours(1, 0, "a"), ours(2, 1, "b")],
            "part-train-1": [ours(3, 0, "a")],
            "part-val-0": [ours(4, 1, "b")],
        }
    )
    examples = ingest(root, patterns={"train": "part-train-*", "val": "part-val-*"}, shards=2)
    assert names_of(examples) == {"train": ["1.png", "2.png", "3.png"], "eval": ["4.png"]}
    assert len(examples.files("train")) == 2


@pytest.mark.parametrize("pattern", ["nothing-*", "part-*"])
def test_a_pattern_without_files_of_its_own_is_refused(source, ingest, pattern):
    root = source({"part-0": [ours(1, 0, "a")]})
    with pytest.raises(DataError, match=r"option patterns: expected files of their own for 'eval'"):
        ingest(root, patterns={"train": "part-*", "eval": pattern})


def test_names_without_labels_are_numbered_in_order_over_all_files(source, ingest):
    def named(seed, text):
        return encode({"image/encoded": image_bytes(seed), "image/class/text": text})

    root = source(
        {
            "Split-train/1.tfrecord.gz": [named(seed, name) for seed, name in enumerate("hbgdfce")],
            "Split-val/1.tfrecord.gz": [named(9, "a")],
        }
    )
    records = records_of(ingest(root))
    labels = [int(record["image/class/label"][0]) for record in records["train"]]
    assert labels == ["abcdefgh".index(name) for name in "hbgdfce"]
    assert [int(record["image/class/label"][0]) for record in records["eval"]] == [0]


def test_a_label_without_a_name_is_its_own_name(source, ingest):
    record = encode({"image/encoded": image_bytes(1), "image/class/label": 7})
    (found,) = records_of(ingest(source({"train/x.tfrecord": [record]})))["train"]
    assert found["image/class/text"] == [b"7"]


def test_unusable_records_are_set_aside_by_file_and_number(source, ingest):
    root = source(
        {
            "train/x.tfrecord": [
                ours(1, 0, "a"),
                encode({"image/class/label": 1}),
                ours(2, -1, "a"),
                b"\xff no example",
                encode({"image/encoded": b"no image", "image/class/label": 1}),
                encode({"image/encoded": image_bytes(1), "image/class/label": 0.5}),
                ours(3, 2, "c"),
                ours(4, 1, "a"),
            ]
        }
    )
    examples = ingest(root, classes=("a", "b"), max_rejected=0.9)
    assert examples.counts == {"train": 1}
    rejected = list(examples.rejected())
    assert [(item.source, item.position) for item in rejected] == [
        ("train/x.tfrecord", f"record {number}") for number in range(1, 8)
    ]
    assert [item.reason.split("(")[0] for item in rejected] == [
        "no image in feature 'image/encoded'",
        "no label ",
        "Record: expected a serialised tf.train.Example. Received: 12 bytes that do not parse ",
        "not an image in a format that Pillow knows",
        "no label ",
        "label 2 'c' is none of the 2 classes",
        "label 1 'a' is none of the 2 classes",
    ]


def test_a_wrong_feature_name_is_reported_by_name(source, ingest):
    root = source({"train/x.tfrecord": [ours(1, 0, "a")]})
    with pytest.raises(DataError, match=r"x\.tfrecord, record 0: no image in feature 'img'"):
        ingest(root, features=FeatureNames(image="img"))


def test_a_broken_file_stops_the_step_by_name(source, ingest):
    root = source({"train/x.tfrecord": [ours(1, 0, "a"), ours(2, 1, "b")]})
    path = root / "train" / "x.tfrecord"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DataError, match=r"^.*x\.tfrecord, record 1: expected .* bytes and their"):
        ingest(root)


def test_a_folder_without_tfrecords_is_refused(source, ingest):
    root = source({"labels.txt": []})
    with pytest.raises(DataError, match=r"records: expected TFRecord files.*Received: none\."):
        ingest(root)


def test_records_that_are_no_examples_are_set_aside_and_hide_no_class_names(source, ingest):
    unnamed = [
        encode({"image/encoded": image_bytes(n), "image/class/text": "ab"[n % 2]}) for n in range(9)
    ]
    root = source({"d.tfrecord": [b"\x0a\xff", *unnamed]})
    examples = ingest(root, max_rejected=0.5, splits={"train": 1.0})
    assert examples.counts == {"train": 9}
    (item,) = examples.rejected()
    assert (item.source, item.position) == ("d.tfrecord", "record 0")
    assert {row["image/class/label"][0] for row in records_of(examples)["train"]} == {0, 1}


@pytest.mark.parametrize("patterns", [{}, {"train": "*tfrecord"}])
def test_what_is_not_a_readable_file_is_set_aside_and_counted(source, ingest, patterns):
    root = source({"a.tfrecord": [ours(0, 0, "a"), ours(1, 1, "b")]})
    aside = spoil(root, ".tfrecord")
    examples = ingest(root, patterns=patterns, max_rejected=0.5)
    assert sum(examples.counts.values()) == 2
    assert list(examples.rejected()) == aside
