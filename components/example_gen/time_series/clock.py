"""Times in one column or spread over several, to the wall clock they mean; zones of clocks."""

import dataclasses
import logging
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
from millrace.components.example_gen.time_series import daylight
from millrace.components.example_gen.time_series.options import WithinDay
from millrace.components.example_gen.time_series.reading import PARTS, SPANS, SeriesRows, part_of

_log = logging.getLogger("millrace.components.series_example_gen")

_PARTS_OF_DAY = ("hour", "minute", "second")
_NAMED_SO = frozenset(
    (
        "time",
        "hour",
        "hours",
        "hr",
        "he",
        "hh",
        "clock",
        "uhrzeit",
        "zeit",
        "stunde",
        "heure",
        "hora",
    )
)
_PARTS_NAMED_SO = frozenset(
    ("period", "sp", "interval", "quarter", "slot", "ptu", "mtu", "block", "viertelstunde")
)
_PERIODS: dict[WithinDay, tuple[int, int]] = {
    **{"1h": (1, 24), "30min": (1, 48), "15min": (1, 96), "10min": (1, 144), "5min": (1, 288)},
    **{"30min from 0": (0, 48), "15min from 0": (0, 96)},
    **{"10min from 0": (0, 144), "5min from 0": (0, 288)},
}
"""Parts of a day that are counted, as markets of energy do: the first number, and how many."""
_USUALLY = 0.98  # share of the cells that says how a number is meant; a few may be wrong
_HOUR = 3600 * 1_000_000  # microseconds
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


def read(
    rows: SeriesRows,
    columns: Sequence[str],
    form: str = "",
    within: WithinDay = "",
    zone: str = "UTC",
) -> ParsedTimes:
    """The times in `columns` of `rows`.

    One column holds whole times, or years. Several are parts of them: year, month, day, hour,
    minute, second by their usual names, a year and its quarter or ISO week, or a date first and
    then a time of day, or its parts.

    Args:
        rows: of a file.
        columns: names.
        form: as `csv.dates` names it, or strptime's; what was found where it is empty.
        within: how a time of day is written; found where empty.
        zone: of the clocks, for hours that are counted from midnight on days of 23 and 25.

    Raises:
        DataError: the column holds no times, or hours of days that only another zone has.
        OptionError: the columns are not parts of a time, or the form cannot be read.
    """
    parts = [part_of(name) for name in columns]
    is_date = rows.readings.get(columns[0], TEXT).kind == "date"
    if parts == list(PARTS)[: len(parts)] and not is_date and not form:
        numbers = {part: _numbers(rows, name) for part, name in zip(PARTS, columns, strict=False)}
        days = ParsedTimes(_assembled(numbers), ", ".join(columns))
        return _at(days, *_since_midnight(numbers, within), zone) if len(columns) > 3 else days
    if is_of_year(columns) and not is_date and not form:
        found = quarters_or_weeks(rows, columns)
        if found.times.isna().all():
            shown = ", ".join(map(repr, rows.column(columns[1]).unique()[:3].to_pylist()))
            raise DataError(
                f"Time columns {', '.join(map(repr, columns))}: expected years, and quarters from "
                f"1 to 4 or weeks from 1 to 53. Received: {shown}. Name others by "
                "series_example_gen.time."
            )
        return found
    is_spread = parts[1:] == list(_PARTS_OF_DAY)[: len(parts) - 1]
    if not is_spread and (len(columns) != 2 or (parts[0] and not (is_date or form))):
        raise OptionError(
            f"series_example_gen, option time: expected one column, {', '.join(PARTS)} as far as "
            "they go, a year and a quarter or week, a date and a time of day, or a date, hour, "
            "minute, second as far as they go. "
            f"Received: {', '.join(columns)}. Name the columns of the time in this order."
        )
    date = _read_column(rows, columns[0], form)
    if len(columns) == 1:
        return date
    if len(columns) == 2:
        since_midnight, within = time_of_day(columns[1], rows.column(columns[1]), within)
    else:
        parts_of_day = zip(_PARTS_OF_DAY, columns[1:], strict=False)
        numbers = {part: _numbers(rows, name) for part, name in parts_of_day}
        since_midnight, within = _since_midnight(numbers, within)
    return _at(date, since_midnight, within, zone)


def is_of_year(columns: Sequence[str]) -> bool:
    """Whether the columns are called a year, and its quarter or week."""
    parts = [part_of(name) for name in columns]
    return len(parts) == 2 and parts[0] == "year" and parts[1] in SPANS


