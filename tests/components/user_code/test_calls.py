"""Pieces by name, with arguments."""

import pytest

from millrace.components.user_code import calls
from millrace.components.user_code.calls import Call


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("mine.losses:focal", Call("mine.losses:focal")),
        (" mine:Focal(gamma=2, name='own') ", Call("mine:Focal", (), {"gamma": 2, "name": "own"})),
        ("TopK(3, weights=[1, 2.5])", Call("TopK", (3,), {"weights": [1, 2.5]})),
        ("Adam()", Call("Adam")),
    ],
    ids=["alone", "named", "placed", "empty"],
)
def test_a_name_and_its_arguments_are_read(text, call):
    assert calls.parse(text) == call
    assert calls.is_call(text)


@pytest.mark.parametrize("text", ["adam", "mine.losses", "focal(2)", "a:b c", "1:a", ""])
def test_other_words_are_none(text):
    assert not calls.is_call(text)
    with pytest.raises(ValueError, match=r"expected package\.module:name, .* Write it as in"):
        calls.parse(text)


@pytest.mark.parametrize(
    "given",
    ["gamma=x", "gamma=", "**{}", "f(2)", "1)(2", "*[1]", "{[1]: 2}", "{[]}", f"{'-' * 9_999}1"],
)
def test_arguments_that_are_no_plain_values_are_refused(given):
    with pytest.raises(ValueError, match="plain values of Python, such as gamma=2"):
        calls.parse(f"mine:focal({given})")


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("BinaryAccuracy(threshold=0.7)", "binary_accuracy"),
        ("AUC", "auc"),
        ("F1Score", "f1_score"),
        ("mine.metrics:within", "within"),
        ("AUC(name='area')", "area"),
    ],
)
def test_a_piece_is_called_as_keras_calls_it(text, label):
    assert calls.parse(text).label == label


def test_the_module_is_that_of_a_persons_own_piece_alone():
    assert calls.parse("mine.losses:focal(gamma=2)").module == "mine.losses"
    assert calls.parse("Adam").module == ""


def test_capitals_and_underscores_make_no_other_word():
    assert calls.folded("HeNormal") == calls.folded("he_normal")
