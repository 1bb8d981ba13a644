"""Patterns of file names: what they match, what they are proposed for, what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.errors import OptionError
from millrace.components.example_gen.shards.names import compiled, proposal


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("{class}.{number}.jpg", "cat.0.jpg", {"class": "cat"}),
        ("{class}.{number}.jpg", "any/where/cat.12.JPG", {"class": "cat"}),
        ("{class}.{number}.jpg", "cat.x.jpg", None),
        ("{class}.{number}.jpg", "cat.1xjpg", None),
        ("{class}_{number}.{ext}", "great_dane_7.png", {"class": "great_dane"}),
        ("{class}/{name}", "a/b/1.png", {"class": "b"}),
        ("{split}/{class}-{name}.png", "val/cat-old-1.png", {"split": "val", "class": "cat-old"}),
        ("{name}_{class}.png", "1_2_dog.png", {"class": "dog"}),
    ],
)
def test_a_path_matches_or_not(pattern, path, expected):
    found = compiled(pattern, "pattern").fullmatch(path)
    assert (found and found.groupdict()) == expected


@pytest.mark.parametrize(
    "pattern",
    ["cat.jpg", "{class}{class}", "{klass}.jpg", "{class", "{split}{split}{class}", "{}{class}"],
)
def test_what_is_no_pattern_is_refused(pattern):
    with pytest.raises(
        OptionError, match=r"^Option p: expected a pattern with one \{class\}"
    ) as caught:
        compiled(pattern, "p")
    assert repr(pattern) in str(caught.value)


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_no_text_around_the_fields_is_taken_for_a_regular_expression(text):
    plain = text.replace("{", "").replace("}", "").strip("/")
    assert compiled(plain + "{class}", "p").fullmatch(plain + "cat")


def test_names_that_say_no_class_get_no_proposal():
    assert proposal(["1.png", "2.png", "3.png"]) == ""
    assert proposal(["cat.1.png", "cat.2.png"]) == ""
    assert proposal([]) == ""
    assert proposal([f"IMG_{n}.jpg" for n in range(9)]) == ""
