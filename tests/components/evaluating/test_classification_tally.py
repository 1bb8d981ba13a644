"""That any partition merges to the same, exactly, rounded scores included."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.evaluating.classification_tally import Counts, Scores, merge, tally
from tests.components.answers import answers


@given(
    rows=st.integers(1, 60),
    classes=st.integers(2, 5),
    cuts=st.lists(st.integers(0, 60), max_size=5),
    seed=st.integers(0, 99),
    backwards=st.booleans(),
)
def test_any_partition_merges_to_the_very_same_tally(rows, classes, cuts, seed, backwards):
    truth, scores = answers(rows, classes, seed=seed)
    whole = tally(truth, scores)
    edges = sorted({0, rows, *(cut for cut in cuts if cut < rows)})
    spans = itertools.pairwise(edges)
    parts = [tally(truth[start:stop], scores[start:stop]) for start, stop in spans]
    assert merge(reversed(parts) if backwards else parts) == whole


@given(
    scores=st.lists(st.floats(0, 1, width=32), min_size=1, max_size=60),
    cut=st.integers(0, 60),
    limit=st.integers(1, 40),
)
def test_rounded_scores_merge_to_the_same_wherever_the_limit_is_first_passed(scores, cut, limit):
    values = np.array(scores, np.float32)
    positive = values.argsort() % 2 == 0

    def count(part):
        return Scores(Scores.of(positive[part], values[part]).counts, limit=limit).bounded()

    whole = count(slice(None))
    assert count(slice(0, cut)) + count(slice(cut, None)) == whole
    assert whole.rounded == (len(np.unique(np.stack([values, positive]), axis=1).T) > limit)


def test_a_rounded_part_makes_the_whole_rounded():
    near = np.nextafter(np.float32(0.3), np.float32(1))
    values = np.array([0.3, near, near], np.float32)
    positive = np.ones(3, bool)
    first, second = (
        Scores(Scores.of(positive[part], values[part]).counts, limit=1).bounded()
        for part in (slice(0, 2), slice(2, 3))
    )
    whole = Scores(Scores.of(positive, values).counts, limit=1).bounded()
    assert first + second == second + first == whole


def test_tallies_that_differ_in_one_answer_are_not_equal():
    truth, scores = answers(10, 3)
    other = truth.copy()
    other[4] = (other[4] + 1) % 3
    assert tally(truth, scores) != tally(other, scores)


def test_rounding_keeps_scores_near_one_apart():
    values = np.array([1 - 2e-6, 1 - 1e-6, 1.0], np.float32)
    rounded = Scores(Scores.of(values > 0, values).counts, limit=1).bounded()
    assert len(rounded.counts.keys) == 3


def test_counts_of_an_empty_array_are_empty():
    empty = Counts.of(np.array([], np.int64))
    assert empty.dense(3).tolist() == [0, 0, 0]
    assert empty + Counts.of(np.array([2, 2])) == Counts.of(np.array([2, 2]))
