"""Class folders, split folders, litter, and what is refused."""

import pathlib

import pytest

from millrace.components.artifacts import Rejected
from millrace.components.errors import DataError
from millrace.components.example_gen.shards.folders import ListedRow, list_classes


def test_folders_are_classes_at_any_depth_below_them(folder):
    root = folder({"dog/a.png": b"", "cat/tabby/old/b.jpg": b"", "cat/c": b""})
    listing = list_classes(root)
    assert listing.rows == [
        ListedRow("cat/c", "cat"),
        ListedRow("cat/tabby/old/b.jpg", "cat"),
        ListedRow("dog/a.png", "dog"),
    ]
    assert listing.classes == ["cat", "dog"]
    assert listing.given == {""}


def test_top_folders_named_like_splits_are_splits(folder):
    root = folder(
        {"training_set/cat/1.jpg": b"", "training_set/dog/2.jpg": b"", "Val/cat/x/3.jpg": b""}
    )
    listing = list_classes(root)
    assert listing.rows == [
        ListedRow("Val/cat/x/3.jpg", "cat", "eval"),
        ListedRow("training_set/cat/1.jpg", "cat", "train"),
        ListedRow("training_set/dog/2.jpg", "dog", "train"),
    ]
    assert listing.given == {"train", "eval"}


def test_a_class_may_be_named_like_a_split(folder):
    listing = list_classes(folder({"train/1.jpg": b"", "plane/2.jpg": b""}))
    assert listing.classes == ["plane", "train"]


def test_splits_beside_other_folders_are_ambiguous(folder):
    root = folder({"train/a/1.jpg": b"", "test/b/1.jpg": b"", "unlabelled/1.jpg": b""})
    with pytest.raises(
        DataError,
        match=r"source: expected top folders that are all splits or all classes\. Received: splits "
        r"test, train beside unlabelled\. Move the others away, or set the option layout",
    ):
        list_classes(root)
    assert list_classes(root, "classes").classes == ["test", "train", "unlabelled"]


@pytest.mark.parametrize("flat", ["pred/1.jpg", "pred/pred/1.jpg", "test/test/1.jpg"])
def test_files_without_a_class_beside_one_split_are_no_class(folder, flat):
    root = folder({"train/cat/1.jpg": b"", "train/dog/2.jpg": b"", flat: b""})
    if flat.startswith("pred"):
        with pytest.raises(
            DataError,
            match=r"Received: splits train beside pred\. Move the others away, or set the option "
            r"layout to splits, by which files in no class folder are unlabelled, or to classes\.",
        ):
            list_classes(root)
    listing = list_classes(root, "splits" if flat.startswith("pred") else "auto")
    assert [(row.label, row.split) for row in listing.rows] == [("cat", "train"), ("dog", "train")]
    split = flat.split("/")[0]
    assert listing.unlabelled == [Rejected(flat, f"split {split} has no class folders")]


@pytest.mark.parametrize(
    ("paths", "classes", "unlabelled"),
    [
        (["test/images/1.jpg", "test/images/2.jpg"], {"train": "cat dog"}, ["images"] * 2),
        (["test/unknown/a/1.jpg", "test/2.jpg"], {"train": "cat dog"}, ["unknown"] * 2),
        (["val/Cat/1.jpg"], {"train": "cat dog", "eval": "Cat"}, []),
        (["val/dog/1.jpg", "test/x/2.jpg"], {"train": "cat dog", "eval": "dog"}, ["x"]),
        (["val/x/1.jpg", "test/x/2.jpg"], {"train": "cat dog"}, ["x", "x"]),
        (["test/images/cat/1.jpg"], {"train": "cat dog", "test": "cat"}, []),
        (["test/cat/1.jpg", "test/fox/2.jpg"], {"train": "cat dog", "test": "cat fox"}, []),
    ],
)
def test_a_lone_folder_that_is_a_class_of_no_other_split_has_no_class(
    folder, paths, classes, unlabelled
):
    root = folder(dict.fromkeys(["train/cat/1.jpg", "train/dog/2.jpg", *paths], b""))
    listing = list_classes(root)
    assert classes == {
        split: " ".join(sorted(row.label for row in listing.rows if row.split == split))
        for split in listing.given
    }
    reasons = {
        f"folder {name} of split {split} is a class of no other split"
        for name in unlabelled
        for split in ("test", "eval")
    }
    assert sorted(item.source for item in listing.unlabelled) == sorted(
        paths[-len(unlabelled) :] if unlabelled else []
    )
    assert {item.reason for item in listing.unlabelled} <= reasons


def test_a_table_beside_files_of_no_class_is_offered_as_their_manifest(folder):
    root = folder({"img/1.png": b"", "img/2.png": b"", "img/metadata.csv": b""})
    with pytest.raises(DataError) as caught:
        list_classes(root)
    assert str(caught.value).endswith(
        "If img/metadata.csv names their classes, set "
        "image_example_gen.manifest.file=img/metadata.csv."
    )


def test_the_layout_can_be_forced(folder):
    root = folder({"holdout/a/1.jpg": b"", "train/b/1.jpg": b""})
    assert list_classes(root, "splits").rows == [
        ListedRow("holdout/a/1.jpg", "a", "holdout"),
        ListedRow("train/b/1.jpg", "b", "train"),
    ]


