"""Errors of recipes and references, compared on the same rows."""

import math

import numpy as np
import pytest

from benchmarks.quality import Judged, Ours, difference, table
from benchmarks.quality_references import witten_bell
from benchmarks.quality_sets import QualitySet


def test_the_interval_of_equal_errors_is_zero():
    errors = np.array([0.0, 1.0, 0.0, 1.0])
    assert difference(errors, errors) == (0.0, 0.0)


def test_the_interval_of_fewer_errors_lies_below_zero():
    low, high = difference(np.zeros(50), np.ones(50))
    assert (low, high) == (-1.0, -1.0)


def test_errors_of_other_rows_have_no_interval():
    assert all(map(math.isnan, difference(np.zeros(3), np.zeros(4))))


def judged(kind, ours, theirs, *, counts=False, kept_back=False):
    chosen = QualitySet(f"set of {kind}", kind, counts=counts, kept_back=kept_back)
    errors = np.array(ours, np.float64)
    return Judged(chosen, Ours(errors, 3.0, ""), None, {"worse": 9.0, "simple": theirs}, (-1, 1))


def test_the_ratio_is_to_the_best_reference():
    assert judged("series", [1.0, 3.0], 4.0).ratio == 0.5


def test_of_wrong_answers_half_a_row_more_counts_so_that_none_can_be_compared_with_none():
    assert judged("text", [0.0, 0.0], 0.0, counts=True).ratio == 1.0
    assert judged("text", [1.0, 0.0], 0.0, counts=True).ratio == 3.0


def test_the_table_ends_with_a_geometric_mean_for_each_kind():
    text = table([judged("series", [1.0], 4.0), judged("series", [4.0], 1.0)])
    assert "| **series** | | | | geometric mean | **1.000** | | |" in text


def test_sets_that_were_kept_back_are_summed_up_apart():
    text = table([judged("series", [1.0], 4.0), judged("series", [8.0], 4.0, kept_back=True)])
    assert "| **series** | | | | geometric mean | **0.250** | | |" in text
    assert "| **series, kept back** | | | | geometric mean | **2.000** | | |" in text


def test_letters_that_always_follow_cost_little_and_new_ones_much():
    bits = witten_bell("abababababababab", "abc", order=2)
    assert bits[1] < 0.5
    assert bits[2] > 3


@pytest.mark.parametrize("before", ["", "a", "ab", "zz"])
def test_the_probabilities_of_all_letters_add_up_to_one(before):
    letters = ["a", "b", "r", "unseen"]  # any letter outside the train text counts as one
    bits = [witten_bell("abra", before + letter[0], order=3)[-1] for letter in letters]
    assert sum(2.0**-each for each in bits) == pytest.approx(1.0)
