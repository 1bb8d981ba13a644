"""Which column of a table is the time, which are values, and which tell the series apart."""

import itertools
import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from millrace.components.artifacts import Rejected
from millrace.components.errors import DataError, OptionError
from millrace.components.example_gen.csv import columns as csv_columns
from millrace.components.example_gen.csv import dates as csv_dates
from millrace.components.example_gen.csv.columns import TEXT, ColumnReading
from millrace.components.example_gen.time_series import clock, reading
from millrace.components.example_gen.time_series.options import SeriesColumns
from millrace.components.example_gen.time_series.reading import SeriesRows
from millrace.serving.errors import few

logger = logging.getLogger("millrace.components.series_example_gen")

EVERY_OTHER = "*"  # as a covariate: every numeric column that has no other part
WIDE = "value"  # what the values of a wide file are called
_RESERVED = ("series", "time", "fold")
_TARGETS = (
    *("target", "y", "sales", "demand", "value", "values", "count", "cnt", "load", "consumption"),
    *("close", "visitors", "passengers", "quantity", "qty", "units", "orders", "revenue"),
    *("turnover", "traffic", "usage"),
)
_CALENDAR = {
    *("weekday", "dayofweek", "dow", "week", "weekofyear", "dayofyear", "quarter", "season"),
    *("holiday", "workingday", "weekend", "id", "index", "no", "nr"),
}
_OFTEN = 0.3  # share of times that repeat, or of dates, from which on it is no accident
_HANDED_OVER = 0.01  # the same where texts tell all of these apart: one series follows another
_ROWS = 10  # of each of these, on average
_MOSTLY = 0.9
_AGAIN = 0.01  # share of rows up to which a label may come twice at a time, as in autumn
_FUTURE = 0.5  # share of the rows above which blank ones at the end are not the future
_INT = ColumnReading("int")


class Numbers(NamedTuple):
    """A column as float64 [rows], NaN where a cell is missing, how it was read, and bad cells."""

    floats: NDArray[np.float64]
    reading: ColumnReading
    bad_cells: list[Rejected]


def check(rows: SeriesRows, given: SeriesColumns) -> None:
    """Refuse names that no column has, or that are named twice.

    Raises:
        DataError: there is no such column.
        OptionError: a column has two parts.
    """
    there = rows.cells.column_names
    values = () if given.wide else given.values
    named = [*given.time, *values, *given.wide, *given.series]
    missing = [name for name in named if name not in there and name != EVERY_OTHER]
    if missing:
        raise DataError(
            f"Columns: expected {few(map(repr, missing))}. Received: "
            f"{few(map(repr, there))}. Name columns that there are by "
            "series_example_gen.time, targets, covariates, known and series."
        )
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise OptionError(
            "series_example_gen: expected each column in one part. Received: "
            f"{few(map(repr, twice))} in several. Name it once."
        )


def time_of(rows: SeriesRows, given: SeriesColumns, form: str = "") -> tuple[str, ...]:
    """The columns of the time: the first of dates, else year, month and so on, else numbers that
    are dates. A date that comes several times takes the time of day beside it.

    Args:
        rows: as read.
        given: columns that have another part.
        form: of the times, where it is given.

    Raises:
        DataError: there is none.
    """
    if given.time:
        return given.time
    free = [name for name in rows.cells.column_names if name not in given.values + given.series]
    dates = {name: rows.readings[name].pattern for name in free if _kind(rows, name) == "date"}
    written = [name for name in dates if not csv_dates.is_digits(dates[name])]
    parts = _parts(free, tuple(reading.PARTS))
    if form:
        dates = {name: form for name in free if clock.mostly_fits(rows.column(name), form)}
        written, parts = list(dates), ()
    if parts and not written:
        return _with_span(rows, free, parts)
    for name in (*_changing(rows, written), *written, *dates):
        return (name, *_within_day(rows, free, name, dates[name]))
    raise DataError(
        "Time: expected a column whose cells are all times, or columns year, month, day. "
        f"Received: {few(_with_a_text(rows, name) for name in rows.cells.column_names)}. "
        f"{_untimed(rows, free)}"
    )


