"""Losses summed up, and the figures that follow."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.evaluating.language_metrics import NAMES, UNIT, TextSums, figures, of_rows

NATS = st.floats(0, 1e4, width=32)


def outputs(*rows):
    names = ("loss", "unigram", "tokens", "correct", "unknown")
    columns = zip(*rows, strict=True)
    return {
        name: np.array(column, np.float32 if name in ("loss", "unigram") else np.int32)
        for name, column in zip(names, columns, strict=True)
    }


def test_the_figures_of_two_rows_are_those_of_all_their_tokens():
    rows = of_rows(outputs((3.0, 6.0, 2, 1, 0), (5.0, 6.0, 2, 1, 1)), [10, 6])
    found = figures(rows[0] + rows[1], vocabulary=50)
    assert found == {
        "loss": 2.0,
        "perplexity": pytest.approx(math.e**2),
        "accuracy": 0.5,
        "bits_per_character": pytest.approx(8 / math.log(2) / 16),
        "unknown": 0.25,
        "vocabulary_size": 50.0,
        "perplexity_ratio": pytest.approx(math.e**2 / 50),
        "unigram_perplexity": pytest.approx(math.e**3),
    }
    assert tuple(found) == NAMES


def test_a_model_that_knows_nothing_has_the_ratio_1():
    sums = TextSums(rows=1, tokens=1, loss=round(math.log(8) * UNIT), characters=1)
    assert figures(sums, vocabulary=8)["perplexity_ratio"] == pytest.approx(1)


def test_a_perplexity_beyond_all_numbers_stays_finite():
    sums = TextSums(rows=1, tokens=1, loss=1000 * UNIT, characters=1)
    assert math.isfinite(figures(sums, vocabulary=8)["perplexity"])


@given(st.lists(st.tuples(NATS, NATS, *[st.integers(0, 9)] * 3), min_size=1, max_size=9))
def test_sums_are_the_same_in_any_order(rows):
    one = of_rows(outputs(*rows), [1] * len(rows))
    assert sum(one, TextSums()) == sum(reversed(one), TextSums())
