"""The letters of a text, as a network gets them beside its tokens. No TensorFlow.

They are the UTF-8 bytes of the text, in lower case unless its own is kept, with one space between
words, before the first and after the last of them: cut after so many, or filled up with zeros.
`features.text` does the same by TensorFlow's ops, which are served: a property test holds these to
those.
"""

from collections.abc import Iterable

import numpy as np

from millrace.components.features import tokenization

LOOKED_AT = 4  # characters of a text for each letter that is kept, lest a book is read for them
_PER_TOKEN, _MOST = 12, 3072  # bytes


def size(sequence_length: int) -> int:
    """How many letters to keep of texts of so many tokens: as good as all, up to 3,072."""
    return min(_MOST, _PER_TOKEN * sequence_length)


def of(texts: Iterable[bytes], size: int, *, strip_html: bool, cased: bool = False) -> np.ndarray:
    """The letters of `texts`, which are UTF-8: uint8 [texts, size]."""
    most = LOOKED_AT * size
    found = [_of(text, most, strip_html=strip_html, cased=cased) for text in texts]
    rows = b"".join(each[:size].ljust(size, b"\0") for each in found)
    return np.frombuffer(rows, np.uint8).reshape(len(found), size)


def _of(text: bytes, characters: int, *, strip_html: bool, cased: bool) -> bytes:
    plain = tokenization.standardized(text, "none", strip_html=strip_html)
    if len(plain) > characters:
        plain = plain.decode()[:characters].encode()
    if not cased:
        plain = tokenization.standardized(plain, "lower")
    return b" %b " % b" ".join(plain.split())
