"""JSON objects one after another, as lines or as one array, read piece by piece."""

import codecs
import itertools
import json
import re
import reprlib
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from millrace.components.errors import DataError

Cells = dict[str, str]

_CHUNK = 1 << 20  # bytes read at once
_WHITESPACE = re.compile(r"[ \t\n\r]*")  # RFC 8259
_MAY_GO_ON = re.compile(r"[-+.0-9Ee]*\Z")  # a number may, at the end of the text read so far
_SHOWN = 20  # characters of the file in an error
_DEEPEST = 8  # objects in one another whose members are read
_LONGEST = 1 << 26  # characters of a member
_TO_LINES = ".to_json('texts.jsonl', orient='records', lines=True)"
_HALF = re.compile("[\ud800-\udfff]")
_JSON = json.JSONDecoder()


def cells_of(value: object) -> Cells:
    """The members of an object as text, those of an object in it as `outer.inner`.

    None, NaN and lists of others are left out. A list of texts or numbers stays as JSON: it may
    hold several labels.

    Raises:
        DataError: `value` is not an object; the reason alone.
    """
    if not isinstance(value, dict):
        shown = reprlib.repr(value) if isinstance(value, list) else json.dumps(value)[:40]
        raise DataError(f"expected an object, received {shown}")
    cells = {name: text for name, member in _flat(value) if (text := _text(member)) is not None}
    for text in itertools.chain.from_iterable(cells.items()):
        if not text.isascii() and (half := _HALF.search(text)):
            raise DataError(f"half of a character, \\u{ord(half[0]):04x} without its other half")
    return cells


def _flat(value: Mapping[str, object], outer: str = "") -> Iterator[tuple[str, object]]:
    for name, member in value.items():
        if isinstance(member, dict) and outer.count(".") < _DEEPEST:
            yield from _flat(member, f"{outer}{name}.")
        else:
            yield f"{outer}{name}", member


def _text(member: object) -> str | None:
    if isinstance(member, str):
        return member
    if isinstance(member, list):
        is_plain = all(isinstance(each, str | int | float) for each in member)
        return json.dumps(member, ensure_ascii=False) if is_plain else None
    is_number = isinstance(member, bool | int | float) and member == member  # not NaN
    return json.dumps(member) if is_number else None


def rewritten(text: str, file: object) -> str:
    """How to write the table that the one object `text` is, as lines; empty where it is none.

    It holds a list of objects, or a list or object for each column.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    members = value if isinstance(value, dict) else {}
    lists = [name for name, each in members.items() if isinstance(each, list)]
    rows = next(
        (name for name in lists if members[name] and isinstance(members[name][0], dict)), ""
    )
    if rows:
        return f"pandas.json_normalize(json.load(open({str(file)!r}))[{rows!r}]){_TO_LINES}"
    sizes = {len(each) if isinstance(each, list | dict) else 0 for each in members.values()}
    is_columns = len(members) > 1 and len(sizes) == 1 and min(sizes) > 1
    return f"pandas.read_json({str(file)!r}){_TO_LINES}" if is_columns else ""


def line_cells(line: str) -> Cells:
    """The members of the object in a line of JSON lines.

    Raises:
        DataError: it is none; the reason alone.
    """
    try:
        return cells_of(json.loads(line))
    except json.JSONDecodeError as error:
        raise DataError(f"not JSON: {error.msg} at character {error.pos + 1}") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; [[[[[…
        raise DataError(f"not JSON that can be read: {error}") from error


def array_values(file: BinaryIO, place: object, encoding: str) -> Iterator[object]:
    """The members of the array in `file`, one at a time; never the whole file in memory.

    Raises:
        DataError: it is not one array, as RFC 8259 has it (and `json`, which also takes NaN).
    """
    text = _Text(file, place, encoding)
    text.take("[")
    if text.peek() == "]":
        text.take("]")
    else:
        yield text.value()
        while text.take(",]") == ",":
            yield text.value()
    if text.peek():
        raise text.refusal("something after the array")


class _Text:
    """The text of a file, decoded piece by piece, and how much of it was taken."""

    def __init__(self, file: BinaryIO, place: object, encoding: str) -> None:
        decoder = codecs.getincrementaldecoder(encoding)("replace")
        pieces = (decoder.decode(chunk) for chunk in iter(lambda: file.read(_CHUNK), b""))
        ends = (decoder.decode(b"", final=True) for _ in range(1))
        self._pieces = filter(None, itertools.chain(pieces, ends))
        self._place, self._member = place, 1
        self._text, self._start = "", 0

    def peek(self) -> str:
        """The next character that is not whitespace; empty at the end of the file."""
        while True:
            found = _WHITESPACE.match(self._text, self._start)
            self._start = found.end() if found else self._start
            if self._start < len(self._text) or not self._read():
                return self._text[self._start : self._start + 1]

    def take(self, signs: str) -> str:
        """The next character, which must be one of `signs`."""
        found = self.peek()
        if not found or found not in signs:
            wanted = " or ".join(f"`{sign}`" for sign in signs)
            shown = repr(self._text[self._start :][:_SHOWN]) if found else "its end"
            raise self.refusal(f"{shown} where {wanted} belongs")
        self._start += 1
        return found

    def value(self) -> object:
        """The next value."""
        self.peek()
        while True:
            reason = ""
            try:
                value, end = _JSON.raw_decode(self._text, self._start)
            except json.JSONDecodeError as error:
                reason = f"{error.msg} after {self._text[max(0, error.pos - _SHOWN) : error.pos]!r}"
            except (ValueError, RecursionError) as error:  # thousands of digits; [[[[[…
                raise self.refusal(str(error)) from error
            is_whole = not reason and not _MAY_GO_ON.match(self._text, end)
            is_long = len(self._text) - self._start > _LONGEST
            if is_whole or is_long or not self._read():
                break
        if reason:
            raise self.refusal(reason)
        self._start, self._member = end, self._member + 1
        return value

    def refusal(self, received: str) -> DataError:
        """The error for what comes next."""
        return DataError(
            f"{self._place}, member {self._member}: expected a JSON array of objects. Received: "
            f"{received}. Correct the file, or write one object a line."
        )

    def _read(self) -> bool:
        """Read on, if the file goes on."""
        piece = next(self._pieces, "")
        if piece:
            self._text, self._start = self._text[self._start :] + piece, 0
        return bool(piece)
