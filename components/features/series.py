"""From a series' rows to windows: written once, in numpy views. No TensorFlow.

A window is in the data's own units, less a base where float32 needs one (`features.precision`),
with NaN where a cell is missing. All that a network does to
it, filling cells included, happens in layers of its own (`models.series_layers`), so serving cannot
differ from training. Only a user's preprocessing function comes in between
(`features.series_hook`). What is to be forecast is never made up: `future` is NaN where unknown.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from millrace.components.errors import DataError
from millrace.components.features import precision
from millrace.components.features.series_spec import Calendar, SeriesSpec, time_unit
from millrace.serving.errors import few
from millrace.serving.example import Decoded

SERIES, TIME, FOLD = "series", "time", "fold"  # features of raw records and windows alike
WINDOW, FUTURE, KNOWN = "window", "future", "known"  # of windows
PREPARED = "prepared"  # of windows: what a user's preprocessing makes of one

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class Windows:
    """All windows of a series.

    Attributes:
        window: float32 [windows, lookback, channels], a view where it can be; NaN where a cell
            is missing, if the spec says how to fill it.
        future: float32 [windows, horizon, targets]; NaN where it is unknown.
        known: float32 [windows, horizon, known].
        first: int64 [windows]: the row of each window's first forecast step.
        unknown: how many more there are without any known target.
        lacking: how many more there are that lack an input cell which nothing fills.
    """

    window: Floats
    future: Floats
    known: Floats
    first: Ints
    unknown: int = 0
    lacking: int = 0


def count(rows: int, lookback: int, horizon: int, stride: int, before: int = 0) -> int:
    """How many windows have all their forecast rows after the first `before` rows.

    Args:
        rows: of the series.
        lookback: rows that a window looks back at.
        horizon: rows that it forecasts.
        stride: rows from one window to the next.
        before: rows at the start that may only be looked back at.
    """
    return max(0, (rows - horizon - max(before, lookback)) // stride + 1)


def cut(values: Floats, spec: SeriesSpec, before: int = 0) -> Windows:
    """Every window of a series with a known target.

    If the spec does not say how to fill missing cells, windows that lack an input cell are left
    out too.

    Args:
        values: float32 [rows, channels], rows one step of time apart, channels as
            `spec.channels`.
        spec: lookback, horizon, stride, and which channels are what.
        before: rows at the start that may only be looked back at: those of an earlier split.
    """
    size = spec.lookback + spec.horizon
    number = count(len(values), spec.lookback, spec.horizon, spec.stride, before)
    starts = max(0, before - spec.lookback) + np.arange(number) * spec.stride
    if not number:
        channels = values.shape[1]
        return _parts(np.empty((0, size, channels), np.float32), starts, spec)
    views = np.lib.stride_tricks.sliding_window_view(values, size, axis=0)
    windows = views[starts[0] :: spec.stride][:number].swapaxes(1, 2)
    known = np.isfinite(values[:, : len(spec.targets)]).max(axis=1)
    has_target = _counted(known, starts + spec.lookback, spec.horizon) > 0
    usable = has_target
    if spec.fill is None:
        usable = has_target & _are_whole(values, starts, spec)
    unknown, lacking = int((~has_target).sum()), int((has_target & ~usable).sum())
    if unknown or lacking:
        windows, starts = windows[usable], starts[usable]
    parts = _parts(windows, starts, spec)
    return dataclasses.replace(parts, unknown=unknown, lacking=lacking)


def _are_whole(values: Floats, starts: Ints, spec: SeriesSpec) -> Flags:
    """Whether each window and its columns known ahead have every cell, bool [windows]."""
    first = len(spec.targets) + len(spec.covariates)
    ahead = values[:, first : first + len(spec.known)]
    lacking = _counted(np.isnan(values).sum(axis=1), starts, spec.lookback)
    return (
        lacking + _counted(np.isnan(ahead).sum(axis=1), starts + spec.lookback, spec.horizon) == 0
    )


def _counted(cells: NDArray[Any], starts: Ints, rows: int) -> Ints:
    """The sum of `cells` [rows] over the `rows` from each start on, int64 [starts]."""
    seen = np.concatenate([[0], np.cumsum(cells)])
    return seen[starts + rows] - seen[starts]


def _parts(windows: Floats, starts: Ints, spec: SeriesSpec) -> Windows:
    """`windows` [windows, lookback + horizon, channels] cut at the lookback."""
    past, ahead = windows[:, : spec.lookback], windows[:, spec.lookback :]
    targets = len(spec.targets)
    known = targets + len(spec.covariates)
    return Windows(
        window=past,
        future=ahead[..., :targets],
        known=ahead[..., known : known + len(spec.known)],
        first=(starts + spec.lookback).astype(np.int64),
    )


def values(row: Decoded, spec: SeriesSpec) -> Floats:
    """The channels of a raw record, float32 [rows, channels]: its columns, then the calendar.

    Raises:
        DataError: the record lacks a column, or a column does not have one number per row.
    """
    clock = calendar(times_of(row), spec.calendar, spec.zone, time_unit(spec.frequency))
    return np.concatenate([columns(row, spec.columns), clock], axis=1)


def columns(row: Decoded, names: Sequence[str]) -> Floats:
    """The columns `names` of a raw record, float32 [rows, names].

    Raises:
        DataError: it lacks a column, or a column does not have one number per row.
    """
    rows = len(times_of(row))
    return np.stack([_column(row, name, rows) for name in names], axis=1)


def times_of(row: Decoded) -> Ints:
    """The times of a raw record, Unix seconds, or microseconds: see `series_spec.time_unit`.

    Raises:
        DataError: it has none.
    """
    times = row.get(TIME)
    if not isinstance(times, np.ndarray) or times.dtype != np.int64:
        raise DataError(
            f"Record of a series: expected the int64 feature {TIME!r}. "
            f"Received: {few(sorted(row)) or 'none'}. Ingest it by series_example_gen."
        )
    return times


def name_of(row: Decoded) -> str:
    """The series that a record belongs to; empty if it does not say."""
    value = row.get(SERIES)
    return bytes(value[0]).decode(errors="replace") if isinstance(value, list) else ""


def calendar(
    times: Ints, parts: tuple[Calendar, ...], zone: str = "UTC", unit: Literal["s", "us"] = "s"
) -> Floats:
    """Hour 0..23, weekday 0 (Monday)..6, month 1..12 of `times`, float32 [times, parts].

    Args:
        times: Unix times.
        parts: which of them.
        zone: whose clock is read.
        unit: of `times`.
    """
    found = np.empty((len(times), len(parts)), np.float32)
    local = _local(times if unit == "s" else times // 1_000_000, zone)
    readers = {
        "hour": lambda: local // 3600 % 24,
        "weekday": lambda: (local // 86400 + 3) % 7,  # 1970-01-01 was a Thursday
        "month": lambda: local.astype("M8[s]").astype("M8[M]").astype(np.int64) % 12 + 1,
    }
    for index, part in enumerate(parts):
        found[:, index] = readers[part]()
    return found


def _local(times: Ints, zone: str) -> Ints:
    """Seconds since 1970 as the clocks of `zone` showed them."""
    if zone == "UTC":
        return times
    import pandas as pd

    shown = pd.to_datetime(times, unit="s", utc=True).tz_convert(zone).tz_localize(None)
    return shown.to_numpy().astype("M8[s]").astype(np.int64)


def latest(past: Decoded, ahead: Decoded, spec: SeriesSpec) -> Decoded:
    """The inputs for a forecast from the end of a series: `window`, and `known` if it is needed.

    Args:
        past: a raw record up to the last row that is known.
        ahead: the columns known ahead, [horizon] each.
        spec: what a window is.

    Raises:
        DataError: there are too few rows, or a value is missing that the model does not fill.
    """
    window = values(past, spec)[-spec.lookback :]
    if len(window) < spec.lookback:
        raise DataError(
            f"expected {spec.lookback} rows up to the last one, received {len(window)} rows"
        )
    if spec.fill is None and np.isnan(window).any():
        raise DataError(
            f"expected {spec.lookback} rows up to the last one, received a missing value in them. "
            "Provide it, or train a model that fills it: series_example_gen.impute=linear"
        )
    found: Decoded = {WINDOW: window.ravel()}
    if not spec.known:
        return found | _bases(found, spec)
    known = np.stack([_column(ahead, name, spec.horizon) for name in spec.known], axis=1)
    is_missing = np.isnan(known)
    if lacking := int((is_missing.all(axis=1) if spec.fill else is_missing.any(axis=1)).sum()):
        raise DataError(
            f"expected {few(spec.known)} in the {spec.horizon} rows after the last one, "
            f"received {spec.horizon - lacking} such rows"
        )
    found[KNOWN] = known.ravel()
    return found | _bases(found, spec)


def _bases(inputs: Decoded, spec: SeriesSpec) -> Decoded:
    """The bases beside `inputs`, as `features.precision` has them; none without."""
    return {
        precision.feature(name): [precision.encoded(spec.bases[name])]
        for name in inputs
        if spec.bases
    }


def _column(row: Decoded, name: str, rows: int) -> Floats:
    value = row.get(name)
    if isinstance(value, np.ndarray) and len(value) == rows:
        return value.astype(np.float32, copy=False)
    received = "no such feature" if value is None else f"{len(value)} values"
    raise DataError(
        f"Record of a series, column {name!r}: expected {rows} numbers, one per time. "
        f"Received: {received}. Ingest the data again by series_example_gen."
    )