def quarters_or_weeks(rows: SeriesRows, columns: Sequence[str]) -> ParsedTimes:
    """The beginnings of quarters, or of ISO weeks, of a year in a column of its own."""
    years, spans = (pc.replace_substring_regex(rows.texts(name), r"\.0$", "") for name in columns)
    numbers = pc.replace_substring_regex(spans, r"^(?:[QqTtWw]|[Kk][Ww])?\.? ?0?(\d+)$", r"\1")
    if part_of(columns[1]) == "quarter":
        form, cells = dates.QUARTER, pc.binary_join_element_wise(years, numbers, "-Q")
    else:
        form, weeks = "%G-W%V", pc.utf8_lpad(numbers, 2, "0")
        cells = pc.binary_join_element_wise(years, weeks, "-W")
    found = pd.Series(dates.read(cells, form).to_pandas()).astype("datetime64[us]")
    return ParsedTimes(found, form)


def _at(
    days: ParsedTimes, since: "pd.Series[pd.Timedelta]", within: WithinDay, zone: str
) -> ParsedTimes:
    """The times `since` the midnights of `days`, NaT where one is past the end of its day.

    Numbers that run on through the hour that clocks show twice count hours: the day has 25 of
    them, and 23 in spring.

    Raises:
        DataError: some are of days of 25 hours, as those of the `zone` are not.
    """
    day = pd.Timedelta(1, "D")
    is_beyond = (since >= day if within in _PERIODS else since > day).to_numpy()
    dates = pd.DatetimeIndex(days.times)
    is_long = is_beyond & daylight.are_long(dates, zone)
    if is_beyond.any() and not is_long.any():
        daylight.check_lengths(dates[is_beyond], zone)
    wall = (days.times + since).where(~is_beyond | is_long)
    found = dataclasses.replace(days, times=wall, within=within)
    if zone == "UTC" or days.has_offset:
        return found
    if not is_long.any() and not (within in _PERIODS and daylight.are_counted(dates, wall, zone)):
        return found
    utc = pd.Series(to_utc(dates, zone), index=wall.index) + since
    return dataclasses.replace(found, times=utc.where(wall.notna()), has_offset=True)


