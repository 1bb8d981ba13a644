"""Text of unknown origin made fit for a terminal: file names, labels, messages of libraries.

A terminal obeys control characters (a file's name could clear it, or set its title), and shows
bidirectional overrides as an order that is not there (https://trojansource.codes). Both are shown
escaped, as Python writes them, and so is half a surrogate pair, which no terminal can be sent.
"""

import re

_UNFIT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and newline
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks, overrides and isolates of direction
    "\u2028\u2029\ud800-\udfff\ufeff]"  # line separators, half pairs, byte order mark
)


def printable(text: str) -> str:
    """`text` with what is unfit for a terminal escaped; tabs and newlines stay."""
    return _UNFIT.sub(lambda found: ascii(found[0])[1:-1], text)


def one_line(text: str) -> str:
    """The same, with tabs and newlines escaped too: for a cell of a table."""
    return printable(text).replace("\t", r"\t").replace("\n", r"\n")
