"""Folders of images to records, on made and on real images."""

import itertools
import pathlib
import shutil
import subprocess
import sys

import pytest

from millrace.components.artifacts import RawFiles, Rejected
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError, OptionError
from millrace.components.example_gen.image import image_example_gen
from millrace.components.example_gen.images.options import Manifest
from millrace.components.example_gen.shards.splits import DEFAULT_SHARES, SplitRule
from tests.components.example_gen.conftest import files_of, image_bytes, records_of


@pytest.fixture
def ingest(out):
    def run(root, **options):
        return image_example_gen(RawFiles(root), out, run_on=BeamOptions(), **options)

    return run


def two_classes(count: int, first: int = 0) -> dict[str, bytes]:
    return {
        f"{'cat' if seed % 2 else 'dog'}/{seed}.png": image_bytes(seed)
        for seed in range(first, first + count)
    }


def where(examples) -> dict[str, str]:
    return {
        record["image/filename"][0].decode(): split
        for split, records in records_of(examples).items()
        for record in records
    }


def test_a_record_holds_the_file_and_what_it_is(folder, ingest):
    root = folder({"dog/d.png": image_bytes(1), "cat/old/c.jpg": image_bytes(2, kind="JPEG")})
    examples = ingest(root, splits={"train": 1.0})
    records = {record["image/filename"][0]: record for record in records_of(examples)["train"]}
    assert set(records) == {b"dog/d.png", b"cat/old/c.jpg"}
    cat = records[b"cat/old/c.jpg"]
    assert cat["image/encoded"] == [image_bytes(2, kind="JPEG")]
    assert (cat["image/format"], cat["image/class/text"]) == ([b"jpeg"], [b"cat"])
    numbers = [f"image/{name}" for name in ("height", "width", "channels", "class/label")]
    assert [cat[name].tolist() for name in numbers] == [[4], [5], [3], [0]]
    assert records[b"dog/d.png"]["image/class/label"].tolist() == [1]


def test_files_go_where_their_content_points_and_stay_there(folder, ingest, out):
    rule = SplitRule.of("step", DEFAULT_SHARES)
    files = two_classes(60)
    before = where(ingest(folder(files)))
    assert before == {path: rule.choose("", data) for path, data in files.items()}
    assert set(before.values()) == {"train", "eval", "test"}
    out.rmtree()
    out.mkdir()
    after = where(ingest(folder({f"cat/new{seed}.png": image_bytes(seed) for seed in range(200)})))
    assert {path: after[path] for path in before} == before
    for seed in range(1, 60, 2):  # the same bytes under another name are in the same split
        assert after[f"cat/new{seed}.png"] == before[f"cat/{seed}.png"]


def test_the_same_folder_gives_the_same_bytes_and_classes_lie_mixed(folder, ingest, out):
    root = folder(two_classes(100))
    first = ingest(root, shards=3)
    once = files_of(first)
    labels = [record["image/class/label"][0] for record in records_of(first)["train"]]
    changes = sum(a != b for a, b in itertools.pairwise(labels))
    assert changes > len(labels) / 4
    assert [path.name for path in first.files("eval")] == [
        f"data_tfrecord-0000{index}-of-00003.gz" for index in range(3)
    ]
    out.rmtree()
    out.mkdir()
    assert files_of(ingest(root, shards=3)) == once


def test_given_splits_are_kept_and_labels_are_the_same_in_all(folder, ingest):
    root = folder(
        {
            "train/b/1.png": image_bytes(1),
            "train/c/2.png": image_bytes(2),
            "val/a/3.png": image_bytes(3),
            "val/c/4.png": image_bytes(4),
        }
    )
    examples = ingest(root)
    assert examples.counts == {"train": 2, "eval": 2}
    assert examples.summary["notes"]["gaps"] == "eval: b; train: a"
    labels = {
        record["image/filename"][0]: record["image/class/label"][0]
        for records in records_of(examples).values()
        for record in records
    }
    assert labels == {
        b"train/b/1.png": 1,
        b"train/c/2.png": 2,
        b"val/a/3.png": 0,
        b"val/c/4.png": 2,
    }


def test_eval_can_be_held_out_of_a_given_train_split(folder, ingest):
    files = {f"train/{path}": data for path, data in two_classes(80).items()}
    files |= {f"test/{path}": data for path, data in two_classes(10, first=100).items()}
    examples = ingest(folder(files), eval_from_train=0.2)
    rule = SplitRule.of("step", DEFAULT_SHARES, 0.2)
    expected = [rule.choose("train", data) for data in two_classes(80).values()]
    assert examples.counts == {
        "train": expected.count("train"),
        "eval": expected.count("eval"),
        "test": 10,
    }
    assert 5 < expected.count("eval") < 30


def test_nothing_is_held_out_of_train_where_eval_is_given(folder, ingest):
    files = {f"train/{path}": data for path, data in two_classes(20).items()}
    files |= {f"val/{path}": data for path, data in two_classes(4, first=100).items()}
    assert ingest(folder(files), eval_from_train=0.5).counts == {"train": 20, "eval": 4}


def test_a_csv_names_paths_labels_and_splits(folder, ingest):
    root = folder(
        {
            "a.png": image_bytes(1),
            "b.png": image_bytes(2),
            "m.csv": b"path,label,split\na.png,x,train\nb.png,y,val\ngone.png,y,val\n",
        }
    )
    examples = ingest(root, manifest=Manifest("m.csv"), max_rejected=0.5)
    assert where(examples) == {"a.png": "train", "b.png": "eval"}
    reason = "no such file below the source folder"
    assert list(examples.rejected()) == [Rejected("gone.png", reason, "line 4")]
    notes = examples.summary["notes"]
    assert (notes["found"], notes["ignored"]) == (2 + 1 + 1, 1)  # the CSV itself