def _since_midnight(
    parts: Mapping[str, "pd.Series[float]"], within: WithinDay
) -> "tuple[pd.Series[pd.Timedelta], WithinDay]":
    """Of hours, minutes and seconds, timedelta64[us], NaT where one is none; and their form."""
    hours = parts["hour"]
    within = within or ("1h" if hours.min() >= 1 and hours.max() >= 24 else "hour")
    first = 1 if within == "1h" else 0
    spans = [pd.to_timedelta((hours - first).where(hours.between(first, 25)), unit="h")]
    for part, unit in (("minute", "min"), ("second", "s")):
        if part in parts:
            is_one = (parts[part] >= 0) & (parts[part] < 60)
            spans.append(pd.to_timedelta(parts[part].where(is_one), unit=unit))
    return sum(spans[1:], spans[0]).astype("timedelta64[us]"), within


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
        cells: such as `18:00:00`, `18.00`, `6:00 PM`, `1800`, or the number of the hour, or of a
            part of it.
        within: their form; where it is empty, the numbers' size says it.

    Raises:
        DataError: no cell is a time of day.
    """
    since, within = _micros_of_day(cells, within)
    if since.null_count == len(since):
        shown = ", ".join(map(repr, cells.drop_null().unique()[:3].to_pylist()))
        raise DataError(
            f"Time column {name!r}: expected times of day such as 18:00:00, 6:00 PM, 1800 or the "
            f"hour. Received: {shown or 'no value'}. Name others by series_example_gen.time."
        )
    if within in _PERIODS:
        length, _, start = within.partition(" from ")
        _log.info(
            "%r counts the parts of a day, %s each, from %s at midnight", name, length, start or 1
        )
    micros = since.to_pandas().astype("Int64")
    return pd.to_timedelta(micros, unit="us").astype("timedelta64[us]"), within


def looks_like_times_of_day(name: str, cells: pa.StringArray) -> bool:
    """Whether nearly all cells that say something are times of day; numbers by the name too."""
    known = cells.drop_null()
    words = set(re.split(r"[\W_]+", name.strip().lower()))
    is_number = pc.any(pc.match_substring_regex(_plain(known), r"^[\d.]+$")).as_py()
    if not len(known) or (is_number and words.isdisjoint(_NAMED_SO | _PARTS_NAMED_SO)):
        return False
    micros, within = _micros_of_day(known)
    is_called = not is_number or not words.isdisjoint(_NAMED_SO) or within in _PERIODS
    return is_called and micros.null_count <= (1 - _USUALLY) * len(known)


def _micros_of_day(
    cells: pa.StringArray, within: WithinDay = ""
) -> tuple[pa.Int64Array, WithinDay]:
    """Microseconds since midnight, null where a cell is no time of day, and their form.

    A number may be of the hour that clocks show twice, and so past the end of a usual day.
    """
    text = _plain(cells)
    is_number = pc.match_substring_regex(text, r"^\d{1,6}$")
    digits = pc.if_else(is_number, text, pa.scalar(None, pa.string()))
    if len(digits) - digits.null_count < _USUALLY * (len(text) - text.null_count):
        return _at_epoch(text), "clock"
    if within in ("", "clock"):
        within = _form_of(digits.drop_null())
    if within in ("hhmm", "hhmmss"):
        return _at_epoch(pc.utf8_lpad(digits, len(within), "0")), within
    return _counted(digits.cast(pa.int64()), within), within


def _at_epoch(text: pa.StringArray) -> pa.Int64Array:
    times = dates.read(pc.binary_join_element_wise(_EPOCH, text, ""), _AT_EPOCH)
    return times.cast(pa.int64())


def _counted(numbers: pa.Int64Array, within: WithinDay) -> pa.Int64Array:
    """The beginnings of hours from 0 on, or of parts of a day; null past 25 hours."""
    first, a_day = _PERIODS.get(within, (0, 24))
    last = first - 1 + a_day + a_day // 24
    is_one = pc.and_(pc.greater_equal(numbers, first), pc.less_equal(numbers, last))
    kept = pc.if_else(is_one, numbers, pa.scalar(None, pa.int64()))
    return pc.multiply(pc.subtract(kept, first), 24 * _HOUR // a_day)


def _form_of(digits: pa.StringArray) -> WithinDay:
    """How numbers without colons say a time of day, by all but a few of them.

    Hours from 1 to 24, and more than 24 parts of a day, are counted from 1; an hour of 0 is a
    clock's. Parts are counted from 0 if just so many of them make a day.
    """
    numbers = np.sort(digits.cast(pa.int64()).to_numpy())
    largest = int(numbers[-int((1 - _USUALLY) * len(numbers)) - 1])
    is_padded = pc.any(pc.match_substring_regex(digits, r"^0\d\d")).as_py()
    if largest <= 25 and not is_padded:
        return "1h" if numbers[0] and largest >= 24 else "hour"
    if largest <= 300 and numbers[0] and not is_padded:
        is_clock = largest > 100 and (numbers % 100 < 60).mean() > _MOSTLY
        fitting = (
            form
            for form, (first, count) in _PERIODS.items()
            if first and largest <= count + count // 24
        )
        if not is_clock:
            return next(fitting)
    if not numbers[0] and not is_padded:
        kinds = np.count_nonzero(np.diff(numbers)) + 1
        for form, (first, count) in _PERIODS.items():
            most = count - 1 + count // 24
            if not first and count - 1 <= numbers[-1] <= most and kinds >= _MOSTLY * count:
                return form
    return "hhmm" if largest <= 2400 else "hhmmss"


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
    if part_of(name) == "month":
        named = dates.read(pc.binary_join_element_wise("2000", rows.texts(name), " "), "%Y %b")
        if named.null_count < len(named):
            return pd.Series(pc.month(named).cast(pa.float64()).to_numpy(zero_copy_only=False))
    values, is_misfit = csv_columns.convert(cells, ColumnReading("float"))
    if part_of(name) == "month" and is_misfit.true_count == len(cells) - cells.null_count:
        named = dates.month_numbers(cells)
        if (named > 0).sum() == is_misfit.true_count:
            return pd.Series(np.where(named > 0, named, np.nan))
    if is_misfit.true_count:
        row = pc.indices_nonzero(is_misfit)[0].as_py()
        raise DataError(
            f"Time column {name!r}: expected whole numbers. Received: {cells[row].as_py()!r} in "
            f"{', '.join(rows.place(row))}. Correct it, or choose other columns by "
            "series_example_gen.time."
        )
    return pd.Series(values.to_numpy(zero_copy_only=False))


def _assembled(parts: Mapping[str, "pd.Series[float]"]) -> "pd.Series[pd.Timestamp]":
    of_days = {part: numbers for part, numbers in parts.items() if part not in _PARTS_OF_DAY}
    numbers = pd.DataFrame({"month": 1, "day": 1} | of_days)
    return pd.to_datetime(numbers, errors="coerce").astype("datetime64[us]")
