"""Text of unknown origin made fit for a terminal: file names, labels, messages of libraries.

A terminal obeys control characters (a file's name could clear it, or set its title), and shows
bidirectional overrides as an order that is not there (https://trojansource.codes). Both are shown
escaped, as Python writes them, and so is half a surrogate pair, which no terminal can be sent. A
byte that is not UTF-8 arrives as such a half (PEP 383), and is shown as that byte.
"""

import re

_UNFIT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and newline
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks, overrides and isolates of direction
    "\u2028\u2029\ud800-\udfff\ufeff]"  # line separators, half pairs, byte order mark
)
_LONG_WORD = re.compile(r"\S{301,}")
_LONG_LINE = re.compile(r"[^\n]{1501,}")


def printable(text: str) -> str:
    """`text` with what is unfit for a terminal escaped; tabs and newlines stay."""
    return _UNFIT.sub(_escaped, text)


def one_line(text: str) -> str:
    """The same, with tabs and newlines escaped too: for a cell of a table, or a file's name."""
    return printable(text).replace("\t", r"\t").replace("\n", r"\n")


def shortened(text: str) -> str:
    """`text` without the middle of words of over 300 characters, and of lines of over 1,500.

    For errors, which show what they received: a cell, or a file that is one line.
    """
    text = _LONG_WORD.sub(lambda found: f"{found[0][:100]}…{found[0][-60:]}", text)
    return _LONG_LINE.sub(lambda found: f"{found[0][:1000]} … {found[0][-400:]}", text)


def _escaped(found: re.Match[str]) -> str:
    is_byte = "\udc80" <= found[0] <= "\udcff"
    return f"\\x{ord(found[0]) - 0xDC00:02x}" if is_byte else ascii(found[0])[1:-1]
