"""What parts the cells of a CSV, and its first records by that."""

import collections
import csv
import io
import itertools
import re
from collections.abc import Sequence

from millrace.components.example_gen.csv import header as csv_header
from millrace.components.example_gen.csv.header import Record

DELIMITERS = ("\t", ";", "|", ",")  # of equals the first: commas stand within texts and numbers
_RARE = ("^", "~", "\x01", "\x1f", ":")  # taken where they part all records, and numbers
_ABSENT = (",", "\t", ";", "|", "\x1f")  # of a file of one column, the first that it lacks
_SAMPLED = 200  # records
_FEWEST = 0.25  # share of all records that must agree, however few come before
_GROUPED = re.compile(r"\s*[+-]?\d+(,\d+)+(\.\d+)?\s*")  # a number with commas


def lines_of(text: str) -> list[str]:
    """The lines of `text` with their ends: newlines, returns, or both."""
    return [*io.StringIO(text, newline="")]


def detect_delimiter(sample: str, quote: str = '"') -> str:
    """The character that parts most of the records alike, at least in two, and of equals one that
    parts the first so as well.

    Where none does, a comma, or what the file of one column does not hold.
    """
    parted = {each: records_of(sample, each, quote) for each in DELIMITERS}
    found = {each: _agreement(records) for each, records in parted.items()}
    best = max(DELIMITERS, key=lambda each: (found[each], _parts_first(parted[each])))
    lines = [line for line in lines_of(sample) if line.strip()]
    is_grouped = len(lines) > 1 and "," not in lines[0] and all(map(_GROUPED.fullmatch, lines[1:]))
    if found[best] > 0.5 and not (best == "," and is_grouped):
        return best
    if lines and "," in lines[0] and not is_grouped:
        return ","
    absent = (each for each in _ABSENT if each not in sample)
    rare = (each for each in _RARE if len(lines) > 1 and _parts_all(sample, each, quote))
    return next(itertools.chain(rare, absent, ","))


def _parts_all(sample: str, delimiter: str, quote: str) -> bool:
    """Whether all records have as many cells, the first names, and the others a number."""
    first, *rest = (record.cells for record in records_of(sample, delimiter, quote))
    if len(first) == 1 or any(len(cells) != len(first) for cells in rest):
        return False
    numbers = [any(map(csv_header.is_number, cells)) for cells in (first, *rest)]
    return any(numbers[1:]) and (not numbers[0] or 2 * delimiter in sample)


def _parts_first(records: Sequence[Record]) -> bool:
    """Whether the first record has as many cells as most: a header does, lists in cells do not."""
    usual = csv_header.usual_width([record.cells for record in records])
    return usual > 1 and len(records[0].cells) == usual


def _agreement(records: Sequence[Record]) -> float:
    """The share of records that have the most frequent width, from the first of it on.

    What stands above the header has another.
    """
    widths = [len(record.cells) for record in records]
    shares = [0.0]
    for width, count in collections.Counter(widths).items():
        total = len(widths)
        if width > 1:
            few = count < min(2, total) or count < _FEWEST * total
            shares.append(count / (total if few else total - widths.index(width)))
    return max(shares)


def records_of(sample: str, delimiter: str, quote: str) -> list[Record]:
    """The first records of `sample`, blank lines left out."""
    from millrace.components.example_gen.csv import quotes  # numpy

    csv.field_size_limit(2**31 - 1)
    if quote:
        sample = quotes.closed_up(sample.encode(), delimiter).decode()
    reader = csv.reader(
        io.StringIO(sample, newline=""),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
    )
    found, line = list[Record](), 1
    starts = lines_of(sample)
    for cells in reader:
        if cells:
            is_quoted = bool(quote) and starts[line - 1].startswith(quote)
            found.append(Record(line, tuple(cells), is_quoted))
        line = reader.line_num + 1
        if len(found) == _SAMPLED:
            break
    return found