def test_hidden_files_and_files_beside_the_classes_are_ignored_but_images_there_are_reported(
    folder,
):
    root = folder(
        {
            "a/1.png": b"",
            "b/2.png": b"",
            "a/.DS_Store": b"",
            "b/Thumbs.db": b"",
            ".git/HEAD": b"",
            "__MACOSX/a/._1.png": b"",
            "README.txt": b"",
            "stray.PNG": b"",
        }
    )
    listing = list_classes(root)
    assert [row.path for row in listing.rows] == ["a/1.png", "b/2.png"]
    assert sorted(listing.ignored) == [
        ".git/HEAD",
        "README.txt",
        "__MACOSX/a/._1.png",
        "a/.DS_Store",
        "b/Thumbs.db",
    ]
    assert listing.rejected == [Rejected("stray.PNG", "lies in no class folder")]


def test_the_same_name_in_two_unicode_forms_is_one_class(folder):
    root = folder({"train/caf\u00e9/1.png": b"", "test/cafe\u0301/2.png": b"", "test/x/3.png": b""})
    assert list_classes(root).classes == ["caf\u00e9", "x"]


def test_one_folder_around_all_the_others_is_looked_through(folder):
    source = folder({"all/a/1.png": b"", "all/b/2.png": b"", "LICENSE": b""})
    listing = list_classes(source)
    assert [(row.path, row.label) for row in listing.rows] == [
        ("all/a/1.png", "a"),
        ("all/b/2.png", "b"),
    ]
    assert listing.ignored == ["LICENSE"]


def test_splits_inside_one_folder_are_found(folder):
    source = folder({"set/train/a/1.png": b"", "set/test/b/2.png": b""})
    rows = list_classes(source).rows
    assert [(row.label, row.split) for row in rows] == [("b", "test"), ("a", "train")]


def test_a_split_that_is_alone_is_not_a_wrapper(folder):
    source = folder({"train/a/1.png": b"", "train/b/2.png": b""})
    rows = list_classes(source).rows
    assert [(row.label, row.split) for row in rows] == [("a", "train"), ("b", "train")]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"expected a folder of images for each class\. Received: an empty folder\. Make one"),
        ({"1.png": b"", "2.jpg": b""}, "Received: 2 images, in no folder of their class"),
        ({"notes.txt": b""}, "Received: 1 files, none of them an image in a"),
        ({"a/.DS_Store": b""}, "Received: 1 files, none of them an image in a"),
        (
            {"all/1.png": b"", "all/2.png": b""},
            r"expected at least two classes\. Received: only 'all', 2 files\. "
            r"Make one folder per class, or name them in a CSV \(option manifest\.file\)\.",
        ),
    ],
)
def test_a_folder_without_two_classes_is_refused(folder, files, message):
    with pytest.raises(DataError, match=message):
        list_classes(folder(files))


def test_what_cannot_be_read_is_set_aside_as_a_row_and_ignored_beside_the_classes(folder):
    root = folder({"a/1.png": b"", "b/2.png": b"", "caf\udce9/3.png": b""})
    pathlib.Path(root, "a", "gone.png").symlink_to("nowhere")
    pathlib.Path(root, "b", ".#lock.png").symlink_to("nowhere")
    pathlib.Path(root, "stray").symlink_to("nowhere")
    listing = list_classes(root)
    assert listing.rows == [ListedRow("a/1.png", "a"), ListedRow("b/2.png", "b")]
    assert listing.rejected == [
        Rejected("a/gone.png", "a link to nothing"),
        Rejected("caf\\xe9/3.png", "its name is not UTF-8: rename it"),
    ]
    assert listing.ignored == ["b/.#lock.png", "stray"]
    assert listing.empty == []


def test_a_folder_of_which_nothing_can_be_read_is_refused(folder):
    root = folder({"README": b""})
    for name in ("a", "b"):
        pathlib.Path(root, name).mkdir()
        pathlib.Path(root, name, "gone.png").symlink_to("nowhere")
    with pytest.raises(
        DataError,
        match=r"/source: expected a file that can be read\. Received: 2 that cannot, such as "
        r"a/gone\.png: a link to nothing\. Correct or remove them\.",
    ):
        list_classes(root)


def test_splits_inside_longer_names_are_found_and_another_beside_them_is_said(folder):
    root = folder(
        {
            f"seg_{split}/seg_{split}/{name}/1.png": b""
            for split in ("train", "test")
            for name in ("sea", "wood")
        }
    )
    wanted = [("sea", "test"), ("wood", "test"), ("sea", "train"), ("wood", "train")]
    assert [(row.label, row.split) for row in list_classes(root).rows] == wanted
    folder({"seg_pred/seg_pred/7.png": b""})
    with pytest.raises(DataError, match=r"splits seg_test, seg_train beside seg_pred\. .* layout"):
        list_classes(root)
    listing = list_classes(root, "splits")
    assert [(row.label, row.split) for row in listing.rows] == wanted
    assert [item.source for item in listing.unlabelled] == ["seg_pred/seg_pred/7.png"]


def test_classes_with_a_word_of_a_split_in_their_names_are_classes(folder):
    root = folder({"freight_train/1.png": b"", "night_train/2.png": b"", "test_tube/3.png": b""})
    assert list_classes(root).classes == ["freight_train", "night_train", "test_tube"]
