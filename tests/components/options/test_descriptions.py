"""Options described in the words of their docstrings."""

import dataclasses

from millrace.components.options import descriptions


@dataclasses.dataclass
class Shape:
    """A shape.

    Attributes:
        width, height: how wide it is,
            and how high.
        colour: of its lines.
    """

    width: int = 1
    height: int = 1
    colour: str = "red"


@dataclasses.dataclass
class Filled(Shape):
    """A shape with something in it.

    Attributes:
        colour: of what is in it: `none` leaves it empty.
    """

    colour: str = "blue"


def drawn(shape: Shape, *, times: int = 1) -> None:
    """Draw a shape.

    Args:
        shape: which.
        times: how often, e.g. `3`.

    Raises:
        ValueError: never.
    """


def test_names_that_share_a_line_each_have_it():
    said = "how wide it is, and how high."
    assert descriptions.of(Shape) == {"width": said, "height": said, "colour": "of its lines."}


def test_a_dataclass_says_of_inherited_fields_what_their_class_says():
    found = descriptions.of(Filled)
    assert found["width"] == "how wide it is, and how high."
    assert found["colour"] == "of what is in it: `none` leaves it empty."


def test_a_function_describes_its_arguments_and_nothing_else():
    assert descriptions.of(drawn) == {"shape": "which.", "times": "how often, e.g. `3`."}


def test_what_has_no_docstring_says_nothing():
    assert descriptions.of(lambda one: one) == {}
