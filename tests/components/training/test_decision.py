"""Which probability of the second class is enough."""

import numpy as np
import pytest

from millrace.components.training import decision


def rows(count, share, slope=1.0, offset=0.0, signal=1.5):
    """Truths, and probabilities of the second class that need `slope` and `offset` to be true."""
    random = np.random.default_rng(0)
    truth = (random.random(count) < share).astype(np.int64)
    logits = random.normal(signal * truth - signal / 2, 1.0) * signal
    logits += np.log(share / (1 - share))
    return truth, 1 / (1 + np.exp(-(logits - offset) / slope))


def mean_accuracy(truth, answers):
    right = answers == truth
    return (right.mean() + (right[truth == 0].mean() + right[truth == 1].mean()) / 2) / 2


def test_a_true_probability_is_enough_from_where_both_accuracies_gain():
    truth, second = rows(200_000, 0.25)
    # A row of the rare class weighs 1 + 1 / (2 * 0.25) = 3, another 1 + 1 / (2 * 0.75).
    assert decision.threshold(truth, second) == pytest.approx((5 / 3) / (3 + 5 / 3), abs=0.01)


def test_a_probability_that_is_not_true_is_seen_through():
    truth, second = rows(200_000, 0.25, slope=2.0, offset=1.0)
    logit = (np.log(5 / 9) - 1.0) / 2.0
    assert decision.threshold(truth, second) == pytest.approx(1 / (1 + np.exp(-logit)), abs=0.01)


def test_a_rare_class_is_named_more_often_and_both_accuracies_gain_together():
    truth, second = rows(1000, 0.2, signal=1.0)
    found = decision.threshold(truth, second)
    assert (second >= found).mean() > 1.5 * (second > 0.5).mean()
    assert mean_accuracy(truth, second >= found) > mean_accuracy(truth, second > 0.5) + 0.01


def test_a_rare_first_class_is_named_more_often_too():
    truth, second = rows(1000, 0.2, signal=1.0)
    found = decision.threshold(truth, second)
    assert decision.threshold(1 - truth, 1 - second) == pytest.approx(1 - found, abs=1e-3)


def test_a_rare_class_that_is_hardly_missed_is_left_at_one_half():
    assert decision.threshold(*rows(1000, 0.2, signal=3.0)) == 0.5


@pytest.mark.parametrize(("count", "share"), [(1000, 0.45), (60, 0.2)], ids=["even", "few"])
def test_one_half_it_is_for_even_classes_and_few_rows(count, share):
    assert decision.threshold(*rows(count, share)) == 0.5


def test_one_half_it_is_where_the_probabilities_say_nothing():
    truth, second = rows(1000, 0.2)
    assert decision.threshold(truth, np.full(1000, 0.2)) == 0.5
    assert decision.threshold(truth, 1 - second) == 0.5
