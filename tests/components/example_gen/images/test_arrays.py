"""Arrays of pictures and labels to records: shapes, kinds of numbers, names, what is refused."""

import io
import re
import zipfile

import numpy as np
import pytest
from etils.epath import Path
from PIL import Image

from millrace.components.artifacts import RawFiles
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.example_gen.pixels import pixels_example_gen
from tests.components.example_gen.conftest import records_of

GREY = np.arange(6 * 2 * 3, dtype=np.uint8).reshape(6, 2, 3)
LABELS = np.array([0, 1, 2, 0, 1, 2])


@pytest.fixture
def ingest(tmp_path, out):
    def run(arrays, **options):
        file = tmp_path / "set.npz"
        np.savez_compressed(file, **arrays)
        settings = {"splits": {"train": 1.0}, **options}
        return pixels_example_gen(RawFiles(Path(file)), out, run_on=BeamOptions(), **settings)

    return run


def pictures(examples):
    """By split, the class and the pixels of each record, in the order of their numbers."""
    found = {}
    for split, records in records_of(examples).items():
        records.sort(key=lambda record: int(record["image/filename"][0].rpartition(b"#")[2]))
        found[split] = [
            (
                record["image/class/text"][0].decode(),
                np.asarray(Image.open(io.BytesIO(record["image/encoded"][0]))).tolist(),
            )
            for record in records
        ]
    return found


def test_the_arrays_of_keras_come_in_their_splits(ingest, caplog):
    caplog.set_level("INFO")
    arrays = {"x_train": GREY, "y_train": LABELS, "x_test": GREY[:2] + 100, "y_test": LABELS[:2]}
    examples = ingest(arrays, eval_from_train=0.0)
    assert pictures(examples) == {
        "train": [(str(n % 3), GREY[n].tolist()) for n in range(6)],
        "test": [(str(n), (GREY[n] + 100).tolist()) for n in range(2)],
    }
    assert "x_train are pictures, y_train their labels, split 'train'" in caplog.text
    (record, *_) = records_of(examples)["test"]
    assert record["image/filename"] == [b"set.npz/x_test#0"]
    assert sorted(entry.name for entry in examples.path.iterdir() if entry.name[0] == ".") == []


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        *(("images", "labels"), ("x", "y"), ("X", "Y"), ("data", "target"), ("pixels", "classes")),
        *(("arr_0", "arr_1"), ("arr_1", "arr_0"), ("faces", "emotion"), ("train/x", "train/y")),
        *(("Xtrain", "ytrain"), ("trainX", "trainY"), ("trainx", "trainy")),
    ],
)
def test_other_names_of_the_arrays_are_known(ingest, images, labels):
    found = pictures(ingest({images: GREY, labels: LABELS}))["train"]
    assert found == [(str(n % 3), GREY[n].tolist()) for n in range(6)]


def test_pictures_of_a_split_without_labels_are_unlabelled(ingest):
    examples = ingest({"x_train": GREY, "y_train": LABELS, "x_test": GREY[:2], "ids": LABELS})
    notes = examples.summary["notes"]
    assert (examples.counts, notes["unlabelled"], notes["found"]) == ({"train": 6}, 2, 8)


@pytest.mark.parametrize("kind", [np.float32, np.uint8])
def test_labels_of_a_single_1_in_each_row_are_its_place(ingest, caplog, kind):
    caplog.set_level("INFO")
    found = pictures(ingest({"x": GREY, "y": np.eye(3, dtype=kind)[LABELS]}))["train"]
    assert [name for name, _ in found] == [str(n % 3) for n in range(6)]
    assert "labels have a single 1 in each row: its place is the class" in caplog.text


@pytest.mark.parametrize(
    ("images", "advice", "followed"),
    [
        (GREY / 127.5 - 1, "save (images + 1) / 2", lambda images: (images + 1) / 2),
        (GREY.astype("u2") * 257, "save images / 65535", lambda images: images / 65535),
        (np.moveaxis(GREY, 0, -1), "moveaxis(images, -1, 0)", lambda i: np.moveaxis(i, -1, 0)),
    ],
)
def test_what_a_refusal_advises_works(ingest, out, images, advice, followed):
    with pytest.raises(DataError, match=re.escape(advice)):
        ingest({"x": images, "y": LABELS})
    found = pictures(ingest({"x": followed(images), "y": LABELS}))["train"]
    assert [pixels for _, pixels in found] == GREY.tolist()


