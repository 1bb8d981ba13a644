"""Which step lies between the rows of a series, as pandas writes it: `h`, `D`, `BME`, `500ms`.

Times are naive, datetime64[us]. A step in `ms` or `us` says that the times of its grid have
fractions of a second.
"""

import re
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from millrace.components.errors import DataError, OptionError

Ints = NDArray[np.int64]
Place = Callable[[str, pd.Timestamp], str]
"""Where the row of a series and time is: its file and line."""

_SECOND = 1_000_000  # microseconds
_DAY = 86400 * _SECOND
_NAMED = {
    **{7 * _DAY: "7D", _DAY: "D", 3600 * _SECOND: "h", 60 * _SECOND: "min", _SECOND: "s"},
    **{1000: "ms", 1: "us"},
}
_MONTH = 28 * _DAY  # the shortest
_LATE = 24  # the first day of a month that is near its end
USUAL = {  # steps that people measure at, in microseconds, longest first
    f"{count if count > 1 else ''}{unit}": count * length
    for unit, length, counts in (
        ("D", _DAY, (1,)),
        ("h", 3600 * _SECOND, (12, 8, 6, 4, 3, 2, 1)),
        ("min", 60 * _SECOND, (30, 20, 15, 10, 5, 2, 1)),
        ("s", _SECOND, (30, 20, 15, 10, 5, 2, 1)),
        ("ms", 1000, (500, 250, 200, 100, 50, 20, 10, 5, 2, 1)),
    )
    for count in counts
}
_SPELT = {  # units as older pandas and people write them
    spelling: unit
    for unit, spellings in {
        **{"ME": "M m month months monthly", "QE": "Q q quarter quarters quarterly"},
        **{"YE": "Y A y a year years yearly annual annually", "BME": "BM", "BQE": "BQ"},
        **{"W": "w week weeks weekly", "D": "d day days daily", "B": "b", "SME": "SM"},
        **{"h": "H hr hour hours hourly", "min": "T t minute minutes minutely"},
        **{"s": "S sec second seconds", "ms": "L l", "us": "U u", "BYE": "BY BA", "bh": "BH"},
    }.items()
    for spelling in spellings.split()
}
_FEW = 0.02  # share of the rows that may be strays
_MANY = 10  # rows from which on one may be
_SHOWN = 3  # of them
_NEAR = 10  # rows within this part of a step around times of the grid are meant to lie there
_EARLY_AND_LATE = 4  # the same, if some of them come before such a time and some after
_EMPTY = 0.2  # rows added for each there is, from which on a step is too short
_DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


def frequency(times: pd.Series, place: Place) -> str:
    """The step that lies between the rows.

    Args:
        times: of all series, each one's in order, with its name in the index.
        place: names the file and the line of a row.

    Raises:
        DataError: there is none; says which step to resample to, or which rows do not fit.
    """
    apart = times.groupby(level=0).diff()
    is_first = apart.isna().to_numpy()
    found = apart.to_numpy("timedelta64[us]").astype(np.int64)[~is_first]
    if not len(found):
        raise DataError(
            f"Time: expected two rows or more of a series. Received: {len(times)} rows. "
            "Name the column that identifies the series by series_example_gen.series, if any."
        )
    index = pd.DatetimeIndex(times.to_numpy())
    moments = index.to_numpy("datetime64[us]").astype(np.int64)
    is_at_one_hour = len(np.unique(moments % _DAY)) == 1
    months = np.diff(index.year.to_numpy() * 12 + index.month.to_numpy())[~is_first[1:]]
    if found.min() >= _MONTH and is_at_one_hour and (name := _of_months(index, months)):
        return name
    lengths, seen = np.unique(found, return_counts=True)
    usual = int(lengths[seen.argmax()])
    if usual == _DAY and len(index) > 14 and index.day_of_week.max() < 5 and is_at_one_hour:
        return "B"
    if (lengths % usual == 0).all():
        return name_of(usual, finest=int(np.gcd.reduce(moments)))
    often = np.argsort(-seen, kind="stable")[:4]
    shown = ", ".join(f"{lengths[i] / _SECOND:g} s ({seen[i]} times)" for i in often)
    raise DataError(
        f"Time: expected rows a fixed step apart. Received: steps of {shown}"
        f"{_strays(times, moments, usual, place)}. Bring them to one by "
        f"series_example_gen.resample={_advised(index, moments, is_first, months, found)}."
    )


