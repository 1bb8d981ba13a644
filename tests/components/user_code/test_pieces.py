"""Pieces found and made; the library is one of the test's own."""

import types

import pytest

from millrace.components.errors import OptionError
from millrace.components.user_code import pieces
from millrace.components.user_code.calls import Call


class Piece:
    def __init__(self, size=1, rate=0.5):
        self.size, self.rate = size, rate


def make(size):
    return Piece(size)


def make_other():
    return "piece"


READY = Piece(9)
NUMBER = 3
LIBRARY = types.ModuleType("library")
LIBRARY.Piece = Piece
HERE = __name__


def made(text, given=pieces.NOTHING):
    return pieces.made(text, LIBRARY, Piece, "trainer.piece", given)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("Piece", 1),
        ("PIECE(4)", 4),
        (f"{HERE}:Piece(size=2)", 2),
        (f"{HERE}:make(3)", 3),
        (f"{HERE}:READY", 9),
    ],
    ids=["library", "any case", "class", "function", "object"],
)
def test_a_piece_is_made_of_what_is_named(text, size):
    assert made(text).size == size


def test_an_object_that_is_ready_is_copied():
    found = made(f"{HERE}:READY")
    assert found is not READY


def test_what_is_given_reaches_those_who_take_it_and_say_nothing_themselves():
    assert made("Piece", {"rate": 0.1, "other": 1}).rate == 0.1
    assert made("Piece(rate=0.2)", {"rate": 0.1}).rate == 0.2
    assert made(f"{HERE}:make(3)", {"rate": 0.1}).rate == 0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Peace", "expected a class of library.*Received: Peace. Did you mean Piece?"),
        (f"{HERE}:mak", r"expected a function `mak`.*Did you mean `make`\?"),
        (f"{HERE}:make(width=3)", r"expected arguments among \(size\). Received: width"),
        (f"{HERE}:READY(2)", "expected no arguments, since this is an object"),
        (f"{HERE}:NUMBER", "Piece, or a class or a function that makes one.* the type int"),
        (f"{HERE}:make_other", "Piece, or a class or a function that makes one.* the type str"),
        ("nowhere.at.all:Piece", "expected a module that Python can find"),
        ("Piece(size=x)", "expected arguments that are plain values"),
    ],
)
def test_what_makes_no_piece_is_refused_with_the_option(text, message):
    with pytest.raises(OptionError, match=f"(?s)^trainer.piece.*{message}"):
        made(text)


def test_parameters_are_missing_where_neither_default_nor_argument_fills_them():
    def loss(y_true, y_pred, gamma, alpha=1):
        raise AssertionError

    assert pieces.missing(loss, Call("a:loss", (), {"gamma": 2})) == ["y_true", "y_pred"]
    assert pieces.missing(loss, Call("a:loss", (1,))) == ["y_pred", "gamma"]
