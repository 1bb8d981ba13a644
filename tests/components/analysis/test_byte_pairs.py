"""Subwords learned from counted words: which, in which order, and that nothing is lost."""

from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.components.analysis.byte_pairs import learn
from millrace.components.features.tokenization import LONGEST_PIECE, WORD_START, longest_pieces

WORDS = st.dictionaries(st.text("abcd", min_size=1, max_size=8), st.integers(1, 9), max_size=12)
MARK = WORD_START


def test_the_example_of_the_paper_merges_est_and_low_first():
    words = {"low": 5, "lower": 2, "newest": 6, "widest": 3}
    pieces = learn(words, 17)
    assert pieces[:3] == ("e", "w", MARK)  # 17, 16 and 16 times
    assert pieces[11:] == ("es", "est", "lo", "low", f"{MARK}low", "ew")


def test_rare_pairs_are_no_pieces():
    assert learn({"ab": 1, "cd": 5}, 100, minimum=2) == (
        *(MARK, "c", "d", "a", "b"),
        *("cd", f"{MARK}cd"),
    )
    assert learn({"ab": 3}, 100, minimum=4) == ("a", "b", MARK)


def test_pieces_are_no_longer_than_those_that_are_looked_for():
    assert max(map(len, learn({"n" * 40: 9}, 1000))) <= LONGEST_PIECE


@settings(max_examples=60, deadline=None)
@given(WORDS, st.integers(1, 40))
def test_the_vocabulary_is_distinct_within_its_size_and_cuts_words_without_loss(words, size):
    pieces = learn(words, size)
    assert len(pieces) <= size
    assert len(set(pieces)) == len(pieces)
    assert learn(dict(reversed(words.items())), size) == pieces
    for word in words:
        assert "".join(longest_pieces(word, frozenset(pieces))) == MARK + word
