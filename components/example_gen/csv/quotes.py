"""Which quotes of a CSV enclose cells, and which only seem to, after a space.

A quote opens a cell at its very beginning. Arrow and Python's `csv` take one after a space for a
character, and a delimiter after it for the cell's end, so that `a, "b, c"` has three cells there:
what other programs read as one is refused, not guessed at.
"""

import re

import numpy as np
from numpy.typing import NDArray

from millrace.components.errors import DataError

_QUOTE, _NEWLINE, _RETURN = b'"\n\r'
_SPACES = b" \t"
_SHOWN = 30  # letters of a cell in an error


def enclosing(data: bytes, delimiter: str) -> NDArray[np.int64]:
    """Where a quote opens or closes a cell, in turn; a doubled one closes and opens again."""
    letters = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(letters == _QUOTE)
    if not len(quotes):
        return quotes
    before = letters[np.maximum(quotes[::2] - 1, 0)]
    opens = (_QUOTE, _NEWLINE, _RETURN, ord(delimiter))
    may_open = np.zeros(256, bool)
    may_open[list(opens)] = True
    if may_open[before[1:]].all() and (quotes[0] == 0 or may_open[before[0]]):
        return quotes
    return _walked(data, quotes, frozenset(opens[1:]))


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


def check_spaces(place: object, data: bytes, line: int, delimiter: str) -> None:
    """Refuse cells in quotes that follow a space.

    A cell that goes on after its quotes, `, "so" he said`, is a text with quotes in it.

    Args:
        place: the file, for the error.
        data: whole records.
        line: of the file, that the first begins in.
        delimiter: between cells.

    Raises:
        DataError: there is one.
    """
    found = _after_space(data, delimiter)
    if found is None:
        return
    start = data.rfind(b"\n", 0, found) + 1
    cell = data[found : found + _SHOWN].decode(errors="replace").splitlines()[0]
    line += data.count(b"\n", 0, start)
    raise DataError(
        f"{place}, line {line}: expected quotes right after the "
        f"delimiter {delimiter!r}. Received: a space before {cell!r}. Remove the spaces before "
        "quotes, or set the option csv.quoting=false if the quotes are part of the cells."
    )


def _after_space(data: bytes, delimiter: str) -> int | None:
    """Where the first quote after a space encloses all of the cell's rest."""
    letters = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(letters == _QUOTE)
    spaces = [space for space in _SPACES if space != ord(delimiter)]
    candidates = quotes[np.isin(letters[np.maximum(quotes - 1, 0)], spaces) & (quotes > 0)]
    if not len(candidates):
        return None
    inside = np.searchsorted(enclosing(data, delimiter), candidates) % 2 == 1
    cell = re.compile(rb'"(?:[^"]|"")*"[ \t]*(?:[\r\n' + re.escape(delimiter.encode()) + rb"]|\Z)")
    for quote in candidates[~inside].tolist():
        before = quote - 1
        while before >= 0 and data[before] in spaces:
            before -= 1
        begins = before < 0 or data[before] in (_NEWLINE, _RETURN, ord(delimiter))
        if begins and cell.match(data, quote):
            return int(quote)
    return None
