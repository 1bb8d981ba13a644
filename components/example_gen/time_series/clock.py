"""Times in text or numbers, in one column or spread over several, to the wall clock they mean.

The format is found over the whole column: a column in which no day is above 12 leaves
day and month ambiguous, and is refused unless an option does.
"""

import dataclasses
import itertools
import re
import zoneinfo
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from millrace.components.errors import DataError, OptionError
from millrace.components.example_gen.time_series.options import DayFirst

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
_OFFSET = re.compile(r":\d\d(\.\d+)? ?(Z|[+-]\d\d:?(\d\d)?)$", re.IGNORECASE)
_SAMPLE = 200  # values that rule formats out before the whole column is read
_MANY = 10  # distinct values among which one may not be a time
_SINCE = 1e8  # seconds: 1973
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", " %H")
_DAY_FIRST = [f"%d{s}%m{s}{year}" for s in "-/." for year in ("%Y", "%y")]
_MONTH_FIRST = [f"%m{s}%d{s}{year}" for s in "-/." for year in ("%Y", "%y")]
_PLAIN = [
    "ISO8601",
    *("%Y/%m/%d", "%Y.%m.%d", "%Y/%m", "%m/%Y", "%m-%Y", "%m.%Y"),
    *("%d %b %Y", "%d-%b-%Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%y", "%a %b %d %Y"),
    *("%b %Y", "%B %Y", "%b-%Y", "%b-%y", "%Y %b", "%Y-%b", "%YM%m"),
]
QUARTER = "quarter"  # in place of a strptime format, which has none for it
_QUARTER = (
    r"^\s*(?:(?P<year>\d{4})[-/. ]?Q(?P<of>[1-4])|Q(?P<of2>[1-4])[-/. ]?(?P<year2>\d{4}))\s*$"
)
_UNIX: tuple[tuple[float, Literal["ns", "us", "ms", "s"]], ...] = (
    *((1e17, "ns"), (1e14, "us"), (1e11, "ms"), (0.0, "s")),  # by the size of the numbers
)


@dataclasses.dataclass(frozen=True)
class ParsedTimes:
    """What a time column says.

    Attributes:
        times: naive datetime64[us] Series, NaT where a cell says nothing; of UTC where the
            text has offsets, else of the clock that wrote it.
        format: how it was read, in words.
        has_offset: whether the text says how far from UTC it is.
    """

    times: "pd.Series[pd.Timestamp]"
    format: str
    has_offset: bool = False


def part_of(name: str) -> str | None:
    """The part of a time that a column of this name holds, by the usual names."""
    return _OF.get(name.strip().lower())


def read(
    frame: pd.DataFrame, columns: Sequence[str], form: str, day_first: DayFirst
) -> ParsedTimes:
    """The times in `columns` of `frame`, whose cells are text.

    One column holds whole times, or years. Several are parts of them: year, month, day, hour,
    minute, second by their usual names, or a date first and then the parts within the day.

    Args:
        frame: text columns.
        columns: names.
        form: strptime's, `unix` for seconds (or milli-, micro-, nanoseconds) since 1970,
            `quarter` for 2012-Q3, 2012Q3 or Q3 2012, the quarter's first day, or empty.
        day_first: what `01-02-2020` means.

    Raises:
        DataError: the column holds no times, or could be read in two ways.
        OptionError: the columns are not parts of a time.
    """
    parts = [part_of(name) for name in columns]
    if parts == list(PARTS)[: len(parts)] and _are_numbers(frame[columns[0]]):
        numbers = {part: _numbers(frame[name]) for part, name in zip(PARTS, columns, strict=False)}
        return ParsedTimes(_assembled(numbers), ", ".join(columns))
    date = read_column(frame[columns[0]], form, day_first)
    if len(columns) == 1:
        return date
    if parts[1:] != list(_UNITS_OF_DAY)[: len(parts) - 1]:
        raise OptionError(
            f"series_example_gen, option time: expected one column, {', '.join(PARTS)} as far as "
            "they go, or a date, hour, minute, second as far as they go. Received: "
            f"{', '.join(columns)}. Name the columns that hold the time in this order."
        )
    within = [
        pd.to_timedelta(_numbers(frame[name]), unit=unit)
        for name, unit in zip(columns[1:], _UNITS_OF_DAY.values(), strict=False)
    ]
    times = date.times + sum(within[1:], within[0]).astype("timedelta64[us]")
    return dataclasses.replace(date, times=times, format=f"{date.format}, {', '.join(columns[1:])}")


