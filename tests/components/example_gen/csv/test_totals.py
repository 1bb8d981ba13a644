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