def telling_apart(
    rows: SeriesRows,
    given: SeriesColumns,
    times: "pd.Series[pd.Timestamp]",
    *,
    texts_alone: bool = False,
) -> tuple[str, ...]:
    """The column, or the two together, that say which series a row is of; none if times are once.

    Text or whole numbers, hardly ever twice at a time, and of as many values as rows usually share
    a time: an hour that clocks show twice in a year tells nothing apart. Of texts that never come
    twice at a time, a few common times are enough.

    Args:
        rows: as read.
        given: columns with a part, the time among them.
        times: of the rows, NaT where there is none.
        texts_alone: whether no number names a series, as where each is one.
    """
    moments = pd.factorize(times)[0]
    at_once = np.bincount(moments[moments >= 0])
    often = (at_once > 1).mean() if len(at_once) else 0.0
    if not often:
        _warn_of_succession(rows, given, times)
    if often < _HANDED_OVER:
        return ()
    kept = (moments >= 0) & ~rows.cells.to_pandas().duplicated().to_numpy()
    at_once = np.bincount(moments[kept])
    taken = {*given.time, *given.values}
    labels = {name: _labels(rows, name) for name in rows.cells.column_names if name not in taken}
    codes = {name: found[kept] for name, found in labels.items() if found is not None}
    texts = {name for name in codes if _kind(rows, name) == "text"}
    if texts_alone:
        codes = {name: codes[name] for name in codes if name in texts}
    for size in (1, 2):
        fit: list[tuple[int, tuple[str, ...]]] = []
        for names in itertools.combinations(codes, size):
            kinds = pd.MultiIndex.from_arrays([codes[name] for name in names]).factorize()[0]
            count = int(kinds.max()) + 1
            is_even = at_once.sum() / np.count_nonzero(at_once) >= count / 2
            is_named = texts.issuperset(names) and (at_once > 1).mean() >= _MOSTLY
            pairs = pd.DataFrame({"time": moments[kept], "kind": kinds})
            again = pairs.duplicated().mean()
            is_apart = 2 <= count <= len(kinds) / 2 and again <= _AGAIN
            is_handed = texts.issuperset(names) and not again and count * _ROWS <= len(kinds)
            if is_apart and (is_handed or (often >= _OFTEN and (is_even or is_named))):
                fit.append((count, names))
        if fit:
            count, names = min(fit, key=lambda each: each[0])
            logger.info(
                "%d series by %s; series_example_gen.series names another column",
                *(count, " and ".join(map(repr, names))),
            )
            return names
    return ()


def _warn_of_succession(
    rows: SeriesRows, given: SeriesColumns, times: "pd.Series[pd.Timestamp]"
) -> None:
    """Say of a column of texts that each of its values ends before the next begins."""
    order = times.argsort(kind="stable").to_numpy()
    for name in rows.cells.column_names:
        labels = _labels(rows, name) if name not in {*given.time, *given.values} else None
        if labels is None or _kind(rows, name) != "text":
            continue
        count, changes = int(labels.max()) + 1, np.count_nonzero(np.diff(labels[order]))
        if count * _ROWS <= len(labels) and changes == count - 1 > 0:
            logger.warning(
                "column %r has %d values, each of which ends before the next begins: taken for one "
                "series; series_example_gen.series=%s makes a series of each",
                *(name, count, name),
            )


