"""The header of a CSV: whether there is one, what stands above it, and the names in it."""

import collections
import itertools
import logging
from collections.abc import Sequence
from typing import NamedTuple

from millrace.components.errors import DataError
from millrace.serving.errors import few

_YEARS = range(1900, 2101)
_ODD = 0.1  # share of cells that are no numbers in a column of them
_MANY = 0.4  # share of records of more cells than names, from which on none is read
_log = logging.getLogger(__name__)


class Record(NamedTuple):
    """The line that a record begins in, from 1, its cells, and whether quotes enclose the first."""

    line: int
    cells: tuple[str, ...]
    is_quoted: bool


def usual_width(records: Sequence[Sequence[str]]) -> int:
    """How many cells most records have; 0 where there is none."""
    widths = collections.Counter(map(len, records))
    return max(widths, key=lambda width: (widths[width], width), default=0)


def prose(records: Sequence[Record], missing: Sequence[str]) -> int:
    """How many of `records` stand above the header: a title, a note.

    They have other cells than the records, or hardly any, and what follows them is a header. One
    that lacks a single cell may be the header itself, unless another stands above numbers.
    """
    width = usual_width([record.cells for record in records])
    above = 0
    while above < len(records) and _is_prose(records[above].cells, width):
        above += 1
    below = [record.cells for record in records[above:]]
    if width < 2 or not above or not below:
        return 0
    if above == 1 and 1 < len(records[0].cells) == width - 1:
        return int(names_numbers(below[0], _columns(below[0], missing, below[1:])))
    return above if has_header(below[0], missing, below[1:]) else 0


def _is_prose(cells: Sequence[str], width: int) -> bool:
    filled = len(cells)
    while filled and not cells[filled - 1].strip():
        filled -= 1
    return len(cells) != width or filled <= width - 2 or not filled


def has_header(
    first: Sequence[str], missing: Sequence[str], rest: Sequence[Sequence[str]] = ()
) -> bool:
    """Whether the cells of the first record are names: none is a number, or stands below again.

    A first cell without a name is an index, as pandas writes it. Above a column of `rest` that
    holds numbers, any text is a name, whatever the others are, and so are years in a row above
    columns of no years. The header may be repeated among the records.
    """
    columns = _columns(first, missing, rest)
    numbers = [place for place, cell in enumerate(first) if is_number(cell)]
    if numbers and not _are_years(first, columns, numbers):
        return False
    if names_numbers(first, columns):
        return True
    cells = [cell.strip() for cell in first]
    named = cells[1:] if cells[:1] == [""] and len(cells) > 1 else cells
    lacking = [cell for cell in named if cell in missing]
    again = [cell for cell, below in zip(first, columns, strict=True) if cell and cell in below]
    if len(lacking) > (1 if rest and len(named) > 2 else 0) or again:
        return False
    return len(set(named)) == len(named) or bool(numbers)


def _columns(
    first: Sequence[str], missing: Sequence[str], rest: Sequence[Sequence[str]]
) -> list[list[str]]:
    """The filled cells of `rest` below each of `first`, which may be repeated there."""
    others = [record for record in rest if tuple(record) != tuple(first)]
    return [
        [record[place] for record in others if place < len(record) and record[place] not in missing]
        for place in range(len(first))
    ]


def names_numbers(first: Sequence[str], columns: Sequence[Sequence[str]]) -> bool:
    """Whether a text in `first` stands above a column of numbers."""
    return any(
        name.strip() and not is_number(name) and _holds_numbers(cells)
        for name, cells in zip(first, columns, strict=True)
    )


def _are_years(
    first: Sequence[str], columns: Sequence[Sequence[str]], numbers: Sequence[int]
) -> bool:
    """Whether the numbers in `first` are years in a row, and those below are not."""
    years = [int(first[place]) for place in numbers if first[place].strip().isdecimal()]
    steps = {after - before for before, after in itertools.pairwise(years)}
    if len(years) < max(2, len(numbers)) or len(steps) != 1 or steps == {0}:
        return False
    below = [cell.strip() for place in numbers for cell in columns[place]]
    odd = [cell for cell in below if not (cell.isdecimal() and int(cell) in _YEARS)]
    return all(year in _YEARS for year in years) and 2 * len(odd) > len(below)


def _holds_numbers(cells: Sequence[str]) -> bool:
    """Whether `cells` are numbers, but for a few: units below the names, a total."""
    odd = sum(not is_number(cell) for cell in cells)
    return len(cells) - odd > odd and (odd <= 1 or odd <= _ODD * len(cells))


