"""Stretches of CSV files that begin and end between two records.

A line's end within quotes ends no record. Between two records the number of quotes before is
even, if every quote encloses a cell or is doubled within one; that is checked, and where it
does not hold the quotes are walked through one by one, as a reader would.
"""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from etils.epath import Path
from numpy.typing import NDArray

from millrace.components.errors import DataError
from millrace.components.example_gen.csv import quotes as csv_quotes
from millrace.components.example_gen.csv.dialect import Dialect
from millrace.components.example_gen.csv.encodings import bom_length
from millrace.components.files import walk

_SHIFTED = ("utf-16", "utf-32", "utf-7", "iso2022", "hz")  # a byte 10 may be no line's end
_BLOCK = 2**22  # bytes parsed at once
_PIECE = 2**24  # bytes looked through at once for the end of a stretch
_UNPACKED, _TIMES = 2**28, 100  # bytes of a gzipped file: up to these, or this many times its own


class Span(NamedTuple):
    """Bytes `start` to `stop` of a file, the first of which lies in line `line` (from 1).

    `split` is the split that the file came in, or "". A `whole` file is read, decompressed and
    decoded as one, and its bytes are counted after that, in UTF-8.
    """

    path: str
    split: str
    start: int
    stop: int
    line: int
    whole: bool


def is_whole(path: str, encoding: str) -> bool:
    """Whether the file cannot be cut as it lies on disk."""
    return path.endswith(".gz") or codecs.lookup(encoding).name.startswith(_SHIFTED)


def spans(root: Path, path: str, split: str, dialect: Dialect, size: int) -> Iterator[Span]:
    """The file `root / path` in stretches of about `size` bytes, without BOM and header.

    Raises:
        DataError: a quote is never closed, so that all that follows would be one cell.
    """
    whole = is_whole(path, dialect.encoding)
    skipped = dialect.skipped_in.get(path, dialect.skipped)
    if whole:
        text = whole_text(root / path, dialect.encoding)
        start = header_end(text, dialect, skipped)
        _check_quotes(path, text[start:], 1 + line_ends(text, 0, start), dialect)
        yield Span(path, split, start, len(text), 1 + line_ends(text, 0, start), whole)
        return
    with (root / path).open("rb") as file:
        head = file.read(_BLOCK)
        start = bom_length(head)
        start += header_end(head[start:], dialect, skipped)
        line = 1 + line_ends(head, 0, start)
        file.seek(start)
        stop, end = start, line  # of the stretch so far
        while block := _block(file, min(size - (stop - start), _PIECE), dialect):
            _check_quotes(path, block, end, dialect)
            stop, end = stop + len(block), end + line_ends(block)
            file.seek(stop)
            if stop - start >= size:
                yield Span(path, split, start, stop, line, whole)
                start, line = stop, end
        if stop > start:
            yield Span(path, split, start, stop, line, whole)


def _check_quotes(path: str, data: bytes, line: int, dialect: Dialect) -> None:
    if not dialect.quote or b'"' not in data:
        return
    if data.count(b'"') % 2 == 0:
        return
    data = csv_quotes.without_comments(data, dialect.comment, dialect.delimiter)
    quotes = csv_quotes.enclosing(data, dialect.delimiter)
    if len(quotes) % 2:
        line += line_ends(data, 0, int(quotes[-1]))
        raise DataError(
            f"{path}, line {line}: expected a quote that closes the cell. Received: the end of the "
            "file. Close it, or set the option csv.quoting=false."
        )


def blocks(root: Path, span: Span, dialect: Dialect) -> Iterator[tuple[bytes, int]]:
    """The bytes of `span` in parsable pieces, and the line that each begins in.

    Lines of comments are emptied, and blanks around quotes dropped.

    Raises:
        DataError: the file has become shorter since its spans were found.
    """
    with _opened(root / span.path, span, dialect) as file:
        position, line = span.start, span.line
        while position < span.stop:
            file.seek(position)
            block = _block(file, min(_BLOCK, span.stop - position), dialect, span.stop - position)
            if not block:
                raise walk.vanished(root / span.path, "it became shorter")
            yield _plain(block, dialect), line
            position, line = position + len(block), line + line_ends(block)


def _plain(data: bytes, dialect: Dialect) -> bytes:
    data = csv_quotes.without_comments(data, dialect.comment, dialect.quote and dialect.delimiter)
    return csv_quotes.closed_up(data, dialect.delimiter) if dialect.quote else data


def _opened(file: Path, span: Span, dialect: Dialect) -> io.BufferedIOBase:
    return io.BytesIO(whole_text(file, dialect.encoding)) if span.whole else file.open("rb")


