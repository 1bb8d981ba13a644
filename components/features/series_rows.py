"""Raw records of series to the records of their windows."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from millrace.components.artifacts import Rejected
from millrace.components.errors import DataError
from millrace.components.features import precision, series
from millrace.components.features.series_encoding import Block, encode_rows
from millrace.components.features.series_spec import SeriesSpec
from millrace.serving.example import Decoded

UNKNOWN = "windows without a known target"
LACKING = "windows that lack an input cell"


@dataclasses.dataclass(frozen=True)
class _Stretch:
    """A stretch of a series' rows: times, Unix seconds [rows], and values [rows, channels]."""

    times: series.Ints
    values: series.Floats


def transform(
    rows: Iterable[tuple[Decoded, str]],
    spec: SeriesSpec,
    rejected: list[Rejected],
    others: Callable[[], Iterable[Decoded]] = tuple,
    left_out: Counter[str] | None = None,
) -> Iterator[Block]:
    """The records of the windows of each record, in order of time.

    The rows that a window forecasts lie in its record; those it looks back at may lie in an earlier
    split, which is no leak, since the past is known. So every row of a split that has enough rows
    before it is forecast, and no window looks ahead. A window without a known target cannot be
    learnt from or judged, and is left out.

    A window's record has `window` and `future` (and `known`), flat and in the data's own units,
    less the base beside each where the spec has one, NaN where a cell is missing; the name of its
    `series`, and the `time` and `fold` of its first forecast row; with a hook, also `prepared`,
    the hook's result. A record that is unusable or too
    short for a window goes to `rejected`.

    Args:
        rows: raw records with their positions.
        spec: what a window is.
        rejected: gets what was set aside.
        others: gives the raw records of the other splits.
        left_out: counts the windows that are left out, by reason.
    """
    known = _tails(others(), spec)
    count = Counter[str]() if left_out is None else left_out
    for row, position in rows:
        name = series.name_of(row)
        try:
            own = _Stretch(series.times_of(row), series.values(row, spec))
        except DataError as error:
            rejected.append(Rejected(name, str(error), position))
            continue
        before = _before(own, known.get(name, ()), spec)
        windows = series.cut(np.concatenate([before, own.values]), spec, len(before))
        first = windows.first - len(before)
        count[UNKNOWN] += windows.unknown
        count[LACKING] += windows.lacking
        if not len(first) + windows.unknown + windows.lacking:
            needed = f"fewer than the {spec.lookback + spec.horizon} of a window"
            rejected.append(
                Rejected(name, f"{len(before) + len(own.times)} rows, {needed}", position)
            )
        if len(first):
            numbers = {series.TIME: own.times[first], series.FOLD: _folds(row, first)}
            yield from _encoded(windows, numbers, name, spec)


def _tails(rows: Iterable[Decoded], spec: SeriesSpec) -> Mapping[str, Sequence[_Stretch]]:
    """The last rows of each record, as many as a window looks back at, by series."""
    found: dict[str, list[_Stretch]] = {}
    for row in rows:
        try:
            own = _Stretch(series.times_of(row), series.values(row, spec))
        except DataError:
            continue  # reported when its own split is transformed
        last = slice(-spec.lookback, None)
        tail = _Stretch(own.times[last], own.values[last].copy())
        found.setdefault(series.name_of(row), []).append(tail)
    return found


def _before(own: _Stretch, others: Sequence[_Stretch], spec: SeriesSpec) -> series.Floats:
    """The rows of the same series right before `own`, at most as many as are looked back at."""
    earlier = [part for part in others if len(part.times) and part.times[-1] < own.times[0]]
    earlier.sort(key=lambda part: int(part.times[0]))
    joined = [own.values[:0], *(part.values for part in earlier)]
    return np.concatenate(joined)[-spec.lookback :]


def _encoded(
    windows: series.Windows, numbers: dict[str, series.Ints], name: str, spec: SeriesSpec
) -> Iterator[Block]:
    floats = {series.WINDOW: windows.window, series.FUTURE: windows.future}
    if spec.known:
        floats[series.KNOWN] = windows.known
    texts = {series.SERIES: name.encode()}
    texts |= {
        precision.feature(part): precision.encoded(spec.bases[part])
        for part in floats
        if spec.bases
    }
    if spec.hook is None:
        yield from encode_rows(floats, numbers, texts)
        return
    from millrace.components.features import series_hook  # TensorFlow

    for part, prepared in series_hook.prepared_windows(windows.window, spec):
        some = {feature: array[part] for feature, array in floats.items()}
        clock = {feature: array[part] for feature, array in numbers.items()}
        yield from encode_rows({**some, series.PREPARED: prepared}, clock, texts)


def _folds(row: Decoded, places: series.Ints) -> series.Ints:
    """The fold of each of these rows of a record; 0 if it has none."""
    found = row.get(series.FOLD)
    if isinstance(found, np.ndarray) and len(found) == len(series.times_of(row)):
        return found[places].astype(np.int64)
    return np.zeros(len(places), np.int64)
