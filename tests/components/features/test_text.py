"""Texts to rows of ids, and raw records to transformed ones."""

import dataclasses

import pytest
import tensorflow as tf

from millrace.components.errors import OptionError
from millrace.components.features import text, text_rows
from millrace.components.features.layout import Column, Layout
from millrace.components.features.text_spec import TextOptions, TextSpec
from millrace.serving.example import decode, encode

SPEC = TextSpec(("ham", "spam"), ("the", "cat", "dog"), sequence_length=4, strip_html=True)


def ids(texts, **changes):
    spec = dataclasses.replace(SPEC, **changes)
    return text.preprocess(tf.constant(texts), spec).numpy().tolist()


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
    tokens = Column("tokens", "int32", (4,))
    assert SPEC.layout == Layout((tokens,), Column("label", "int32"))


def test_records_keep_their_source_and_unusable_ones_are_set_aside():
    raw = [
        {"text": "the dog", "text/class/text": "spam", "text/filename": "a.csv, line 2"},
        {"text": "the dog", "text/class/text": "eggs", "text/filename": "b"},
        {"text/class/text": "ham", "text/filename": "c"},
        {"text": "x", "text/filename": "d"},
        {"text": "dog", "text/class/text": "ham"},
    ]
    rejected = []
    rows = ((decode(encode(row)), f"record {n}") for n, row in enumerate(raw))
    found = [decode(record) for record in text_rows.transform(rows, SPEC, rejected)]
    assert [(row["tokens"].tolist(), row["label"].tolist()) for row in found] == [
        ([2, 4, 0, 0], [1]),
        ([4, 0, 0, 0], [0]),
    ]
    assert found[0]["text/filename"] == [b"a.csv, line 2"]
    assert [(item.source, item.reason, item.position) for item in rejected] == [
        ("b", "class 'eggs' is not in the train split", "record 1"),
        ("c", "no `text`", "record 2"),
        ("d", "no class", "record 3"),
    ]


def test_an_empty_name_for_unknown_tokens_is_refused():
    with pytest.raises(OptionError, match=r"oov_token: expected a name that no token has, or none"):
        TextOptions(oov_token="")
