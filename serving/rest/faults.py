"""Where a text stops being JSON, and what the real server says of it.

TensorFlow Serving parses with RapidJSON; `find` walks a text by that parser's rules, so that a
refusal carries its words and its offset. It runs only after the fast parser has refused, and has
no recursion. Source: rapidjson/reader.h and rapidjson/error/en.h, with NaN and Inf allowed.
"""

import re
from typing import NamedTuple

_BLANK = re.compile(rb"[ \n\r\t]*")
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
_DIGITS = re.compile(rb"[0-9]+")
_HEX4 = re.compile(rb"[0-9A-Fa-f]{4}")
# What can be passed over in one step: plain values, and rows of them, each with its comma. A number
# that may not fit a double is none of these.
_SCALAR = (
    rb"(?>-?(?:0|[1-9][0-9]{0,99})(?:\.[0-9]{1,99})?(?:[eE][+-]?[0-9]{1,2})?"
    rb'|"[^"\\\x00-\x1f]*+"|true|false|null)'
)
_GAP = rb"[ \n\r\t]*+"
_ROW = rb"\[" + _GAP + rb"(?:" + _SCALAR + rb"(?:" + _GAP + rb"," + _GAP + _SCALAR + rb")*+)?"
_RUN = re.compile(
    rb"(?:" + _GAP + rb"(?:" + _SCALAR + rb"|" + _ROW + _GAP + rb"\])" + _GAP + rb",)*+" + _GAP
)
_ESCAPES = frozenset(b'"\\/bfnrt')
_WORDS = {ord("t"): b"true", ord("f"): b"false", ord("n"): b"null"}

EMPTY = "The document is empty."
ROOT = "The document root must not be followed by other values."
VALUE = "Invalid value."
NAME = "Missing a name for object member."
COLON = "Missing a colon after a name of object member."
OBJECT_END = "Missing a comma or '}' after an object member."
ARRAY_END = "Missing a comma or ']' after an array element."
HEX = "Incorrect hex digit after \\u escape in string."
SURROGATE = "The surrogate pair in string is invalid."
ESCAPE = "Invalid escape character in string."
QUOTE = "Missing a closing quotation mark in string."
ENCODING = "Invalid encoding in string."
TOO_BIG = "Number too big to be stored in double."
FRACTION = "Miss fraction part in number."
EXPONENT = "Miss exponent in number."


class Fault(NamedTuple):
    """What is wrong, and the offset in bytes at which that shows."""

    text: str
    offset: int


class _Stop(Exception):  # noqa: N818 - carries the fault up, and is no error of anybody's
    def __init__(self, text: str, offset: int) -> None:
        super().__init__(text)
        self.fault = Fault(text, offset)


def find(raw: bytes) -> Fault | None:
    """The first fault in `raw`; None where RapidJSON would have taken it."""
    try:
        _document(raw)
    except _Stop as stop:
        return stop.fault
    return None


def _document(raw: bytes) -> None:
    place = _blank(raw, 0)
    if place >= len(raw):
        raise _Stop(EMPTY, place)
    open_: list[int] = []  # the brackets around `place`
    while True:
        depth = len(open_)
        if open_ and open_[-1] == ord("["):
            place = _RUN.match(raw, place).end()  # type: ignore[union-attr]  # it always matches
        place = _value(raw, place, open_)
        if len(open_) > depth:
            continue  # a container was opened, and its first value is next
        place = _blank(raw, place)
        while open_ and _at(raw, place) == (ord("}") if open_[-1] == ord("{") else ord("]")):
            open_.pop()
            place = _blank(raw, place + 1)
        if not open_:
            if place < len(raw):
                raise _Stop(ROOT, place)
            return
        place = _next_value(raw, place, open_[-1])


def _next_value(raw: bytes, place: int, bracket: int) -> int:
    """The start of the value after the comma at `place`."""
    in_object = bracket == ord("{")
    if _at(raw, place) != ord(","):
        raise _Stop(OBJECT_END if in_object else ARRAY_END, place)
    place = _blank(raw, place + 1)
    return _name(raw, place) if in_object else place


