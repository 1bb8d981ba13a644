"""What the cells of a CSV's column can be read as, and reading them: Arrow, no files.

Of each reading it is counted how many cells it fits. Counts of two parts of a column add up, so
the type found is that of the whole column, whatever the parts and their order.
"""

import collections
import dataclasses
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from millrace.components.errors import OptionError
from millrace.components.example_gen.csv import dates as date_forms
from millrace.components.example_gen.csv import numbers
from millrace.components.example_gen.csv.dialect import DayFirst
from millrace.components.example_gen.csv.numbers import NumberForm

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

_HEAD = 200  # cells looked at before all the others
_ENOUGH = 10  # filled cells, of which a few may be none of the column's
_FEW = 0.05
_YEARS, _DAYS = 12, 28  # at most and at least, of first parts and last where years come first
_NO_OUTER: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())


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
    forms = numbers.forms(decimal, thousands)
    if not comma_parts_cells:
        forms = (*(each for each in forms if each.thousands != ","), *forms)
        forms = tuple(dict.fromkeys(forms))
    found = [
        ColumnReading(kind, "", form.decimal, form.thousands)
        for form in forms
        for kind in ("int", "float")
    ]
    names = date_forms.candidates(name, day_first, clock=clock)
    first = [form for form in names if date_forms.outranks_numbers(form, name)]
    digits = [ColumnReading("date", form) for form in first]
    others = [ColumnReading("date", form) for form in names if form not in first]
    if date_forms.may_be_serials(name):  # after the numbers: only to be told of
        others.append(SERIALS)
    return (*digits, *found, *others, TEXT)


class Fit(NamedTuple):
    """A reading, and how many filled cells it does not fit."""

    reading: ColumnReading
    misfits: int


