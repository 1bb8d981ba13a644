"""What becomes of each column of a CSV: the candidates, and the choice by what its cells are."""

import ast
import collections
import dataclasses
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

from etils.epath import Path

from millrace.components.artifacts import Rejected
from millrace.components.errors import DataError, OptionError
from millrace.components.example_gen.csv import columns, dates, no_data, numbers, parsing
from millrace.components.example_gen.csv.columns import ColumnReading, Dates
from millrace.components.example_gen.csv.dialect import CsvFormat, Dialect
from millrace.components.example_gen.csv.evidence import Evidence
from millrace.components.example_gen.csv.parsing import Block, TableLayout
from millrace.components.features import table_label
from millrace.serving.errors import few

Find = Callable[[str, str], str]
"""Where a cell of a column is, to be written behind it: ` in line 3 of t.csv`."""

_log = logging.getLogger(__name__)


def candidates(
    step: str,
    dialect: Dialect,
    given: CsvFormat,
    dates: Dates = "parts",
    drop: tuple[str, ...] = (),
    *,
    clock: bool = False,
) -> dict[str, tuple[ColumnReading, ...]]:
    """What each column that is not dropped may be read as, preferred first.

    Times of day are where `clock` says so.

    Raises:
        OptionError: `given.types` or `drop` names a column that is not there, or an unknown type.
    """
    columns.check_types(step, given.types, dialect.names)
    unknown = [name for name in drop if name not in dialect.names]
    if unknown:
        raise OptionError(
            f"{step}, option drop: expected columns of the table: {few(dialect.names)}. "
            f"Received: {few(unknown)}. Correct the name."
        )
    found, shared = {}, dict[tuple[ColumnReading, ...], tuple[ColumnReading, ...]]()
    for name in dialect.names:
        if name not in drop:
            every = _of_column(name, dialect, given, dates, clock=clock)
            found[name] = shared.setdefault(every, every)  # most columns have the same dozens
    return found


def _of_column(
    name: str, dialect: Dialect, given: CsvFormat, dates: Dates, *, clock: bool
) -> tuple[ColumnReading, ...]:
    kind = given.types.get(name)
    every = columns.readings(
        dialect.decimal,
        dialect.thousands,
        comma_parts_cells=dialect.delimiter == ",",
        name="date" if kind == "date" else name,
        day_first=given.day_first,
        clock=clock,
    )
    if kind:
        return columns.of_type(kind, every)
    return tuple(each for each in every if each.kind != "date" or dates != "text")


def settle(
    step: str,
    place: Path,
    dialect: Dialect,
    evidence: Mapping[str, Evidence],
    given: CsvFormat,
    dates: Dates = "parts",
    find: Find = lambda name, cell: "",
    *,
    codes: bool = False,
) -> TableLayout:
    """The columns with a value, each by the reading that all its cells fit, or all but a few.

    Where a type was given, it is taken however many cells fit it. `find` says where a cell is.
    With `codes`, whole numbers of a column called `zip` or the like are text.

    Raises:
        DataError: no column has any value, a date's parts have another column's name, or what day
            and month or a comma mean cannot be told.
    """
    empty = [name for name, seen in evidence.items() if not seen.filled]
    if empty:
        _log.info("columns without any value, left out: %s", ", ".join(empty))
    readings = {
        name: choose(step, place, name, seen, given, find)
        for name, seen in evidence.items()
        if seen.filled
    }
    if not readings:
        raise DataError(
            f"{place}: expected a table with values. Received: none in the columns "
            f"{few(dialect.names)}. Check the file, and what stands for a missing value "
            "(option csv.missing)."
        )
    if codes:
        named = [name for name in readings.keys() - given.types.keys() if _is_code(name, readings)]
        readings |= dict.fromkeys(named, columns.TEXT)
        for name in sorted(named):
            _log.warning(
                "column %r: whole numbers that are codes by the column's name: read as text; "
                "csv.types.%s=number reads numbers",
                *(name, name),
            )
    for name, reading in readings.items():
        if reading == columns.TEXT and name not in given.types:
            _warn_of_dates(name, evidence[name], find)
    readings = _with_separators(step, place, dialect, readings, evidence)
    for name, reading in readings.items():
        _say(name, reading, evidence[name], given)
    _log.info("columns: %s", ", ".join(f"{name} ({each})" for name, each in readings.items()))
    _check_names(place, readings, dates)
    needed = 1 if dialect.fill_short else max(map(dialect.names.index, readings)) + 1
    return TableLayout(readings, dates, needed)