def read_column(values: "pd.Series[str]", form: str, day_first: DayFirst) -> ParsedTimes:
    """The times in one text column; see `read`."""
    if form == "unix":
        return ParsedTimes(_unix(values), "Unix time")
    known = values.dropna()
    if form:
        _check_form(form)
        found = _parse(values, form)
        if known.size and found.isna().all():
            raise _unreadable(values, f"times like {form!r}")
        return _naive(values, found, form)
    distinct = pd.Series(known.unique(), dtype=object)
    formats = list(_fitting(distinct, day_first))
    if not formats and _are_unix(distinct):
        return ParsedTimes(_unix(values), "Unix time")
    if not formats and (tolerant := _mostly_fitting(distinct, day_first)):
        formats = [tolerant]
    if not formats:
        raise _unreadable(values, "times in a usual form")
    if len(formats) > 1 and day_first == "auto":
        _refuse_ambiguous(values, formats)
    return _naive(values, _parse(values, formats[0]), formats[0])


def _check_form(form: str) -> None:
    try:
        _parse(pd.Series(["0"], dtype=object), form)
    except ValueError as error:  # pandas looks at a format only where there is a value
        raise OptionError(
            "series_example_gen, option time_format: expected strptime's directives, such as "
            f"%d.%m.%Y %H:%M, quarter or unix. Received: {form!r} ({error}). Correct it."
        ) from error


def order_of(form: str, day_first: DayFirst) -> DayFirst:
    """The order of day and month in the format `form`, or `day_first` if that does not say."""
    if form.startswith("%d") and "%m" in form:
        return "yes"
    return "no" if form.startswith("%m") and "%d" in form else day_first


def looks_like_times(values: "pd.Series[str]", day_first: DayFirst) -> bool:
    """Whether all cells of a text column that say something are times of one usual form.

    Of many, one in a hundred may be something else.
    """
    known = pd.Series(values.dropna().unique(), dtype=object)
    if not len(known):
        return False
    found = next(_fitting(known, day_first), None) or _mostly_fitting(known, day_first)
    return found is not None


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


