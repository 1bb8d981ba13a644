"""Text cut into records: lines, paragraphs, passages or files."""

import dataclasses
import itertools
import re
from collections.abc import Sequence
from typing import Literal

from millrace.components.features.language_spec import Unit

_FEW_LINES = 20
_LONG_LINE = 200  # characters on average
_BLANKS = 0.02  # the share of lines that are empty from which on they part paragraphs
BLANK_LINES = re.compile(r"\n(?:[ \t\f\v]*\n)+")


@dataclasses.dataclass(frozen=True)
class CorpusOptions:
    """How files become records.

    Attributes:
        unit: what a record is.
        passage: characters of a passage, about.
        encoding: of the files, by Python's name; None finds it out, file by file.
        bad_bytes: what becomes of bytes that have no meaning in it.
    """

    unit: Unit
    passage: int
    encoding: str | None
    bad_bytes: Literal["reject", "replace", "ignore"]


def cut(text: str, unit: Unit, passage: int) -> list[str]:
    """The records of a file, some of them perhaps empty.

    Line breaks become line feeds; whitespace at the end of a record is dropped. A passage is cut
    to the character, all of a file's about equally long, so that none is a short remainder.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    match unit:
        case "line":
            return [line.rstrip() for line in text.removesuffix("\n").split("\n")]
        case "paragraph":
            return [part.strip("\n").rstrip() for part in BLANK_LINES.split(text)]
        case "passage":
            count = passages(len(text), passage)
            edges = [passage_edge(len(text), count, number) for number in range(count + 1)]
            return [text[start:end] for start, end in itertools.pairwise(edges)]
        case "file":
            return [text]


def passages(characters: int, passage: int) -> int:
    """How many passages of about so many characters a text has."""
    return max(1, round(characters / passage))


def passage_edge(characters: int, count: int, number: int) -> int:
    """Where the passage of this number begins among the characters of its text."""
    return characters * number // count


def fitting_unit(samples: Sequence[str]) -> Unit:
    """`line` for short lines with hardly an empty one between them, else `passage`.

    Args:
        samples: the beginnings of some files.
    """
    lines = [line.strip() for text in samples for line in text.rstrip().splitlines()]
    filled = [len(line) for line in lines if line]
    if len(filled) < _FEW_LINES and len(filled) < 2:
        return "passage"
    is_dense = len(lines) - len(filled) <= _BLANKS * len(lines)
    return "line" if is_dense and sum(filled) <= _LONG_LINE * len(filled) else "passage"