def values_of(
    rows: SeriesRows, given: SeriesColumns, times: "pd.Series[pd.Timestamp]", *, wide: bool
) -> SeriesColumns:
    """`given`, whose time and series are settled, with the columns of values.

    Args:
        rows: as read.
        given: empty ones are chosen: the target by its name, or that of the file, else the first
            column of numbers that is neither an index nor constant.
        times: of the rows.
        wide: whether each column of values is a series of its own.

    Raises:
        DataError: none fits, or one bears a name that the records have of their own.
    """
    taken = {*given.time, *given.series, *given.known, *given.covariates}
    free = [name for name in _numeric(rows, rows.cells.column_names) if name not in taken]
    if wide and not given.wide:
        series = given.targets or tuple(_varying(rows, free, given.series))
        found = SeriesColumns(given.time, (WIDE,), (), (), given.series, series or _none(rows))
    elif given.wide:
        found = given
    else:
        targets = given.targets or _target(rows, free, given, times)
        covariates = given.covariates
        if covariates == (EVERY_OTHER,):
            covariates = tuple(name for name in free if name not in targets)
        found = SeriesColumns(given.time, targets, covariates, given.known, given.series)
    _check_reserved(found)
    used = {*found.time, *found.values, *found.series, *found.wide}
    left = [name for name in rows.cells.column_names if name not in used]
    others = found.values[len(found.targets) :]
    logger.info(
        "time from %s; forecasting %s%s; not used: %s",
        *(few(found.time), few(found.wide or found.targets)),
        f" with {few(others)}" if others else "",
        few(left) or "none",
    )
    return found


def names_of(rows: SeriesRows, columns: Sequence[str]) -> np.ndarray:
    """What each row's series is called, str [rows]: the cells of `columns`, joined by `/`."""
    cells = [rows.texts(name).fill_null("").to_numpy(zero_copy_only=False) for name in columns]
    return np.array(["/".join(each) for each in zip(*cells, strict=True)], object)


def numbers(
    rows: SeriesRows, name: str, is_timed: NDArray[np.bool_], limit: float = 0.0
) -> Numbers:
    """A column of values.

    Args:
        rows: as read.
        name: of the column.
        is_timed: bool [rows], those that have a time; the cells of others do not matter.
        limit: share of the rows whose cell may be neither a finite number nor a usual word for
            a missing value: it is then missing.

    Raises:
        DataError: more are not; names a row.
    """
    cells = rows.column(name)
    how = reading.number_of(rows, name)
    found, is_wrong = reading.as_floats(cells, how)
    wrong = np.flatnonzero(is_wrong & is_timed).tolist()
    odd = [row for row in wrong if not csv_columns.are_missing([cells[row].as_py()])]
    if len(odd) > limit * len(cells):
        kinds = len(cells.drop_null().unique())
        numeric = _numeric(rows, rows.cells.column_names)
        hint = (
            f"a category of {kinds} values cannot be forecast or averaged; choose among "
            f"{few(numeric) or 'no other column'} by series_example_gen.targets"
            if is_wrong.sum() == len(cells) - cells.null_count
            else "correct it, name it as missing by series_example_gen.csv.missing, or raise "
            "series_example_gen.max_rejected"
        )
        raise DataError(
            f"{', '.join(rows.place(odd[0]))}: expected numbers in column {name!r}. Received: "
            f"{cells[odd[0]].as_py()!r} ({len(odd)} such cells). {hint[0].upper()}{hint[1:]}."
        )
    reason = "column {!r}: expected a number, received {!r}; taken as missing"
    bad_cells = [rows.rejection(row, reason.format(name, cells[row].as_py())) for row in wrong]
    return Numbers(found, how, bad_cells)


def _check_reserved(found: SeriesColumns) -> None:
    taken = [name for name in found.values if name in _RESERVED]
    if taken:
        raise DataError(
            f"Columns: expected values under other names than {', '.join(_RESERVED)}, which the "
            f"records have of their own. Received: {few(map(repr, taken))}. Rename the "
            "column, or all by series_example_gen.csv.names and csv.header=true."
        )


def _changing(rows: SeriesRows, names: Sequence[str]) -> list[str]:
    """Those of `names` that are not the same in every row, as the day of an export is."""
    return [name for name in names if len(rows.column(name).unique()) > 1]


