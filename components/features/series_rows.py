"""Raw records of series to the records of their windows."""

from collections.abc import Iterable, Iterator

import numpy as np

from components.artifacts import Rejected
from components.errors import DataError
from components.features import series
from components.features.series_encoding import encode_rows
from components.features.series_spec import SeriesSpec
from serving.example import Decoded


def transform(
    rows: Iterable[tuple[Decoded, str]], spec: SeriesSpec, rejected: list[Rejected]
) -> Iterator[bytes]:
    """The windows of each record, in the order of time; none crosses from one record to another.

    A window's record has `window` and `future` (and `known`), flat and in the data's own units,
    the name of its `series`, the `time` of its first forecast row and the `fold` of it; with a
    hook, what that makes of the window is `prepared`. A
    record that is unusable or too short for a window goes to `rejected`, and so does each
    stretch of windows with a value missing.

    Args:
        rows: raw records with their positions.
        spec: what a window is.
        rejected: gets what was set aside.
    """
    for row, position in rows:
        name = series.name_of(row)
        try:
            values, times = series.values(row, spec), series.times_of(row)
        except DataError as error:
            rejected.append(Rejected(name, str(error), position))
            continue
        windows = series.cut(values, spec)
        expected = series.count(len(values), spec.lookback, spec.horizon, spec.stride)
        if len(windows.first) < expected:
            reason = f"{expected - len(windows.first)} of {expected} windows have a missing value"
            rejected.append(Rejected(name, reason, position))
        elif not expected:
            needed = spec.lookback + spec.horizon
            reason = f"{len(values)} rows, fewer than the {needed} of a window"
            rejected.append(Rejected(name, reason, position))
        if len(windows.first):
            yield from _encoded(windows, times, _folds(row, len(times)), name, spec)


def _encoded(
    windows: series.Windows, times: series.Ints, folds: series.Ints, name: str, spec: SeriesSpec
) -> Iterator[bytes]:
    floats = {series.WINDOW: windows.window, series.FUTURE: windows.future}
    if spec.known:
        floats[series.KNOWN] = windows.known
    numbers = {series.TIME: times[windows.first], series.FOLD: folds[windows.first]}
    texts = {series.SERIES: name.encode()}
    if spec.hook is None:
        yield from encode_rows(floats, numbers, texts)
        return
    from components.features import series_hook  # TensorFlow

    for part, prepared in series_hook.prepared_windows(windows.window, spec):
        some = {feature: array[part] for feature, array in floats.items()}
        clock = {feature: array[part] for feature, array in numbers.items()}
        yield from encode_rows({**some, series.PREPARED: prepared}, clock, texts)


def _folds(row: Decoded, rows: int) -> series.Ints:
    """The fold of each row of a record; 0 where it does not say."""
    found = row.get(series.FOLD)
    if isinstance(found, np.ndarray) and len(found) == rows:
        return found.astype(np.int64)
    return np.zeros(rows, np.int64)
