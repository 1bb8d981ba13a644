"""Texts to rows of ids."""

import dataclasses

import pytest
import tensorflow as tf

from millrace.components.errors import OptionError
from millrace.components.features import text
from millrace.components.features.layout import LayoutColumn, RecordLayout
from millrace.components.features.text_spec import TextOptions, TextSpec

SPEC = TextSpec(("ham", "spam"), ("the", "cat", "dog"), sequence_length=4, strip_html=True)


def ids(texts, **changes):
    spec = dataclasses.replace(SPEC, **changes)
    return text.inputs(tf.constant(texts), spec)["tokens"].numpy().tolist()


def test_texts_become_rows_of_ids():
    assert ids(["The cat<br />DOG.", "owl", ""]) == [[2, 3, 4, 0], [1, 0, 0, 0], [0] * 4]
    long = "the cat dog the cat"
    assert ids([long, "dog"], padding="pre", truncating="pre") == [[3, 4, 2, 3], [0, 0, 0, 4]]
    assert ids(["the owl dog"], oov_token=None) == [[2, 4, 0, 0]]
    assert ids(["the", "The"], standardize="none") == [[2, 0, 0, 0], [1, 0, 0, 0]]
    assert ids(["cab"], level="character", vocabulary=("a", "b")) == [[1, 2, 3, 0]]
    pieces = ("\u2581c", "a", "at", "\u2581")
    assert ids(["cat tax"], level="subword", vocabulary=pieces) == [[2, 4, 5, 1]]


def test_the_layout_is_a_row_of_ids_and_a_label():
    tokens = LayoutColumn("tokens", "int32", (4,))
    assert SPEC.layout == RecordLayout((tokens,), LayoutColumn("label", "int32"))


def test_letters_are_an_input_beside_the_ids():
    with_letters = dataclasses.replace(SPEC, letters=8)
    letters = LayoutColumn("letters", "uint8", (8,))
    assert with_letters.layout.inputs == (*SPEC.layout.inputs, letters)


def test_letters_beside_tokens_that_are_letters_are_refused():
    with pytest.raises(OptionError, match=r"features\.letters: expected false at the level char"):
        TextOptions(letters=True, level="character")


def test_an_empty_name_for_unknown_tokens_is_refused():
    with pytest.raises(OptionError, match=r"oov_token: expected a name that no token has, or none"):
        TextOptions(oov_token="")