def settle(
    place: object, first: Record, rest: Sequence[Record], delimiter: str, *, fill: bool
) -> tuple[tuple[str, ...], int]:
    """The names in the header `first`, empty where there is none, and the empty cells at the end.

    A header that lacks one is completed by the first, where that is a row's number or label, as R
    writes it. What ends in a delimiter has an empty cell at its end, which is no column.

    Raises:
        DataError: many of `rest` have more cells, or all have fewer and are not to `fill`.
    """
    names, records = list(first.cells), [record.cells for record in rest]
    width = usual_width(records) or len(names)
    padding = 0
    while width > 1 and len(names) >= width - padding and not names[-1].strip():
        if len(names) == width - padding:
            if not records or not _is_blank(records, width, width - padding - 1):
                break
            padding += 1
        del names[-1]
    while width - padding > len(names) and _is_blank(records, width, width - padding - 1):
        padding += 1
    whole = width - padding
    if whole == len(names) + 1 > 2 and _are_labels([e for e in rest if len(e.cells) == width]):
        names = ["", *names]
    wide = [record for record in rest if len(record.cells) > len(names) + padding]
    if whole > len(names) or (len(wide) > 1 and len(wide) >= _MANY * len(rest)):
        raise DataError(_too_wide(place, first, names, wide, rest, delimiter))
    short = [record for record in rest if len(record.cells) < len(names)]
    if len(short) > 1 and len(short) == len(rest) and not fill:
        raise DataError(
            f"{place}, line {short[0].line}: expected {len(names)} cells, as there are names. "
            f"Received: {len(short[0].cells)}, here and in all the first {len(rest)} records. "
            "Remove names from the header, or set csv.fill_short=true if the last are missing."
        )
    return tuple(names), padding


def _is_blank(records: Sequence[Sequence[str]], width: int, place: int) -> bool:
    return all(not record[place].strip() for record in records if len(record) == width)


def _are_labels(records: Sequence[Record]) -> bool:
    """Whether the first cells number or label the records, as R writes them: rising numbers, or
    all in quotes, or with nothing but numbers next to them; never a text up to a comma.
    """
    labels = [record.cells[0] for record in records]
    if len(set(labels)) < len(labels):
        return False
    if all(label.isdecimal() for label in labels):
        return all(int(a) < int(b) for a, b in itertools.pairwise(labels))
    return all(each.is_quoted or is_number(each.cells[1].strip() or "0") for each in records)


def _too_wide(
    place: object,
    first: Record,
    names: Sequence[str],
    wide: Sequence[Record],
    rest: Sequence[Record],
    delimiter: str,
) -> str:
    lines = ", ".join(str(record.line) for record in wide[:3])
    shown = ", ".join(map(repr, names[:5]))
    return (
        f"{place}, line {wide[0].line}: expected {len(names)} cells, one for each of {shown}. "
        f"Received: {len(wide[0].cells)}, and more than {len(names)} in {len(wide)} of the first "
        f"{len(rest)} records (lines {lines}). Put quotes around cells that hold {delimiter!r}, "
        "name what parts them by csv.delimiter, or leave out the line above by "
        f"csv.skip_rows={first.line} and name all columns by csv.header=false and csv.names."
    )


def numbered(records: Sequence[Record]) -> tuple[tuple[str, ...], int]:
    """Names for the columns of records that have no header, and the empty cells at the end."""
    cells = [record.cells for record in records]
    width = usual_width(cells)
    padding = 0
    while padding < width - 1 and _is_blank(cells, width, width - padding - 1):
        padding += 1
    padding = padding if len(cells) > 1 else 0
    return tuple(f"column_{n}" for n in range(1, width - padding + 1)), padding


def without_mark(names: tuple[str, ...], mark: str) -> tuple[str, ...]:
    """`names`, the first without the mark of the comments above it, or NumPy's of its header."""
    bare = names[0].strip().removeprefix(mark).strip()
    if not mark and names[0].startswith("# ") and " " not in names[0][2:].strip():
        bare = names[0][2:].strip()
    return (bare or names[0], *names[1:])


def distinct(place: object, names: Sequence[str]) -> tuple[str, ...]:
    """`names` without spaces around them, a repeated one with its number, the others by place."""
    plain = [name.strip() or f"column_{n}" for n, name in enumerate(names, start=1)]
    every, taken = set(plain), set[str]()
    numbers = dict[str, int]()  # the last that each name was given: lower ones are taken
    found = list[str]()
    for name in plain:
        number, free = numbers.get(name, 1), name
        while free in taken or (number > 1 and free in every):
            number += 1
            free = f"{name}_{number}"
        numbers[name] = number
        taken.add(free)
        found.append(free)
    told = [f"{new!r} for {old!r}" for old, new in zip(plain, found, strict=True) if old != new]
    if told:
        _log.warning(
            "%s: columns of one name, told apart: %s; csv.names names them", place, few(told)
        )
    return tuple(found)


def is_number(cell: str) -> bool:
    """Whether a cell is a plain number, with a point or a comma."""
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True