def test_what_is_broken_is_set_aside_and_nothing_is_lost_from_the_count(folder, ingest):
    files = {
        **two_classes(20),
        "cat/empty.png": b"",
        "cat/text.jpg": b"not an image",
        "dog/cut.png": image_bytes(1, size=(40, 30))[:-300],
        "dog/really_a_png.jpg": image_bytes(99),
        "dog/.DS_Store": b"x",
        "README.md": b"x",
        "loose.png": image_bytes(3),
    }
    root = folder(files)
    (pathlib.Path(root) / "dog" / "dangling.png").symlink_to("nowhere.png")
    examples = ingest(root, max_rejected=0.2)
    assert {item.source: item.reason.split(":")[0] for item in examples.rejected()} == {
        "cat/empty.png": "empty file",
        "cat/text.jpg": "not an image in a format that Pillow knows",
        "dog/cut.png": "cannot be decoded",
        "dog/dangling.png": "a link to nothing",
        "loose.png": "lies in no class folder",
    }
    assert sum(examples.counts.values()) == 21
    notes = examples.summary["notes"]
    assert (notes["found"], notes["ignored"]) == (21 + 5 + 2, 2)


def test_more_broken_files_than_allowed_stop_the_step(folder, ingest):
    root = folder({**two_classes(20), "cat/empty.png": b""})
    with pytest.raises(
        DataError,
        match=r"^image_example_gen: expected at most 1\.00% of the inputs to be unusable\. "
        r"Received: 1 of 21 \(4\.76%\):\n  cat/empty\.png: empty file\n",
    ):
        ingest(root)


def test_shares_are_checked_before_anything_is_read(out, tmp_path):
    with pytest.raises(OptionError, match="option splits"):
        image_example_gen(RawFiles(tmp_path), out, run_on=BeamOptions(), splits={"train": 2.0})


def test_two_worker_processes_give_the_same_bytes(folder, ingest, out):
    root = folder(two_classes(40))
    once = files_of(ingest(root, shards=2))
    out.rmtree()
    out.mkdir()
    flags = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
    examples = image_example_gen(RawFiles(root), out, run_on=BeamOptions(flags), shards=2)
    assert files_of(examples) == once


def test_real_cats_and_dogs_all_arrive_in_their_splits(shared_data, ingest):
    examples = ingest(shared_data / "cats_vs_dogs")
    assert examples.counts == {"train": 400, "test": 100}
    assert examples.summary["notes"] == {"found": 500, "ignored": 0, "classes": 2, "gaps": ""}


def test_real_odd_files_are_decoded_or_set_aside(shared_data, ingest, tmp_path):
    root = tmp_path / "odd"
    shutil.copytree(shared_data / "odd_images", root / "odd")
    (root / "plain").mkdir()
    (root / "plain" / "1.png").write_bytes(image_bytes(1))
    examples = ingest(root, max_rejected=0.5, splits={"train": 1.0})
    shapes = {
        record["image/filename"][0].decode(): (
            record["image/format"][0].decode(),
            *(int(record[f"image/{name}"][0]) for name in ("height", "width", "channels")),
        )
        for record in records_of(examples)["train"]
    }
    assert shapes == {
        "odd/Cat1035_webp_bytes.png": ("webp", 450, 800, 3),
        "odd/hopper.webp": ("webp", 128, 128, 3),
        "odd/hopper_16bit.pgm": ("png", 128, 128, 1),
        "odd/hopper_bw_500.png": ("png", 500, 500, 1),
        "odd/hopper_gray.jpg": ("jpeg", 128, 128, 1),
        "odd/hopper_orientation_6.jpg": ("jpeg", 128, 128, 3),
        "odd/invalid-exif.jpg": ("jpeg", 200, 200, 3),
        "odd/junk_jpeg_header.jpg": ("jpeg", 768, 1024, 3),
        "odd/no_palette.gif": ("png", 1, 1, 1),
        "odd/p_trns_single.png": ("png", 64, 64, 4),
        "odd/pil123rgba.png": ("png", 150, 162, 4),
        "odd/pil_sample_cmyk.jpg": ("jpeg", 100, 100, 3),
        "odd/rgb_trns.png": ("png", 64, 64, 4),
        "plain/1.png": ("png", 4, 5, 3),
    }
    assert sorted(item.source for item in examples.rejected()) == [
        "odd/LICENSE.pillow",
        "odd/broken.png",
        "odd/broken_data_stream.png",
        "odd/crash-2020-10-test.tif",
        "odd/truncated_image.png",
        "odd/truncated_jpeg.jpg",
    ]


def test_ingest_imports_no_tensorflow():
    script = (
        "import sys\n"
        "from millrace.components.example_gen import image, samples, tfds, tfrecords\n"
        "from millrace.components.example_gen.images import files, tfrecords as images\n"
        "assert not {'tensorflow', 'tensorflow_datasets', 'keras'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_steps_options_are_read_without_beam_or_pillow():
    script = (
        "import sys\n"
        "from millrace.components.example_gen import image, samples, tfds, tfrecords\n"
        "assert not {'apache_beam', 'PIL', 'numpy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
