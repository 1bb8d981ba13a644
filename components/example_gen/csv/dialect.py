"""How a CSV is written: what is given, what is detected from its beginning."""

import collections
import csv
import dataclasses
import io
import itertools
import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from millrace.components.errors import DataError, OptionError

# pandas' own list, and what the UCI repository writes
MISSING = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"),
    *("<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null", "?"),
)
_DELIMITERS = ("\t", ";", "|", ",")  # of equals the first: commas stand within texts and numbers
_SAMPLED = 200  # records
_QUOTED = re.compile(r'"[^"]*"')  # a doubled quote is where two of these meet
_JSON = re.compile(r'\s*(\[\s*)?\{\s*("|\})')  # an object, or a list of such
_RETURN = re.compile(r"\r(?!\r*\n)")


DayFirst = Literal["auto", "yes", "no"]


@dataclasses.dataclass(frozen=True)
class CsvFormat:
    """How the files are written; what is none or empty is detected.

    Attributes:
        delimiter: one character between cells.
        quoting: whether `"` encloses cells; off, it is a character like any other. None: it does,
            but for texts that are separated by tabs, in which a quote is mostly a quote.
        skip_rows: lines above the header, or above the data where there is none. None: lines of
            prose are found.
        comment: what a line begins with that is not data. None: `#` where lines above the header
            do.
        header: whether the first record names the columns; without, they are `column_1` and so
            on, or `names`.
        names: the columns' names, in place of the header's.
        types: of columns, instead of what their cells suggest: `int`, `float`, `number` (either),
            `text`, `date`, or a date's pattern, such as `date:%d/%m/%Y`.
        day_first: whether `01/02/2020` is the first of February.
        encoding: by Python's name; none: UTF-8, or what charset-normalizer finds.
        decimal: `.` or `,` in numbers; `auto` takes `.`, and `,` in columns where all
            numbers have it and it does not part the cells.
        thousands: what groups the digits of numbers by three; empty if nothing does.
        missing: cells that hold no value, beside those that usually do.
        default_missing: whether empty cells, `NA`, `null`, `?` and so on are missing as well.
        fill_short: whether the cells that a record lacks at its end are missing ones. Off, it
            is set aside, unless it lacks only cells of columns that are left out.
    """

    delimiter: str | None = None
    quoting: bool | None = None
    skip_rows: Annotated[int, Field(ge=0)] | None = None
    comment: str | None = None
    header: bool | None = None
    names: tuple[str, ...] = ()
    types: dict[str, str] = dataclasses.field(default_factory=dict)
    day_first: DayFirst = "auto"
    encoding: str | None = None
    decimal: Literal["auto", ".", ","] = "auto"
    thousands: str = ""
    missing: tuple[str, ...] = ()
    default_missing: bool = True
    fill_short: bool = False

    @property
    def every_missing(self) -> tuple[str, ...]:
        """All cells that hold no value."""
        return (*(MISSING if self.default_missing else ()), *self.missing)

    def __post_init__(self) -> None:
        for name, text in (("delimiter", self.delimiter or ","), ("thousands", self.thousands)):
            if len(text) > 1 or not text.isascii() or text in ('"', "\n", "\r", "\0"):
                raise OptionError(
                    f"Option csv.{name}: expected one ASCII character, neither a quote nor a "
                    f"line's end. Received: {text!r}. Give one, or leave it out."
                )
        if self.thousands and self.thousands in (self.decimal, self.delimiter):
            raise OptionError(
                f"Option csv.thousands: expected another character than csv.decimal and "
                f"csv.delimiter. Received: {self.thousands!r}. Correct one of them."
            )


@dataclasses.dataclass(frozen=True)
class Dialect:
    """How the files are written, settled.

    Attributes:
        names: of the columns, in the order of the cells.
        header: whether the first record holds them.
        quote: `"` or empty.
    """

    delimiter: str
    quote: str
    header: bool
    names: tuple[str, ...]
    encoding: str
    decimal: Literal["auto", ".", ","]
    thousands: str
    missing: tuple[str, ...]
    fill_short: bool = False


def settle(
    place: object, sample: str, encoding: str, given: CsvFormat, *, lenient: bool = False
) -> Dialect:
    """The dialect of a file that begins with `sample`, which ends with a whole line.

    Args:
        place: the file, for errors.
        sample: its beginning.
        encoding: of the file.
        given: what is not to be detected.
        lenient: whether its reader takes spaces before quotes and any mixture of line ends, as
            pandas does.

    Raises:
        DataError: there is no record, two columns have one name, `names` are not as many as
            there are columns, or it is written in a way that no strict reader can be sure of.
    """
    if _JSON.match(sample):
        raise DataError(
            f"{place}: expected a table, one record a line. Received: JSON. Write it as CSV, such "
            f"as by pandas.read_json({str(place)!r}, lines=True).to_csv('table.csv', index=False)."
        )
    quote = "" if given.quoting is False else '"'
    delimiter = given.delimiter or detect_delimiter(sample, quote, lenient=lenient)
    if not lenient:
        _check_line_ends(place, sample, quote)
        if quote:
            from millrace.components.example_gen.csv import quotes  # numpy

            quotes.check_spaces(place, sample.encode(), 1, delimiter)
    records = _records(sample, delimiter, quote, lenient=lenient)
    if not records:
        raise DataError(
            f"{place}: expected a table, one record a line. Received: an empty file. "
            "Remove it, or write it again."
        )
    first, rest = records[0], records[1:]
    header = has_header(first, given.every_missing, rest) if given.header is None else given.header
    if header:
        first = _completed(place, first, rest)
    names = given.names or (column_names(place, first) if header else _numbered(rest or records))
    if given.names and len(given.names) != len(first):
        raise OptionError(
            f"Option csv.names: expected {len(first)} names, one per column of {place}. "
            f"Received: {len(names)}. Correct them."
        )
    return Dialect(
        *(delimiter, quote, header, names, encoding),
        *(given.decimal, given.thousands, given.every_missing, given.fill_short),
    )


