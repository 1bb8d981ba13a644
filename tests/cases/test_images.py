"""Pictures as people have them: each folder, archive or array gives the records that are meant."""

import io
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from etils.epath import Path
from PIL import Image

from millrace.components.artifacts import RawFiles
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.example_gen.image import image_example_gen
from millrace.components.features import image
from millrace.components.features.image_spec import ImageSpec
from millrace.components.files.pictures import read_picture
from tests.components.example_gen.conftest import image_bytes, records_of


@pytest.fixture(scope="module")
def cases(case, tmp_path_factory):
    """The folder `images` of the cases, made anew."""
    root = tmp_path_factory.mktemp("cases")
    subprocess.run([sys.executable, case("make_images.py")], cwd=root, check=True)
    return root / "images"


@pytest.fixture
def ingest(tmp_path):
    def run(root, **options):
        out = Path(tmp_path / "out")
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        return image_example_gen(RawFiles(Path(root)), out, run_on=BeamOptions(), **options)

    return run


def make(root, *paths):
    """Write a picture at each path below `root`."""
    for seed, path in enumerate(paths):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(image_bytes(seed))
    return root


def classes(examples):
    """How many records of each class there are in each split."""
    found = {}
    for split, records in records_of(examples).items():
        for record in records:
            key = split, record["image/class/text"][0].decode()
            found[key] = found.get(key, 0) + 1
    return found


def check_nothing_is_lost(examples, files):
    notes = examples.summary["notes"]
    aside = len(list(examples.rejected())) + notes["ignored"] + notes.get("unlabelled", 0)
    assert notes["found"] == sum(examples.counts.values()) + aside == files


NESTED = {("train", "a"): 25, ("train", "b"): 25, ("eval", "a"): 8, ("eval", "b"): 8}


def test_class_folders_below_wrapping_folders_and_splits_are_found(cases, ingest):
    examples = ingest(cases / "nested")
    assert classes(examples) == NESTED
    check_nothing_is_lost(examples, 66)


@pytest.mark.parametrize("form", ["zip", "tar", "gztar", "bztar"])
def test_an_archive_is_read_as_the_folder_in_it(cases, ingest, tmp_path, form):
    archive = cases / "zipped.zip"
    if form != "zip":
        archive = shutil.make_archive(str(tmp_path / "packed"), form, cases / "nested")
    examples = ingest(archive)
    assert classes(examples) == NESTED
    check_nothing_is_lost(examples, 66)
    assert not (examples.path / ".unpacked").exists()


def test_a_folder_of_one_archive_for_each_split_is_read(cases, ingest, tmp_path):
    for split, name in (("Training", "train"), ("Validation", "valid")):
        folder = cases / "nested" / "archive" / "data" / split
        shutil.make_archive(str(tmp_path / "packed" / name), "zip", folder)
    (tmp_path / "packed" / "readme.txt").write_text("Two archives.")
    assert classes(ingest(tmp_path / "packed")) == NESTED


def test_the_pattern_that_a_flat_folder_is_refused_with_reads_it(cases, ingest):
    with pytest.raises(DataError, match=r"50 images, in no folder of their class") as caught:
        ingest(cases / "flat")
    (pattern,) = re.findall(r'image_example_gen\.pattern="(.*)": set that', str(caught.value))
    assert pattern == "{class}.{number}.jpg"
    examples = ingest(cases / "flat", pattern=pattern, splits={"train": 1.0})
    assert classes(examples) == {("train", "cat"): 25, ("train", "dog"): 25}
    check_nothing_is_lost(examples, 50)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["golden_dog_{}.jpg", "red_fox_{}.jpg"], "{class}_{number}.jpg"),
        (["train/cat.{}.jpg", "train/dog.{}.png"], "{class}.{number}.{ext}"),
        (["img/cat ({}).png", "img/dog ({}).png"], "{class} ({number}).png"),
        (["{}-ant.png", "{}-bee.png"], "{number}-{class}.png"),
        (["a/ant-x{}y.png", "a/bee-z{}.png"], "{class}-{name}.png"),
    ],
)
def test_other_names_are_proposed_as_patterns_that_read_them(ingest, tmp_path, names, expected):
    root = make(tmp_path / "flat", *(name.format(n) for name in names for n in range(4)))
    with pytest.raises(DataError) as caught:
        ingest(root)
    assert f'Their names fit image_example_gen.pattern="{expected}"' in str(caught.value)
    assert list(classes(ingest(root, pattern=expected, splits={"train": 1.0})).values()) == [4, 4]