def _is_code(name: str, readings: Mapping[str, ColumnReading]) -> bool:
    return readings[name] == ColumnReading("int") and table_label.names_codes(name)


def label(
    step: str, given: str | None, layout: TableLayout, evidence: Mapping[str, Evidence]
) -> str:
    """The feature that is to be predicted: the one `given`, or chosen; empty if all are dates.

    Raises:
        OptionError: none has the name that is given.
    """
    made = {
        feature: name
        for name, reading in layout.readings.items()
        for feature in columns.feature_names(name, reading, layout.dates)
    }
    if given is not None:
        if given not in made:
            raise _no_label(step, given, layout, evidence)
        return given
    whole = [name for name, reading in layout.readings.items() if reading.kind != "date"]
    most = max((evidence[name].filled for name in whole), default=0)
    filled = [name for name in whole if 2 * evidence[name].filled > most]
    likely = [name for name in filled if not table_label.names_rows(name)] or filled
    chosen, how = table_label.choose(whole, likely[-1] if likely else "")
    if chosen:
        if likely and filled[-1] != likely[-1] == chosen:
            how += f" but {filled[-1]!r}, which is called like an identifier"
        _log.info("label: %r (%s); analyze.features.label names another", chosen, how)
    return chosen


def _no_label(
    step: str, given: str, layout: TableLayout, evidence: Mapping[str, Evidence]
) -> OptionError:
    parts = (
        columns.feature_names(given, layout.readings[given], layout.dates)
        if (given in layout.readings)
        else []
    )
    received = f"{given!r}"
    if parts:
        received += f", a date that becomes {', '.join(parts)}"
    elif given in evidence:
        received += ", which is empty in every row"
    return OptionError(
        f"{step}, option label, which a recipe takes from analyze.features.label: expected a "
        f"feature of the table: {', '.join(layout.readings)}. Received: {received}. "
        + ("Name one of these." if parts else "Correct the name.")
    )


def choose(
    step: str,
    place: Path,
    name: str,
    seen: Evidence,
    given: CsvFormat,
    find: Find = lambda name, cell: "",
) -> ColumnReading:
    """How the column `name` is read, by what was `seen` of it.

    Raises:
        DataError: it holds dates of which day and month cannot be told apart.
    """
    if seen.ambiguous:
        forms = [each.pattern for each in seen.ambiguous]
        raise DataError(
            f"{place}, column {name!r}: expected dates with a day above 12, to distinguish day and "
            f"month. Received: {seen.orders} that {' and '.join(forms)} both read, such as "
            f"{seen.examples['']!r}{find(name, seen.examples[''])}. Set "
            f"{step}.csv.day_first to yes or no, or {step}.csv.types.{name}=date:{forms[0]}, or "
            "=text."
        )
    if name not in given.types:
        return seen.settled.reading
    best = seen.best.reading
    return best if best in seen.candidates or best.mark else seen.candidates[0]


def _with_separators(
    step: str,
    place: Path,
    dialect: Dialect,
    readings: Mapping[str, ColumnReading],
    evidence: Mapping[str, Evidence],
) -> dict[str, ColumnReading]:
    """`readings`, where `1.234` and `1,234` are of the decimal that other columns have.

    Where commas part the cells, one within a cell is between thousands if it can be.

    Raises:
        DataError: no column says whether `1,234` is above a thousand.
    """
    others = {name: _other(each, evidence[name]) for name, each in readings.items()}
    unsure = {name: other for name, other in others.items() if other}
    if not unsure or dialect.decimal != "auto" or dialect.thousands:
        return dict(readings)
    decimals = {
        each.decimal
        for name, each in readings.items()
        if each.kind == "float" and name not in unsure and not each.is_plain
    }
    found = dict(readings)
    for name, other in unsure.items():
        taken = readings[name]
        if len(decimals) == 1 and taken.decimal not in decimals:
            taken = other
        elif dialect.delimiter == "," and taken.is_plain:
            continue  # a decimal point, as almost always there
        elif taken.decimal == "," and not decimals:
            raise DataError(
                f"{place}, column {name!r}: expected a number that says what its comma is. "
                f"Received: groups of three digits alone, such as 1,234. Set {step}.csv.decimal=, "
                f"or {step}.csv.thousands=, for all columns, or {step}.csv.types.{name}=text."
            )
        found[name] = taken
        _log.warning(
            "column %r: numbers such as 1%s234 are read as %s; csv.decimal=%s says otherwise",
            *(name, taken.thousands or taken.decimal, "1234" if taken.thousands else "1.234"),
            taken.thousands or (readings[name] if taken == other else other).decimal,
        )
    return found


