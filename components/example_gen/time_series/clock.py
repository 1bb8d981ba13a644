"""Times in one column or spread over several, to the wall clock they mean; zones of clocks."""

import dataclasses
import re
import zoneinfo
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from millrace.components.errors import DataError, OptionError
from millrace.components.example_gen.csv import columns as csv_columns
from millrace.components.example_gen.csv import dates
from millrace.components.example_gen.csv.columns import TEXT, ColumnReading
from millrace.components.example_gen.csv.dialect import DayFirst
from millrace.components.example_gen.time_series.options import WithinDay
from millrace.components.example_gen.time_series.reading import SeriesRows

PARTS: dict[str, tuple[str, ...]] = {
    "year": ("year", "yr", "yyyy"),
    "month": ("month", "mnth", "mon", "mm"),
    "day": ("day", "dd", "dom", "mday"),
    "hour": ("hour", "hr", "hh"),
    "minute": ("minute", "min"),
    "second": ("second", "sec"),
}
_OF = {alias: part for part, aliases in PARTS.items() for alias in aliases}
_UNITS_OF_DAY: dict[str, Literal["h", "min", "s"]] = {"hour": "h", "minute": "min", "second": "s"}
_NAMED_SO = frozenset(
    ("time", "hour", "hours", "hr", "hh", "clock", "uhrzeit", "zeit", "stunde", "heure", "hora")
)
_EPOCH, _AT_EPOCH = "1970-01-01 ", "%Y-%m-%d %H:%M"  # a time of day is read as that of this day
_MOSTLY = 0.9  # share of cells


@dataclasses.dataclass(frozen=True)
class ParsedTimes:
    """What a time column says.

    Attributes:
        times: naive datetime64[us] Series, NaT where a cell says nothing; of UTC where the
            text has offsets, else of the clock that wrote it.
        format: how it was read, as `csv.dates` names it.
        has_offset: whether the text says how far from UTC it is.
        within: how a time of day in a column of its own is written.
    """

    times: "pd.Series[pd.Timestamp]"
    format: str
    has_offset: bool = False
    within: WithinDay = ""


def part_of(name: str) -> str | None:
    """The part of a time that a column of this name holds, by the usual names."""
    return _OF.get(name.strip().lower())


def read(
    rows: SeriesRows, columns: Sequence[str], form: str = "", within: WithinDay = ""
) -> ParsedTimes:
    """The times in `columns` of `rows`.

    One column holds whole times, or years. Several are parts of them: year, month, day, hour,
    minute, second by their usual names, or a date first and then a time of day, or its parts.

    Args:
        rows: of a file.
        columns: names.
        form: as `csv.dates` names it, or strptime's; what was found where it is empty.
        within: how a time of day is written; found where empty.

    Raises:
        DataError: the column holds no times.
        OptionError: the columns are not parts of a time, or the form cannot be read.
    """
    parts = [part_of(name) for name in columns]
    is_date = rows.readings.get(columns[0], TEXT).kind == "date"
    if parts == list(PARTS)[: len(parts)] and not is_date and not form:
        numbers = {part: _numbers(rows, name) for part, name in zip(PARTS, columns, strict=False)}
        return ParsedTimes(_assembled(numbers), ", ".join(columns))
    is_spread = parts[1:] == list(_UNITS_OF_DAY)[: len(parts) - 1]
    if not is_spread and (len(columns) != 2 or (parts[0] and not (is_date or form))):
        raise OptionError(
            f"series_example_gen, option time: expected one column, {', '.join(PARTS)} as far as "
            "they go, a date and a time of day, or a date, hour, minute, second as far as they "
            f"go. Received: {', '.join(columns)}. Name the columns of the time in this order."
        )
    date = _read_column(rows, columns[0], form)
    if len(columns) == 1:
        return date
    if len(columns) == 2:
        since_midnight, within = time_of_day(columns[1], rows.column(columns[1]), within)
    else:
        spans = [
            pd.to_timedelta(_numbers(rows, name), unit=unit)
            for name, unit in zip(columns[1:], _UNITS_OF_DAY.values(), strict=False)
        ]
        since_midnight = sum(spans[1:], spans[0]).astype("timedelta64[us]")
    return dataclasses.replace(date, times=date.times + since_midnight, within=within)


def _read_column(rows: SeriesRows, name: str, form: str) -> ParsedTimes:
    cells = rows.column(name)
    reading = ColumnReading("date", form) if form else rows.readings.get(name, TEXT)
    found = pd.Series(dates.read(cells, reading.pattern).to_pandas()) if reading.pattern else None
    if found is None or found.isna().all():
        shown = ", ".join(map(repr, cells.drop_null().unique()[:3].to_pylist()))
        expected = f"like {form!r}" if form else "in a usual form"
        raise DataError(
            f"Time column {name!r}: expected times {expected}. Received: {shown or 'no value'}. "
            "Name the column by series_example_gen.time, or its form by "
            "series_example_gen.time_format, such as %d.%m.%Y %H:%M, quarter or unix."
        )
    times = found.astype("datetime64[us]")
    return ParsedTimes(times, reading.pattern, dates.have_offsets(cells, reading.pattern))


def mostly_fits(cells: pa.StringArray, form: str) -> bool:
    """Whether most cells that say something are times of the `form`."""
    known = cells.drop_null()
    return dates.read(known, form).null_count < (1 - _MOSTLY) * len(known)


