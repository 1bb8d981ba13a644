"""Text cut into records: exact cuts, and the unit that fits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.example_gen.texts.cutting import cut, fitting_unit


def test_lines_lose_white_space_at_their_ends_and_keep_it_at_their_beginnings():
    assert cut("  one \r\n\r\ntwo\rthree\n", "line", 9) == ["  one", "", "two", "three"]


def test_paragraphs_are_parted_by_lines_of_white_space():
    assert cut("a\nb\n\n \t\nc\n", "paragraph", 9) == ["a\nb", "c"]


def test_a_file_is_one_record_with_its_line_breaks():
    assert cut("a\r\n\r\nb\r\n", "file", 9) == ["a\n\nb\n"]


def test_passages_of_a_file_are_about_equally_long():
    assert cut("abcdefghij", "passage", 4) == ["abcde", "fghij"]
    assert cut("abcdefghijk", "passage", 4) == ["abc", "defg", "hijk"]
    assert cut("ab", "passage", 4) == ["ab"]


@given(text=st.text(alphabet="ab\n é", max_size=60), passage=st.integers(2, 20))
def test_passages_joined_are_the_text(text, passage):
    parts = cut(text, "passage", passage)
    assert "".join(parts) == text
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("come all ye\n" * 30, "line"),
        ("one\ntwo\n", "line"),
        ("ROMEO:\nAy me!\n\nJULIET:\nO Romeo\n\n" * 9, "passage"),
        ("x" * 900, "passage"),
        (("x" * 300 + "\n") * 30, "passage"),
        ("", "passage"),
    ],
)
def test_short_lines_that_stand_close_are_records(text, unit):
    assert fitting_unit([text]) == unit
