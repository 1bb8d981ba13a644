"""What the cells of a CSV's column can be read as, and reading them: Arrow, no files."""

import dataclasses
import functools
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from millrace.components.errors import OptionError
from millrace.components.example_gen.csv import dates as date_forms
from millrace.components.example_gen.csv import numbers
from millrace.components.example_gen.csv.dialect import DayFirst
from millrace.components.example_gen.csv.numbers import NumberForm
from millrace.serving.errors import few

CellKind = Literal["int", "float", "date", "text"]
Dates = Literal["parts", "seconds", "text"]

_EXPECTED = {
    "int": "a whole number of 64 bits",
    "float": "a number within float32",
    "date": "a date",
    "text": "text",
}
_TYPES = (*_EXPECTED, "number")
_MEANT = {  # what others call these types
    **dict.fromkeys(("category", "categorical", "string", "str", "object", "factor"), "text"),
    **dict.fromkeys(("char", "varchar", "bool", "boolean", "bytes", "enum"), "text"),
    **dict.fromkeys(("numeric", "decimal", "num", "real", "numerical"), "number"),
    **{"integer": "int", "long": "int", "bigint": "int", "double": "float"},
    **dict.fromkeys(("datetime", "timestamp", "time"), "date"),
}
MISSING_WORDS = frozenset(
    (
        *("-", "--", "---", "\u2013", "\u2014", ".", "..", "...", "\u2026", "*", "**", "#", "_"),
        *("n.a.", "n.a", "n/d", "nd", "n.d.", "k.a.", "s/o", "s.o.", "<na>", "nan", "na", "n/a"),
        *("#n/d", "#n/a", "#ref!", "#value!", "#div/0!", "#num!", "#name?", "#null!"),
        *("unknown", "unk", "missing", "none", "nil", "null", "empty", "blank"),
        *("void", "undefined"),
        *("not available", "not applicable", "not known", "not reported", "no data", "no value"),
        *("not_available", "unavailable", "invalid", "error", "err", "tbd", "tba"),
        *("tbc", "pending"),
        *("inf", "-inf", "+inf", "infinity", "-infinity", "\u221e", "-\u221e"),
    )
)
"""Words for a missing value, in lower case, taken as such in a column of numbers or dates."""


@dataclasses.dataclass(frozen=True)
class ColumnReading:
    """How the cells of a column are read.

    Attributes:
        kind: what they are.
        pattern: the form of dates, as `dates` names it.
        decimal, thousands: of numbers; the latter may be empty.
        mark: that the numbers have, `%` or a currency.
    """

    kind: CellKind
    pattern: str = ""
    decimal: str = "."
    thousands: str = ""
    mark: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether Arrow's own CSV reader can read it."""
        return self.is_number and self.form == numbers.PLAIN and not self.mark

    @property
    def is_number(self) -> bool:
        """Whether it is a number."""
        return self.kind in ("int", "float")

    @property
    def form(self) -> NumberForm:
        """Of a number."""
        return NumberForm(self.decimal, self.thousands)

    def __str__(self) -> str:
        return f"{self.kind} {date_forms.shown(self.pattern)}".strip() + style(self)


TEXT, SERIALS = ColumnReading("text"), ColumnReading("date", date_forms.EXCEL)


def style(reading: ColumnReading) -> str:
    """How its numbers are written, in words; empty where plainly."""
    found = f" with a decimal {reading.decimal!r}" if reading.decimal != "." else ""
    found += f" with {reading.thousands!r} between thousands" if reading.thousands else ""
    return found + (f" in {reading.mark}" if reading.mark else "")


def readings(
    decimal: str,
    thousands: str,
    *,
    comma_parts_cells: bool,
    name: str = "",
    day_first: DayFirst = "auto",
    clock: bool = False,
) -> tuple[ColumnReading, ...]:
    """All readings that the column `name` may have, the ones preferred first.

    Where commas part the cells, one within a cell is rather between thousands. Times of day are
    among them where `clock` says so.
    """
    names = date_forms.candidates(name, day_first, clock=clock)
    first = date_forms.outranking_numbers(names, name)
    serials = date_forms.may_be_serials(name)  # after the numbers: only to be told of
    return _readings(decimal, thousands, comma_parts_cells, names, first, (SERIALS,) * serials)


@functools.cache  # most columns of a table have the same
def _readings(
    decimal: str,
    thousands: str,
    comma_parts_cells: bool,
    names: tuple[str, ...],
    first: tuple[str, ...],
    last: tuple[ColumnReading, ...],
) -> tuple[ColumnReading, ...]:
    forms = numbers.forms(decimal, thousands)
    if not comma_parts_cells:
        forms = (*(each for each in forms if each.thousands != ","), *forms)
        forms = tuple(dict.fromkeys(forms))
    found = [
        ColumnReading(kind, "", form.decimal, form.thousands)
        for form in forms
        for kind in ("int", "float")
    ]
    digits = [ColumnReading("date", form) for form in first]
    others = [ColumnReading("date", form) for form in names if form not in first]
    return (*digits, *found, *others, *last, TEXT)