def time_of_day(
    name: str, cells: pa.StringArray, within: WithinDay = ""
) -> "tuple[pd.Series[pd.Timedelta], WithinDay]":
    """The time since midnight, timedelta64[us] Series, NaT where a cell is none; and its form.

    Args:
        name: of the column, for errors.
        cells: such as `18:00:00`, `18.00`, `6:00 PM`, `1800`, or the number of the hour.
        within: their form; where it is empty, the largest number says it.

    Raises:
        DataError: no cell is a time of day.
    """
    since, within = _at_epoch(cells, within)
    if since.null_count == len(since):
        shown = ", ".join(map(repr, cells.drop_null().unique()[:3].to_pylist()))
        raise DataError(
            f"Time column {name!r}: expected times of day such as 18:00:00, 6:00 PM, 1800 or the "
            f"hour. Received: {shown or 'no value'}. Name others by series_example_gen.time."
        )
    micros = since.cast(pa.int64()).to_pandas().astype("Int64")
    return pd.to_timedelta(micros, unit="us").astype("timedelta64[us]"), within


def looks_like_times_of_day(name: str, cells: pa.StringArray) -> bool:
    """Whether all cells that say something are times of day; bare numbers by the column's name."""
    known = cells.drop_null().unique()
    is_number = pc.any(pc.match_substring_regex(_plain(known), r"^[\d.]+$")).as_py()
    is_called = not _NAMED_SO.isdisjoint(re.split(r"[\W_]+", name.strip().lower()))
    if not len(known) or (is_number and not is_called):
        return False
    return not _at_epoch(known)[0].null_count


def _at_epoch(cells: pa.StringArray, within: WithinDay = "") -> tuple[pa.TimestampArray, WithinDay]:
    """Times of day as those of 1970-01-01, null where a cell is none, and their form."""
    text = _plain(cells)
    if pc.all(pc.match_substring_regex(text, r"^\d{1,6}$")).as_py():
        largest = pc.max(text.cast(pa.int64())).as_py() or 0
        within = within or ("hour" if largest <= 24 else "hhmm" if largest <= 2400 else "hhmmss")
        text = pc.utf8_lpad(text, {"hour": 2, "hhmm": 4, "hhmmss": 6}[within], "0")
    else:
        within = "clock"
    return dates.read(pc.binary_join_element_wise(_EPOCH, text, ""), _AT_EPOCH), within


def _plain(cells: pa.StringArray) -> pa.StringArray:
    """Times of day with colons, `18.30` and `18h30` too; hours without the `.0` of a float."""
    text = pc.replace_substring_regex(pc.ascii_trim_whitespace(cells), r"^(\d+)\.0$", r"\1")
    colons = pc.replace_substring_regex(text, r"[.h](\d{2})", r":\1")
    return pc.if_else(pc.match_substring(text, ":"), text, colons)


def order_of(form: str, day_first: DayFirst) -> DayFirst:
    """The order of day and month in the format `form`, or `day_first` if that does not say."""
    if form.startswith("%d") and "%m" in form:
        return "yes"
    return "no" if form.startswith("%m") and "%d" in form else day_first


def to_utc(times: pd.DatetimeIndex, zone: str, again: np.ndarray | None = None) -> pd.DatetimeIndex:
    """Wall-clock `times` of `zone` in UTC, naive.

    Where clocks are put back, an hour comes twice: the rows of `again` (bool [times]) are in
    its second run. A time that is skipped in spring moves to the end of the gap.
    """
    if zone == "UTC":
        return times
    first_run = np.ones(len(times), bool) if again is None else ~again
    local = times.tz_localize(zone, ambiguous=first_run, nonexistent="shift_forward")
    return local.tz_convert("UTC").tz_localize(None)


def unix(times: pd.DatetimeIndex, unit: Literal["s", "us"] = "s") -> np.ndarray:
    """Naive times of UTC as Unix seconds or microseconds, int64 [times]."""
    return times.to_numpy(f"datetime64[{unit}]").astype(np.int64)


def check_zone(zone: str) -> None:
    """Refuse a time zone that there is not.

    Raises:
        OptionError: the tz database has none of this name.
    """
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        raise OptionError(
            f"series_example_gen, option zone: expected a name of the tz database. "
            f"Received: {zone!r}. Use e.g. UTC or Europe/Berlin."
        ) from error


def _numbers(rows: SeriesRows, name: str) -> "pd.Series[float]":
    cells = rows.column(name)
    values, is_misfit = csv_columns.convert(cells, ColumnReading("float"))
    if is_misfit.true_count:
        row = pc.indices_nonzero(is_misfit)[0].as_py()
        raise DataError(
            f"Time column {name!r}: expected whole numbers. Received: {cells[row].as_py()!r} in "
            f"{', '.join(rows.place(row))}. Correct it, or choose other columns by "
            "series_example_gen.time."
        )
    return pd.Series(values.to_numpy(zero_copy_only=False))


def _assembled(parts: Mapping[str, "pd.Series[float]"]) -> "pd.Series[pd.Timestamp]":
    numbers = pd.DataFrame({"month": 1, "day": 1} | dict(parts))
    return pd.to_datetime(numbers, errors="coerce").astype("datetime64[us]")