def test_the_splits_of_medmnist_and_labels_in_a_column_are_read(ingest):
    arrays = {
        f"{split}_{kind}": array
        for split in ("train", "val", "test")
        for kind, array in (("images", GREY), ("labels", LABELS[:, None]))
    }
    assert ingest(arrays).counts == {"eval": 6, "test": 6, "train": 6}


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels_may_stand_last_or_first(ingest, channels):
    images = np.random.default_rng(0).integers(0, 256, (6, 5, 7, channels), np.uint8)
    expected = [image.squeeze().tolist() for image in images]
    found = pictures(ingest({"x": np.moveaxis(images, -1, 1), "y": LABELS}))["train"]
    assert [pixels for _, pixels in found] == expected


def test_flat_pixels_get_the_shape_of_the_options_or_a_square(ingest):
    found = pictures(ingest({"x": GREY.reshape(6, 6), "y": LABELS}, height=2))["train"]
    assert [pixels for _, pixels in found] == GREY.tolist()


@pytest.mark.parametrize(
    ("images", "expected", "said"),
    [
        (GREY.astype(np.float32) / 255, GREY, "float32 from 0 to 0.137255, times 255"),
        (GREY.astype(np.float64), GREY, "float64 from 0 to 35, times 1"),
        (GREY.astype(np.int64), GREY, "int64 from 0 to 35, times 1"),
        (GREY + 164.75, GREY + 165, "float64 from 164.75 to 199.75, times 1, rounded"),
        (GREY % 2 == 0, 255 - 255 * (GREY % 2), "bool from 0 to 1, times 255"),
        (GREY % 2, 255 * (GREY % 2), "uint8 from 0 to 1, times 255"),
    ],
)
def test_other_kinds_of_numbers_are_brought_to_0_to_255_and_said(
    ingest, caplog, images, expected, said
):
    caplog.set_level("INFO")
    found = pictures(ingest({"x": images, "y": LABELS}))["train"]
    assert [pixels for _, pixels in found] == expected.tolist()
    assert said in caplog.text


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.array(["cat", "dog"] * 3), ["cat", "dog"]),
        (np.array([b"cat", b"dog"] * 3), ["cat", "dog"]),
        (np.array([7.0, 10.0] * 3), ["7", "10"]),
        (np.array([10000001.0, 10000002.0] * 3), ["10000001", "10000002"]),
        (np.array([True, False] * 3), ["True", "False"]),
    ],
)
def test_labels_may_be_text_numbers_or_yes_and_no(ingest, labels, expected):
    found = pictures(ingest({"x": GREY, "y": labels}))["train"]
    assert [name for name, _ in found] == expected * 3


def test_a_picture_without_a_label_is_unlabelled(ingest):
    examples = ingest({"x": GREY, "y": np.array([0, 1, np.nan, 0, 1, 0])})
    notes = examples.summary["notes"]
    assert (examples.counts, notes["unlabelled"], notes["found"]) == ({"train": 5}, 1, 6)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": GREY, "y": np.ones((6, 3))}, r"labels of shape \(6, 3\)\. If .* labels\.argmax"),
        ({"x": np.zeros((6, 4, 4, 2)), "y": LABELS}, r"Received: \(6, 4, 4, 2\)\. Reshape"),
        ({"x": GREY.astype(complex), "y": LABELS}, r"parts of 1\. Received: complex128"),
        ({"x": GREY, "y": np.zeros(6, [("a", "i4")])}, r"numbers or text\. Received: \[\('a'"),
        ({"f": GREY, "e": LABELS, "g": LABELS}, r"images and labels\. Received: e, f, g\. Rename"),
        ({"x": GREY, "y": LABELS[:5]}, r"as many labels as pictures\. Received: .* \(6, 2, 3\)"),
        ({"x": GREY}, r"such as x_train and y_train, or images and labels\. Received: x\. Rename"),
        ({"x": GREY - 0.5, "y": LABELS}, r"or parts of 1\. Received: float64 from -0\.5 to 34\.5"),
        ({"x": GREY / np.nan, "y": LABELS}, r"Received: float64 from nan to nan"),
        ({"x": GREY[:, :1], "y": LABELS * 0}, r"at least two classes\. Received: 0\. Add"),
        ({"x": GREY[..., None, None], "y": LABELS}, r"Received: \(6, 2, 3, 1, 1\)\. Reshape"),
        ({"x": GREY.reshape(6, 6), "y": LABELS}, r"Received: \(6, 6\)\. Reshape .* height"),
        (
            {"x": GREY, "y": np.array([{}] * 6)},
            r"set\.npz/y: expected an array .* Python objects, which may run",
        ),
    ],
)
def test_what_is_no_pictures_and_labels_is_refused(ingest, arrays, message):
    with pytest.raises(DataError, match=message):
        ingest(arrays)


def test_an_array_that_lies_outside_is_refused(tmp_path, out):
    file = tmp_path / "x.npz"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../x.npy", b"")
    with pytest.raises(DataError, match=r"which lies outside"):
        pixels_example_gen(RawFiles(Path(file)), out, run_on=BeamOptions())