def check_frequency(rule: str) -> str:
    """`rule` as pandas writes it.

    Raises:
        OptionError: pandas knows none of this name, it does not go forward, or it is of parts of
            a microsecond, which times do not have.
    """
    place = "series_example_gen, option resample"
    spelt = re.fullmatch(r"(\d*) *([A-Za-z]+)(-\w+)?", rule.strip())
    if spelt and (unit := _SPELT.get(spelt[2])):
        raise OptionError(
            f"{place}: expected a frequency as pandas writes it. Received: {rule!r}. "
            f"Use {spelt[1]}{unit}{spelt[3] or ''}"
            f"{f', or {spelt[1]}min for minutes' if spelt[2] == 'm' else ''}."
        )
    try:
        step = pd.tseries.frequencies.to_offset(rule)
        _ = pd.Timestamp("2001-01-01") + 64 * step  # which is a time in reach
    except (ValueError, OverflowError) as error:
        raise OptionError(
            f"{place}: expected a frequency such as 500ms, 15min, h, D, MS. "
            f"Received: {rule!r}. Use one of these, or another of pandas' offset aliases."
        ) from error
    if step.n <= 0:
        raise OptionError(
            f"{place}: expected a step that is longer than nothing, such as 15min, h, D, MS. "
            f"Received: {rule!r}. Give its length."
        )
    if isinstance(step, pd.tseries.offsets.Tick) and pd.Timedelta(step) % pd.Timedelta(1, "us"):
        raise OptionError(
            f"{place}: expected whole microseconds, which is as fine as times are read. "
            f"Received: {rule!r}. Use 1us or longer."
        )
    return step.freqstr


def fixed_length(step: str) -> int | None:
    """The microseconds of `step`; None where it is not always as long, as a month."""
    offset = pd.tseries.frequencies.to_offset(step)
    if not isinstance(offset, pd.tseries.offsets.Tick | pd.tseries.offsets.Day):
        return None
    return pd.Timedelta(offset) // pd.Timedelta(1, "us")