def whole_text(file: Path, encoding: str) -> bytes:
    """All of `file` as UTF-8, decompressed, without a byte order mark.

    Raises:
        DataError: it is not what its name says, or not in `encoding`.
    """
    data = raw_bytes(file)
    try:
        return data[bom_length(data) :].decode(_without_bom(data, encoding)).encode()
    except UnicodeDecodeError as error:
        line = 1 + line_ends(data, 0, error.start)
        raise DataError(
            f"{file}, line {line}: expected {encoding}. Received: byte "
            f"{data[error.start]:#04x}. Name the file's own by the option csv.encoding."
        ) from error


def raw_bytes(file: Path) -> bytes:
    """All of `file`, decompressed.

    Raises:
        DataError: it cannot be read, is named `.gz` and is none, broken off or damaged, or is
            many times as large as it lies on disk.
    """
    try:
        data = file.read_bytes()
        if not str(file).endswith(".gz"):
            return data
        most = max(_UNPACKED, _TIMES * len(data))
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
            text = packed.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        wanted = "a gzipped file" if str(file).endswith(".gz") else "a file that can be read"
        raise DataError(
            f"{file}: expected {wanted}. Received: {error}. Correct its name or its content."
        ) from error
    if len(text) > most:
        raise DataError(
            f"{file}: expected at most {most:,} bytes in a gzipped file of {len(data):,}. "
            "Received: more. If they are meant, unpack it first."
        )
    return text


def _without_bom(data: bytes, encoding: str) -> str:
    """`encoding` with the byte order that the BOM at the beginning of `data` says."""
    family = codecs.lookup(encoding).name
    if family not in ("utf-16", "utf-32") or not bom_length(data):
        return encoding
    is_little = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF32_LE))
    return f"{family}-{'le' if is_little else 'be'}"


def header_end(data: bytes, dialect: Dialect, skipped: int = 0) -> int:
    """Where the first record below the lines `skipped` and the header begins."""
    start = 0
    for _ in range(skipped):
        start = data.find(line_end(data), start) + 1 or len(data)
    if not dialect.header:
        return start
    start = len(data) - len(data[start:].lstrip(b"\r\n"))
    ends = record_ends(data[start:], dialect)
    return start + int(ends[0]) if len(ends) else len(data)


def _block(file: io.BufferedIOBase, size: int, dialect: Dialect, most: int | None = None) -> bytes:
    """The next whole records of `file`, of about `size` bytes; longer if one record is."""
    start = file.tell()
    while True:
        data = file.read(size)
        is_last = len(data) < size or size == most
        end = len(data) if is_last else last_end(data, dialect)
        if end or is_last:
            return data[:end]
        size = 2 * size if most is None else min(2 * size, most)
        file.seek(start)


def last_end(data: bytes, dialect: Dialect) -> int:
    """How many bytes of `data` are whole records; 0 where none is."""
    newline = line_end(data)
    place = data.rfind(newline)
    if not dialect.quote or b'"' not in data:
        return place + 1
    quotes = csv_quotes.enclosing(data, dialect.delimiter)
    while place >= 0 and (before := int(np.searchsorted(quotes, place))) % 2:
        place = data.rfind(newline, 0, int(quotes[before - 1]))
    return place + 1


def record_ends(data: bytes, dialect: Dialect) -> NDArray[np.int64]:
    """Where each record of `data` ends, its line's end included; an unfinished one has none.

    A return alone ends one too, as it does for Arrow.
    """
    letters = np.frombuffer(data, np.uint8)
    is_end = letters == ord(line_end(data))
    if data.count(b"\r") != data.count(b"\r\n"):
        is_end |= (letters == ord("\r")) & ~np.append(is_end[1:], False)
    newlines = np.flatnonzero(is_end)
    if not dialect.quote or b'"' not in data:
        return newlines + 1
    is_outside = np.searchsorted(csv_quotes.enclosing(data, dialect.delimiter), newlines) % 2 == 0
    return newlines[is_outside] + 1


def line_ends(data: bytes, start: int = 0, stop: int | None = None) -> int:
    """How many lines end in `data[start:stop]`."""
    return data.count(line_end(data), start, len(data) if stop is None else stop)


def last_line_end(data: bytes) -> int:
    """How many bytes of `data` are whole lines."""
    return data.rfind(line_end(data)) + 1


def line_end(data: bytes) -> bytes:
    """What lines end in: a newline, or a return alone as on old Macs."""
    return b"\n" if b"\n" in data else b"\r"
