"""How a CSV is written: what is given, what is detected from its beginning."""

import dataclasses
import itertools
import logging
import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from millrace.components.errors import DataError, OptionError
from millrace.components.example_gen.csv import header as csv_header
from millrace.components.example_gen.csv import other_forms
from millrace.components.example_gen.csv.delimiters import detect_delimiter, lines_of, records_of
from millrace.components.example_gen.csv.header import Record

# pandas' own list, and what the UCI repository and databases write
MISSING = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"),
    *("<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null", "?", "\\N"),
)
MOST_COLUMNS = 20_000
_NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?")
_PLACES = 6  # after the point, up to which a missing number may be written
_SEP = re.compile(r'"?sep=(\\t|[^\w"\r\n])"?[ ,;\t]*(\r\n|\n|\r)', re.ASCII | re.IGNORECASE)
_COMMENTS = ("#", "//", "%")
_log = logging.getLogger(__name__)

DayFirst = Literal["auto", "yes", "no"]


@dataclasses.dataclass(frozen=True)
class CsvFormat:
    """How the files are written; what is none or empty is detected.

    Attributes:
        delimiter: one character between cells.
        quoting: whether `"` encloses cells; off, it is a character like any other. None: it does,
            but for texts that are separated by tabs, in which a quote is mostly a quote: the one
            thing in which kinds of data differ.
        skip_rows: lines above the header, or above the data where there is none. None: lines of
            prose are found, which have other cells than the header and the records below it.
        comment: what a line begins with that is not data. None: `#`, `//` or `%` where lines above
            the header do; empty: nothing.
        header: whether the first record names the columns; without, they are `column_1` and so
            on, or `names`.
        names: the columns' names, in place of the header's.
        types: of columns, instead of what their cells suggest: `int`, `float`, `number` (either),
            `text`, `date`, or a date's pattern, such as `date:%d/%m/%Y`.
        day_first: whether `01/02/2020` is the first of February.
        encoding: by Python's name; none: UTF-8, or the one in which its words are likeliest.
        decimal: `.` or `,` in numbers; `auto` takes `.`, and `,` in columns where all
            numbers have it and it does not part the cells.
        thousands: what groups the digits of numbers by three; empty if nothing does.
        missing: cells that hold no value, beside those that usually do; `-200` is `-200.00` too.
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
        """All cells that hold no value; of a number, with further zeros: -200.00 as well."""
        written = itertools.chain.from_iterable(map(_as_written, self.missing))
        return (*(MISSING if self.default_missing else ()), *dict.fromkeys(written))

    @property
    def of_others(self) -> "CsvFormat":
        """The same for other files of the kind, which have their own delimiter and their own lines
        above the header and between the records.
        """
        return dataclasses.replace(self, delimiter=None, skip_rows=None, comment=None)

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
        skipped: lines above the header, or above the data where there is none.
        skipped_in: these of the files in which they are others, by path.
        comment: what lines among the records begin with that are none; empty if nothing does.
        padding: empty cells that each record has at its end, beside those of `names`.
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
    skipped: int = 0
    skipped_in: dict[str, int] = dataclasses.field(default_factory=dict)
    comment: str = ""
    padding: int = 0


def _as_written(text: str) -> list[str]:
    """`text`, and where it is a number the same one with zeros at its end."""
    found = _NUMBER.fullmatch(text)
    if not found:
        return [text]
    point = found[1][0] if found[1] else "."
    whole, _, fraction = text.partition(point)
    fraction = fraction.rstrip("0")
    longer = [fraction.ljust(places, "0") for places in range(len(fraction), _PLACES + 1)]
    return [text, *(f"{whole}{point}{places}" if places else whole for places in longer)]


def settle(
    place: object, sample: str, encoding: str, given: CsvFormat, *, texts: bool = False
) -> Dialect:
    """The dialect of a file that begins with `sample`, which ends with a whole line.

    What is skipped, dropped or renamed is logged.

    Args:
        place: the file, for errors.
        sample: its beginning.
        encoding: of the file.
        given: what is not to be detected.
        texts: whether it holds texts, in which a quote between tabs is a quote.

    Raises:
        DataError: there is no record, many records have more cells than there are names, or these
            are too many, or it is written in a way that no reader can be sure of.
        OptionError: `names` are not as many as there are columns.
    """
    if given.skip_rows is None:
        other_forms.check_kind(place, sample)
    other_forms.check_line_ends(place, sample, "" if given.quoting is False else '"')
    sample = sample.replace("\r\r\n", "\r\n")
    form = _form(sample, given, texts=texts)
    if not form.records:
        raise DataError(
            f"{place}: expected a table, one record a line. Received: an empty file. "
            "Remove it, or write it again."
        )
    if (widest := max(len(record.cells) for record in form.records)) > MOST_COLUMNS:
        raise DataError(
            f"{place}: expected at most {MOST_COLUMNS:,} columns. Received: {widest:,} or more, "
            f"parted by {form.delimiter!r}. Correct option csv.delimiter if these are none, keep "
            "those that matter, or write a row for each value."
        )
    if form.quote and given.quoting is None:
        other_forms.check_escapes(place, sample)
    if given.delimiter is None:
        other_forms.check_parted(place, form.records, texts=texts)
    header, names, padding, skipped = _columns(place, form, given)
    if given.names and len(given.names) == len(names) + padding:
        padding = 0
    elif given.names and len(given.names) != len(names):
        raise OptionError(
            f"Option csv.names: expected {len(names)} names, one per column of {place}. "
            f"Received: {len(given.names)}. Correct them."
        )
    _tell(place, lines_of(sample)[:skipped], padding)
    return Dialect(
        form.delimiter,
        form.quote,
        header,
        given.names or csv_header.distinct(place, names),
        encoding,
        *(given.decimal, given.thousands, given.every_missing, given.fill_short),
        skipped=skipped,
        comment=form.comment,
        padding=padding,
    )


@dataclasses.dataclass(frozen=True)
class _Form:
    """How a file is written, before its header is looked for below the lines `skipped`.

    `is_marked` where that may begin as the comments do.
    """

    delimiter: str
    quote: str
    comment: str
    skipped: int
    is_marked: bool
    records: list[Record]


def _form(sample: str, given: CsvFormat, *, texts: bool) -> _Form:
    skipped, delimiter = given.skip_rows or 0, given.delimiter
    if given.skip_rows is None and (line := _SEP.match(sample)):
        skipped, delimiter = 1, delimiter or line[1].replace(r"\t", "\t")
    quote = "" if given.quoting is False else '"'
    comment, commented = given.comment, 0
    if comment is None:
        comment, commented = _comment(sample, skipped, delimiter, quote, given)
    skipped += commented
    plain = _blanked(sample, skipped, comment, quote, is_kept=bool(commented))
    delimiter = delimiter or detect_delimiter(plain, quote)
    if delimiter == "\t" and texts and given.quoting is None and "\t" in plain:
        quote = ""
    records = records_of(plain, delimiter, quote)
    return _Form(delimiter, quote, comment, skipped, bool(commented), records)


def _columns(
    place: object, form: _Form, given: CsvFormat
) -> tuple[bool, tuple[str, ...], int, int]:
    """Whether there is a header, the columns' names, the empty cells, and the lines above."""
    records = form.records
    if given.skip_rows is None and given.header is not False:
        records = records[csv_header.prose(records, given.every_missing) :]
    first, rest = records[0], records[1:]
    header = given.header
    if header is None:
        below = [record.cells for record in rest]
        header = csv_header.has_header(first.cells, given.every_missing, below)
    if not header:
        return False, *csv_header.numbered(records), form.skipped
    names, padding = csv_header.settle(place, first, rest, form.delimiter, fill=given.fill_short)
    if given.comment != "":
        names = csv_header.without_mark(names, form.comment if form.is_marked else "")
    return True, names, padding, first.line - 1