def detect_delimiter(sample: str, quote: str = '"', *, lenient: bool = False) -> str:
    """The character that parts most of the records alike, at least in two; else a comma."""

    def agreement(delimiter: str) -> float:
        widths = collections.Counter(map(len, _records(sample, delimiter, quote, lenient=lenient)))
        width, count = max(widths.items(), key=lambda item: item[1], default=(1, 0))
        return count / widths.total() if width > 1 else 0.0

    return max((*_DELIMITERS, ","), key=agreement) if any(map(agreement, _DELIMITERS)) else ","


def has_header(
    first: Sequence[str], missing: Sequence[str], rest: Sequence[Sequence[str]] = ()
) -> bool:
    """Whether the cells of the first record are names: distinct, none a number or missing.

    A first cell without a name is an index, as pandas writes it. Above a column that holds
    nothing but numbers, `rest`, any text is a name, whatever the others are.
    """
    columns = [
        [record[place] for record in rest if place < len(record) and record[place] not in missing]
        for place in range(len(first))
    ]
    if any(map(_is_number, first)):
        return False
    if any(
        name.strip() and cells and all(map(_is_number, cells))
        for name, cells in zip(first, columns, strict=True)
    ):
        return True
    cells = [cell.strip() for cell in first]
    named = cells[1:] if cells[:1] == [""] and len(cells) > 1 else cells
    lacking = [cell for cell in named if cell in missing or _is_number(cell)]
    return not lacking and len(set(named)) == len(named)


def column_names(place: object, header: Sequence[str]) -> tuple[str, ...]:
    """The names in `header`, without spaces around them; a column without one gets its number.

    Raises:
        DataError: two columns have one name.
    """
    names = tuple(cell.strip() or f"column_{n}" for n, cell in enumerate(header, start=1))
    twice = [name for name, count in collections.Counter(names).items() if count > 1]
    if twice:
        raise DataError(
            f"{place}, line 1: expected distinct column names. Received: "
            f"{', '.join(map(repr, twice))} more than once. Rename a column, or name them all by "
            "the option csv.names."
        )
    return names


def _completed(place: object, header: list[str], rest: Sequence[Sequence[str]]) -> list[str]:
    """`header` with an empty name for one column that it lacks.

    That is the last where its cells are empty, as of lines that end in a delimiter; else the
    first, which numbers the rows, as R writes it.

    Raises:
        DataError: it lacks more of them.
    """
    widths = collections.Counter(map(len, rest))
    width = widths.most_common(1)[0][0] if widths else len(header)
    is_blank = all(not record[-1].strip() for record in rest if len(record) == width)
    if width == len(header) + 1 and is_blank:
        return [*header, ""]
    if width == len(header) + 1 and len(header) > 1 and not header[0].startswith("#"):
        return ["", *header]
    if width > len(header):
        raise DataError(
            f"{place}, line 1: expected a name for each of {width} columns. Received: "
            f"{', '.join(map(repr, header))}. Remove what stands above the names, or name the "
            "columns by the option csv.names with csv.header=false."
        )
    return header


def _numbered(records: Sequence[Sequence[str]]) -> tuple[str, ...]:
    widths = collections.Counter(map(len, records))
    return tuple(f"column_{n}" for n in range(1, widths.most_common(1)[0][0] + 1))


def _check_line_ends(place: object, sample: str, quote: str) -> None:
    """Refuse lines that end as on old Macs beside others, by which records would be lost."""
    bare = _QUOTED.sub("", sample) if quote else sample
    newlines, returns = bare.count("\n"), len(_RETURN.findall(bare))
    first = bare.lstrip("\r\n").partition("\n")[0]
    if "\n" in sample and returns and (returns > newlines or _RETURN.search(first)):
        raise DataError(
            f"{place}: expected lines that all end alike. Received: {returns} that end in \\r, as "
            f"on old Macs, beside {sample.count(chr(10))} \\n. Write them again, such as by "
            "tr '\\r' '\\n' < old.csv > new.csv."
        )


def _records(sample: str, delimiter: str, quote: str, *, lenient: bool) -> list[list[str]]:
    """The first records of `sample`, blank lines left out."""
    csv.field_size_limit(2**31 - 1)
    lines = io.StringIO(sample, newline="")
    if quote:
        reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=lenient)
    else:
        reader = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    return list(itertools.islice(filter(None, reader), _SAMPLED))


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True
