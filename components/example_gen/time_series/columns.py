"""Which column of a table is the time, which are values, and which names the series."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd

from millrace.components.errors import DataError, OptionError
from millrace.components.example_gen.csv.dialect import Dialect
from millrace.components.example_gen.time_series import clock, reading
from millrace.components.example_gen.time_series.options import DayFirst, SeriesColumns

logger = logging.getLogger("millrace.components.series_example_gen")

EVERY_OTHER = "*"  # as a covariate: every numeric column that has no other part
_LOOKED_AT = 100  # cells of a column
_MOSTLY = 0.9  # share of them that are numbers in a column of numbers
_RESERVED = ("series", "time", "fold")
_CLOCKS = ("time", "date", "datetime", "timestamp", "ts", "ds", "date/time", "unix", "epoch")


def choose(
    frame: pd.DataFrame, given: SeriesColumns, day_first: DayFirst, dialect: Dialect
) -> SeriesColumns:
    """The columns that are named, and where none are, those that the data suggests.

    The time is the first text column of times, else year, month, day and so on, else a number
    called like a time. The target is the last column of numbers that is not an index,
    or the only one.

    Args:
        frame: text columns.
        given: names; empty ones are chosen.
        day_first: how a date is read.
        dialect: how numbers are written.

    Raises:
        DataError: there is no such column, or none fits.
        OptionError: a column is named twice.
    """
    _check_names(frame, given)
    numeric = _numeric(frame, dialect)
    time = given.time or _time(frame, given, day_first, set(numeric))
    taken = {*time, given.series, *given.known, *given.covariates}
    free = [name for name in numeric if name not in taken]
    targets = given.targets or _target(frame, free)
    covariates = given.covariates
    if covariates == (EVERY_OTHER,):
        covariates = tuple(name for name in free if name not in targets)
    found = SeriesColumns(time, targets, covariates, given.known, given.series)
    _check_reserved(found)
    left = [name for name in frame.columns if name not in {*time, *found.values, given.series}]
    logger.info(
        "time from %s; forecasting %s%s; not used: %s",
        *(", ".join(time), ", ".join(targets)),
        f" with {', '.join(found.values[len(targets) :])}" if found.values[len(targets) :] else "",
        ", ".join(left) or "none",
    )
    return found


def telling_apart(frame: pd.DataFrame, columns: SeriesColumns) -> str:
    """The column that may say which series a row is of; empty where no time comes twice.

    Of those without a part, the one of the fewest values, each on two rows or more and never
    twice at a time.
    """
    times = list(columns.time)
    if columns.series or not frame.duplicated(times).any():
        return ""
    free = [name for name in frame.columns if name not in {*times, *columns.values}]
    kinds = {name: frame[name].nunique() for name in free}
    fit = [
        name
        for name, count in kinds.items()
        if 2 <= 2 * count <= len(frame) and not frame.duplicated([*times, name]).any()
    ]
    return min(fit, key=kinds.__getitem__, default="")


def numbers(
    frame: pd.DataFrame, name: str, dialect: Dialect, limit: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """A text column as float64 [rows], NaN where a cell is missing, and the rows of wrong cells.

    Args:
        frame: text columns.
        name: of one.
        dialect: how numbers are written.
        limit: share of the rows whose cell may not be a finite number: it is then missing.

    Raises:
        DataError: more are not; names a row.
    """
    text = frame[name]
    found = reading.numbers(text, dialect)
    found = found.where(np.isfinite(found))
    wrong = np.flatnonzero((found.isna() & text.notna()).to_numpy())
    if len(wrong) > limit * len(text):
        kinds = text.nunique()
        hint = (
            f"a category of {kinds} values cannot be forecast or averaged; choose among "
            f"{', '.join(_numeric(frame, dialect)) or 'no other column'}"
            if len(wrong) == text.notna().sum()
            else "correct it, name it as missing by series_example_gen.csv.missing, or raise "
            "series_example_gen.max_rejected"
        )
        raise DataError(
            f"Column {name!r}: expected numbers. Received: {text.iloc[wrong[0]]!r} in data row "
            f"{wrong[0] + 1} ({len(wrong)} such cells). {hint[0].upper()}{hint[1:]}."
        )
    return found.to_numpy(np.float64), wrong


def _check_names(frame: pd.DataFrame, given: SeriesColumns) -> None:
    named = [*given.time, *given.values, *([given.series] if given.series else [])]
    missing = [name for name in named if name not in frame.columns and name != EVERY_OTHER]
    if missing:
        raise DataError(
            f"Columns: expected {', '.join(map(repr, missing))}. Received: "
            f"{', '.join(map(repr, frame.columns))}. Name columns that there are by "
            "series_example_gen.time, targets, covariates, known and series."
        )
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise OptionError(
            "series_example_gen: expected each column in one part. Received: "
            f"{', '.join(map(repr, twice))} in several. Name it once."
        )


def _check_reserved(found: SeriesColumns) -> None:
    taken = [name for name in found.values if name in _RESERVED]
    if taken:
        raise DataError(
            f"Columns: expected values under other names than {', '.join(_RESERVED)}, which the "
            f"records have of their own. Received: {', '.join(map(repr, taken))}. Rename the "
            "column, or all by series_example_gen.csv.names and csv.header=true."
        )


def _time(
    frame: pd.DataFrame, given: SeriesColumns, day_first: DayFirst, numeric: set[str]
) -> tuple[str, ...]:
    taken = {given.series, *given.values}
    free = [name for name in frame.columns if name not in taken]
    for name in free:
        if name not in numeric and clock.looks_like_times(frame[name], day_first):
            return (name, *_within_day(frame, free, name))
    parts = _parts(free, tuple(clock.PARTS))
    if parts:
        return parts
    for name in free:
        if name.strip().lower() in _CLOCKS:
            return (name,)
    raise DataError(
        "Time: expected a column whose cells are all times, or columns year, month, day. "
        f"Received: {', '.join(map(repr, frame.columns))}. Name it by series_example_gen.time "
        "and its form by series_example_gen.time_format."
    )


def _within_day(frame: pd.DataFrame, free: Sequence[str], date: str) -> tuple[str, ...]:
    """Columns of hour, minute and second beside a date that comes several times."""
    is_repeated = frame[date].duplicated().mean() > 0.5
    return _parts(free, ("hour", "minute", "second")) if is_repeated else ()


def _parts(free: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """The columns of the first of the `wanted` parts of a time, as far as there are any."""
    named = {clock.part_of(name): name for name in reversed(free)}
    count = next((i for i, part in enumerate(wanted) if part not in named), len(wanted))
    return tuple(named[part] for part in wanted[:count])


def _numeric(frame: pd.DataFrame, dialect: Dialect) -> list[str]:
    """The columns of numbers, by most of their first cells that say something."""
    heads = {name: frame[name].dropna().head(_LOOKED_AT) for name in frame.columns}
    return [
        name
        for name, cells in heads.items()
        if len(cells) and reading.numbers(cells, dialect).notna().mean() >= _MOSTLY
    ]


def _target(frame: pd.DataFrame, free: Sequence[str]) -> tuple[str]:
    fitting = [name for name in free if not _is_index(frame[name])] or list(free)
    if not fitting:
        raise DataError(
            f"Target: expected a column of numbers beside the time. Received: "
            f"{', '.join(map(repr, frame.columns))}. Name it by series_example_gen.targets, or "
            "say how numbers are written by series_example_gen.csv: thousands, decimal, missing."
        )
    return (fitting[-1],)


def _is_index(cells: "pd.Series[str]") -> bool:
    """Whether the column counts the rows."""
    found = pd.to_numeric(cells, errors="coerce").to_numpy(np.float64)
    return len(found) > 2 and bool(np.array_equal(np.diff(found), np.ones(len(found) - 1)))