@dataclasses.dataclass(frozen=True)
class Evidence:
    """How many of the cells seen so far each reading fits.

    Attributes:
        candidates: the readings, the ones preferred first.
        filled: cells that are not null.
        fits: cells by reading; of numbers with the mark of the cell, and fractions with `%` too.
        words: of cells that usually mean that a value is missing, or repeat the header.
        zeros: of whole numbers that begin with a zero, as codes do.
        orders: of dates that are another day where day and month change places.
        outer: of dates such as `20/01/31`, the first parts and the last that there are.
        examples: of cells: one for each form of dates, and one of `orders`, under "".
        is_exact: whether `fits` is; else it may lack cells for readings that do not fit all.
    """

    candidates: tuple[ColumnReading, ...]
    filled: int = 0
    fits: collections.Counter[ColumnReading] = dataclasses.field(
        default_factory=collections.Counter
    )
    words: int = 0
    zeros: int = 0
    orders: int = 0
    outer: tuple[frozenset[str], frozenset[str]] = _NO_OUTER
    examples: Mapping[str, str] = dataclasses.field(default_factory=dict, compare=False)
    is_exact: bool = True

    def seen(self, cells: pa.Array, name: str = "", *, exact: bool = False) -> "Evidence":
        """With `cells` of the column `name`, of which null ones say nothing.

        Numbers, int64 or float64, are taken to be all of the reading `guess`; and so, unless all
        is to be `exact`, are many cells of text if they are such numbers.
        """
        if cells.type == pa.string() and len(cells) > _HEAD and not exact:
            head = self if self.filled else self.seen(cells.slice(0, _HEAD), name)
            rest = cells if self.filled else cells.slice(_HEAD)
            numbers_found = _plain_numbers(rest, head.guess)
            return head.seen(rest if numbers_found is None else numbers_found, name, exact=True)
        filled = len(cells) - cells.null_count
        if not filled:
            return self
        if cells.type != pa.string():
            fits = dict.fromkeys(self._implied(), filled)
            return dataclasses.replace(
                self,
                filled=self.filled + filled,
                fits=self.fits + collections.Counter(fits),
                is_exact=False,
            )
        counted = cells.drop_null().value_counts()
        part = _counted(counted.field("values"), counted.field("counts"), self.candidates, name)
        return self + part

    def __add__(self, other: "Evidence") -> "Evidence":
        return dataclasses.replace(
            self,
            filled=self.filled + other.filled,
            fits=self.fits + other.fits,
            words=self.words + other.words,
            zeros=self.zeros + other.zeros,
            orders=self.orders + other.orders,
            outer=(self.outer[0] | other.outer[0], self.outer[1] | other.outer[1]),
            examples={**other.examples, **self.examples},
            is_exact=self.is_exact and other.is_exact,
        )

    @property
    def guess(self) -> ColumnReading | None:
        """The number that further cells may be, if reading them so loses nothing."""
        if not self.filled or self.zeros:
            return None
        whole = [each for each in self.candidates if self.fits[each] == self.filled]
        first = whole[0] if whole else TEXT
        return first if first.is_plain and set(whole) <= {TEXT, *self._implied()} else None

    def _implied(self) -> Iterator[ColumnReading]:
        """All that a cell fits if it is a number of the plain kind that all were so far."""
        int_fits = self.fits[ColumnReading("int")] == self.filled
        for each in self.candidates:
            if each.is_number and (int_fits or (each.kind == "float" and each.decimal == ".")):
                yield each

    @property
    def needs_recount(self) -> bool:
        """Whether it takes another look to know how many cells each reading fits."""
        best = min((fit.misfits for fit in self._every()), default=0)
        return not self.is_exact and (best > 0 or self.zeros > 0)

    def _every(self) -> Iterator[Fit]:
        for each in self.candidates:
            if not each.is_number:
                if each.kind == "date":
                    yield Fit(each, self.filled - self.fits[each])
                continue
            yield Fit(each, self.filled - self.fits[each])
            marks = {found.mark for found in self.fits if found.mark}
            for mark in sorted(marks):
                marked = dataclasses.replace(each, mark=mark)
                if mark != numbers.PERCENT or each.kind == "float":
                    yield Fit(marked, self.filled - self.fit(marked))

    def fit(self, number: ColumnReading) -> int:
        """How many cells are such a number, with its mark or without."""
        if number.mark == numbers.PERCENT:
            return self.fits[number]
        plain = dataclasses.replace(number, mark="")
        return self.fits[plain] + (self.fits[number] if number.mark else 0)

    @property
    def best(self) -> Fit:
        """The number or date that most cells fit, the one preferred of equals; else text."""
        text = Fit(TEXT, 0)
        found = min(self._every(), key=lambda fit: fit.misfits, default=text)
        first, last = self.outer
        other = ColumnReading("date", date_forms.year_first(found.reading.pattern))
        is_year_first = len(first) <= _YEARS and len(last) >= _DAYS
        if is_year_first and self.filled - self.fits[other] == found.misfits < self.filled:
            return Fit(other, found.misfits)
        return found if found.misfits < self.filled else text

    @property
    def settled(self) -> Fit:
        """The reading of the column: a number or a date where all but a few cells are one.

        Whole numbers that begin with a zero are codes, unless numbers are asked for.
        That is: of ten or more at most 5 % are none (one may always be), beside those that mean
        that a value is missing; all these are no more than half.
        """
        best = self.best
        is_code = best.reading.is_number and self.zeros and TEXT in self.candidates
        if self.allows(best.misfits) and not is_code:
            return best
        mixed = self._mixed
        return mixed if mixed and self.allows(mixed.misfits) else Fit(TEXT, 0)

    @property
    def _mixed(self) -> Fit | None:
        """Dates of several forms."""
        forms = date_forms.together(self.dates)
        count = sum(self.dates[form] for form in date_forms.parts(forms))
        return Fit(ColumnReading("date", forms), self.filled - count) if forms else None

    @property
    def dates(self) -> dict[str, int]:
        """How many cells are of each form of dates, of those that any is of."""
        return {each.pattern: count for each, count in self.fits.items() if each.kind == "date"}

    def allows(self, misfits: int) -> bool:
        """Whether a column may have so many cells that it is not of."""
        few = max(1, int(_FEW * self.filled)) if self.filled >= _ENOUGH else 0
        return misfits - self.words <= few and 2 * misfits <= self.filled

    @property
    def is_mostly_one(self) -> bool:
        """Whether half of the cells or more are a number or a date, words for missing ones apart.

        Not where whole numbers begin with a zero.
        """
        return (
            self.best.reading != TEXT
            and not self.zeros
            and (2 * self.best.misfits <= self.filled + self.words)
        )

    @property
    def ambiguous(self) -> tuple[ColumnReading, ...]:
        """The dates that it may be, if there are two of other orders of day and month."""
        best = self.settled
        other = ColumnReading("date", date_forms.swapped(best.reading.pattern))
        if best.reading.kind != "date" or other not in self.candidates or not self.orders:
            return ()
        misfits = self.filled - self.fits[other]
        unsure = misfits == best.misfits or (best.misfits > self.words and self.allows(misfits))
        return (best.reading, other) if unsure else ()


def _counted(
    cells: pa.StringArray,
    counts: pa.Int64Array,
    candidates: tuple[ColumnReading, ...],
    name: str,
) -> Evidence:
    """What distinct `cells`, each so many times, say."""
    weights = counts.to_numpy(zero_copy_only=False)
    fits: collections.Counter[ColumnReading] = collections.Counter()
    zeros = _count_numbers(cells, weights, candidates, fits)
    dated, orders, outer, examples = _dated(cells, weights, candidates)
    words = int(weights[_mean_missing(cells, name)].sum())
    total = int(weights.sum())
    return Evidence(candidates, total, +fits + dated, words, zeros, orders, outer, examples)