def stray(cells: pa.StringArray, reading: ColumnReading, others: Collection[str]) -> int | None:
    """Where the first of `cells` is that is not of the `reading`; `others` are passed over."""
    is_misfit = convert(cells, reading)[1]
    lower = pc.utf8_lower(pc.utf8_trim_whitespace(cells))
    found = pc.and_not(is_misfit, pc.is_in(lower, pa.array(sorted(others), pa.string())))
    places = pc.indices_nonzero(found)
    return places[0].as_py() if len(places) else None


def is_other_number(cell: str, reading: ColumnReading) -> bool:
    """Whether `cell` is a number written in another way than those of the `reading` are."""
    body = numbers.taken_apart(pa.array([cell]))
    if body.digits.null_count or not reading.is_number:
        return False
    is_of_form = numbers.fits(body, reading.form, whole=False)[0]
    return not is_of_form or body.marks[0].as_py() != reading.mark


def are_missing(cells: Iterable[str]) -> bool:
    """Whether all of `cells` usually mean that a value is missing."""
    return all(cell.strip().lower() in MISSING_WORDS for cell in cells)


def convert(
    cells: pa.StringArray, reading: ColumnReading, *, lenient: bool = False
) -> tuple[pa.Array, pa.BooleanArray]:
    """The values of `cells` [rows], null as they are, and which of them do not fit.

    int gives int64, float finite float64, a date timestamps in microseconds, text strings without
    spaces around (null where nothing is left). A `lenient` reader takes plain numbers beside those
    of the reading's form.
    """
    match reading.kind:
        case "text":
            trimmed = pc.ascii_trim_whitespace(cells)
            empty = pc.equal(trimmed, "")
            return pc.if_else(empty, pa.scalar(None, pa.string()), trimmed), _none(cells)
        case "date":
            values = date_forms.read(cells, reading.pattern)
            return values, pc.and_(values.is_null(), cells.is_valid())
    whole = reading.kind == "int"
    if reading.is_plain and (found := plain_values(cells, whole=whole)) is not None:
        return found, _none(cells)
    return numbers.read(cells, reading.form, reading.mark, whole=whole, lenient=lenient)


def plain_values(cells: pa.StringArray, *, whole: bool) -> pa.Array | None:
    """The values of plain numbers, by Arrow; None if a cell is none."""
    if pc.any(pc.match_substring_regex(cells, r"^\s*[+-]?0[xX]")).as_py():
        return None  # Arrow reads 0x10 as 16: no other reader of tables does
    try:
        values = cells.cast(pa.int64() if whole else pa.float64())
    except pa.ArrowInvalid:
        return None  # some cells need a closer look
    return values if whole or numbers.are_plain(values) else None


def _none(cells: pa.Array) -> pa.BooleanArray:
    return pa.repeat(pa.scalar(value=False), len(cells))


def expected(reading: ColumnReading) -> str:
    """What a cell ought to be, in words."""
    pattern = f" like {date_forms.shown(reading.pattern)}" if reading.pattern else ""
    percent = ", such as 45% or 0.45" if reading.mark == numbers.PERCENT else ""
    return _EXPECTED[reading.kind] + pattern + style(reading) + percent


def features(
    name: str, values: pa.Array, reading: ColumnReading, dates: Dates
) -> dict[str, pa.Array]:
    """The features that a column makes: itself, or what `dates` makes of a date, int64."""
    if reading.kind != "date":
        return {name: values}
    names = feature_names(name, reading, dates)
    if dates == "seconds":
        return {name: date_forms.seconds(values)}
    return {each: date_forms.PARTS[each.rpartition("/")[2]](values) for each in names}


def feature_names(name: str, reading: ColumnReading, dates: Dates) -> list[str]:
    """What the features of a column are called.

    A date's parts are `<name>/year`, `/month` (1-12), `/day` (1-31), `/weekday` (0 = Monday)
    and, where its pattern has a time, `/hour` and `/minute`.
    """
    if reading.kind != "date" or dates == "seconds":
        return [name]
    return [f"{name}/{part}" for part in date_forms.parts_of(reading.pattern)]


def check_types(step: str, types: Mapping[str, str], names: Collection[str]) -> None:
    """Refuse a type that is none, or of a column that is not among `names`.

    Raises:
        OptionError: there is such a type or column.
    """
    for name, kind in types.items():
        if name not in names:
            raise OptionError(
                f"{step}, option csv.types: expected columns of the table: {few(names)}. "
                f"Received: {name!r}. Correct the name."
            )
        if kind.startswith("date:"):
            date_forms.check_form(f"{step}, option csv.types.{name}", kind.removeprefix("date:"))
        elif kind not in _TYPES:
            word = re.sub(r"[^a-z].*", "", kind.strip().lower())  # datetime64[ns], VARCHAR(20)
            meant = word if word in _TYPES else _MEANT.get(word)
            raise OptionError(
                f"{step}, option csv.types.{name}: expected int, float, number, text, date, or a "
                f"date's form such as date:%d/%m/%Y. Received: {kind!r}. "
                + (f"Set csv.types.{name}={meant}." if meant else "Correct it.")
            )


def of_type(kind: str, every: Iterable[ColumnReading]) -> tuple[ColumnReading, ...]:
    """The readings left to choose from for a column that is said to be of type `kind`."""
    name, _, pattern = kind.partition(":")
    if pattern:
        return (ColumnReading("date", pattern),)
    return tuple(
        each for each in every if each.kind == name or (name == "number" and each.is_number)
    )
