"""Labels as people write them, and the classes that they mean."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.errors import DataError
from millrace.components.example_gen.texts import labels


def settle(counts, sets="refuse"):
    return labels.settle("step", "t.csv, column 'c'", counts, sets)


def test_the_most_frequent_spelling_names_the_class():
    found = settle({"TRUE": 2, "true": 5, "1.0": 1, "1": 4, "+1": 1, "False": 1})
    assert found == {
        **{"TRUE": "true", "true": "true", "False": "False"},
        **{"1": "1", "1.0": "1", "+1": "1"},
    }


@given(st.dictionaries(st.text("abAB ", min_size=1), st.integers(1, 9), min_size=2, max_size=9))
def test_other_labels_are_left_as_they_are(counts):
    assert settle({**counts, "x": 99}) == {name: name for name in (*counts, "x")}


@pytest.mark.parametrize("mark", ["|", ";", ",", ", "])
def test_parts_that_come_again_are_several_labels(mark):
    counts = {f"a{mark}b": 2, "a": 3, "b": 4, f"b{mark}c{mark}a": 1, "c": 1}
    with pytest.raises(
        DataError,
        match=r"^t\.csv, column 'c': expected one label a row\. Received: several in 3 rows, such "
        r"as 'a.+b', of the labels a, b, c\. Set step\.label_sets=first to take the first of each,"
        r" or step\.label_sets=whole to make each combination a class\.$",
    ):
        settle(counts)
    assert settle(counts, "whole") == {name: name for name in counts}
    assert settle(counts, "first") == {name: name[0] for name in counts}


def test_a_list_of_one_label_is_that_label():
    assert settle({'["a"]': 1, "['b']": 1, "[1]": 1, "[": 1}) == {
        **{'["a"]': "a", "['b']": "b", "[1]": "1", "[": "["}
    }


def test_names_that_differ_in_case_are_warned_of(caplog):
    caplog.set_level(logging.WARNING)
    settle({"Spam": 3, "spam": 2, "ham": 1})
    assert caplog.messages == [
        "step: classes 'Spam', 'spam' differ in case alone. Write them alike if they are one class"
    ]


@pytest.mark.parametrize(
    ("counts", "received"),
    [
        ({}, "expected at least two classes. Received: none"),
        ({"a": 9}, "expected at least two classes. Received: only 'a'"),
        ({str(n): 9 for n in range(1001)}, "expected at most 1000 classes. Received: 1001, such"),
        ({str(n): 1 for n in range(11)}, "Received: 11 classes in 11 rows, such as '0'"),
    ],
)
def test_what_can_be_no_classes_is_refused(counts, received):
    with pytest.raises(DataError) as raised:
        settle(counts)
    assert received in str(raised.value)
    assert str(raised.value).endswith("Name the column of classes by the option label.")


def test_numbers_are_in_their_order():
    assert labels.in_order({"10", "9", "-1"}) == ("-1", "9", "10")
    assert labels.in_order({"10", "9", "x"}) == ("10", "9", "x")