def snapped(moments: Ints, length: int) -> Ints:
    """`moments` at the nearest multiple of `length`, if all lie near to one; else as they are.

    A reading of every ten minutes is taken some seconds early or late: of 09:59:58 and 10:10:01
    neither step may lack its row. One that is always taken at 23:59 is of the day that ends.

    Args:
        moments: Unix microseconds.
        length: of a step that divides the day.
    """
    nearest = (moments + length // 2) // length * length
    late = moments - nearest
    around = _EARLY_AND_LATE if late.min(initial=0) < 0 < late.max(initial=0) else _NEAR
    is_near = np.abs(late).max(initial=0) * around <= length
    is_days_end = length == _DAY and late.max(initial=-1) < 0
    return nearest if is_near and not is_days_end else moments


def name_of(length: int, finest: int = _SECOND) -> str:
    """A step of `length` microseconds as pandas writes it: `90min`.

    Args:
        length: of it.
        finest: a common measure of all times; where they are no whole seconds, the name says so.
    """
    most = 7 * _DAY if finest % _SECOND == 0 else 1000 if finest % 1000 == 0 else 1
    unit = next(unit for unit in _NAMED if unit <= most and length % unit == 0)
    count = length // unit
    if unit == 7 * _DAY:
        return f"{7 * count}D"
    return _counted(count, _NAMED[unit])


def _of_months(index: pd.DatetimeIndex, months: Ints) -> str:
    """The frequency of rows on the same kind of day of their months; empty if there is none.

    Args:
        index: of rows at one time of the day.
        months: from row to row of each series.
    """
    days = index.normalize()
    first = pd.DatetimeIndex(days.to_numpy("datetime64[M]").astype("datetime64[us]"))
    kinds = {
        "MS": index.day == 1,
        "ME": index.is_month_end,
        "BME": days == days + pd.offsets.BMonthEnd(0),
        "BMS": days == first + pd.offsets.BDay(0),
    }
    name = next((name for name, fits in kinds.items() if np.all(fits)), "")
    if not name:
        return ""
    apart = int(np.gcd.reduce(months))
    if apart % 12 or len(set(index.month)) > 1 or name.startswith("B"):
        return _counted(apart, name)
    month = index[0].strftime("%b").upper()
    return _counted(apart // 12, f"{'YS' if name == 'MS' else 'YE'}-{month}")


def _advised(
    index: pd.DatetimeIndex, moments: Ints, is_first: NDArray[np.bool_], months: Ints, found: Ints
) -> str:
    """The usual step to which the rows can be brought with the least merged and missing."""
    middle = float(np.median(found))
    if middle >= 25 * _DAY:
        apart = int(np.median(months))
        end = "E" if (index.day >= _LATE).all() else "S"
        return {3: f"Q{end}", 12: f"Y{end}"}.get(apart, _counted(apart, f"M{end}"))
    series = np.cumsum(is_first, dtype=np.int64)
    if middle > 2 * _DAY:
        weeks = max(1, round(middle / (7 * _DAY)))
        days = moments // _DAY + 3  # 1970-01-01 was a Thursday
        bins = {
            _counted(count, f"W-{day}"): (days - place - 1) // (7 * count)
            for count in (weeks, weeks + 1)
            for place, day in enumerate(_DAYS)
        }
    else:
        bins = {step: _bins(step, moments) for step in _near(middle)}
    lack = {step: _misfit(each, series) for step, each in bins.items()}
    filled = [step for step in lack if lack[step][0] <= _EMPTY * len(np.unique(bins[step]))]
    return min(filled or lack, key=lambda step: sum(lack[step]))


def _counted(count: int, unit: str) -> str:
    return f"{count if count > 1 else ''}{unit}"


def _near(middle: float) -> Iterator[str]:
    """The usual steps of about that length, longest first; if none is, the next longer one."""
    near = [step for step, length in USUAL.items() if middle / 2 <= length <= middle * 4]
    yield from near or [step for step, length in USUAL.items() if length >= middle][-1:]


def _bins(step: str, moments: Ints) -> Ints:
    """The place on a grid of `step` that each of `moments` is brought to, from 1970 on."""
    return snapped(moments, USUAL[step]) // USUAL[step]


def _misfit(bins: Ints, series: Ints) -> tuple[int, int]:
    """How many bins of each series would have no row, and how many rows share one."""
    spans = pd.Series(bins).groupby(series)
    distinct = int(spans.nunique().sum())
    return int((spans.max() - spans.min() + 1).sum()) - distinct, len(bins) - distinct


def _strays(times: pd.Series, moments: Ints, usual: int, place: Place) -> str:
    """The few rows that alone do not lie on a grid of `usual`; empty if they are many."""
    names = times.index.to_numpy()
    phases = pd.Series(moments % usual).groupby(names)
    off = (moments % usual) != phases.transform(lambda own: own.mode().iloc[0]).to_numpy()
    if len(moments) < _MANY or not 0 < off.sum() <= max(1, _FEW * len(moments)):
        return ""
    rows = np.flatnonzero(off)
    shown = ", ".join(
        f"{times.iloc[row]} ({place(str(names[row]), times.iloc[row])})" for row in rows[:_SHOWN]
    )
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    return (
        f"; all but {len(rows)} of {len(moments)} rows are {name_of(usual)} apart: correct or "
        f"remove {shown}{more}"
    )
