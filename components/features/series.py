"""From a series' rows to windows: written once, in numpy views. No TensorFlow.

A window holds the data's own units; what a network does to them are layers of its own
(`models.series_layers`), so there is nothing that serving could do otherwise. Only a person's own
preprocessing comes between the two, in `features.series_hook`.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from components.errors import DataError
from components.features.series_spec import Calendar, SeriesSpec
from serving.example import Decoded

SERIES, TIME, FOLD = "series", "time", "fold"  # features of raw records and windows alike
WINDOW, FUTURE, KNOWN = "window", "future", "known"  # of windows
PREPARED = "prepared"  # of windows: what a person's own preprocessing makes of one

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Windows:
    """All windows of a series.

    Attributes:
        window: float32 [windows, lookback, channels], a view where it can be.
        future: float32 [windows, horizon, targets].
        known: float32 [windows, horizon, known].
        first: int64 [windows]: the row of each first forecast step.
    """

    window: Floats
    future: Floats
    known: Floats
    first: Ints


def count(rows: int, lookback: int, horizon: int, stride: int) -> int:
    """How many windows there are: floor((rows - lookback - horizon) / stride) + 1, or 0."""
    return max(0, (rows - lookback - horizon) // stride + 1)


def cut(values: Floats, spec: SeriesSpec) -> Windows:
    """Every window of a series that is whole: one with a NaN in it is left out.

    Args:
        values: float32 [rows, channels], rows one step of time apart, channels as
            `spec.channels`.
        spec: lookback, horizon, stride, and which channels are what.
    """
    size = spec.lookback + spec.horizon
    starts = np.arange(count(len(values), spec.lookback, spec.horizon, spec.stride)) * spec.stride
    if not len(starts):
        channels = values.shape[1]
        return _parts(np.empty((0, size, channels), np.float32), starts, spec)
    views = np.lib.stride_tricks.sliding_window_view(values, size, axis=0)
    windows = views[:: spec.stride][: len(starts)].swapaxes(1, 2)
    missing = np.isnan(values).any(axis=1)
    if missing.any():
        seen = np.concatenate([[0], np.cumsum(missing)])
        whole = seen[starts + size] == seen[starts]
        windows, starts = windows[whole], starts[whole]
    return _parts(windows, starts, spec)


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
        DataError: the record lacks a column, or a column has not one number per row.
    """
    clock = calendar(times_of(row), spec.calendar, spec.zone)
    return np.concatenate([columns(row, spec.columns), clock], axis=1)


def columns(row: Decoded, names: Sequence[str]) -> Floats:
    """The columns `names` of a raw record, float32 [rows, names].

    Raises:
        DataError: it lacks a column, or a column has not one number per row.
    """
    rows = len(times_of(row))
    return np.stack([_column(row, name, rows) for name in names], axis=1)


def times_of(row: Decoded) -> Ints:
    """The times of a raw record, Unix seconds.

    Raises:
        DataError: it has none.
    """
    times = row.get(TIME)
    if not isinstance(times, np.ndarray) or times.dtype != np.int64:
        raise DataError(
            f"Record of a series: expected the int64 feature {TIME!r}. "
            f"Received: {', '.join(sorted(row)) or 'none'}. Ingest it by series_example_gen."
        )
    return times


def name_of(row: Decoded) -> str:
    """The series that a record is of; empty where it does not say."""
    value = row.get(SERIES)
    return bytes(value[0]).decode(errors="replace") if isinstance(value, list) else ""


def calendar(times: Ints, parts: tuple[Calendar, ...], zone: str = "UTC") -> Floats:
    """Hour 0..23, weekday 0 (Monday)..6, month 1..12 of `times`, float32 [times, parts].

    Args:
        times: Unix seconds.
        parts: which of them.
        zone: whose clock is read.
    """
    found = np.empty((len(times), len(parts)), np.float32)
    local = _local(times, zone)
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
    """What a model is asked about the end of a series: `window`, and `known` if it takes that.

    Args:
        past: a raw record up to the last row that is known.
        ahead: the columns known ahead, [horizon] each.
        spec: what a window is.

    Raises:
        DataError: there are too few rows, or one lacks a value.
    """
    window = values(past, spec)[-spec.lookback :]
    if len(window) < spec.lookback or np.isnan(window).any():
        what = f"{len(window)} rows" if len(window) < spec.lookback else "a missing value in them"
        raise DataError(f"expected {spec.lookback} rows up to the last one, received {what}")
    if not spec.known:
        return {WINDOW: window.ravel()}
    known = np.stack([_column(ahead, name, spec.horizon) for name in spec.known], axis=1)
    if lacking := int(np.isnan(known).any(axis=1).sum()):
        raise DataError(
            f"expected {', '.join(spec.known)} in the {spec.horizon} rows after the last one, "
            f"received {spec.horizon - lacking} such rows"
        )
    return {WINDOW: window.ravel(), KNOWN: known.ravel()}


def _column(row: Decoded, name: str, rows: int) -> Floats:
    value = row.get(name)
    if isinstance(value, np.ndarray) and len(value) == rows:
        return value.astype(np.float32, copy=False)
    received = "no such feature" if value is None else f"{len(value)} values"
    raise DataError(
        f"Record of a series, column {name!r}: expected {rows} numbers, one per time. "
        f"Received: {received}. Ingest the data again by series_example_gen."
    )
