"""The exported model's answers compared with the trained one's."""

import numpy as np
import pytest

from millrace.components.errors import ModelError
from millrace.components.exporting import classifier
from millrace.components.exporting.comparison import Reference, largest_difference

EXPECTED = np.array([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]], np.float32)
NAMES = ("a", "b", "c")
REFERENCE = classifier.reference(EXPECTED, NAMES)


def answers(expected=EXPECTED, **changes):
    regress = expected[:, 1] if expected.shape[1] == 2 else expected.max(axis=1)
    names = np.array(NAMES)[expected.argmax(axis=1)]
    found = {"scores": expected, "class": names, "classify": expected, "regress": regress} | changes
    return {
        "serving_default/scores": found["scores"],
        "serving_default/class": found["class"],
        "classify/scores": found["classify"],
        "regress/outputs": found["regress"],
    }


def test_equal_answers_differ_by_nothing():
    assert largest_difference(answers(), REFERENCE, 1e-6) == 0.0


def test_the_largest_difference_of_any_signature_is_returned():
    found = answers(classify=EXPECTED + np.float32(0.25), regress=np.array([0.5, 0.725]))
    assert largest_difference(found, REFERENCE, 0.5) == pytest.approx(0.25)


def test_a_difference_over_the_tolerance_is_an_error_with_the_figures():
    found = answers(classify=EXPECTED + np.float32(0.25))
    with pytest.raises(ModelError) as caught:
        largest_difference(found, REFERENCE, 0.001)
    assert str(caught.value) == (
        "Exported model, classify/scores: expected the trained model's answers within "
        "0.001. Received: numbers that differ by up to 0.25. Do not serve it; export again, and "
        "if that does not help, look for an op that works differently in a graph."
    )


@pytest.mark.parametrize("wrong", [EXPECTED[:1], EXPECTED * np.float32("nan")])
def test_another_shape_or_no_number_is_an_error(wrong):
    with pytest.raises(ModelError, match="serving_default"):
        largest_difference(answers(scores=wrong), REFERENCE, 1.0)


def test_another_class_is_an_error_unless_the_scores_are_as_good_as_equal():
    found = answers(**{"class": np.array(["b", "c"])})
    with pytest.raises(ModelError, match=r"serving_default/class: .*'c' instead of 'a' in row 1"):
        largest_difference(found, REFERENCE, 1e-3)
    close = np.array([[0.4, 0.4001, 0.1999]], np.float32)
    found = answers(close, **{"class": np.array(["a"])})
    assert largest_difference(found, classifier.reference(close, NAMES, 1e-3), 1e-3) == 0.0


def test_regress_answers_the_second_of_two_classes():
    expected = np.array([[0.9, 0.1]], np.float32)
    reference = classifier.reference(expected, ("a", "b"))
    assert largest_difference(answers(expected), reference, 1e-6) == 0.0
    found = answers(expected, regress=np.array([0.9], np.float32))
    with pytest.raises(ModelError, match="regress/outputs"):
        largest_difference(found, reference, 1e-6)


def test_texts_are_compared_where_they_are_clear():
    texts = np.array([["one", "two"], ["three", "four"]])
    clear = np.array([[True, True], [False, True]])
    reference = Reference({"a/number": np.zeros(2)}, {"a/text": (texts, clear)})
    found = {"a/number": np.zeros(2), "a/text": np.array([["one", "two"], ["other", "four"]])}
    assert largest_difference(found, reference, 1e-6) == 0.0
    found["a/text"][1, 1] = "six"
    with pytest.raises(ModelError, match="'six' instead of 'four' in row 1"):
        largest_difference(found, reference, 1e-6)
