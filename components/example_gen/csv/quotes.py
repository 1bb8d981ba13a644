"""Which quotes of a CSV enclose cells, in what goes before it is parsed, and what is no record.

A quote opens a cell at its very beginning. Arrow and Python's `csv` take one after a space for a
character, and a delimiter after it for the cell's end, so that `a, "b, c"` has three cells there.
Such spaces are dropped where the quotes enclose all of the cell's rest: `, "so" he said` is a text
with quotes in it.
"""

import functools
import re

import numpy as np
from numpy.typing import NDArray

_QUOTE, _NEWLINE, _RETURN = b'"\n\r'
_CELL = rb'"(?:[^"]++|"")*+'  # in quotes, but for the last of them


def enclosing(data: bytes, delimiter: str) -> NDArray[np.int64]:
    """Where a quote opens or closes a cell, in turn; a doubled one closes and opens again."""
    quotes, before = _quotes(data)
    if _may_be_spaced(before) and _patterns(delimiter)[0].search(data):
        data = _filled(data, delimiter)
        quotes, before = _quotes(data)
    opens = (_QUOTE, _NEWLINE, _RETURN, ord(delimiter))
    may_open = np.zeros(256, bool)
    may_open[list(opens)] = True
    if may_open[before[::2]].all():
        return quotes
    return _walked(data, quotes, frozenset(opens[1:]))


def _quotes(data: bytes) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Where there are quotes, and what stands before each: before the first letter, a newline."""
    letters = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(letters == _QUOTE)
    before = letters[quotes - 1]
    if len(quotes) and not quotes[0]:
        before[0] = _NEWLINE
    return quotes, before


def _may_be_spaced(before: NDArray[np.uint8]) -> bool:
    return bool(((before == ord(" ")) | (before == ord("\t"))).any())


def _walked(data: bytes, quotes: NDArray[np.int64], before: frozenset[int]) -> NDArray[np.int64]:
    """Those of `quotes` that open or close a cell, in turn."""
    found: list[int] = []
    doubled = -1
    for place in quotes.tolist():
        if len(found) % 2 == 0:
            if place == 0 or data[place - 1] in before:
                found.append(place)
        elif place == doubled:
            doubled = -1
        elif data[place + 1 : place + 2] == b'"':
            doubled = place + 1
        else:
            found.append(place)
    return np.array(found, np.int64)


def closed_up(data: bytes, delimiter: str) -> bytes:
    """`data` without the blanks around quotes that enclose the rest of their cell."""
    if b'"' not in data or not _may_be_spaced(_quotes(data)[1]):
        return data
    return _patterns(delimiter)[1].sub(rb"\1\3\5", data)


def _filled(data: bytes, delimiter: str) -> bytes:
    """`data`, as long as it is, with delimiters for the blanks before quotes that enclose cells.

    The last such quote may lack the one that closes it, if `data` ends within the cell.
    """

    def fill(found: re.Match[bytes]) -> bytes:
        opening = found[1] + delimiter.encode() * len(found[2] or found[6] or b"")
        return opening + found[0][len(opening) :]

    return _patterns(delimiter)[2].sub(fill, data)


@functools.cache
def _patterns(delimiter: str) -> tuple[re.Pattern[bytes], re.Pattern[bytes], re.Pattern[bytes]]:
    """What finds a quote after blanks, cells in quotes, and these or one that is not finished.

    Groups: what parts the cell from the one before, blanks, the cell, blanks, the cell where there
    are no blanks before it, and the blanks before one that is not finished.
    """
    blank = rb"[" + b" \t".replace(delimiter.encode(), b"") + rb"]"
    ends = rb"\r\n" + re.escape(delimiter.encode())
    begins, plain = rb"(\A|[" + ends + rb"])", rb"|(" + _CELL + rb'"))'
    closed = rb"(?:(" + blank + rb"+)(" + _CELL + rb'")(' + blank + rb"*+)(?=[" + ends + rb"]|\Z)"
    unfinished = rb"|(" + blank + rb"+)" + _CELL + rb"\Z"
    return (
        re.compile(begins + blank + rb'+"'),
        re.compile(begins + closed + plain),
        re.compile(begins + closed + plain[:-1] + unfinished + rb")"),
    )


def without_comments(data: bytes, mark: str, delimiter: str) -> bytes:
    """`data` with its lines that begin with `mark` emptied, none of them lost.

    Args:
        data: whole records.
        mark: what comments begin with.
        delimiter: between cells that quotes may enclose; empty: these do not.
    """
    if not mark or mark.encode() not in data:
        return data
    quotes = enclosing(data, delimiter) if delimiter else np.array([], np.int64)

    def empty(found: re.Match[bytes]) -> bytes:
        return found[0] if np.searchsorted(quotes, found.start()) % 2 else b""

    return re.sub(rb"(?:\A|(?<=[\r\n])) *" + re.escape(mark.encode()) + rb"[^\r\n]*", empty, data)