def _tell(place: object, above: Sequence[str], padding: int) -> None:
    told = [
        f"{number} {line.strip()[:60]!r}"
        for number, line in enumerate(above, start=1)
        if line.strip()
    ]
    if told:
        _log.warning(
            "%s: %d line%s above the header skipped: line %s; csv.skip_rows sets how many",
            *(place, len(told), "s"[: len(told) > 1], ", ".join(told[:5])),
        )
    if padding:
        _log.info("%s: %d empty cell(s) at the end of every record dropped", place, padding)


def _comment(
    sample: str, skipped: int, delimiter: str | None, quote: str, given: CsvFormat
) -> tuple[str, int]:
    """What comments begin with, as the lines above the header do, and how many lines these are.

    A line that begins so and has as many cells as the records below is their header, unless there
    is another.
    """
    lines = lines_of(sample)[skipped:]
    first = next((line for line in lines if line.strip()), "").lstrip(" ")
    mark = next((mark for mark in _COMMENTS if first.startswith(mark)), "")
    if not mark:
        return "", 0
    count = len([*itertools.takewhile(lambda line: _is_comment(line, mark), lines)])
    while count and not lines[count - 1].strip():
        count -= 1
    below = "".join(lines[count:])
    delimiter = delimiter or detect_delimiter(lines[count - 1] + below, quote)
    last = records_of(lines[count - 1], delimiter, quote)
    records = [record.cells for record in records_of(below, delimiter, quote)]
    width = csv_header.usual_width(records)
    is_header = last and len(last[0].cells) == width and (width > 1 or len(records) > 1)
    if not records:
        return "", 0
    has_other = csv_header.has_header(records[0], given.every_missing, records[1:])
    if is_header and not has_other:
        count -= 1
    return (mark, count) if count else ("", 0)


def _is_comment(line: str, mark: str) -> bool:
    return not line.strip() or line.lstrip(" ").startswith(mark)


def _blanked(sample: str, above: int, comment: str, quote: str, *, is_kept: bool) -> str:
    """`sample` with the lines `above` emptied, and those of comments.

    The line below those `above` `is_kept` where it is a header that looks like a comment.
    """
    lines = lines_of(sample)
    head = "\n" * len(lines[:above])
    if is_kept:
        head, above = head + "".join(lines[above : above + 1]), above + 1
    body = "".join(lines[above:])
    if not comment:
        return head + body
    from millrace.components.example_gen.csv import quotes  # numpy

    return head + quotes.without_comments(body.encode(), comment, quote and ",").decode()
