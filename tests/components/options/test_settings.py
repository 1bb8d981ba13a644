"""What an option takes, as a form needs to know it. See tests/pipeline/test_options.py too."""

from typing import Literal

import pytest

from millrace.components.errors import OptionError
from millrace.components.options import ranges, settings


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (bool, ["true", "false"]),
        (Literal["a", "b"], ["a", "b"]),
        (Literal[1, 3] | None, ["1", "3", "none"]),
        (bool | None, ["true", "false", "none"]),
        (int | None, []),
        (str, []),
        (dict[str, bool], []),
    ],
)
def test_the_choices_of_an_option_are_all_that_it_takes(annotation, words):
    assert settings.choices(annotation) == words


def test_the_bounds_of_a_number_are_those_that_it_may_be_equal_to():
    assert settings.bounds(ranges.ShareBelowOne) == {"whole": False, "least": 0, "most": None}
    assert settings.bounds(ranges.Count) == {"whole": True, "least": 1, "most": ranges.MOST}
    assert settings.bounds(int | None) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        (True, "true"),
        (0.5, "0.5"),
        ("a,b", "a,b"),
        ([64, 32], "64,32"),
        ([], "[]"),
        (["a", "b"], "a,b"),
        (["a,b", ""], '["a,b", ""]'),
        ([True], "[true]"),
        ({"train": 0.8}, '{"train": 0.8}'),
    ],
)
def test_a_value_is_written_as_text_that_is_read_as_it(value, text):
    assert settings.as_text(value) == text


@pytest.mark.parametrize("text", ["9" * 9_999, "[" * 9_999])
def test_thousands_of_digits_or_brackets_are_refused(text):
    with pytest.raises(OptionError, match=r"Option a\.b: expected int\. Received: '"):
        settings.assign(int, 1, (), text, "a.b")
