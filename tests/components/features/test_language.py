"""Windows of tokens, prompts, and text from ids."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.components.features import language
from millrace.components.features.language_spec import LanguageSpec
from millrace.components.features.tokenization import FIRST

LINES = LanguageSpec(
    level="word",
    vocabulary=("\n", "come", "all", "ye", "maidens"),
    counts=(0, 1, 1, 1, 1, 1),
    sequence_length=4,
    stride=4,
    delimiter="\n",
    standardize="lower_and_strip_punctuation",
)
LETTERS = tuple("e\nabcdé 🙂")
RUNNING = LanguageSpec("character", LETTERS, (0,) * 10, 4, 4, "", "none")
SUBWORDS = LanguageSpec("subword", ("\n", "▁co", "me", "▁all"), (0,) * 5, 4, 4, "\n", "lower")


def windows(texts, spec, stride=4):
    tokens, following, rows = language.windows(tf.constant(texts, tf.string), spec, stride)
    return tokens.numpy().tolist(), following.numpy().tolist(), rows.numpy().tolist()


def continued(ids, prompts, spec):
    found = language.continuation(tf.constant([ids] * len(prompts)), tf.constant(prompts), spec)
    return [text.decode() for text in found.numpy()]


def test_a_line_begins_and_ends_with_the_delimiter_and_each_token_is_next_once():
    assert windows(["Come all, ye maidens!"], LINES) == (
        [[2, 3, 4, 5], [6, 0, 0, 0]],
        [[3, 4, 5, 6], [2, 0, 0, 0]],
        [0, 0],
    )


def test_each_line_of_a_text_is_a_sequence_of_its_own_and_empty_ones_are_none():
    assert windows(["come\r\n\n all", "", "?!", "x"], LINES) == (
        [[2, 3, 0, 0], [2, 4, 0, 0], [2, 1, 0, 0]],
        [[3, 2, 0, 0], [4, 2, 0, 0], [1, 2, 0, 0]],
        [0, 0, 3],
    )


def test_running_text_keeps_its_line_breaks_and_has_no_delimiters():
    assert windows(["ab\r\nc", "a", "ab"], RUNNING) == (
        [[4, 5, 3, 0], [4, 0, 0, 0]],
        [[5, 3, 6, 0], [5, 0, 0, 0]],
        [0, 2],
    )


def test_windows_overlap_by_the_stride_and_the_last_holds_what_is_left():
    tokens, following, _ = windows(["abcdabc"], RUNNING, stride=2)
    assert tokens == [[4, 5, 6, 7], [6, 7, 4, 5]]
    assert following == [[5, 6, 7, 4], [7, 4, 5, 6]]


def test_no_text_has_no_windows():
    assert windows([], LINES) == ([], [], [])


@settings(deadline=None, max_examples=20)
@given(st.lists(st.text(alphabet="".join(LETTERS), max_size=20), max_size=5), st.integers(1, 4))
def test_windows_hold_every_pair_of_neighbours(texts, stride):
    tokens, following, rows = windows([text.encode() for text in texts], RUNNING, stride)
    pairs = {
        (row, a, b)
        for row, one, other in zip(rows, tokens, following, strict=True)
        for a, b in zip(one, other, strict=True)
        if b
    }
    ids = [[FIRST + LETTERS.index(char) for char in text] for text in texts]
    assert pairs == {
        (row, a, b) for row, line in enumerate(ids) for a, b in itertools.pairwise(line)
    }
    assert rows == sorted(rows)


@settings(deadline=None, max_examples=20)
@given(
    st.lists(st.text(alphabet="".join(LETTERS), min_size=1, max_size=20), min_size=1, max_size=4)
)
def test_ids_of_known_characters_become_the_text_again(texts):
    ids, lengths = language.prompts(tf.constant(texts), RUNNING)
    empty = tf.fill([len(texts)], "")
    assert [text.decode() for text in language.continuation(ids, empty, RUNNING).numpy()] == texts
    assert lengths.numpy().tolist() == [len(text) for text in texts]


@settings(deadline=None, max_examples=20)
@given(
    st.lists(st.lists(st.sampled_from(LINES.vocabulary[1:]), min_size=1, max_size=4), min_size=1)
)
def test_ids_of_known_words_become_the_lines_again(lines):
    text = "\n".join(" ".join(words) for words in lines)
    _, following, _ = windows([text], LINES)
    ids = [one for row in following for one in row if one]
    assert continued(ids, [""], LINES) == [text + "\n"]


def test_a_prompt_is_its_last_line_after_a_delimiter():
    ids, lengths = language.prompts(tf.constant(["come\nall ye", "", "foo\n"]), LINES)
    assert ids.numpy().tolist() == [[2, 4, 5], [2, 0, 0], [2, 0, 0]]
    assert lengths.numpy().tolist() == [3, 1, 1]


def test_a_prompt_of_running_text_is_read_as_it_stands_and_an_empty_one_begins_a_line():
    ids, lengths = language.prompts(tf.constant(["ab\nx", ""]), RUNNING)
    assert ids.numpy().tolist() == [[4, 5, 3, 1], [3, 0, 0, 0]]
    assert lengths.numpy().tolist() == [4, 1]


def test_words_are_parted_by_spaces_but_not_after_a_gap():
    ids = [3, 4, 2, 5, 0]
    assert continued(ids, ["", "x", "x ", "x\n"], LINES) == [
        *("come all\nye", " come all\nye", "come all\nye", "come all\nye")
    ]


def test_subwords_carry_their_spaces():
    assert continued([3, 4, 5, 2, 5, 4], ["", "x"], SUBWORDS) == [
        *("come all\nallme", " come all\nallme")
    ]


def test_characters_are_joined_as_they_are_and_an_unknown_one_is_a_question_mark():
    assert continued([4, 3, 8, 1, 0], ["x"], RUNNING) == ["a\né\N{REPLACEMENT CHARACTER}"]


@pytest.mark.parametrize("spec", [LINES, RUNNING, SUBWORDS], ids=lambda spec: spec.level)
def test_a_graph_gives_what_eager_ops_do(spec):
    texts = tf.constant(["come all\nye", "", "abcd é"])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def graph(text):
        return (*language.windows(text, spec, 4), *language.prompts(text, spec))

    eager = (*language.windows(texts, spec, 4), *language.prompts(texts, spec))
    for found, expected in zip(graph(texts), eager, strict=True):
        assert np.array_equal(found, expected)
