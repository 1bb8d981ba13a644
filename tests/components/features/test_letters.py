"""The letters of texts, with and without TensorFlow."""

import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from millrace.components.features import letters, text
from millrace.components.features.text_spec import TextSpec


def of(*texts, size=8, **how):
    return [row.tobytes() for row in letters.of(texts, size, **{"strip_html": False, **how})]


def test_words_in_lower_case_stand_between_single_spaces_and_zeros_follow():
    assert of(b"Ab,\t c\n", b"") == [b" ab, c \0", b"  \0\0\0\0\0\0"]
    assert of("\u00c9\u00a0x".encode(), b"a<br />b", strip_html=True) == [
        b" \xc3\xa9 x \0\0",
        b" a b \0\0\0",
    ]


def test_words_keep_their_case_if_asked_to():
    assert of(b"Ab,\t C\n", cased=True) == [b" Ab, C \0"]


def test_a_long_text_is_cut_and_its_end_never_looked_at():
    assert of(b"abcdefghij") == [b" abcdefg"]
    assert of(b" " * 31 + b"ab") == [b" a \0\0\0\0\0"]


@pytest.mark.parametrize(("tokens", "size"), [(10, 120), (256, 3072), (1024, 3072)])
def test_twelve_letters_are_kept_for_each_token_up_to_3072(tokens, size):
    assert letters.size(tokens) == size


@settings(max_examples=40, deadline=None)
@pytest.mark.parametrize("cased", [False, True])
@example(["\u0130\u00df <b>x</b>", "\x00a\x1cb\x0bc", "e" * 40])
@given(st.lists(st.text("aBT\u00e9\u0394<b>. \t\n\x00\u00a0\u2014\U0001f600"), min_size=1))
def test_the_ops_that_are_served_give_the_same(cased, texts):
    spec = TextSpec(("ham", "spam"), ("a",), 2, strip_html=True, letters=8, cased=cased)
    found = text.inputs(tf.constant(texts, tf.string), spec)["letters"].numpy()
    encoded = [each.encode() for each in texts]
    assert found.tolist() == letters.of(encoded, 8, strip_html=True, cased=cased).tolist()
