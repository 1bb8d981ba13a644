"""Dates and times in a column of a table: recognised, and read by Arrow in the forms they have."""

import itertools
import re

import pyarrow as pa
import pyarrow.compute as pc

_DAYS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%Y"),
    *("%d/%m/%y", "%m/%d/%y", "%d-%m-%y", "%m-%d-%y", "%d.%m.%y"),
    *("%d %b %Y", "%d-%b-%Y", "%b %d, %Y"),  # %b takes whole names too
)
_TIMES = ("", " %H:%M:%S", " %H:%M", "T%H:%M:%S", "T%H:%M:%SZ", "T%H:%M")
_ISO = "ISO8601"  # with fractions of a second, or an offset from UTC
_LIKE = (
    r"^\s*(\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{1,2}[- ]\pL{3,9}[- ]\d{4}|\pL{3,9} \d{1,2}, \d{4})"
    r"([T ]\d{1,2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?\s*$"
)
# What is in every cell that `_LIKE` fits.
_FIRST_LOOK = re.compile(r"\d[-/.]\d{1,2}[-/.]\d|\d[- ]\S|\S \d")
_ISO_LIKE = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?$"
PARTS = {
    "year": pc.year,
    "month": pc.month,
    "day": pc.day,
    "weekday": pc.day_of_week,
    "hour": pc.hour,
    "minute": pc.minute,
}
"""What becomes of a date; the last two where it has a time."""

_OF_DAY = 4  # of the parts
FORMS = (*(day + time for day, time in itertools.product(_DAYS, _TIMES)), _ISO)
"""As strptime writes them, the ones preferred first."""


def look_like_dates(cells: pa.StringArray) -> bool:
    """Whether all `cells`, at least one and none null, have the look of dates.

    The first is looked at alone: to compile the whole expression takes longer than to read a column
    of a few rows, and of most columns the first cell is no date.
    """
    looks = _FIRST_LOOK.search(cells[0].as_py()) is not None
    return looks and bool(pc.all(pc.match_substring_regex(cells, _LIKE)).as_py())


def read(cells: pa.StringArray, pattern: str) -> pa.TimestampArray:
    """Timestamps in microseconds, of UTC where the cells have an offset; null where they do not fit."""
    if pattern == _ISO:
        return _iso_moments(cells)
    if "%Y" in pattern:  # which would take 31/01/20 for the year 31
        fits = pc.match_substring_regex(cells, r"(^|\D)\d{4}(\D|$)")
        cells = pc.if_else(fits, cells, pa.scalar(None, pa.string()))
    return pc.strptime(cells, pattern, "us", error_is_null=True)


def _iso_moments(cells: pa.StringArray) -> pa.TimestampArray:
    fits = pc.match_substring_regex(cells, _ISO_LIKE)
    kept = pc.if_else(fits, cells, pa.scalar(None, pa.string()))
    has_offset = pc.match_substring_regex(kept, r"(Z|[+-]\d{2}:?\d{2})$")
    zoned = pc.if_else(has_offset, kept, pc.binary_join_element_wise(kept, "Z", ""))
    try:
        return _microseconds(zoned)
    except pa.ArrowInvalid:  # one is a 30th of February, or the like
        return pa.concat_arrays([_moment(zoned.slice(row, 1)) for row in range(len(zoned))])


def _moment(cell: pa.StringArray) -> pa.TimestampArray:
    try:
        return _microseconds(cell)
    except pa.ArrowInvalid:
        return pa.nulls(1, pa.timestamp("us"))


def _microseconds(cells: pa.StringArray) -> pa.TimestampArray:
    return pc.cast(pc.cast(cells, pa.timestamp("us", "UTC")), pa.timestamp("us"))


def seconds(values: pa.TimestampArray) -> pa.Int64Array:
    """Whole seconds since 1970, those of a fraction before it."""
    return pc.floor_temporal(values, unit="second").cast(pa.timestamp("s")).cast(pa.int64())


def parts_of(pattern: str) -> list[str]:
    """The names in `PARTS` of what a date of the form `pattern` has."""
    has_time = pattern == _ISO or "%H" in pattern
    return list(PARTS) if has_time else list(itertools.islice(PARTS, _OF_DAY))