def _fitting(known: "pd.Series[str]", day_first: DayFirst) -> Iterator[str]:
    """The formats in which every one of `known` can be read."""
    sample = pd.concat([known.iloc[: _SAMPLE // 2], known.iloc[-_SAMPLE // 2 :]])
    for form in _formats(day_first):
        if _parse(sample, form).notna().all() and _parse(known, form).notna().all():
            yield form


def _formats(day_first: DayFirst) -> Iterator[str]:
    """All usual formats, those preferred first."""
    orders = {"yes": _DAY_FIRST, "no": _MONTH_FIRST, "auto": [*_DAY_FIRST, *_MONTH_FIRST]}
    yield QUARTER
    for date, time in itertools.product([*_PLAIN, *orders[day_first]], _TIMES):
        if date != "ISO8601":
            yield date + time
        elif not time:
            yield date


def _mostly_fitting(known: "pd.Series[str]", day_first: DayFirst) -> str | None:
    """The one format in which all but a few of many can be read, if there is just one best."""
    if len(known) < _MANY:
        return None
    few = max(1, len(known) // 100)
    sample = known.iloc[:: max(1, len(known) // _SAMPLE)]
    failures = {}
    for form in _formats(day_first):
        if _parse(sample, form).isna().sum() <= few:
            failures[form] = int(_parse(known, form).isna().sum())
    least = min(failures.values(), default=few + 1)
    best = [form for form, count in failures.items() if count == least]
    return best[0] if least <= few and len(best) == 1 else None


def _are_unix(known: "pd.Series[str]") -> bool:
    """Whether all are whole numbers as large as the seconds since 1970 have been since 1973."""
    numbers = pd.to_numeric(known, errors="coerce")
    return len(known) > 0 and bool((numbers >= _SINCE).all() and (numbers % 1 == 0).all())


def _parse(values: "pd.Series[str]", form: str) -> "pd.Series[pd.Timestamp]":
    text = values.astype(object).where(values.notna(), None)
    if form == QUARTER:
        text = _first_days(text)
        form = "%Y-%m"
    return pd.to_datetime(text, format=form, errors="coerce", utc=True)


def _first_days(quarters: "pd.Series[str]") -> "pd.Series[str]":
    """The month that each quarter begins with, as `2012-7`; NaN where it is none."""
    found = quarters.astype("string").str.extract(_QUARTER, flags=re.IGNORECASE)
    year, of = found["year"].fillna(found["year2"]), found["of"].fillna(found["of2"])
    months = of.map({"1": "01", "2": "04", "3": "07", "4": "10"})
    return (year + "-" + months).astype(object).where(year.notna(), None)


def _naive(values: "pd.Series[str]", found: "pd.Series[pd.Timestamp]", form: str) -> ParsedTimes:
    has_offset = "%z" in form or (form == "ISO8601" and bool(_OFFSET.search(_first(values))))
    return ParsedTimes(found.dt.tz_localize(None).astype("datetime64[us]"), form, has_offset)


def _first(values: "pd.Series[str]") -> str:
    known = values.dropna()
    return str(known.iloc[0]) if len(known) else ""


def _refuse_ambiguous(values: "pd.Series[str]", formats: Sequence[str]) -> None:
    one, two = (_parse(values, form) for form in formats[:2])
    differing = values[(one != two) & one.notna()]
    if len(differing):
        raise DataError(
            f"Time column {values.name!r}: expected days above 12, to distinguish day and month. "
            f"Received: {len(differing)} values such as {differing.iloc[0]!r}, which "
            f"{' and '.join(formats[:2])} both read. Set series_example_gen.day_first to yes or "
            "no, or series_example_gen.time_format."
        )


def _unreadable(values: "pd.Series[str]", expected: str) -> DataError:
    shown = ", ".join(map(repr, values.dropna().unique()[:3]))
    return DataError(
        f"Time column {values.name!r}: expected {expected}. Received: {shown or 'no value'}. "
        "Name the column by series_example_gen.time, or its form by "
        "series_example_gen.time_format, such as %d.%m.%Y %H:%M, quarter or unix."
    )


def _numbers(values: "pd.Series[str]") -> "pd.Series[float]":
    numbers = pd.to_numeric(values, errors="coerce")
    wrong = numbers.isna() & values.notna()
    if wrong.any():
        raise DataError(
            f"Time column {values.name!r}: expected whole numbers. Received: "
            f"{values[wrong].iloc[0]!r}. Correct it, or choose other columns by "
            "series_example_gen.time."
        )
    return numbers


def _unix(values: "pd.Series[str]") -> "pd.Series[pd.Timestamp]":
    numbers = _numbers(values)
    size = float(numbers.abs().max())
    unit = next(unit for least, unit in _UNIX if not size < least)
    return pd.to_datetime(numbers, unit=unit, errors="coerce").astype("datetime64[us]")


def _assembled(parts: Mapping[str, "pd.Series[float]"]) -> "pd.Series[pd.Timestamp]":
    numbers = pd.DataFrame({"month": 1, "day": 1} | dict(parts))
    return pd.to_datetime(numbers, errors="coerce").astype("datetime64[us]")


def _are_numbers(values: "pd.Series[str]") -> bool:
    return bool(pd.to_numeric(values, errors="coerce").notna().any())
