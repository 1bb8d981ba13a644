"""What the cells of a CSV's column can be read as, and reading them: Arrow, no files.

A reading survives while every cell fits it. Survivors of two parts of a column intersect, so
the type found is that of the whole column, whatever the parts and their order.
"""

import dataclasses
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Literal, Self

import pyarrow as pa
import pyarrow.compute as pc

from millrace.components.errors import OptionError
from millrace.components.example_gen.csv import dates as date_forms

CellKind = Literal["int", "float", "date", "text"]
Dates = Literal["parts", "seconds", "text"]

_HEAD = 100  # cells tried before all the others
_PLAIN = {"int": r"^[+-]?\d+$", "float": r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"}
_EXPECTED = {
    "int": "a whole number of 64 bits",
    "float": "a number within float32",
    "date": "a date",
    "text": "text",
}


@dataclasses.dataclass(frozen=True)
class ColumnReading:
    """How the cells of a column are read.

    Attributes:
        kind: what they are.
        pattern: of dates, as strptime writes it.
        decimal, thousands: of numbers; the latter may be empty.
    """

    kind: CellKind
    pattern: str = ""
    decimal: str = "."
    thousands: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether Arrow's own CSV reader can read it."""
        return self.kind in ("int", "float") and self.decimal == "." and not self.thousands

    def __str__(self) -> str:
        style = f" with a decimal {self.decimal!r}" if self.decimal != "." else ""
        return f"{self.kind} {self.pattern}".strip() + style


TEXT = ColumnReading("text")


def readings(decimal: str, thousands: str, *, comma_parts_cells: bool) -> tuple[ColumnReading, ...]:
    """All readings that a column may have, the ones preferred first."""
    is_open = decimal == "auto" and not comma_parts_cells
    decimals = [".", ","] if is_open else ["." if decimal == "auto" else decimal]
    decimals = [each for each in decimals if each != thousands]
    whole = ColumnReading("int", decimal=decimals[0], thousands=thousands)
    numbers = (whole, *(ColumnReading("float", "", each, thousands) for each in decimals))
    return (*numbers, *(ColumnReading("date", form) for form in date_forms.FORMS), TEXT)


@dataclasses.dataclass(frozen=True)
class Evidence:
    """The readings that all `filled` cells seen so far fit."""

    survivors: tuple[ColumnReading, ...]
    filled: int = 0

    def seen(self, cells: pa.Array) -> Self:
        """With `cells`, of which null ones say nothing; numbers all fit `guess`."""
        filled = len(cells) - cells.null_count
        if not filled or cells.type != pa.string():
            return dataclasses.replace(self, filled=self.filled + filled)
        cells = cells.drop_null()
        survivors = tuple(_surviving(cells, self.survivors))
        return dataclasses.replace(self, survivors=survivors, filled=self.filled + len(cells))

    @property
    def guess(self) -> ColumnReading | None:
        """The number that further cells may be, if reading them so loses nothing."""
        first, *others = self.survivors or (TEXT,)
        numbers = [each for each in others if each.kind == "float"]
        is_certain = self.filled and first.is_plain and (first.kind == "int" or not numbers)
        return first if is_certain else None

    def __add__(self, other: Self) -> Self:
        survivors = tuple(each for each in self.survivors if each in other.survivors)
        return dataclasses.replace(self, survivors=survivors, filled=self.filled + other.filled)

    @property
    def ambiguous(self) -> tuple[ColumnReading, ...]:
        """The dates that it may be, if there are several."""
        dates = tuple(each for each in self.survivors if each.kind == "date")
        return dates if len(dates) > 1 and self.survivors[0] == dates[0] else ()


def _surviving(
    cells: pa.StringArray, candidates: Iterable[ColumnReading]
) -> Iterator[ColumnReading]:
    """Those of `candidates` that all `cells`, without null, fit."""
    may_be_date: bool | None = None
    is_whole = False
    for each in candidates:
        if each.kind == "date":
            if may_be_date is None:
                cells = cells.unique()
                may_be_date = not is_whole and date_forms.look_like_dates(cells)
            if may_be_date and _fits(cells, each):
                yield each
        elif (is_whole and each.kind == "float") or _fits(cells, each):
            is_whole = is_whole or each.kind == "int"
            yield each


def _fits(cells: pa.StringArray, reading: ColumnReading) -> bool:
    if reading.kind == "text":
        return True
    head_fits = not convert(cells.slice(0, _HEAD), reading)[1].true_count
    return head_fits and not convert(cells, reading)[1].true_count


def convert(cells: pa.StringArray, reading: ColumnReading) -> tuple[pa.Array, pa.BooleanArray]:
    """The values of `cells` [rows], null as they are, and which of them do not fit.

    int gives int64, float finite float64, a date timestamps in microseconds, text strings without
    spaces around (null where nothing is left).
    """
    match reading.kind:
        case "text":
            trimmed = pc.ascii_trim_whitespace(cells)
            empty = pc.equal(trimmed, "")
            return pc.if_else(empty, pa.scalar(None, pa.string()), trimmed), _none(cells)
        case "date":
            values = date_forms.read(pc.ascii_trim_whitespace(cells), reading.pattern)
            return values, pc.and_(values.is_null(), cells.is_valid())
        case _:
            return _numbers(cells, reading)


def _numbers(cells: pa.StringArray, reading: ColumnReading) -> tuple[pa.Array, pa.BooleanArray]:
    if reading.is_plain:
        try:
            return finite(_cast(cells, reading.kind))
        except pa.ArrowInvalid:
            pass  # some cells need a closer look
    plain, fits = _plain(cells, reading)
    fits = fits.fill_null(fill_value=False)
    kept = pc.if_else(fits, plain, pa.scalar(None, pa.string()))
    values, too_large = finite(_cast(kept, reading.kind))
    return values, pc.or_(too_large, pc.and_(cells.is_valid(), pc.invert(fits)))


def _plain(cells: pa.StringArray, reading: ColumnReading) -> tuple[pa.StringArray, pa.BooleanArray]:
    """Numbers as Arrow reads them, and which cells are such numbers as `reading` says."""
    plain = pc.ascii_trim_whitespace(cells)
    if reading.thousands:
        group = re.escape(reading.thousands)
        grouped = rf"^[+-]?\d{{1,3}}({group}\d{{3}})+([^\d]|$)"
        is_grouped = pc.match_substring_regex(plain, grouped)
        without = pc.replace_substring(plain, reading.thousands, "")
        plain = pc.if_else(is_grouped, without, plain)
    if reading.decimal != ".":
        plain = pc.replace_substring(pc.replace_substring(plain, ".", "?"), reading.decimal, ".")
    fits = pc.match_substring_regex(plain, _PLAIN[reading.kind])
    plain = pc.replace_substring_regex(plain, r"^\+", "")
    if reading.kind == "int":
        fits = pc.and_(fits, _fits_int64(plain))
    return plain, fits


def _fits_int64(whole: pa.StringArray) -> pa.BooleanArray:
    """Which whole numbers lie within 64 bits: 18 digits always fit, 19 may."""
    most = pc.if_else(pc.starts_with(whole, "-"), str(2**63), str(2**63 - 1))
    digits = pc.ascii_ltrim(pc.ascii_ltrim(whole, "-"), "0")
    length = pc.utf8_length(digits)
    may_fit = pc.and_(pc.equal(length, 19), pc.less_equal(digits, most))
    return pc.or_(pc.less(length, 19), may_fit)


def _cast(cells: pa.StringArray, kind: str) -> pa.Array:
    if kind == "int":
        # Arrow reads 0x10 as 16: no other reader of tables does.
        if pc.any(pc.match_substring(cells, "x", ignore_case=True)).as_py():
            raise pa.ArrowInvalid("hexadecimal")
        return pc.cast(cells, pa.int64())
    return pc.cast(cells, pa.float64())


def finite(values: pa.Array) -> tuple[pa.Array, pa.BooleanArray]:
    """`values`, null where not finite, and which of them are not."""
    if not pa.types.is_floating(values.type):
        return values, _none(values)
    is_finite = pc.is_finite(values)
    infinite = pc.invert(is_finite).fill_null(fill_value=False)
    if not infinite.true_count:
        return values, infinite
    return pc.if_else(is_finite, values, pa.scalar(None, values.type)), infinite


def narrowed(values: pa.Array) -> tuple[pa.Array, pa.BooleanArray]:
    """float64 as float32, and which are too large for it, null; any other type as it is."""
    if not pa.types.is_float64(values.type):
        return values, _none(values)
    return finite(pc.cast(values, pa.float32(), safe=False))


def are_finite(cells: pa.Array) -> bool:
    """Whether `cells` hold no infinity and no NaN."""
    return not finite(cells)[1].true_count


def _none(cells: pa.Array) -> pa.BooleanArray:
    return pa.repeat(pa.scalar(value=False), len(cells))


def expected(reading: ColumnReading) -> str:
    """What a cell ought to be, in words."""
    pattern = f" like {reading.pattern}" if reading.pattern else ""
    decimal = f" with a decimal {reading.decimal!r}" if reading.decimal != "." else ""
    return _EXPECTED[reading.kind] + pattern + decimal


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
                f"{step}, option types: expected columns of the table: {', '.join(names)}. "
                f"Received: {name!r}. Correct the name."
            )
        if kind not in _EXPECTED and not kind.startswith("date:"):
            raise OptionError(
                f"{step}, option types.{name}: expected int, float, text, date, or a date's "
                f"pattern such as date:%d/%m/%Y. Received: {kind!r}. Correct it."
            )


def of_type(kind: str, every: Iterable[ColumnReading]) -> tuple[ColumnReading, ...]:
    """The readings left to choose from for a column that is said to be of type `kind`."""
    name, _, pattern = kind.partition(":")
    if pattern:
        return (ColumnReading("date", pattern),)
    return tuple(each for each in every if each.kind == name)