def _with_a_text(rows: SeriesRows, name: str) -> str:
    """The column's name, and where it is of texts one of them."""
    known = rows.column(name).drop_null()
    is_text = _kind(rows, name) == "text" and len(known)
    return f"{name!r} (such as {known[0].as_py()!r})" if is_text else repr(name)


def _untimed(rows: SeriesRows, free: Sequence[str]) -> str:
    """What to do where no column is of times."""
    numeric, first = _numeric(rows, free), rows.column(free[0])
    if len(numeric) > 2 and _kind(rows, free[0]) == "text" and len(first.unique()) == len(first):
        return (
            "If each row is a series, turn the table: a column for each, one of times beside "
            "them, and series_example_gen.wide=true."
        )
    for name in numeric:
        counted = reading.as_floats(rows.column(name), reading.number_of(rows, name))[0]
        if len(counted) > 2 and (np.diff(counted) > 0).all():
            return (
                f"If {name!r} counts seconds or rows, set series_example_gen.time={name} and "
                "series_example_gen.time_format=unix; else name another."
            )
    return "Name it by series_example_gen.time and its form by series_example_gen.time_format."


def _with_span(rows: SeriesRows, free: Sequence[str], parts: tuple[str, ...]) -> tuple[str, ...]:
    """A year alone that repeats with the column of its quarter or week, if there is one."""
    years = rows.column(parts[0])
    if len(parts) > 1 or 1 - len(years.unique()) / len(years) < _OFTEN:
        return parts
    for name in free:
        both = (*parts, name)
        if clock.is_of_year(both):
            times = clock.quarters_or_weeks(rows, both).times
            return both if times.notna().mean() > _MOSTLY else parts
    return parts


def _within_day(rows: SeriesRows, free: Sequence[str], date: str, form: str) -> tuple[str, ...]:
    """Columns of hour, minute and second, or one of times of day, beside a date that repeats."""
    days = rows.column(date)
    if csv_dates.has_time(form) or 1 - len(days.unique()) / len(days) < _OFTEN:
        return ()
    parts = _parts(_numeric(rows, free), ("hour", "minute", "second"))
    if len(parts) > 1:
        return parts
    others = [name for name in free if name != date]
    within = (name for name in others if clock.looks_like_times_of_day(name, rows.column(name)))
    return tuple(itertools.islice(within, 1))


