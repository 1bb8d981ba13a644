"""Clocks with daylight saving: the hour that they show twice in autumn, and the one they skip.

Which zone's clocks wrote the times is never assumed, only proposed: `series_example_gen.zone`.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from millrace.components.errors import DataError
from millrace.components.example_gen.time_series import steps
from millrace.components.example_gen.time_series.options import SeriesReading

ZONES = (  # whose clocks change on days or at hours of their own, the most used first
    *("Europe/Berlin", "America/New_York", "Europe/London", "Europe/Athens", "Australia/Sydney"),
    *("Pacific/Auckland", "America/Santiago", "Asia/Jerusalem", "America/Havana", "Africa/Cairo"),
    *("America/Sao_Paulo", "America/Mexico_City", "Asia/Tehran", "Europe/Moscow", "Asia/Amman"),
    *("Asia/Beirut", "America/Asuncion", "Atlantic/Azores", "Australia/Lord_Howe"),
)
_HOUR = 3600 * 1_000_000  # microseconds
_DAY = 24 * _HOUR
_OPTION = "series_example_gen.zone"
_MERGE = "series_example_gen.duplicates=last to merge the skipped hour with the next"


def check_clock(table: pd.DataFrame, reading: SeriesReading) -> None:
    """Refuse times of less than a day apart that only the clocks of another zone can have shown.

    Args:
        table: columns `series` and `time`, as the clock showed it, in the order of the files.
        reading: says which zone was named, if any.

    Raises:
        DataError: times repeat, or are skipped, as the clocks of other zones do.
    """
    if reading.rows.duplicates != "error":
        return
    again = table.duplicated(["series", "time"])
    zone, times = reading.clock.zone, pd.DatetimeIndex(table["time"])
    if zone != "UTC" and len(skipped := times[_is_skipped(times, zone)]):
        raise DataError(
            f"Time: expected times that the clocks of {zone} show. Received: {len(skipped)} in "
            f"hours that they skip in spring, such as {skipped[0]}. {_fix(table, zone)}"
        )
    repeated = pd.DatetimeIndex(table["time"][again])
    if not again.any() or (zone != "UTC" and _is_twice(repeated, zone).all()):
        return
    if fitting := zones(table, may_skip=True):
        found = sorted({str(day.date()) for day in repeated})
        skipped = times[_is_skipped(times, fitting[0])]
        made_up = (
            f"; but {skipped[0]} is in the hour that it skips in spring" if len(skipped) else ""
        )
        raise DataError(
            f"Time: expected each time once per series. Received: {int(again.sum())} repeated "
            f"ones, such as {repeated[0]}: this is the autumn hour of a clock with daylight "
            f"saving ({', '.join(found[:3])}{' …' if found[3:] else ''})"
            f"{f', which those of {zone} do not show twice' if zone != 'UTC' else ''}"
            f"{made_up}. {_named(fitting, f' and {_MERGE}' if made_up else '')}"
        )


def spring_hint(table: pd.DataFrame, step: str) -> str:
    """What to say where the only gaps are hours that some zone's clocks skip; else empty.

    Args:
        table: columns `series` and `time`, ordered.
        step: between the rows.
    """
    length = steps.fixed_length(step)
    if length is None or length > _HOUR:
        return ""
    apart = table.groupby("series", sort=False)["time"].diff().to_numpy("timedelta64[us]")
    gaps = np.where(np.isnat(apart), 0, apart.astype(np.int64)) - length
    ends = pd.DatetimeIndex(table["time"][gaps > 0].unique())
    if not len(ends) or gaps.max() > _HOUR:
        return ""
    lacking = ends - pd.Timedelta(length, "us")
    fitting = [
        zone
        for zone in ZONES
        if _is_skipped(lacking, zone).all() and not _is_skipped(ends, zone).any()
    ]
    if not fitting:
        return ""
    return (
        f"no rows in the hour before {ends[0]}: this is the spring hour of a clock with "
        f"daylight saving. {_named(fitting)}"
    )


def zones(table: pd.DataFrame, *, may_skip: bool = False) -> list[str]:
    """Those of `ZONES` whose clocks show all repeated times of `table` twice, and skip none of it.

    Args:
        table: columns `series` and `time`, as the clock showed it.
        may_skip: where there are none, take those that skip some of it.
    """
    again = table.duplicated(["series", "time"])
    if table[again].duplicated(["series", "time"]).any():
        return []  # three times
    repeated = pd.DatetimeIndex(table["time"][again].unique())
    times = pd.DatetimeIndex(table["time"].unique())
    fitting = [zone for zone in ZONES if _is_twice(repeated, zone).all()]
    without = [zone for zone in fitting if not _is_skipped(times, zone).any()]
    return without or (fitting if may_skip else [])


def are_long(days: pd.DatetimeIndex, zone: str) -> NDArray[np.bool_]:
    """Which of `days`, at midnight, have more than 24 hours in the `zone`, bool [days]."""
    return _lengths(days, zone) > _DAY


def check_lengths(days: pd.DatetimeIndex, zone: str) -> None:
    """Refuse `days` of 25 hours that those of another zone are, and those of the `zone` are not.

    Raises:
        DataError: there is such a zone.
    """
    fitting = [name for name in ZONES if are_long(days, name).all()]
    if fitting:
        raise DataError(
            f"Time: expected days of 24 hours{f', as {zone} has there' if zone != 'UTC' else ''}. "
            f"Received: more on {days[0].date()}, when clocks with daylight saving are put back. "
            f"{_named(fitting)}"
        )


def are_counted(days: pd.DatetimeIndex, wall: "pd.Series[pd.Timestamp]", zone: str) -> bool:
    """Whether the parts of a short day are counted: one that clocks skip is there, not the last.

    Args:
        days: at midnight [rows].
        wall: the times on them [rows], if the parts were those that clocks show.
        zone: of the clocks.
    """
    is_short = (_lengths(days, zone) < _DAY) & wall.notna().to_numpy()
    shown = pd.DatetimeIndex(wall[is_short])
    return bool(_is_skipped(shown, zone).any()) and not (shown.hour == 23).any()


def _lengths(days: pd.DatetimeIndex, zone: str) -> NDArray[np.int64]:
    """Microseconds from each midnight to the next; of a day without one, a day's."""
    starts, ends = (
        moments.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
        for moments in (days, days + pd.Timedelta(1, "D"))
    )
    apart = (ends - starts).fillna(pd.Timedelta(1, "D"))
    return apart.to_numpy("timedelta64[us]").astype(np.int64)