def _other(reading: ColumnReading, seen: Evidence) -> ColumnReading | None:
    """What `1,234` or `1.234` may be too, if all cells with such a mark have three digits after."""
    if not reading.is_number or reading == ColumnReading("int"):
        return None
    if reading.kind == "int" and reading.thousands in (",", "."):
        other = dataclasses.replace(reading, kind="float", decimal=reading.thousands, thousands="")
    elif reading.kind == "float" and not reading.thousands:
        decimal = "." if reading.decimal == "," else ","
        other = dataclasses.replace(reading, kind="int", decimal=decimal, thousands=reading.decimal)
    else:
        return None
    if not seen.is_exact or seen.fit(ColumnReading("int", mark=reading.mark)) == seen.filled:
        return None
    return other if seen.fit(other) >= seen.filled - seen.words > 0 else None


def _warn_of_dates(name: str, seen: Evidence, find: Find) -> None:
    """Tell of a column of text that holds dates, but not of one order of day and month."""
    best, count = max(seen.dates.items(), key=lambda item: item[1], default=("", 0))
    other = dates.swapped(best)
    if other and count + seen.dates.get(other, 0) >= seen.filled - seen.words:
        shown = [
            f"{seen.examples[each]!r}{find(name, seen.examples[each])}"
            for each in (best, other)
            if each in seen.examples
        ]
        _log.warning(
            "column %r: dates of which some have the day first and others the month (%s): read as "
            "text; write them alike, best as 2020-01-31",
            *(name, ", ".join(shown)),
        )


def _say(name: str, reading: ColumnReading, seen: Evidence, given: CsvFormat) -> None:
    if name in given.types:
        return
    if reading.kind == "text" and seen.zeros and seen.best.reading.is_number:
        _log.warning(
            "column %r: leading zeros: read as text; csv.types.%s=int reads numbers", name, name
        )
    elif reading.is_number and seen.fits[columns.SERIALS] == seen.filled:
        _log.warning(
            "column %r: numbers that may be Excel's serial dates; csv.types.%s=date:%s reads dates",
            *(name, name, dates.EXCEL),
        )
    elif reading.is_number and not reading.is_plain:
        percent = ": 45% is 0.45" if reading.mark == numbers.PERCENT else ""
        if percent and seen.fits[dataclasses.replace(reading, mark="")]:
            percent += ", and 0.45 as well"
        _log.info(
            "column %r: %s%s; csv.types.%s=text keeps it as text", name, reading, percent, name
        )
    elif reading.kind == "date":
        _say_of_dates(name, reading.pattern)


def _say_of_dates(name: str, form: str) -> None:
    if form == dates.CLOCK:
        _log.info("column %r: times of day; csv.types.%s=text keeps the text", name, name)
    elif len(dates.parts(form)) > 1:
        _log.warning(
            "column %r: dates of several forms, %s; csv.types.%s=text keeps the text",
            *(name, dates.shown(form), name),
        )
    elif form.startswith("%y"):
        other = f"%d{form[2:6]}%y{form[8:]}"
        _log.warning(
            "column %r: dates read as %s, the year first; csv.types.%s=date:%s says otherwise",
            *(name, form, name, other),
        )
    elif dates.is_digits(form):
        _log.warning(
            "column %r: numbers read as dates like %s; csv.types.%s=int keeps the numbers",
            *(name, dates.shown(form), name),
        )


