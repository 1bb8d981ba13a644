"""Large text files in parts, which workers read each by itself; small ones are a part whole."""

import io
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from etils.epath import Path

from millrace.components.example_gen.csv import encodings
from millrace.components.example_gen.shards.folders import ListedRow
from millrace.components.example_gen.texts.cutting import (
    BLANK_LINES,
    CorpusOptions,
    cut,
    passage_edge,
    passages,
)

_SIZE = 1 << 26  # characters of a part, about, and bytes of a file from which on it has several
_BLANK = re.compile(r"[ \t\f\v]*\n")


class Within(NamedTuple):
    """Where a part lies in its file.

    Attributes:
        encoding, errors: as Python's `open` takes them.
        position: of the part's beginning, as `io.TextIOWrapper.tell` gave it.
        start, end: in characters of the text, whose line breaks are one each.
        characters: of the file.
        first: how many records of the file begin before the part.
        records: of the file.
    """

    encoding: str
    errors: str
    position: int
    start: int
    end: int
    characters: int
    first: int
    records: int

    def edge(self, number: int) -> int:
        """Where the passage of this number begins, in characters of the text."""
        return passage_edge(self.characters, self.records, number)


class Part(NamedTuple):
    """A file, or where `within` is given, what is there of it."""

    row: ListedRow
    within: Within | None = None


def parts(
    root: Path, rows: Sequence[ListedRow], options: CorpusOptions, size: int = _SIZE
) -> Iterator[Part]:
    """The parts of the files of `rows`, in order; a file that cannot be read through is one.

    A file of several parts is read through here, so that each part knows its encoding, how many
    records begin before its own, and where it lies in the text.
    """
    for row in rows:
        found = list[Within]()
        if options.unit != "file" and _length(root / row.path) > size:
            found = _survey(root / row.path, options, size)
        yield from (Part(row, within) for within in found) if found else [Part(row)]


def records_of(file: Path, within: Within, options: CorpusOptions) -> list[str]:
    """The records that begin in a part of `file`, some of them perhaps empty."""
    with _opened(file, within.encoding, within.errors) as opened:
        opened.seek(within.position)
        if options.unit != "passage":
            return _cut(opened.read(within.end - within.start), options, within)
        last = within.first
        while last < within.records and within.edge(last) < within.end:
            last += 1
        text = opened.read(within.edge(last) - within.start)
    edges = [within.edge(number) - within.start for number in range(within.first, last + 1)]
    return [text[start:end] for start, end in itertools.pairwise(edges)]


def _cut(text: str, options: CorpusOptions, within: Within) -> list[str]:
    pieces = cut(text, options.unit, options.passage)
    # The blank lines at the end of a part end its last paragraph; at a file's, an empty one begins.
    is_ended = options.unit == "paragraph" and within.end < within.characters
    return pieces[:-1] if is_ended else pieces


def _length(file: Path) -> int:
    try:
        return file.stat().length
    except OSError:  # a worker sets it aside
        return 0


def _opened(file: Path, encoding: str, errors: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(file.open("rb"), encoding, errors)


def _survey(file: Path, options: CorpusOptions, size: int) -> list[Within]:
    """The parts of `file`; none where it cannot be read, so that a worker says why."""
    try:
        with file.open("rb") as data:
            encoding = options.encoding or encodings.detect_in(data)
            is_valid = encodings.is_valid_in(data, encoding)
    except (OSError, LookupError):
        return []
    if not is_valid and options.bad_bytes == "reject":
        return []
    errors = "strict" if is_valid else options.bad_bytes
    begun, characters, records = list[tuple[int, int, int]](), 0, 0
    with _opened(file, encoding, errors) as opened:
        while True:
            position = opened.tell()
            if not (text := _next(opened, options, size)):
                break
            begun.append((position, characters, records))
            characters += len(text)
            records += _begun(text, options)
    if options.unit == "passage":
        records = passages(characters, options.passage)
        begun = [(at, start, -(-start * records // characters)) for at, start, _ in begun]
    elif options.unit == "paragraph":
        records += 1  # that which the last part does not end
    ends = [start for _, start, _ in begun[1:]]
    ends += [characters] if begun else []  # a byte order mark alone is no text
    return [
        Within(encoding, errors, position, start, end, characters, first, records)
        for (position, start, first), end in zip(begun, ends, strict=True)
    ]


def _next(opened: io.TextIOWrapper, options: CorpusOptions, size: int) -> str:
    """The text of the next part: about `size` characters, to the end of a line or paragraph."""
    text = opened.read(size)
    if options.unit == "passage":
        return text
    text += opened.readline()
    return text if options.unit == "line" else text + _rest_of_paragraph(opened, text)


def _rest_of_paragraph(opened: io.TextIOWrapper, text: str) -> str:
    """What comes after `text`, which ends with a line, up to a line after blank ones."""
    lines, last = list[str](), text.rfind("\n", 0, -1) + 1
    is_parted = last > 0 and _BLANK.fullmatch(text, last) is not None
    while True:
        position = opened.tell() if is_parted else 0
        line = opened.readline()
        is_blank = _BLANK.fullmatch(line) is not None
        if not line or (is_parted and not is_blank):
            break
        lines.append(line)
        is_parted = is_blank
    if line:
        opened.seek(position)
    return "".join(lines)


def _begun(text: str, options: CorpusOptions) -> int:
    """How many lines begin in `text`, or how many paragraphs end in it."""
    if options.unit == "line":
        return text.count("\n") + (not text.endswith("\n"))
    return len(BLANK_LINES.findall(text))