def _name(raw: bytes, place: int) -> int:
    """The start of the value whose name is at `place`."""
    if _at(raw, place) != ord('"'):
        raise _Stop(NAME, place)
    place = _blank(raw, _string(raw, place))
    if _at(raw, place) != ord(":"):
        raise _Stop(COLON, place)
    return _blank(raw, place + 1)


def _value(raw: bytes, place: int, open_: list[int]) -> int:
    """Read a scalar or an empty container whole, or step into a container."""
    first = _at(raw, place)
    if first in (ord("{"), ord("[")):
        inside = _blank(raw, place + 1)
        if _at(raw, inside) == first + 2:  # the closing bracket's code is two further on
            return inside + 1
        open_.append(first)
        return _name(raw, inside) if first == ord("{") else inside
    if first == ord('"'):
        return _string(raw, place)
    if first in _WORDS:
        return _word(raw, place, _WORDS[first])
    return _number(raw, place)


def _word(raw: bytes, place: int, word: bytes) -> int:
    for letter in word:
        if _at(raw, place) != letter:
            raise _Stop(VALUE, place)
        place += 1
    return place


def _string(raw: bytes, place: int) -> int:
    place += 1
    while True:
        matched = _PLAIN.match(raw, place)
        place = matched.end() if matched else place
        letter = _at(raw, place)
        if letter == ord('"'):
            return place + 1
        if letter <= 0:  # RapidJSON takes a zero byte for the end
            raise _Stop(QUOTE, place)
        if letter != ord("\\"):
            raise _Stop(ENCODING, place)
        place = _escape(raw, place)


def _escape(raw: bytes, place: int) -> int:
    letter = _at(raw, place + 1)
    if letter in _ESCAPES:
        return place + 2
    if letter != ord("u"):
        raise _Stop(ESCAPE, place)
    code = _hex(raw, place + 2, place)
    if 0xD800 <= code <= 0xDFFF:
        paired = code <= 0xDBFF and raw[place + 6 : place + 8] == b"\\u"
        if not paired or not 0xDC00 <= _hex(raw, place + 8, place) <= 0xDFFF:
            raise _Stop(SURROGATE, place)
        return place + 12
    return place + 6


def _hex(raw: bytes, place: int, escape: int) -> int:
    digits = _HEX4.match(raw, place)
    if digits is None:
        raise _Stop(HEX, escape)
    return int(digits[0], 16)


def _number(raw: bytes, start: int) -> int:
    place = start + (_at(raw, start) == ord("-"))
    first = _at(raw, place)
    if first in (ord("N"), ord("I")):
        return _not_finite(raw, place)
    if first == ord("0"):
        place += 1
    else:
        place = _digits(raw, place, VALUE)
    if _at(raw, place) == ord("."):
        place = _digits(raw, place + 1, FRACTION)
    if _at(raw, place) in (ord("e"), ord("E")):
        place += 1
        place = _digits(raw, place + (_at(raw, place) in (ord("+"), ord("-"))), EXPONENT)
    if abs(float(raw[start:place])) == float("inf"):
        raise _Stop(TOO_BIG, start)
    return place


def _not_finite(raw: bytes, place: int) -> int:
    if _at(raw, place) == ord("N"):
        return _word(raw, place, b"NaN")
    place = _word(raw, place, b"Inf")
    return _word(raw, place, b"inity") if _at(raw, place) == ord("i") else place


def _digits(raw: bytes, place: int, fault: str) -> int:
    digits = _DIGITS.match(raw, place)
    if digits is None:
        raise _Stop(fault, place)
    return digits.end()


def _blank(raw: bytes, place: int) -> int:
    matched = _BLANK.match(raw, place)
    return matched.end() if matched else place


def _at(raw: bytes, place: int) -> int:
    """The byte at `place`; -1 past the end."""
    return raw[place] if place < len(raw) else -1
