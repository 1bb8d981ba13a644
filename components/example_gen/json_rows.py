"""JSON objects one after another, as lines or as one array, read piece by piece."""

import codecs
import itertools
import json
from collections.abc import Iterator
from typing import BinaryIO

from components.errors import DataError

Cells = dict[str, str]

_CHUNK = 1 << 20  # bytes read at once
_BLANK = " \t\n\r"
_JSON = json.JSONDecoder()


def cells_of(value: object) -> Cells:
    """The members of an object as text; None and nested ones are left out.

    Raises:
        DataError: `value` is no object; the reason alone.
    """
    if not isinstance(value, dict):
        raise DataError(f"expected an object, received {json.dumps(value)[:40]}")
    return {name: text for name, member in value.items() if (text := _text(member)) is not None}


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


def array_values(file: BinaryIO, place: object, encoding: str) -> Iterator[object]:
    """The members of the array in `file`, one at a time; never the whole file in memory.

    Raises:
        DataError: it is no array, or broken off.
    """
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    pieces = (decoder.decode(chunk) for chunk in iter(lambda: file.read(_CHUNK), b""))
    stream = itertools.chain(pieces, [decoder.decode(b"", final=True)])
    rest = next(stream).lstrip(_BLANK)
    if not rest.startswith("["):
        raise _error(place, 0, f"{rest[:20]!r}")
    rest = rest[1:]
    for number in itertools.count():
        rest = rest.lstrip(_BLANK + "," if number else _BLANK)
        value, rest, is_end = _next(rest, stream, place, number)
        if is_end:
            return
        yield value


def _next(rest: str, stream: Iterator[str], place: object, number: int) -> tuple[object, str, bool]:
    """The next member, what follows it, and whether the array ended instead."""
    while True:
        if rest.startswith("]"):
            return None, rest, True
        try:
            value, end = _JSON.raw_decode(rest)
            if end < len(rest):  # a number at the very end may go on
                return value, rest[end:], False
        except json.JSONDecodeError as error:
            reason = f"{error.msg} after {rest[max(0, error.pos - 20) : error.pos]!r}"
        else:
            reason = "its end"
        piece = next(stream, None)
        if piece is None:
            raise _error(place, number, reason)
        rest = (rest + piece).lstrip(_BLANK + ",")


def _error(place: object, number: int, received: str) -> DataError:
    return DataError(
        f"{place}, member {number + 1}: expected a JSON array of objects. Received: {received}. "
        "Mend the file, or write one object a line."
    )
