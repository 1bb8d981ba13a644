"""How wrong answers are, whatever unit they are in and however sure they are."""

import numpy as np
import pytest

from millrace.components.training import measures

LABELS = np.array([0, 1, 0, 1, 0, 1])


def sure(of_second):
    second = np.array(of_second, np.float64)
    return np.stack([1 - second, second], axis=1)


def test_the_log_loss_does_not_depend_on_how_sure_a_network_is():
    measure = measures.cross_entropy(LABELS)
    odds = np.array([0.5, 2.0, -0.3, 1.0, 0.8, -0.2])
    mild, bold = 1 / (1 + np.exp(-odds)), 1 / (1 + np.exp(-4 * odds))
    assert measure(sure(mild)) == pytest.approx(measure(sure(bold)), abs=1e-6)


def test_an_unknown_truth_does_not_count():
    truth = np.array([[1.0], [np.nan], [3.0]])
    measure = measures.error_of_numbers(truth, np.array(2.0), squared=False)
    assert measure(np.array([[2.0], [9.0], [3.0]])) == 0.25


def test_squared_errors_are_squared_in_their_unit():
    measure = measures.error_of_numbers(np.zeros((2, 1)), np.array(2.0), squared=True)
    assert measure(np.array([[2.0], [4.0]])) == 2.5
