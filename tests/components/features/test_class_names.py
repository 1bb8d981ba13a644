"""Several labels in one cell, and words for a missing label."""

import pytest

from millrace.components.features import class_names


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (["a|b", "b|c"], {"a|b": ["a", "b"], "b|c": ["b", "c"]}),
        (["a; b", "a;c", "b;c", "c;b;d"], {"a; b": ["a", "b"], "a;c": ["a", "c"]}),
        (["a", "a|b", "x"], {"a|b": ["a", "b"]}),
        (["a", "b", "a,b", "x,y"], {"a,b": ["a", "b"], "x,y": ["x", "y"]}),
        (["Action, Drama", "Drama, War"], {"Drama, War": ["Drama", "War"]}),
        (["a", "b", "a|", "a|b"], {"a|": ["a"], "a|b": ["a", "b"]}),
    ],
)
def test_a_name_lists_labels_that_come_again(names, parts):
    assert parts.items() <= class_names.lists(names).items()


@pytest.mark.parametrize(
    "names",
    [
        ["Sci-Fi|Fantasy", "Drama", "Comedy"],
        ["New York, NY", "Albany, NY", "Boston, MA"],
        ["Home|Kitchen", "Home|Garden", "Toys|Puzzles"],
        ["No", "No, never", "Yes"],
        ["ice cream", "cream cake", "cream"],
        ["a|a", "b"],
        ["", "|", "x"],
        [],
    ],
)
def test_names_with_a_mark_are_classes_all_the_same(names):
    assert class_names.lists(names, (*class_names.MARKS, " ")) == {}


def test_a_blank_is_a_mark_where_all_words_stand_alone():
    assert class_names.lists(["scab", "rust", "scab rust"], [" "]) == {
        "scab rust": ["scab", "rust"]
    }


@pytest.mark.parametrize("name", ["unknown", " N/A ", "?", "None", "MISSING", "not_known", "-"])
def test_words_for_a_missing_label(name):
    assert class_names.means_none(name)


@pytest.mark.parametrize("name", ["no", "NA EU", "other", "0", ""])
def test_other_words_are_classes(name):
    assert not class_names.means_none(name)


def test_names_that_are_certainly_one_class_are_together_the_most_frequent_first():
    rows = {"Yes": 1, "yes": 5, "YES": 1, "1": 2, "1.0": 3, "+1": 1, "Red": 1, "red": 2, "TRUE": 1}
    assert class_names.merged(rows) == [
        ["yes", "YES", "Yes"],
        ["1.0", "1", "+1"],
        ["red"],
        ["Red"],
        ["TRUE"],
    ]
