"""Rows that sum up others, by their word and their numbers."""

import numpy as np
import pyarrow as pa
import pytest

from millrace.components.example_gen.csv import totals


@pytest.mark.parametrize(
    ("words", "values", "found"),
    [
        (["a", "b", "Total"], [1, 2, 3], {2: "Total"}),
        (["total:", "a", "b"], [3, 1, 2], {0: "total:"}),
        (["a", "b", "Mean"], [1, 2, 1.5], {2: "Mean"}),
        (["a", "Total", "b", "c"], [5, 9, 7, 8], {}),
        (["a", "b", "Total"], [5, 9, 7], {}),
        (["a", "b", "grand"], [1, 2, 3], {}),
    ],
)
def test_a_total_has_a_word_for_it_and_is_one(words, values, found):
    figures = np.array(values, float)[:, None]
    assert totals.find({"k": pa.array(words)}, ["k"], figures) == found


@pytest.mark.parametrize(("cell", "expected"), [(" Summe: ", True), ("Total cost", False)])
def test_a_total_is_a_word_alone(cell, expected):
    assert totals.is_total(cell) == expected


def test_categories_of_which_one_sums_up_by_accident_are_no_totals():
    words = ["a", "b", "Total", "c", "d", "Total", "e", "f", "Total"]
    figures = np.array([1, 2, 3, 5, 6, 50, 7, 8, 90], float)[:, None]
    assert totals.find({"k": pa.array(words)}, ["k"], figures) == {}


@pytest.mark.parametrize(
    ("others", "found"), [([1, 2, 3, None], {3: "Total"}), ([1, None, 3, None], {})]
)
def test_a_total_may_lack_a_cell_that_all_others_have(others, found):
    cells = {"k": pa.array(["a", "b", "c", "Total"]), "x": pa.array(others)}
    assert totals.find(cells, ["k"], np.array([[5.0], [9], [7], [6]])) == found


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["a", None, "Total"], True),
        (["total of a", "b"], True),
        (["a", "totally"], False),
        ([], False),
    ],
)
def test_a_column_may_hold_a_word_for_a_total_or_cannot(cells, expected):
    column = pa.array(cells, pa.string())
    assert totals.likely_in({"a": column}) == ["a"] * expected


def test_columns_are_told_apart_that_are_looked_at_together():
    words = {"a": ["x", None, "y"], "b": [], "c": ["total", "x"], "d": [None], "e": ["x", "sum"]}
    columns = {name: pa.array(cells, pa.string()) for name, cells in words.items()}
    assert totals.likely_in(columns) == ["c", "e"]
    assert totals.likely_in({}) == []
