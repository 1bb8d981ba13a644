"""What a token is: the same rules as `features.tokens`, in Python without TensorFlow.

`analyze` counts tokens by these functions in Beam; `transform` and an exported model split text
by the TensorFlow ops of `features.tokens`, which read the same tables, so both agree on every
Unicode text (a property test compares them).

1. `standardized` maps text code point by code point. `tf.strings.lower` will not do: it follows
   the Unicode version that TensorFlow was built with and ends a text at a NUL, while Python's
   `str.lower` follows another version and looks at a letter's neighbours.
2. `split` cuts it into pieces: words are separated by ASCII whitespace, characters are code
   points, subwords are the longest pieces of a vocabulary, from left to right, of a word with
   `WORD_START` before it. A character that starts no piece is its own piece.
3. A piece's id is its place in the vocabulary plus `FIRST`; 0 is padding, 1 any piece that is
   not in it.
"""

import functools
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from typing import Literal

Level = Literal["word", "subword", "character"]
Standardize = Literal["lower_and_strip_punctuation", "lower", "none"]
Side = Literal["post", "pre"]

PADDING, UNKNOWN = 0, 1  # ids
FIRST = 2  # the id of a vocabulary's first piece
UNKNOWN_NAME = "[UNK]"  # the default name of unknown pieces
WORD_START = "\N{LOWER ONE EIGHTH BLOCK}"  # before each word that is cut into subwords
LONGEST_PIECE = 16  # characters of a subword, WORD_START included
TAG = r"</?[A-Za-z!][^<>]*>"  # of HTML; the same in RE2's and in Python's syntax

_PLANES = 0x20000  # no letter, space or punctuation mark beyond it changes
_ASCII_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")  # what Keras strips
_SEPARATING = frozenset("\N{HORIZONTAL ELLIPSIS}\N{EM DASH}\N{EN DASH}\N{HORIZONTAL BAR}")


@functools.cache
def table(standardize: Standardize) -> dict[int, int | None]:
    """What each code point becomes; None removes it. Those that stay are not in the table.

    `lower` takes the simple lower case of a letter and turns every space beyond ASCII into a plain
    one; `lower_and_strip_punctuation` also removes Keras's ASCII punctuation and Unicode's, and
    turns dashes and the ellipsis, which separate words, into spaces.
    """
    if standardize == "none":
        return {}
    strip = standardize == "lower_and_strip_punctuation"
    return dict(_changes(strip=strip))


def _changes(*, strip: bool) -> Iterator[tuple[int, int | None]]:
    for point in range(_PLANES):
        char = chr(point)
        category = unicodedata.category(char)
        if point > 0x7F and category in ("Zs", "Zl", "Zp"):
            yield point, ord(" ")
        elif strip and (char in _ASCII_PUNCTUATION or category[0] == "P"):
            yield point, ord(" ") if char in _SEPARATING else None
        elif char.lower() != char:
            yield point, ord(char.lower()[0])


def standardized(text: str, standardize: Standardize, *, strip_html: bool = False) -> str:
    """`text` without tags, if `strip_html`, and with every code point mapped by `table`."""
    if strip_html:
        text = re.sub(TAG, " ", text)
    return text.translate(table(standardize))


def split(text: str, level: Level, pieces: Collection[str] = ()) -> list[str]:
    """The tokens of a standardised text; `pieces` are the subwords of the vocabulary."""
    if level == "character":
        return list(text)
    words = [word.decode() for word in text.encode().split()]  # at ASCII whitespace only
    if level == "word":
        return words
    return [piece for word in words for piece in longest_pieces(word, pieces)]


def longest_pieces(word: str, pieces: Collection[str]) -> Iterator[str]:
    """The subwords of `word`: at each place the longest of `pieces`, else one character."""
    marked, start = WORD_START + word, 0
    while start < len(marked):
        ends = range(min(len(marked), start + LONGEST_PIECE), start + 1, -1)
        end = next((end for end in ends if marked[start:end] in pieces), start + 1)
        yield marked[start:end]
        start = end


def joined(pieces: Iterable[str], level: Level) -> str:
    """Text from tokens: words with spaces between, subwords and characters as they were."""
    if level == "word":
        return " ".join(pieces)
    text = "".join(pieces)
    return text.replace(WORD_START, " ").removeprefix(" ") if level == "subword" else text
