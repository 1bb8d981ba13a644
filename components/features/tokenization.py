"""What a token is: the same rules as `features.tokens`, in Python without TensorFlow.

`analyze` counts tokens by these functions in Beam; `transform` and an exported model split text
by the TensorFlow ops of `features.tokens`, which read the same tables, so both agree on every
Unicode text (a property test compares them).

1. `standardized` maps text code point by code point. `tf.strings.lower` will not do: it follows
   the Unicode version that TensorFlow was built with and ends a text at a NUL, while Python's
   `str.lower` follows another version and looks at a letter's neighbours.
2. `token_batch` cuts it into pieces: words are separated by ASCII whitespace, characters are code
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
Standardize = Literal["lower_and_strip_punctuation", "lower_and_split_punctuation", "lower", "none"]
Side = Literal["post", "pre"]

PADDING, UNKNOWN = 0, 1  # ids
FIRST = 2  # the id of a vocabulary's first piece
UNKNOWN_NAME = "[UNK]"  # the default name of unknown pieces
WORD_START = "\N{LOWER ONE EIGHTH BLOCK}"  # before each word that is cut into subwords
LONGEST_PIECE = 16  # characters of a subword, WORD_START included
TAG = r"</?[A-Za-z!][^<>]*>"  # of HTML; the same in RE2's and in Python's syntax

_TAG, _TAG_BYTES = re.compile(TAG), re.compile(TAG.encode())
_BEYOND_ASCII = re.compile(r"([^\x00-\x7f]+)")
_ASCII = 0x80
_SHORT = 32  # code points of a run whose mapping is kept
_PLANES = 0x20000  # no letter, space or punctuation mark beyond it changes
_ASCII_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")  # what Keras strips
_SEPARATING = frozenset("\N{HORIZONTAL ELLIPSIS}\N{EM DASH}\N{EN DASH}\N{HORIZONTAL BAR}")
_APOSTROPHES = frozenset("'\N{RIGHT SINGLE QUOTATION MARK}")


@functools.cache
def table(standardize: Standardize) -> dict[int, int | None]:
    """What each code point becomes; None removes it. Those that stay are not in the table.

    `lower` takes the simple lower case of a letter and turns every space beyond ASCII into a plain
    one; `lower_and_strip_punctuation` also removes Keras's ASCII punctuation and Unicode's, and
    turns dashes and the ellipsis, which separate words, into spaces;
    `lower_and_split_punctuation` does that to all of it but apostrophes, which it removes.
    """
    if standardize == "none":
        return {}
    return dict(_changes(standardize))


def _changes(standardize: Standardize) -> Iterator[tuple[int, int | None]]:
    strip, split = standardize != "lower", standardize == "lower_and_split_punctuation"
    for point in range(_PLANES):
        char = chr(point)
        category = unicodedata.category(char)
        if point > 0x7F and category in ("Zs", "Zl", "Zp"):
            yield point, ord(" ")
        elif strip and (char in _ASCII_PUNCTUATION or category[0] == "P"):
            separates = char not in _APOSTROPHES if split else char in _SEPARATING
            yield point, ord(" ") if separates else None
        elif char.lower() != char:
            yield point, ord(char.lower()[0])


def standardized(text: bytes, standardize: Standardize, *, strip_html: bool = False) -> bytes:
    """`text` without tags, if `strip_html`, and with every code point mapped by `table`.

    Bytes that are no UTF-8 become U+FFFD.
    """
    if text.isascii():
        plain = _TAG_BYTES.sub(b" ", text) if strip_html and b"<" in text else text
    else:
        decoded = text.decode("utf-8", "replace")
        untagged = _TAG.sub(" ", decoded) if strip_html else decoded
        parts = _BEYOND_ASCII.split(untagged)
        parts[1::2] = [_mapped(run, standardize) for run in parts[1::2]]
        plain = "".join(parts).encode()  # what a run has become is mapped to itself
    return plain.translate(*_ascii_table(standardize))


def _mapped(run: str, standardize: Standardize) -> str:
    return _kept(run, standardize) if len(run) <= _SHORT else run.translate(table(standardize))


@functools.lru_cache(1 << 14)
def _kept(run: str, standardize: Standardize) -> str:
    """A short run, mapped once: words recur."""
    return run.translate(table(standardize))


@functools.cache
def _ascii_table(standardize: Standardize) -> tuple[bytes, bytes]:
    """What each byte becomes, and which are left out; those beyond ASCII stay."""
    changes = table(standardize)
    kept = bytes(changes.get(byte) or byte if byte < _ASCII else byte for byte in range(256))
    return kept, bytes(byte for byte in range(_ASCII) if changes.get(byte, byte) is None)


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
