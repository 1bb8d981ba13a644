"""The fields of dates and times, as `dates` takes them from cells, to datetime64 of UTC."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

ZONES = {  # those of RFC 2822, and others of one meaning
    **{"EST": "-05", "EDT": "-04", "CST": "-06", "CDT": "-05", "MST": "-07", "MDT": "-06"},
    **{"PST": "-08", "PDT": "-07", "WET": "+00", "WEST": "+01", "CET": "+01", "CEST": "+02"},
    **{"MEZ": "+01", "MESZ": "+02"},
    **{"EET": "+02", "EEST": "+03", "MSK": "+03", "JST": "+09", "AEST": "+10", "AEDT": "+11"},
}
_US = 1_000_000


def whole_numbers(field: pa.StringArray, missing: int = -1) -> NDArray[np.int64]:
    """Digits as int64, `missing` where there are none."""
    filled = pc.if_else(pc.equal(field, ""), pa.scalar(None, pa.string()), field)
    return filled.cast(pa.int64()).fill_null(missing).to_numpy(zero_copy_only=False)


def day_of(
    parts: Mapping[str, NDArray[np.int64]], count: int
) -> tuple[NDArray[np.datetime64], NDArray[np.bool_]]:
    """The day of each cell, datetime64[D], and where there is such a day."""
    if "hour" in parts and not {"year", "short"} & parts.keys():
        return np.zeros(count, "datetime64[D]"), np.ones(count, bool)
    year = parts.get("year", np.full(count, -1))
    if "short" in parts:
        year = parts["short"] + np.where(parts["short"] < 69, 2000, 1900)  # as POSIX has it
    if "year2" in parts:
        year = np.where(year < 0, parts["year2"], year)
    valid = year >= 1
    start = (np.where(valid, year, 1970) - 1970).astype("datetime64[Y]")
    if "week" in parts:
        return _in_week(start, parts, valid)
    if "ordinal" in parts:
        days = start.astype("datetime64[D]") + (parts["ordinal"] - 1).astype("timedelta64[D]")
        is_there = (parts["ordinal"] >= 1) & (days.astype("datetime64[Y]") == start)
        return days, np.asarray(valid & is_there, bool)
    if "quarter" in parts:
        quarter = np.maximum(parts["quarter"], parts.get("quarter2", parts["quarter"]))
        month = 3 * quarter - 2
    else:
        month = parts.get("month", np.ones(count, np.int64))
    day = parts.get("day", np.ones(count, np.int64))
    valid &= (month >= 1) & (month <= 12)
    months = start.astype("datetime64[M]") + np.where(valid, month - 1, 0)
    days = months.astype("datetime64[D]") + (day - 1).astype("timedelta64[D]")
    return days, np.asarray(valid & (day >= 1) & (days.astype("datetime64[M]") == months), bool)


def _in_week(
    start: NDArray[np.datetime64], parts: Mapping[str, NDArray[np.int64]], valid: NDArray[np.bool_]
) -> tuple[NDArray[np.datetime64], NDArray[np.bool_]]:
    """ISO 8601: week 1 is that of the fourth of January, and weeks begin on Monday."""
    fourth = start.astype("datetime64[D]") + 3
    monday = fourth - (fourth.astype(np.int64) + 3) % 7
    weekday = np.maximum(parts.get("weekday", np.ones_like(parts["week"])), 1)
    first = monday + 7 * (parts["week"] - 1)
    thursday = first + 3
    is_there = (parts["week"] >= 1) & (thursday.astype("datetime64[Y]") == start)
    return first + (weekday - 1).astype("timedelta64[D]"), np.asarray(valid & is_there, bool)


def within_day(
    fields: Mapping[str, pa.StringArray], parts: Mapping[str, NDArray[np.int64]], count: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Microseconds since midnight of UTC, where there is such a time, and which cells have one."""
    if "hour" not in parts:
        return np.zeros(count, np.int64), np.ones(count, bool), np.zeros(count, bool)
    has_time = parts["hour"] >= 0
    hour = np.maximum(parts["hour"], 0)
    rest = {name: np.maximum(parts.get(name, hour * 0), 0) for name in ("minute", "second")}
    valid = (hour <= 24) & (rest["minute"] <= 59) & (rest["second"] <= 59)
    if "half" in fields:
        half = pc.utf8_lower(pc.utf8_slice_codeunits(fields["half"], 0, 1)).fill_null("")
        is_pm = pc.equal(half, "p").to_numpy(zero_copy_only=False)
        is_of_half = is_pm | pc.equal(half, "a").to_numpy(zero_copy_only=False)
        valid &= ~is_of_half | ((hour >= 1) & (hour <= 12))
        hour = np.where(is_of_half, hour % 12 + 12 * is_pm, hour)
    micros = ((hour * 60 + rest["minute"]) * 60 + rest["second"]) * _US
    valid &= micros <= 24 * 3600 * _US
    if "fraction" in fields:
        digits = pc.utf8_slice_codeunits(pc.utf8_rpad(fields["fraction"], 6, "0"), 0, 6)
        micros = micros + whole_numbers(digits, 0)
    if "offset" in fields:
        micros = micros - _offset(fields["offset"])
    return micros, valid, has_time


def _offset(field: pa.StringArray) -> NDArray[np.int64]:
    """`+02:00` or `CEST` in microseconds, 0 where it is Z or nothing."""
    place = pc.index_in(field, pa.array(list(ZONES)))
    field = pc.coalesce(pa.array(list(ZONES.values())).take(place), field)
    sign = np.where(
        pc.starts_with(field, "-").fill_null(fill_value=False).to_numpy(zero_copy_only=False), -1, 1
    )
    digits = pc.replace_substring_regex(field, r"\D", "")
    hours = whole_numbers(pc.utf8_slice_codeunits(digits, 0, 2), 0)
    minutes = whole_numbers(pc.utf8_slice_codeunits(digits, 2, 4), 0)
    return sign * (hours * 60 + minutes) * 60 * _US


def plain_numbers(cells: pa.StringArray) -> NDArray[np.float64]:
    """Plain numbers as float64, NaN for what is none."""
    is_number = pc.match_substring_regex(cells, r"^-?\d+(?:\.\d+)?$")
    kept = pc.if_else(is_number, cells, pa.scalar(None, pa.string()))
    return kept.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False)


def counted(cells: pa.StringArray, *, excel: bool) -> NDArray[np.datetime64]:
    """Excel's days, or Unix time in the unit that its size says, each cell for itself."""
    numbers = plain_numbers(cells)
    if excel:
        limit, start = 3e6, np.datetime64("1899-12-30", "us")
        scale = np.full(len(numbers), 86_400.0 * _US)
    else:
        size = np.abs(np.nan_to_num(numbers))
        limit, start = 1e20, np.datetime64(0, "us")
        scale = _US / np.select([size >= 1e17, size >= 1e14, size >= 1e11], [1e9, 1e6, 1e3], 1.0)
    fits = np.abs(numbers) < limit
    micros = np.rint(np.where(fits, numbers, 0) * scale)
    fits &= np.abs(micros) < 9e18
    if excel:  # a float has no more than these digits of a day
        micros = np.rint(micros / 1_000) * 1_000
    found = start + np.where(fits, micros, 0).astype(np.int64).astype("timedelta64[us]")
    found[~fits] = np.datetime64("NaT")
    return found