def test_a_split_in_the_pattern_or_in_a_folders_name_is_taken(ingest, tmp_path):
    root = make(
        tmp_path / "a", *(f"{s}_{c}{n}.png" for s in ("train", "val") for c in "xy" for n in "12")
    )
    wanted = {("train", "x"): 2, ("train", "y"): 2, ("eval", "x"): 2, ("eval", "y"): 2}
    assert classes(ingest(root, pattern="{split}_{class}{number}.png")) == wanted
    root = make(
        tmp_path / "b", *(f"{s}/{c}.{n}.png" for s in ("train", "val") for c in "xy" for n in "12")
    )
    make(root, "test/1.png", "test/2.png")
    examples = ingest(root, pattern="{class}.{number}.png")
    assert classes(examples) == wanted
    assert examples.summary["notes"]["unlabelled"] == 2
    check_nothing_is_lost(examples, 10)


def test_class_folders_at_two_levels_are_refused_and_both_ways_out_work(ingest, tmp_path):
    root = make(
        tmp_path / "s", *(f"part{p}/{c}/{n}.png" for p in "12" for c in "ab" for n in "123")
    )
    with pytest.raises(DataError, match="expected class folders at one level") as caught:
        ingest(root)
    assert "set image_example_gen.pattern={class}/{name}; if the outer" in str(caught.value)
    assert "the option layout=classes" in str(caught.value)
    inner = ingest(root, pattern="{class}/{name}", splits={"train": 1.0})
    assert classes(inner) == {("train", "a"): 6, ("train", "b"): 6}
    outer = ingest(root, layout="classes", splits={"train": 1.0})
    assert classes(outer) == {("train", "part1"): 6, ("train", "part2"): 6}


def test_splits_may_lie_within_classes_or_be_wrapped_each(ingest, tmp_path):
    wanted = {("train", "a"): 2, ("train", "b"): 2, ("test", "a"): 2, ("test", "b"): 2}
    root = make(
        tmp_path / "i", *(f"{c}/{s}/{n}.png" for c in "ab" for s in ("train", "test") for n in "12")
    )
    assert classes(ingest(root)) == wanted
    root = make(
        tmp_path / "w",
        *(f"{s}/{s}/{c}/{n}.png" for c in "ab" for s in ("train", "test") for n in "12"),
    )
    assert classes(ingest(root)) == wanted


def test_a_test_split_without_class_folders_is_unlabelled(ingest, tmp_path):
    root = make(tmp_path / "k", *(f"train/{c}/{n}.png" for c in "ab" for n in "123"))
    make(root, "test/1.png", "test/2.png")
    (root / "sample_submission.csv").write_text("id,label\n1,0\n2,0\n")
    examples = ingest(root)
    assert classes(examples) == {("train", "a"): 3, ("train", "b"): 3}
    assert examples.summary["notes"]["unlabelled"] == 2
    check_nothing_is_lost(examples, 9)


def test_what_lies_beside_pictures_is_counted_and_said(cases, ingest, tmp_path, caplog):
    examples = ingest(cases / "uni")
    assert examples.summary["notes"] | {"gaps": ""} == {
        "found": 91,
        "ignored": 1,
        "classes": 3,
        "gaps": "",
        "empty_classes": "empty_class",
    }
    assert "folder empty_class holds no images: it is no class" in caplog.text
    root = make(
        tmp_path / "odd", *(f"{c}/{n}.png" for c in ("Cat", "cat", "dog") for n in range(40))
    )
    make(root, "__MACOSX/Cat/._1.png", "loose.png")
    for name in ("cat/readme.txt", "cat/Thumbs.db", "dog/LICENSE", "labels.csv"):
        (root / name).write_text("notes")
    examples = ingest(root)
    assert [item.source for item in examples.rejected()] == ["loose.png"]
    assert examples.summary["notes"]["ignored"] == 5
    check_nothing_is_lost(examples, 126)
    assert "classes 'Cat' and 'cat' differ in nothing but case" in caplog.text


TURNED = {  # how a camera that is held so stores an upright picture
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
FORMS = {
    "PNG": {},
    "WEBP": {"lossless": True},
    "JPEG": {"quality": 100, "subsampling": 0},
    "TIFF": {},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
}
SPEC = ImageSpec(("a", "b"), 8, 16, 3)
_SERVED = tf.function(
    lambda files: image.preprocess(files, SPEC), input_signature=[tf.TensorSpec([None], tf.string)]
)


@pytest.mark.parametrize("kind", FORMS)
def test_one_picture_has_the_same_pixels_in_every_format_and_orientation(kind):
    blocks = np.random.default_rng(0).integers(0, 256, (1, 2, 3), np.uint8)
    upright = np.kron(blocks, np.ones((8, 8, 1), np.uint8))
    for orientation, stored in TURNED.items():
        picture = Image.fromarray(upright)
        exif = Image.Exif()
        exif[0x0112] = orientation
        sink = io.BytesIO()
        turned = picture if stored is None else picture.transpose(stored)
        turned.save(sink, kind, exif=exif, **FORMS[kind])
        found = read_picture(sink.getvalue())
        assert (found.height, found.width) == (8, 16)
        pixels = _SERVED(tf.constant([found.encoded])).numpy()[0].astype(int)
        lossy = 3 if kind in ("JPEG", "AVIF") else 0
        assert np.abs(pixels - upright).max() <= lossy, orientation
