"""Rows at regular times: rows for the times that lack one, and longer steps.

A series is a table of numbers, float64, with its naive times as the index, datetime64[us]. Which
step lies between the rows is found in `steps`.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from millrace.components.errors import DataError
from millrace.components.example_gen.time_series import steps
from millrace.components.example_gen.time_series.options import Aggregate, Duplicates
from millrace.components.features.series_spec import time_unit

_DAY = 86400  # seconds
_ENOUGH = 10  # steps, of which it can be said how far rows usually fill one
_A_SEASON = ((3600, 24), (_DAY, 7), (7 * _DAY, 52), (31 * _DAY, 12))  # rows, up to seconds a row


@dataclasses.dataclass
class GridCounts:
    """What was changed on the way from a file's rows to a grid.

    Attributes:
        rows: read, with a time.
        disorder: rows that came before an earlier one.
        repeated: rows of a time that there was already, merged with it.
        merged: rows beyond the first of a longer step, aggregated with it.
        added: rows for times that had none.
        partial: steps at a series' ends that its rows fill in part only, taken as missing.
        missing: cells without a value, of those and of others.
        trimmed: rows at a series' ends without a target.
        outside: rows before the first split or, of a single fold, after the last.
    """

    rows: int = 0
    disorder: int = 0
    repeated: int = 0
    merged: int = 0
    added: int = 0
    partial: int = 0
    missing: int = 0
    trimmed: int = 0
    outside: int = 0

    def add(self, other: "GridCounts") -> None:
        """Take in the counts of other rows."""
        for field in dataclasses.fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


def ordered(frame: pd.DataFrame, duplicates: Duplicates, counts: GridCounts) -> pd.DataFrame:
    """Rows by `series` and `time`, each pair once.

    Rows that are equal in everything are one; others of the same time are `duplicates`' matter.

    Args:
        frame: columns `series`, `time` and float64 values.
        duplicates: what becomes of them.
        counts: gets how many were out of order and repeated.

    Raises:
        DataError: there are some, and they are an error.
    """
    rows = len(frame)
    earlier = frame.groupby("series", sort=False)["time"].diff() < pd.Timedelta(0)
    counts.rows += rows
    counts.disorder += int(earlier.sum())
    frame = frame.sort_values(["series", "time"], kind="stable", ignore_index=True)
    frame = frame.drop_duplicates(ignore_index=True)
    again = frame.duplicated(["series", "time"])
    if again.any():
        if duplicates == "error":
            raise _repeated(frame, again)
        by_time = frame.groupby(["series", "time"], as_index=False, sort=False)
        frame = getattr(by_time, duplicates)()
    counts.repeated += rows - len(frame)
    return frame


def times(
    first: pd.Timestamp, last: pd.Timestamp, step: str, *, resampled: bool
) -> pd.DatetimeIndex:
    """All times of the grid from `first` to `last`."""
    if not resampled:
        return pd.date_range(first, last, freq=step, unit="us")
    ends = pd.Series(0.0, index=pd.DatetimeIndex([first, last]))
    return pd.DatetimeIndex(ends.resample(step).sum().index)


def regular(
    values: pd.DataFrame, step: str, aggregate: Aggregate | None, counts: GridCounts
) -> pd.DataFrame:
    """A row for every time of the grid from the first to the last, NaN where there was none.

    A first step that the rows begin within, and a last one that they end within, are missing: the
    sum of a morning is not that of a day.

    Args:
        values: ascending.
        step: of the grid.
        aggregate: of the rows that fall into one step; None where they are that far apart.
        counts: gets the rows added, and the steps that are filled in part.
    """
    if aggregate:
        bins = values.resample(step)
        found = bins.sum(min_count=1) if aggregate == "sum" else getattr(bins, aggregate)()
        rows = bins.size()
        counts.added += int((rows == 0).sum())
        counts.merged += int((rows - 1).clip(lower=0).sum())
        partial = _partial(pd.DatetimeIndex(values.index), step) if rows.max() > 1 else []
        counts.partial += len(partial)
        found.iloc[partial] = np.nan
        return found
    found = values.reindex(pd.date_range(values.index[0], values.index[-1], freq=step, unit="us"))
    counts.added += len(found) - len(values)
    return found


def _partial(times: pd.DatetimeIndex, step: str) -> list[int]:
    """Places of the first and the last step, if rows begin later in it, or end earlier, than in
    19 of 20 others; none of few, of which that cannot be said.
    """
    bins = pd.Series(times, index=times).resample(step)
    begin, end = _time_into(bins.min()), _time_into(bins.max())
    if len(begin) < _ENOUGH:
        return []
    found = [0] if begin[0] > np.quantile(begin[1:], 0.95) else []
    return [*found, -1] if end[-1] < np.quantile(end[:-1], 0.05) else found


def _time_into(moments: "pd.Series[pd.Timestamp]") -> NDArray[np.int64]:
    """How many microseconds after its step's time each of `moments` lies, of steps with rows."""
    known = moments.dropna()
    apart = known.to_numpy("datetime64[us]") - known.index.to_numpy("datetime64[us]")
    return apart.astype(np.int64)