def _parts(free: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """The columns of the first of the `wanted` parts of a time, as far as there are any."""
    named = {reading.part_of(name): name for name in reversed(free)}
    count = next((i for i, part in enumerate(wanted) if part not in named), len(wanted))
    return tuple(named[part] for part in wanted[:count])


def _numeric(rows: SeriesRows, names: Sequence[str]) -> list[str]:
    """Those of `names` that are columns of numbers."""
    return [name for name in names if _kind(rows, name) in ("int", "float")]


def _kind(rows: SeriesRows, name: str) -> str:
    return rows.readings.get(name, TEXT).kind


def _labels(rows: SeriesRows, name: str) -> np.ndarray | None:
    """A number for each distinct cell of a column, -1 where it is missing; None of measurements."""
    if _kind(rows, name) not in ("int", "text"):
        return None
    return pd.factorize(rows.texts(name).to_numpy(zero_copy_only=False))[0]


def _target(
    rows: SeriesRows, free: Sequence[str], given: SeriesColumns, times: "pd.Series[pd.Timestamp]"
) -> tuple[str]:
    fitting = _varying(rows, free, given.series) or list(free) or _none(rows)
    _check_months(rows, fitting, given)
    named = _by_name(rows, fitting)
    measured = [name for name in fitting if not _is_of_calendar(name)] or fitting
    ahead = _blank_ahead(rows, measured, fitting, times)
    chosen = named or next(iter(ahead or measured))
    if len(fitting) == 1:
        return (chosen,)
    why = "by its name" if named else "which later rows lack" if ahead else "the first"
    logger.info(
        "forecasting %r, %s of %d columns of numbers (%s); series_example_gen.targets names "
        "others%s",
        *(chosen, why, len(fitting), few(fitting)),
        "" if named else ", series_example_gen.wide=true makes a series of each",
    )
    return (chosen,)


def _check_months(rows: SeriesRows, free: Sequence[str], given: SeriesColumns) -> None:
    """Refuse a row a year with its months beside one another, which would be twelve series."""
    numbers = csv_dates.month_numbers(pa.array(free, pa.string())).tolist()
    months = [name for name, number in zip(free, numbers, strict=True) if number > 0]
    if not set(range(1, 13)) <= set(numbers):
        return
    kept = [*given.series, *given.time]
    delimiter = rows.dialect.delimiter
    form = "" if delimiter == "," else f", sep={delimiter!r}"
    raise DataError(
        f"Target: expected a row for each time. Received: columns for the months of each "
        f"{given.time[0]!r}: {', '.join(months)}. Write a row a month, by "
        f"pandas.read_csv({rows.path(0)!r}{form}).melt({kept}, {months}, 'month', 'value')"
        ".to_csv('months.csv', index=False), or name one by series_example_gen.targets, all by "
        "series_example_gen.wide=true."
    )


def _is_of_calendar(name: str) -> bool:
    words = _words(name)
    return reading.part_of(name) is not None or not _CALENDAR.isdisjoint([*words, "".join(words)])


def _by_name(rows: SeriesRows, names: Sequence[str]) -> str:
    """The column called like the file, or as what is forecast usually is; "" if there is none."""
    files = {block.path.split("/")[-1].split(".")[0] for block, _ in rows.blocks}
    words = {word for file in files for word in _words(file)} if len(files) == 1 else set()
    folded = {name: name.strip().lower() for name in names}
    for name in names:
        if folded[name] in words:
            return name
    for wanted in _TARGETS:
        if found := next((name for name in names if folded[name] == wanted), None):
            return found
    within = [name for name in names if not set(_words(name)).isdisjoint(_TARGETS[2:])]
    return within[0] if len(within) == 1 else ""


def _words(name: str) -> list[str]:
    return "".join(letter if letter.isalnum() else " " for letter in name.lower()).split()


def _blank_ahead(
    rows: SeriesRows,
    names: Sequence[str],
    others: Sequence[str],
    times: "pd.Series[pd.Timestamp]",
) -> list[str]:
    """Those of `names` that several of the last rows lack, where `others` have a value there."""
    order = times.argsort(kind="stable").to_numpy()
    blank = {}
    for name in others:
        known = np.flatnonzero(rows.column(name).is_valid().to_numpy(zero_copy_only=False)[order])
        blank[name] = len(order) - 1 - int(known[-1])
    ahead = [name for name in names if 2 <= blank[name] <= _FUTURE * len(order)]
    return ahead if any(count == 0 for count in blank.values()) else []


def _none(rows: SeriesRows) -> tuple[str, ...]:
    raise DataError(
        f"Target: expected a column of numbers beside the time. Received: "
        f"{few(map(repr, rows.cells.column_names))}. Name it by series_example_gen.targets, "
        "or say how numbers are written by series_example_gen.csv: thousands, decimal, missing."
    )


def _varying(rows: SeriesRows, names: Sequence[str], series: Sequence[str]) -> list[str]:
    """Those of `names` that neither count the rows nor are constant within each series."""
    found = [name for name in names if not _is_index(rows.column(name))]
    if not series or not found:
        return found
    table = rows.cells.select([*series, *found]).to_pandas()
    distinct = table.groupby(list(series), dropna=False)[found].nunique().max()
    return [name for name in found if distinct[name] > 1]


def _is_index(cells: pa.StringArray) -> bool:
    distinct = cells.drop_null().unique()
    if len(distinct) < 2:
        return len(cells) > 2
    values, is_misfit = csv_columns.convert(cells, _INT)
    if is_misfit.true_count or values.null_count or len(values) < 3:
        return False
    return bool((np.diff(values.to_numpy()) == 1).all())
