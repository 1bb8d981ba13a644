"""JSON objects one after another, as lines or as one array, read piece by piece."""

import codecs
import itertools
import json
import re
import reprlib
from collections.abc import Iterator
from typing import BinaryIO

from millrace.components.errors import DataError

Cells = dict[str, str]

_CHUNK = 1 << 20  # bytes read at once
_WS = " \t\n\r"  # RFC 8259
_WHITESPACE, _COMMAS = re.compile(f"[{_WS}]*"), re.compile(f"[{_WS},]*")
_LONGEST = 1 << 26  # characters of a member
_HALF = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # the others are bytes that are no text
_JSON = json.JSONDecoder()


def cells_of(value: object) -> Cells:
    """The members of an object as text; None and nested ones are left out.

    Raises:
        DataError: `value` is no object; the reason alone.
    """
    if not isinstance(value, dict):
        shown = reprlib.repr(value) if isinstance(value, list) else json.dumps(value)[:40]
        raise DataError(f"expected an object, received {shown}")
    cells = {name: text for name, member in value.items() if (text := _text(member)) is not None}
    for text in itertools.chain.from_iterable(cells.items()):
        if not text.isascii() and (half := _HALF.search(text)):
            raise DataError(f"half of a character, \\u{ord(half[0]):04x} without its other half")
    return cells


def _text(member: object) -> str | None:
    if isinstance(member, str):
        return member
    return json.dumps(member) if isinstance(member, bool | int | float) else None


def line_cells(line: str) -> Cells:
    """The members of the object in a line of JSON lines.

    Raises:
        DataError: it is none; the reason alone.
    """
    try:
        return cells_of(json.loads(line))
    except json.JSONDecodeError as error:
        raise DataError(f"no JSON: {error.msg} at character {error.pos + 1}") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; [[[[[…
        raise DataError(f"no JSON that can be read: {error}") from error


def array_values(file: BinaryIO, place: object, encoding: str) -> Iterator[object]:
    """The members of the array in `file`, one at a time; never the whole file in memory.

    Raises:
        DataError: it is no array, or broken off.
    """
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    pieces = (decoder.decode(chunk) for chunk in iter(lambda: file.read(_CHUNK), b""))
    stream = itertools.chain(pieces, [decoder.decode(b"", final=True)])
    rest = next(stream).lstrip(_WS)
    if not rest.startswith("["):
        raise _error(place, 0, f"{rest[:20]!r}")
    start = 1
    for number in itertools.count():
        start = _after(_COMMAS if number else _WHITESPACE, rest, start)
        value, rest, start = _next(rest, start, stream, place, number)
        if start < 0:
            return
        yield value


def _next(
    rest: str, start: int, stream: Iterator[str], place: object, number: int
) -> tuple[object, str, int]:
    """The next member, text in which it ends, and where there; -1 if the array ended instead."""
    while True:
        if rest.startswith("]", start):
            return None, rest, -1
        reason = "its end"
        try:
            value, end = _JSON.raw_decode(rest, start)
            if end < len(rest):  # a number at the very end may go on
                return value, rest, end
        except json.JSONDecodeError as error:
            reason = f"{error.msg} after {rest[max(0, error.pos - 20) : error.pos]!r}"
        except (ValueError, RecursionError) as error:  # thousands of digits; [[[[[…
            raise _error(place, number, str(error)) from error
        piece = next(stream, None) if len(rest) - start <= _LONGEST else None
        if piece is None:
            raise _error(place, number, reason)
        rest = rest[start:] + piece
        start = _after(_COMMAS, rest, 0)


def _after(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    return found.end() if found else start


def _error(place: object, number: int, received: str) -> DataError:
    return DataError(
        f"{place}, member {number + 1}: expected a JSON array of objects. Received: {received}. "
        "Correct the file, or write one object a line."
    )