def snapped(times: pd.Series, step: str) -> pd.Series:
    """`times` on the grid of `step` where all lie next to it; see `steps.snapped`."""
    length = steps.fixed_length(step)
    if length is None or 86400 * 1_000_000 % length:
        return times
    moments = steps.snapped(times.to_numpy("datetime64[us]").astype(np.int64), length)
    return pd.Series(moments.astype("datetime64[us]"), index=times.index)


def longer_step(table: pd.DataFrame, targets: Sequence[str], step: str, limit: float) -> str:
    """The shortest usual step above `step` that leaves no more than `limit` of the cells missing.

    Args:
        table: columns `series`, `time` and values, ordered by the first two.
        targets: those whose rows are not trimmed.
        step: too short a one.
        limit: a share.

    Returns:
        The step, or "" where there is none, or none that leaves enough rows to be split.
    """
    each = [rows.drop(columns="series") for _, rows in table.groupby("series")]
    by_series = [rows.set_index("time") for rows in each]
    start = pd.Timestamp("2001-01-01")
    length = pd.Timedelta(start + pd.tseries.frequencies.to_offset(step) - start).total_seconds()
    usual = [name for name, longer in steps.USUAL.items() if longer > length * 1e6][::-1]
    for longer in (*usual, "W", "MS"):
        counts, cells, rows = GridCounts(), 0, 0
        for values in by_series:
            kept = trimmed(regular(values, longer, "mean", counts), targets, counts)
            cells, rows = cells + kept.size, max(rows, len(kept))
        if rows < _ENOUGH:
            return ""
        if counts.missing <= limit * cells:
            return longer
    return ""


def last_moments(index: pd.DatetimeIndex, step: str) -> pd.DatetimeIndex:
    """The last moment of what is aggregated at each time of `index`, a grid of `step`.

    A split must not hold a step that reaches beyond its end. pandas calls most steps by their
    beginning, weeks and ends of months by their last day.
    """
    grouper = pd.Grouper(freq=step)
    following = index + pd.tseries.frequencies.to_offset("D" if grouper.label == "right" else step)
    return pd.DatetimeIndex(following - pd.Timedelta(1, time_unit(step)))


def season_of(step: str) -> int:
    """The rows of the season that a frequency suggests: a day of hours, a year of months."""
    offset = pd.tseries.frequencies.to_offset(step)
    start = pd.Timestamp("2001-01-01")
    seconds = (start + 4 * offset - start).total_seconds() / 4
    if seconds < 3600:
        return max(2, round(_DAY / seconds))
    return next((rows for longest, rows in _A_SEASON if seconds <= longest * 1.01), 4)


def trimmed(values: pd.DataFrame, targets: Sequence[str], counts: GridCounts) -> pd.DataFrame:
    """A series from the first to the last row that has a target.

    Args:
        values: all of the series' rows.
        targets: their columns.
        counts: gets the rows trimmed, and the missing cells of those that are left.
    """
    known = np.flatnonzero(values[list(targets)].notna().any(axis=1).to_numpy())
    kept = values.iloc[known[0] : known[-1] + 1] if len(known) else values.iloc[:0]
    counts.missing += int(kept.isna().to_numpy().sum())
    counts.trimmed += len(values) - len(kept)
    return kept


def _repeated(frame: pd.DataFrame, again: pd.Series) -> DataError:
    first = frame[again].iloc[0]
    name = f" of series {first['series']!r}" if first["series"] else ""
    return DataError(
        f"Time: expected each time once per series. Received: {int(again.sum())} repeated ones "
        f"with other values, such as {first['time']}{name}. Name the column that identifies "
        "the series by series_example_gen.series, or set series_example_gen.duplicates to first, "
        "last, mean or sum."
    )
