"""What the cells of a CSV's columns say about how they are to be read.

Of each reading it is counted how many cells it fits. Counts of two parts of a column add up, so
the type found is that of the whole column, whatever the parts and their order.
"""

import collections
import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from millrace.components.example_gen.csv import columns, numbers
from millrace.components.example_gen.csv import dates as date_forms
from millrace.components.example_gen.csv.columns import MISSING_WORDS, TEXT, ColumnReading

HEAD = 200  # cells looked at before all the others
_ENOUGH = 10  # filled cells, of which a few may be none of the column's
_FEW = 0.05
_YEARS, _DAYS = 12, 28  # at most and at least, of first parts and last where years come first
_Outer = tuple[frozenset[str], frozenset[str]]
_NO_OUTER: _Outer = (frozenset(), frozenset())


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
        """With `cells` of the column `name`; see `seen_in`."""
        return seen_in({name: self}, {name: cells}, exact=exact)[name]

    def with_numbers(self, count: int) -> "Evidence":
        """With so many cells that are numbers of the reading `guess`."""
        fits = collections.Counter(dict.fromkeys(self._implied(), count))
        filled = self.filled + count
        return dataclasses.replace(self, filled=filled, fits=self.fits + fits, is_exact=False)

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

    @functools.cached_property
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

    @functools.cached_property
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


def seen_in(
    evidence: Mapping[str, Evidence], cells: Mapping[str, pa.Array], *, exact: bool = False
) -> dict[str, Evidence]:
    """`evidence` with the `cells` of each column, of which null ones say nothing.

    Numbers, int64 or float64, are taken to be all of the reading `guess`; and so, unless all is to
    be `exact`, are many cells of text if they are such numbers.
    """
    found = dict(evidence)
    alike: dict[tuple[ColumnReading, ...], dict[str, pa.StringArray]] = {}
    for name, column in cells.items():
        rest = column
        if column.type == pa.string() and len(column) > HEAD and not exact:
            found[name], rest = _beyond_head(found[name], column, name)
        filled = len(rest) - rest.null_count
        if filled and rest.type == pa.string():
            alike.setdefault(found[name].candidates, {})[name] = rest
        elif filled:
            found[name] = found[name].with_numbers(filled)
    for candidates, some in alike.items():
        found |= {name: found[name] + part for name, part in _counted(some, candidates).items()}
    return found


def _beyond_head(seen: Evidence, cells: pa.StringArray, name: str) -> tuple[Evidence, pa.Array]:
    """`seen` and the `cells` still to be counted: all but the first, if these had to be to guess.

    They are numbers if all are such.
    """
    if not seen.filled:
        seen, cells = seen.seen(cells.slice(0, HEAD), name), cells.slice(HEAD)
    values = _plain_numbers(cells, seen.guess)
    return seen, cells if values is None else values


def _counted(
    texts: Mapping[str, pa.StringArray], candidates: tuple[ColumnReading, ...]
) -> dict[str, Evidence]:
    """What the cells of each of `texts` say, columns that have the same `candidates`.

    The distinct cells of all are looked at together: for few cells an expression takes longer to
    compile than to match.
    """
    counted = {name: column.drop_null().value_counts() for name, column in texts.items()}
    cells = pa.concat_arrays([each.field("values") for each in counted.values()])
    weights = np.concatenate([each.field("counts").to_numpy() for each in counted.values()])
    fits, zeros = _numbers(cells, candidates)
    forms = tuple(each.pattern for each in candidates if each.kind == "date")
    dated = dict(date_forms.fits(cells, forms)) if forms else {}
    lower = pc.utf8_lower(pc.utf8_trim_whitespace(cells))
    are_words = _mask(pc.is_in(lower, pa.array(sorted(MISSING_WORDS))))
    found, start = {}, 0
    for name, each in counted.items():
        part = slice(start, start + len(each))
        some, times = cells.slice(start, len(each)), weights[part]
        dates, orders, outer, examples = _dated(
            some, times, {form: where[part] for form, where in dated.items() if where[part].any()}
        )
        words = are_words[part]
        if own := name.strip().lower():
            words = words | _mask(pc.equal(lower.slice(start, len(each)), own))
        counts = {reading: int(times[where[part]].sum()) for reading, where in fits.items()}
        found[name] = Evidence(
            candidates,
            int(times.sum()),
            +collections.Counter(counts) + dates,
            int(times[words].sum()),
            int(times[zeros[part]].sum()),
            orders,
            outer,
            examples,
        )
        start += len(each)
    return found


def _mask(found: pa.BooleanArray) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = found.fill_null(fill_value=False).to_numpy(zero_copy_only=False)
    return mask


def _numbers(
    cells: pa.StringArray, candidates: tuple[ColumnReading, ...]
) -> tuple[dict[ColumnReading, NDArray[np.bool_]], NDArray[np.bool_]]:
    """Which cells each number fits, with their marks, and which begin with a zero, as codes do."""
    bodies = numbers.taken_apart(cells)
    forms = [each for each in candidates if each.is_number]
    if not forms or bodies.digits.null_count == len(cells):
        return {}, np.zeros(len(cells), bool)
    marks = bodies.marks.fill_null("").to_numpy(zero_copy_only=False)
    is_fraction = _mask(numbers.is_fraction(bodies))
    fits: dict[ColumnReading, NDArray[np.bool_]] = {}
    for each in forms:
        found = numbers.fits(bodies, each.form, whole=each.kind == "int")
        for mark in set(marks[found]):
            fits[dataclasses.replace(each, mark=mark)] = found & (marks == mark)
        if each.kind == "float":
            percent = dataclasses.replace(each, mark=numbers.PERCENT)
            fits[percent] = fits.get(percent, False) | (found & is_fraction)
    return fits, numbers.has_leading_zero(bodies)


def _dated(
    cells: pa.StringArray, weights: NDArray[np.int64], dated: Mapping[str, NDArray[np.bool_]]
) -> tuple[collections.Counter[ColumnReading], int, _Outer, dict[str, str]]:
    """Of `Evidence` the fits of dates, `orders`, `outer` and `examples`.

    `dated` says which of the distinct `cells`, each so many times, are of a form.
    """
    fits = collections.Counter(
        {ColumnReading("date", form): int(weights[found].sum()) for form, found in dated.items()}
    )
    examples = {form: cells[int(found.argmax())].as_py() for form, found in dated.items()}
    orders = 0
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


def _outer(cells: pa.StringArray) -> _Outer:
    """The first parts of dates such as `20/01/31`, and their last."""
    parts = pc.extract_regex(cells, r"^\s*(?P<first>\d{1,2})\D\d{1,2}\D(?P<last>\d{1,2})")
    first, last = (frozenset(field.drop_null().to_pylist()) for field in parts.flatten())
    return first, last


def _plain_numbers(cells: pa.StringArray, guess: ColumnReading | None) -> pa.Array | None:
    """Numbers of the kind `guess`, if all `cells` are, and none begins as a code does."""
    if guess is None or pc.any(pc.match_substring_regex(cells, r"^\s*0\d")).as_py():
        return None
    values = columns.plain_values(cells, whole=guess.kind == "int")
    return values if values is not None and numbers.are_plain(values) else None
