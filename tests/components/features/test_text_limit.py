"""A shortened text has the ids of the whole one, and is no longer than these need."""

import dataclasses
import itertools
from typing import get_args

import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from millrace.components.features import text, text_limit
from millrace.components.features.text_spec import TextSpec
from millrace.components.features.tokenization import Standardize

SPEC = TextSpec(("ham", "spam"), ("the", "a", "ab", "\u2581", "\u2581a", "é", "n" * 17), 4)
ODD = "aAbBnN théÉ.,'\u2014\u2026<br/>\u2581\u03a3\u0130\x00\x1c\x85\u00a0\u2028\u3000\t\n\v"
TEXTS = (
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60).map(str.encode)
    | st.text(ODD, max_size=60).map(str.encode)
    | st.lists(st.sampled_from([b"\xe4\xb8", b"\x80", b"\xff", b"a", b" ", b".", b"\xe2\x80\x94"]))
    .map(b"".join)
)  # fmt: skip
SPECS = [
    dataclasses.replace(SPEC, level=level, standardize=how, truncating=side, oov_token=token)
    for level, how, side, token in itertools.product(
        ("word", "subword", "character"),
        get_args(Standardize),
        ("post", "pre"),
        ("[UNK]", None),
    )
]


ROWS = [
    b"a b ab the the a",
    b"... - ...the...",
    b"n" * 100,
    b"\xe4\xb8.\x80 a",
    b"\x80",
    b"",
]


def with_examples(test):
    for spec in SPECS:
        test = example(texts=ROWS, spec=spec)(test)
    return test


@settings(max_examples=40, deadline=None)
@with_examples
@example(texts=["\u2014a\u2014b\u2026c\u3000d\u2014e".encode(), b"  \t "], spec=SPECS[0])
@given(texts=st.lists(TEXTS, min_size=1, max_size=4), spec=st.sampled_from(SPECS))
def test_the_ids_of_a_shortened_text_are_those_of_the_whole(texts, spec):
    whole = tf.constant(texts, tf.string)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_limit, "_SHORT", -1)
        short = text_limit.shortened(whole, spec)
    ids = text.inputs(tf.concat([whole, short], axis=0), spec)["tokens"].numpy().tolist()
    assert ids[len(texts) :] == ids[: len(texts)]


def test_tags_are_gone_before_a_text_is_shortened():
    tagged = ["<b a=" + "x" * 9999 + ">the <i>ab</i> a"]
    spec = dataclasses.replace(SPEC, strip_html=True)
    assert text.inputs(tf.constant(tagged), spec)["tokens"].numpy().tolist() == [[2, 4, 3, 0]]


@pytest.mark.parametrize(
    ("given", "changes", "kept"),
    [
        ("the cat, sat on - it " * 999, {}, "the cat sat on"),
        ("the cat, sat on - it " * 999, {"truncating": "pre"}, "cat sat on it"),
        (" " * 9999 + "a" * 9999, {}, "a" * 18),
        ("." * 9999, {}, ""),
        ("a" * 9999 + " b", {"level": "subword"}, "a" * 80 + " b"),
        ("a\u2014b" * 3000, {"level": "character", "standardize": "lower"}, "a\u2014ba"),
        ("a\u2014b" * 3000, {"level": "character", "truncating": "pre"}, " ba "),
        ("the owl. " * 999, {"oov_token": None}, "the owl " * 999),
    ],
)
def test_no_more_of_a_long_text_is_kept_than_the_row_can_hold(given, changes, kept):
    spec = dataclasses.replace(SPEC, **changes)
    kept = kept.replace(" ba ", "ba b") if changes.get("truncating") == "pre" else kept
    found = text_limit.shortened(tf.constant([given, "short."]), spec).numpy()
    assert found[0].decode() == kept


def test_short_texts_are_left_as_they_are():
    short = ["The cat, " * 400]
    assert text_limit.shortened(tf.constant(short), SPEC).numpy()[0].decode() == short[0]


def test_the_graph_that_is_served_shortens_texts_and_makes_nothing_dense_but_the_row():
    spec = dataclasses.replace(SPEC, strip_html=True)
    traced = tf.function(lambda texts: text.inputs(texts, spec), input_signature=[text.TEXTS])
    graph = traced.get_concrete_function().graph.as_graph_def()
    nodes = [*graph.node, *(node for each in graph.library.function for node in each.node_def)]
    operations = [node.op for node in nodes]
    assert "UnicodeTranscode" in operations
    assert operations.count("RaggedTensorToTensor") == 1
    # Loops would cost each request a thread; a ragged mask is counted as texts times the longest.
    assert not {"While", "StatelessWhile", "UnsortedSegmentSum"} & {*operations}