def second_runs(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Which rows repeat a time that their series had before, or go back behind one, bool [rows].

    Args:
        table: columns `series` and `time`, in the order of the files, which may be the reverse of
            time's: then the earlier of two rows is the second run.
    """
    apart = table.groupby("series", sort=False)["time"].diff()
    is_reversed = bool((apart < pd.Timedelta(0)).sum() > (apart > pd.Timedelta(0)).sum())
    ordered = table[::-1] if is_reversed else table
    latest = ordered.groupby("series", sort=False)["time"].cummax()
    behind = (ordered["time"] < latest) | ordered.duplicated(["series", "time"])
    return (behind[::-1] if is_reversed else behind).to_numpy()


def _is_skipped(times: pd.DatetimeIndex, zone: str) -> NDArray[np.bool_]:
    first_run = np.ones(len(times), bool)
    return np.asarray(times.tz_localize(zone, ambiguous=first_run, nonexistent="NaT").isna())


def _is_twice(times: pd.DatetimeIndex, zone: str) -> NDArray[np.bool_]:
    first, second = (
        times.tz_localize(zone, ambiguous=np.full(len(times), run), nonexistent="shift_forward")
        for run in (True, False)
    )
    return np.asarray(first != second)


def _fix(table: pd.DataFrame, zone: str) -> str:
    """What to do about times that the clocks of `zone` skip."""
    if not table.duplicated(["series", "time"]).any():
        return f"Leave {_OPTION} out, unless the clocks of another zone wrote them."
    fitting = [name for name in zones(table) if name != zone]
    if fitting:
        return _named(fitting)
    return f"Correct these times, or set {_MERGE}."


def _named(fitting: list[str], also: str = "") -> str:
    others = f" ({', '.join(fitting[1:3])} change alike)" if fitting[1:] else ""
    return f"Set {_OPTION}={fitting[0]}{also}, or another zone of these clocks{others}."
