"""The TensorFlow ops cut every text as their Python twins do; ids, padding and truncation."""

import itertools
from collections import Counter
from typing import get_args

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from millrace.components.errors import DataError
from millrace.components.features import token_batch, tokenization, tokens

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
WORDY = st.text(
    "aAbBnN thé.'<br/>\u2581\u03a3\u03c3\u0130\u0131\xdf\u1e9e\u01c5\u0141\x00\u00a0\u3000\u2014",
    max_size=40,
)
ENDS = {"word": [0, 0, 0, 6], "character": [0, 0, 3, 4], "subword": [0, 0, 0, 5]}
PIECES = (
    "\u2581",
    "a",
    "b",
    "\u2581ab",
    "ab",
    "ba",
    "\u2581th",
    "é",
    "\u2581abab",
    "n" * 16,
    "n" * 17,
)
EVERY = get_args(tokenization.Standardize)


def _words(ragged):
    return [[piece.decode() for piece in row] for row in ragged.to_list()]


@settings(max_examples=60, deadline=None)
@example(
    texts=["İstanbul ΑΣ Σ", "naïve—CAFÉ…x", "a\x00B", "\ufeffA", "It's <b>NOT</b><br />ok", ""],
    strip_html=True,
)
@given(texts=st.lists(TEXTS | WORDY, min_size=1, max_size=4), strip_html=st.booleans())
def test_standardising_agrees_with_its_twin(texts, strip_html):
    for how in EVERY:
        found = tokens.standardize(tf.constant(texts), how, strip_html=strip_html).numpy()
        wanted = [
            tokenization.standardized(text.encode(), how, strip_html=strip_html) for text in texts
        ]
        assert found.tolist() == wanted


@settings(max_examples=60, deadline=None)
@example(["abab abba thn b\u2581a", " \t\n", "\u2581", "n" * 40])
@given(st.lists(TEXTS | WORDY, min_size=1, max_size=4))
def test_splitting_agrees_with_its_twin(texts):
    for level in ("word", "character", "subword"):
        found = tokens.split(tf.constant(texts), level, PIECES)
        batch = token_batch.of([text.encode() for text in texts], level, PIECES)
        names = batch.names.to_pylist()
        twins = [names[code] for code in batch.codes.tolist()]
        ends = batch.lengths.cumsum().tolist()
        assert _words(found) == [twins[a:b] for a, b in itertools.pairwise([0, *ends])]
        counted = dict(zip(names, batch.counts().tolist(), strict=True))
        assert Counter(counted) == Counter(twins)
        in_texts = dict(zip(names, batch.documents().tolist(), strict=True))
        assert Counter(in_texts) == Counter(name for row in _words(found) for name in set(row))


def test_counts_of_batches_are_added_up_and_tokens_that_do_not_occur_left_out(monkeypatch):
    monkeypatch.setattr(token_batch, "_MOST", 2)
    tally = token_batch.Tally(kinds=2)
    assert tally.totals() == [{}, {}]
    tally.add(pa.array(["a", "b", "c"]), np.array([2, 0, 1]), np.array([1, 0, 1]))
    tally.add(pa.array(["c", "d"]), np.array([4, 5]), np.array([3, 1]))
    assert tally.totals() == [{"a": 2, "c": 5, "d": 5}, {"a": 1, "c": 4, "d": 1}]


@pytest.mark.parametrize("how", EVERY)
@given(text=st.binary(max_size=20) | (TEXTS | WORDY).map(lambda text: 3 * text.encode()))
def test_standardising_maps_code_point_by_code_point(how, text):
    decoded = text.decode("utf-8", "replace")
    wanted = decoded.translate(tokenization.table(how)).encode()
    assert tokenization.standardized(text, how) == wanted


def test_punctuation_is_removed_or_parts_words_and_apostrophes_never_do():
    text = "It's the end.Next\N{RIGHT SINGLE QUOTATION MARK}s a/b, c\N{EM DASH}d".encode()
    found = {how: tokenization.standardized(text, how) for how in EVERY[:2]}
    assert found["lower_and_strip_punctuation"] == b"its the endnexts ab c d"
    assert found["lower_and_split_punctuation"] == b"its the end nexts a b  c d"


def test_every_letter_is_lowered_alike():
    points = [point for point in range(0x20100) if not 0xD800 <= point < 0xE000]
    chars = [chr(point) for point in points]
    for how in ("lower_and_strip_punctuation", "lower"):
        found = tokens.standardize(tf.constant(chars), how).numpy()
        wanted = [tokenization.standardized(char.encode(), how) for char in chars]
        assert found.tolist() == wanted


def test_ids_are_places_in_the_vocabulary_plus_two():
    words = tokens.split(tf.constant(["the cat sat", "dog", ""]), "word")
    ids = tokens.lookup(words, ("cat", "the", "dog"))
    assert ids.dtype == tf.int32
    assert ids.to_list() == [[3, 2, 1], [4], []]
    assert tokens.lookup(words, ("cat", "the"), drop_unknown=True).to_list() == [[3, 2], [], []]
    assert tokens.lookup(words, ()).to_list() == [[1, 1, 1], [1], []]


def test_a_vocabulary_with_a_piece_twice_is_refused():
    with pytest.raises(DataError, match=r"Received: 'a' and 'a'\. Remove one of them\.$"):
        tokens.lookup(tf.ragged.constant([["a"]]), ("a", "b", "a"))


@pytest.mark.parametrize(
    ("padding", "truncating", "rows"),
    [
        ("post", "post", [[1, 2, 3], [5, 6, 0], [0, 0, 0]]),
        ("post", "pre", [[2, 3, 4], [5, 6, 0], [0, 0, 0]]),
        ("pre", "post", [[1, 2, 3], [0, 5, 6], [0, 0, 0]]),
        ("pre", "pre", [[2, 3, 4], [0, 5, 6], [0, 0, 0]]),
    ],
)
def test_rows_get_one_length_at_the_requested_side(padding, truncating, rows):
    ids = tf.ragged.constant([[1, 2, 3, 4], [5, 6], []], dtype=tf.int32)
    padded = tokens.pad(ids, 3, padding, truncating)
    assert padded.dtype == tf.int32
    assert padded.numpy().tolist() == rows
    assert tokens.pad(ids[:0], 3, padding, truncating).shape == (0, 3)


@pytest.mark.parametrize("level", ["word", "character", "subword"])
def test_an_empty_batch_and_bytes_that_are_no_text_pass_in_a_graph(level):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def ids(text):
        pieces = tokens.split(tokens.standardize(text, strip_html=True), level, PIECES)
        return tokens.pad(tokens.lookup(pieces, PIECES), 4, "pre")

    assert ids(tf.constant([], tf.string)).shape == (0, 4)
    assert ids(tf.constant(["", "ab"])).numpy().tolist() == [[0] * 4, ENDS[level]]
    assert ids(tf.constant([b"\xff\xfe ab", b"ab"])).shape == (2, 4)
