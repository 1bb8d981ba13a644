"""The options and the spec of text that is generated."""

import pytest

from millrace.components.errors import DataError, OptionError
from millrace.components.features import spec
from millrace.components.features.language_spec import LanguageOptions, LanguageSpec
from millrace.components.features.layout import LayoutColumn


def made(vocabulary=("\n", "a"), counts=(0, 1, 1), delimiter="\n"):
    return LanguageSpec("word", vocabulary, counts, 3, 3, delimiter, "lower")


def test_ids_are_the_vocabulary_with_padding_and_unknown():
    assert made().tokens == 4
    assert made().layout.inputs == (LayoutColumn("tokens", "int32", (3,)),)
    assert made().layout.target == LayoutColumn("next", "int32", (3,))


def test_a_text_starts_with_the_delimiter_else_a_line_break_else_the_most_frequent_token():
    assert made().start == 2
    assert made(("e", "\n"), delimiter="").start == 3
    assert made(("e", "f"), delimiter="").start == 2


def test_what_is_written_is_read_back(tmp_path):
    spec.write(made(), tmp_path / "analysis.json")
    assert spec.read(tmp_path / "analysis.json") == made()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"vocabulary": ("\n",), "counts": (0, 1)}, r"two tokens or more .* Received: 1 tokens"),
        ({"counts": (0, 1)}, r"a count of each\. Received: 2 tokens, 2 counts\. Give more text"),
        ({"vocabulary": ("a", "\n")}, r"delimiter '\\n' first\. Received: 'a'\. Run `analyze`"),
    ],
)
def test_a_vocabulary_that_cannot_be_is_refused(given, message):
    with pytest.raises(DataError, match=message):
        made(**given)


def test_a_stride_that_leaves_tokens_out_is_refused():
    message = r"stride: expected at most sequence_length, .* Received: 9 of 8\. Set both, or nei"
    with pytest.raises(OptionError, match=message):
        LanguageOptions(stride=9, sequence_length=8)
    assert LanguageOptions(stride=8, sequence_length=8).stride == 8