def tell_strays(
    dialect: Dialect,
    evidence: Mapping[str, Evidence],
    readings: Mapping[str, ColumnReading],
    given: CsvFormat,
    blocks: Iterable[Block],
) -> None:
    """Log of each column read as text most of whose cells are numbers or dates a cell that is not.

    Args:
        dialect: of the files.
        evidence: by column.
        readings: settled.
        given: types that were asked for.
        blocks: of the files; no more are read than it takes.
    """
    wanted = {
        name: seen.best
        for name, seen in evidence.items()
        if readings.get(name) == columns.TEXT
        and name not in given.types
        and seen.is_mostly_one
        and not table_label.names_codes(name)
    }
    for block in blocks:
        if not wanted:
            return
        cells = parsing.strings(block, dialect, list(wanted))
        for name, column in cells.columns.items():
            reading, misfits = wanted[name]
            words = () if evidence[name].words == misfits else columns.MISSING_WORDS
            stray = columns.stray(column, reading, {*words, name.lower()})
            if stray is None:
                continue
            place = [int(cells.places[stray])]
            (line,) = parsing.lines_of(place, block, cells.text, dialect)
            cell, filled = column[stray].as_py(), evidence[name].filled
            kind = "date" if reading.kind == "date" else "number"
            _log.warning(
                "column %r: %d of %d cells are %ss%s; line %d of %s is %r: read as text; %s "
                "csv.types.%s=%s takes what is none as missing",
                *(name, filled - misfits, filled, kind, columns.style(reading), line, block.path),
                *(no_data.cut(cell), _fix(cell, reading), name, kind),
            )
            del wanted[name]


def _fix(cell: str, reading: ColumnReading) -> str:
    """What is to be done about a `cell` that is not of its column's `reading`."""
    if columns.is_other_number(cell, reading):
        return "write numbers alike, or"
    return f"csv.missing={_as_option(cell)} names it,"


def _as_option(cell: str) -> str:
    """A cell as it is given to an option that takes several."""
    return json.dumps([cell], ensure_ascii=False) if "," in cell or cell != cell.strip() else cell


def tell_bad_cells(
    step: str,
    bad_cells: Sequence[Rejected],
    evidence: Mapping[str, Evidence],
    layout: TableLayout,
    given: CsvFormat,
    max_rejected: float,
) -> None:
    """Log, once per column, the cells that are taken as missing.

    Raises:
        DataError: they are more than the share `max_rejected` of a column whose exact type was
            given, or more than half of any other, usual words for a missing value apart.
    """
    by_column: dict[str, list[Rejected]] = collections.defaultdict(list)
    for each in bad_cells:
        for name in layout.readings:
            if each.reason.startswith(f"column {name!r}: "):
                by_column[name].append(each)
    for name, cells in by_column.items():
        odd = (each for each in cells if not columns.are_missing([_received(each)]))
        first, filled, words = next(odd, cells[0]), evidence[name].filled, evidence[name].words
        is_exact = given.types.get(name, "number") not in ("number", "date")
        received = _received(first)
        if len(cells) > max_rejected * filled if is_exact else 2 * len(cells) > filled + words:
            raise DataError(
                f"{step}, column {name!r}: expected {columns.expected(layout.readings[name])}. "
                f"Received: {len(cells)} of {filled} cells that are not, the first in "
                f"{first.source}, {first.position}: {received!r}. Correct them, name what stands "
                f"for a missing value by {step}.csv.missing, or set {step}.csv.types.{name}=text."
            )
        kind = "dates" if layout.readings[name].kind == "date" else "numbers"
        _log.warning(
            "column %r: %d of %d cells are %s; %s of %s is %r: taken as missing; %s "
            "csv.types.%s=text keeps the column as text",
            *(name, filled - len(cells), filled, kind, first.position, first.source, received),
            *(_fix(received, layout.readings[name]), name),
        )


def _received(bad_cell: Rejected) -> str:
    cell: str = ast.literal_eval(bad_cell.reason.rpartition("received ")[2])
    return cell


def _check_names(place: Path, readings: Mapping[str, ColumnReading], dates: Dates) -> None:
    made: dict[str, str] = {}
    for name, reading in readings.items():
        for feature in columns.feature_names(name, reading, dates):
            if feature in made:
                raise DataError(
                    f"{place}: expected features of distinct names. Received: {feature!r} of "
                    f"the columns {made[feature]!r} and {name!r}. Rename one, or set the option "
                    "dates to seconds or text."
                )
            made[feature] = name
