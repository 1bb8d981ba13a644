"""The average that answers best, chosen greedily."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.candidates import selection
from millrace.components.training import measures

LABELS = np.array([0, 1, 0, 1, 0, 1])


def sure(of_second):
    second = np.array(of_second, np.float64)
    return np.stack([1 - second, second], axis=1)


RIGHT = sure([0.1, 0.9, 0.1, 0.9, 0.1, 0.9])


def test_the_best_answers_alone_where_others_only_harm_it():
    truth = np.array([[1.0], [2.0], [3.0]])
    measure = measures.error_of_numbers(truth, np.array(1.0), squared=False)
    assert selection.weights([truth + 5, truth + 0.1, truth + 4], measure, most=3) == {1: 1.0}


def test_errors_that_cancel_share_the_answer():
    truth = np.array([[1.0], [2.0], [3.0]])
    measure = measures.error_of_numbers(truth, np.array(1.0), squared=False)
    assert selection.weights([truth + 1, truth - 1], measure, most=2) == {0: 0.5, 1: 0.5}


def test_no_more_candidates_share_than_allowed():
    truth = np.array([[1.0], [2.0], [3.0]])
    measure = measures.error_of_numbers(truth, np.array(1.0), squared=False)
    assert selection.weights([truth + 1, truth - 1], measure, most=1) == {0: 1.0}


def test_answers_that_are_no_numbers_are_infinitely_wrong():
    nothing = np.full((6, 2), np.nan)
    assert measures.cross_entropy(LABELS)(nothing) == float("inf")
    assert selection.weights([nothing, RIGHT], measures.cross_entropy(LABELS), 2) == {1: 1.0}


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=5), st.integers(1, 3))
def test_shares_add_up_to_one_and_never_make_the_answer_worse(offsets, most):
    truth = np.zeros((4, 1))
    answers = [truth + offset for offset in offsets]
    measure = measures.error_of_numbers(truth, np.array(1.0), squared=False)
    shares = selection.weights(answers, measure, most)
    assert sum(shares.values()) == pytest.approx(1)
    assert len(shares) <= most
    together = sum(share * answers[place] for place, share in shares.items())
    assert measure(together) <= min(map(measure, answers)) + 1e-12


def even(rows):
    return np.arange(rows) % 2


def test_shares_by_few_rows_are_drawn_towards_equal_ones():
    scores = [0.3, 0.31, 0.35, 0.9]
    assert selection.evened({0: 1.0}, scores, even(50), 3) == pytest.approx(
        {0: (50 + 200 / 3) / 250, 1: 200 / 3 / 250, 2: 200 / 3 / 250}
    )
    assert selection.evened({1: 0.5, 3: 0.5}, scores, even(200), 2) == {1: 0.5, 3: 0.5}


def test_no_candidate_shares_that_is_worse_beyond_chance():
    assert selection.evened({0: 1.0}, [0.3, 0.39, 0.41], even(100), 3) == pytest.approx(
        {0: 2 / 3, 1: 1 / 3}
    )


def test_shares_by_many_rows_stay_as_they_are():
    assert selection.evened({0: 1.0}, [0.3, 0.3, 0.3], even(2000), 3) == {0: 1.0}


def test_rows_count_for_less_where_a_class_is_rare():
    labels = np.repeat([0, 1], [500, 100])  # of which 5 / 9 as many even ones vary as much
    own = 600 * 5 / 9 / (600 * 5 / 9 + 200)
    found = selection.evened({0: 1.0}, [0.3, 0.301], labels, 2)
    assert found == pytest.approx({0: own + (1 - own) / 2, 1: (1 - own) / 2})
    of_one = selection.evened({0: 1.0}, [0.3, 0.301], np.zeros(600, int), 2)
    assert of_one == {0: 0.5, 1: 0.5}


def test_shares_are_drawn_towards_others_the_more_the_fewer_the_rows():
    chosen, others = {0: 1.0}, {1: 0.5, 2: 0.5}
    assert selection.drawn(chosen, others, 200, 3) == {0: 0.5, 1: 0.25, 2: 0.25}
    assert selection.drawn(chosen, others, 200, 2) == pytest.approx({0: 2 / 3, 1: 1 / 3})
    assert selection.drawn(chosen, others, 2000, 3) == {0: 1.0}


def test_among_few_rows_those_nearly_as_good_share_nearly_alike():
    assert selection.shares_by_score([1.1, 1.0, 2.0], rows=4, most=2) == {0: 0.452, 1: 0.548}


def test_among_many_rows_the_better_answers_nearly_alone():
    assert selection.shares_by_score([1.1, 1.0], rows=2500, most=2) == {0: 0.008, 1: 0.992}
    assert selection.shares_by_score([1.1, 1.0], rows=40_000, most=2) == {1: 1.0}


@given(
    st.lists(st.floats(0, 1e6) | st.just(float("inf")), min_size=1).filter(lambda x: min(x) < 1e9),
    st.integers(1, 5),
)
def test_shares_by_score_add_up_to_one(scores, most):
    shares = selection.shares_by_score(scores, 50, most)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert len(shares) <= most
    assert all(np.isfinite(scores[place]) for place in shares)