def _dated(
    cells: pa.StringArray, weights: np.ndarray, candidates: tuple[ColumnReading, ...]
) -> tuple[
    collections.Counter[ColumnReading],
    int,
    tuple[frozenset[str], frozenset[str]],
    dict[str, str],
]:
    """Of `Evidence` the fits of dates, `orders`, `outer` and `examples`."""
    forms = tuple(each.pattern for each in candidates if each.kind == "date")
    fits: collections.Counter[ColumnReading] = collections.Counter()
    orders = 0
    dated: dict[str, np.ndarray] = {}
    examples: dict[str, str] = {}
    for form, found in date_forms.fits(cells, forms) if forms else ():
        fits[ColumnReading("date", form)] = int(weights[found].sum())
        dated[form] = found
        examples[form] = cells[int(found.argmax())].as_py()
    for form, found in dated.items():
        other = date_forms.swapped(form)
        if other in dated and form < other and date_forms.has_time(form):  # a day alone fits too
            both = pa.array(found & dated[other])
            one, two = (date_forms.read(cells.filter(both), each) for each in (form, other))
            differ = pc.not_equal(one, two).to_numpy(zero_copy_only=False)
            orders += int(weights[found & dated[other]][differ].sum())
            if differ.any():
                examples.setdefault("", cells.filter(both)[int(differ.argmax())].as_py())
    short = [found for form, found in dated.items() if date_forms.year_first(form) in dated]
    outer = _outer(cells.filter(pa.array(np.logical_or.reduce(short)))) if short else _NO_OUTER
    return fits, orders, outer, examples


def _outer(cells: pa.StringArray) -> tuple[frozenset[str], frozenset[str]]:
    """The first parts of dates such as `20/01/31`, and their last."""
    parts = pc.extract_regex(cells, r"^\s*(?P<first>\d{1,2})\D\d{1,2}\D(?P<last>\d{1,2})")
    first, last = (frozenset(field.drop_null().to_pylist()) for field in parts.flatten())
    return first, last


def _count_numbers(
    cells: pa.StringArray,
    weights: np.ndarray,
    candidates: tuple[ColumnReading, ...],
    fits: collections.Counter[ColumnReading],
) -> int:
    """Add to `fits` how many cells each number fits; gives how many begin with a zero, as codes."""
    bodies = numbers.taken_apart(cells)
    forms = [each for each in candidates if each.is_number]
    if not forms or bodies.digits.null_count == len(cells):
        return 0
    marks = bodies.marks.fill_null("").to_numpy(zero_copy_only=False)
    is_fraction = numbers.is_fraction(bodies).to_numpy(zero_copy_only=False)
    for each in forms:
        found = numbers.fits(bodies, each.form, whole=each.kind == "int")
        for mark in set(marks[found]):
            marked = dataclasses.replace(each, mark=mark)
            fits[marked] += int(weights[found & (marks == mark)].sum())
        if each.kind == "float":
            percent = dataclasses.replace(each, mark=numbers.PERCENT)
            fits[percent] += int(weights[found & is_fraction].sum())
    return int(weights[numbers.has_leading_zero(bodies)].sum())


def _mean_missing(cells: pa.StringArray, name: str = "") -> np.ndarray:
    """Which cells mean that a value is missing, or repeat the column's `name`; bool [cells]."""
    lower = pc.utf8_lower(pc.utf8_trim_whitespace(cells))
    usual = pc.is_in(lower, pa.array(sorted({*MISSING_WORDS, name.strip().lower()} - {""})))
    return usual.to_numpy(zero_copy_only=False)


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
    if reading.is_plain and (found := _cast(cells, whole=whole)) is not None:
        return found, _none(cells)
    return numbers.read(cells, reading.form, reading.mark, whole=whole, lenient=lenient)


def _cast(cells: pa.StringArray, *, whole: bool) -> pa.Array | None:
    """Plain numbers by Arrow, if all are."""
    if pc.any(pc.match_substring_regex(cells, r"^\s*[+-]?0[xX]")).as_py():
        return None  # Arrow reads 0x10 as 16: no other reader of tables does
    try:
        values = cells.cast(pa.int64() if whole else pa.float64())
    except pa.ArrowInvalid:
        return None  # some cells need a closer look
    return values if whole or numbers.are_plain(values) else None


def _plain_numbers(cells: pa.StringArray, guess: ColumnReading | None) -> pa.Array | None:
    """Numbers of the kind `guess`, if all `cells` are, and none begins as a code does."""
    if guess is None or pc.any(pc.match_substring_regex(cells, r"^\s*0\d")).as_py():
        return None
    values = _cast(cells, whole=guess.kind == "int")
    return values if values is not None and numbers.are_plain(values) else None


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
                f"{step}, option csv.types: expected columns of the table: {', '.join(names)}. "
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
