"""Plain text as a source: contiguous splits, what is listed and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.errors import DataError
from millrace.components.example_gen.shards.folders import ListedRow
from millrace.components.example_gen.shards.splits import SplitRule
from millrace.components.example_gen.texts.corpora import (
    Place,
    contiguous_split,
    list_texts,
    places,
)

RULE = SplitRule.of("step", {"train": 0.8, "eval": 0.1, "test": 0.1})


@given(st.lists(st.floats(0, 0.9999), min_size=1, max_size=30))
def test_contiguous_splits_follow_one_another(fractions):
    order = [contiguous_split(RULE, "", fraction) for fraction in sorted(fractions)]
    ranks = [("train", "eval", "test").index(split) for split in order]
    assert ranks == sorted(ranks)


def test_the_end_of_train_is_held_out_for_eval():
    rule = SplitRule.of("step", {"train": 0.5, "test": 0.5}, 0.25)
    assert [contiguous_split(rule, "train", at) for at in (0.1, 0.74, 0.75, 0.9)] == [
        *("train", "train", "eval", "eval")
    ]
    assert contiguous_split(rule, "test", 0.9) == "test"


def test_text_files_of_a_folder_are_taken_at_any_depth(folder):
    root, listing = list_texts(folder({"b.TXT": b"", "a/x.md": b"", "c.jpg": b"", ".h.txt": b""}))
    assert root.name == "source"
    assert listing.rows == [ListedRow("a/x.md", ""), ListedRow("b.TXT", "")]
    assert sorted(listing.ignored) == [".h.txt", "c.jpg"]


def test_a_file_alone_is_taken_whatever_its_name(folder):
    root, listing = list_texts(folder({"plays.dat": b""}) / "plays.dat")
    assert (root.name, listing.rows) == ("source", [ListedRow("plays.dat", "")])


def test_folders_or_files_named_like_splits_are_splits(folder):
    _, listing = list_texts(folder({"train.txt": b"", "valid.txt": b"", "test/a.txt": b""}))
    assert {row.path: row.split for row in listing.rows} == {
        "train.txt": "train",
        "valid.txt": "eval",
        "test/a.txt": "test",
    }


@pytest.mark.parametrize("names", [("train.txt",), ("train.txt", "test.txt", "other.txt")])
def test_one_split_or_other_names_beside_splits_are_none(folder, names):
    _, listing = list_texts(folder(dict.fromkeys(names, b"")))
    assert listing.given == {""}


def test_a_folder_without_text_files_is_refused(folder):
    message = (
        r"source: expected a text file, or a folder of files in \.txt, \.text, \.md\. "
        r"Received: 1 other files\. Name the file itself, or rename them\."
    )
    with pytest.raises(DataError, match=message):
        list_texts(folder({"a.csv": b""}))


def test_files_lie_in_their_split_in_the_order_of_their_paths(folder):
    root = folder({"b": b"x" * 30, "a": b"x" * 10, "c": b"x" * 5})
    rows = [ListedRow("b", ""), ListedRow("a", ""), ListedRow("c", "", "test")]
    assert places(root, rows) == {
        "a": Place(0, 0.25),
        "b": Place(0.25, 1),
        "c": Place(0, 1),
    }
