"""What one pass over series sums up, and what follows from it: scale, season, how hard it is.

Plain functions on plain sums, without TensorFlow or Beam. All of a series lies in one record, so a
partition never changes a series' own sums; they are added in the order of the series' names,
so that the figures are the same for any partition.
"""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LAGS = 400  # rows back that a season is looked for: a year of days, a week of hours
_TURNS = 6  # that a season of no calendar must be seen for: a random walk has none of that many
_LEAST = 0.3  # autocorrelation from which on a peak is a season
_NEARLY = 0.9  # of the highest peak: the shortest such season is taken, not a multiple of it
_RISE = 0.15  # of the way from the lowest point before back to 1
_AVERAGES = (2, 3, 5, 8, 13, 21, 30, 55)  # rows of the moving averages that are tried

_NATURAL = (
    # seconds from row to row, up to; seasons in rows
    (60, (60, 1440)),
    (900, (4 * 24, 4 * 24 * 7)),
    (3600, (24, 168)),
    (86400, (7, 365)),
    (7 * 86400, (52,)),
    (31 * 86400, (12,)),
    (92 * 86400, (4,)),
)


@dataclasses.dataclass(frozen=True)
class Shape:
    """Sums over one series' train rows, or over several series.

    Attributes:
        rows: how many.
        count, total, squares, least, greatest: of each column's values, [columns]; `squares`
            are those of the values less `total / count` of the series.
        together: [targets, LAGS + 1]: sums of products of values that many rows apart, less a
            straight line, each series weighed by its own variance.
        apart, pairs: [targets, LAGS + 1]: sums and counts of absolute changes over that many rows.
        averages: [targets, averages]: sums of the absolute errors of moving averages.
        averaged: [targets, averages]: their counts.
        period: seconds from row to row.
    """

    rows: int
    count: Floats
    total: Floats
    squares: Floats
    least: Floats
    greatest: Floats
    together: Floats
    apart: Floats
    pairs: Floats
    averages: Floats
    averaged: Floats
    period: float

    @property
    def mean(self) -> Floats:
        """Of each column, [columns]."""
        return self.total / np.maximum(self.count, 1)

    @property
    def deviation(self) -> Floats:
        """Of each column, the population's standard deviation, [columns]."""
        return np.sqrt(self.squares / np.maximum(self.count, 1))


def of(values: Floats, targets: int, period: float) -> Shape:
    """The sums of one series.

    Args:
        values: float64 [rows, columns], targets first, NaN where missing.
        targets: how many.
        period: seconds from row to row.
    """
    known = np.isfinite(values)
    count = known.sum(axis=0).astype(np.float64)
    filled = np.where(known, values, 0.0)
    total = filled.sum(axis=0)
    centred = np.where(known, values - total / np.maximum(count, 1), 0.0)
    own = values[:, :targets]
    apart, pairs = _changes(own)
    averages, averaged = _average_errors(own)
    return Shape(
        rows=len(values),
        count=count,
        total=total,
        squares=np.square(centred).sum(axis=0),
        least=np.where(known, values, np.inf).min(axis=0),
        greatest=np.where(known, values, -np.inf).max(axis=0),
        together=np.stack([_autocovariance(column) for column in own.T]),
        apart=apart,
        pairs=pairs,
        averages=averages,
        averaged=averaged,
        period=period,
    )


def merge(shapes: Sequence[Shape]) -> Shape:
    """The sums of all series together, in the order given.

    The squares are joined as `features.moments` does: Chan, Golub, LeVeque (1979).
    """
    first, *others = shapes
    for other in others:
        count = first.count + other.count
        delta = other.mean - first.mean
        between = np.square(delta) * first.count * other.count / np.maximum(count, 1)
        first = Shape(
            rows=first.rows + other.rows,
            count=count,
            total=first.total + other.total,
            squares=first.squares + other.squares + between,
            least=np.minimum(first.least, other.least),
            greatest=np.maximum(first.greatest, other.greatest),
            together=first.together + other.together,
            apart=first.apart + other.apart,
            pairs=first.pairs + other.pairs,
            averages=first.averages + other.averages,
            averaged=first.averaged + other.averaged,
            period=first.period,
        )
    return first


def season(shape: Shape) -> int:
    """The rows of the season of the first target; 1 if there is none.

    First the seasons of the calendar that fit the step (a day of hours, a year of months),
    shortest first: the autocorrelation must come back up to it. Else the peaks behind the
    autocorrelation's first fall, up to a sixth of the rows: the shortest of those nearly as high
    as the highest, if that is high enough.
    """
    longest = min(LAGS, shape.rows // 2)
    covariance = shape.together[0, : longest + 1]
    if longest < 4 or covariance[0] <= 0:
        return 1
    correlation = covariance / covariance[0]
    for rows in _natural(shape.period):
        if rows <= longest and _comes_back(correlation, rows):
            return rows
    correlation = correlation[: shape.rows // _TURNS + 1]
    if len(correlation) < 4:
        return 1
    low = np.flatnonzero(correlation < max(0.1, correlation[1:].min() + 0.05))
    peaks = _peaks(correlation, int(low[0]) if len(low) else len(correlation))
    best = max((correlation[lag] for lag in peaks), default=0.0)
    if best < _LEAST:
        return 1
    return min(lag for lag in peaks if correlation[lag] >= _NEARLY * best)


def naive_error(shape: Shape, season: int) -> Floats:
    """Per target, the mean absolute change over a season, [targets]: the unit of MASE.

    Source: Hyndman, Koehler, "Another look at measures of forecast accuracy" (2006).
    """
    lag = min(season, LAGS)
    return shape.apart[:, lag] / np.maximum(shape.pairs[:, lag], 1)


def best_average(shape: Shape, most: int) -> int:
    """The rows, at most `most`, of the moving average that forecasts the next row best."""
    means = (shape.averages / np.maximum(shape.averaged, 1)).sum(axis=0)
    usable = [
        (means[index], rows)
        for index, rows in enumerate(_AVERAGES)
        if rows <= most and shape.averaged[0, index]
    ]
    return min(usable)[1] if usable else max(1, min(most, _AVERAGES[0]))


def _natural(period: float) -> Iterable[int]:
    return next((seasons for most, seasons in _NATURAL if period <= most * 1.02), ())


def _comes_back(correlation: Floats, lag: int) -> bool:
    """Whether `lag` lies on a peak: high, above what comes before, and no lower than around."""
    reach = max(1, lag // 10)
    around = correlation[max(1, lag - reach) : lag + reach + 1].max()
    here = correlation[lag]
    lowest = correlation[1:lag].min()
    rise = _RISE * (1 - lowest)
    return bool(here >= _LEAST and here - lowest >= rise and around - here < rise)


def _peaks(correlation: Floats, first: int) -> list[int]:
    """Lags from `first` on that are the highest within a tenth of themselves on both sides."""
    found = []
    for lag in range(max(first, 2), len(correlation)):
        reach = max(1, lag // 10)
        around = correlation[max(1, lag - reach) : lag + reach + 1]
        if correlation[lag] == around.max() and lag + 1 < len(correlation):
            found.append(lag)
    return found


def _autocovariance(column: Floats) -> Floats:
    """Sums of products at lags 0 ... LAGS of the column less a straight line, over its variance
    and corrected for the fewer pairs of long lags, times its rows; by FFT.
    """
    rows = len(column)
    known = np.isfinite(column)
    found = np.zeros(LAGS + 1)
    if known.sum() < 4:
        return found
    time = np.arange(rows, dtype=np.float64)
    slope, level = np.polyfit(time[known], column[known], 1)
    rest = np.where(known, column - slope * time - level, 0.0)
    if not np.square(rest).sum() > 1e-12 * np.square(column[known]).sum():
        return found
    size = 1 << (2 * rows - 1).bit_length()
    products = np.fft.irfft(np.abs(np.fft.rfft(rest, size)) ** 2, size)
    lags = np.arange(min(LAGS + 1, rows))
    found[lags] = products[lags] / products[0] * rows**2 / (rows - lags)
    return found


def _changes(own: Floats) -> tuple[Floats, Floats]:
    """Sums and counts of absolute changes over 0 ... LAGS rows, each [targets, LAGS + 1]."""
    apart = np.zeros((own.shape[1], LAGS + 1))
    pairs = np.zeros_like(apart)
    is_whole = bool(np.isfinite(own).all())
    room = np.empty(own.shape)
    for lag in range(1, min(LAGS + 1, len(own))):
        change = np.subtract(own[lag:], own[:-lag], out=room[lag:])
        np.abs(change, out=change)
        pairs[:, lag] = len(change)
        if not is_whole:
            unknown = ~np.isfinite(change)
            change[unknown] = 0.0
            pairs[:, lag] -= unknown.sum(axis=0)
        change.sum(axis=0, out=apart[:, lag])
    return apart, pairs


def _average_errors(own: Floats) -> tuple[Floats, Floats]:
    """Sums and counts of the errors of each moving average one row ahead, [targets, averages].

    An average is that of the values known among its rows, as far as there is one.
    """
    errors = np.zeros((own.shape[1], len(_AVERAGES)))
    counts = np.zeros_like(errors)
    sums = np.concatenate([np.zeros((1, own.shape[1])), np.nancumsum(own, axis=0)])
    seen = np.concatenate([np.zeros((1, own.shape[1])), np.cumsum(np.isfinite(own), axis=0)])
    for index, rows in enumerate(_AVERAGES):
        if len(own) <= rows:
            continue
        there = seen[rows:-1] - seen[: -rows - 1]
        mean = (sums[rows:-1] - sums[: -rows - 1]) / np.maximum(there, 1)
        error = np.abs(own[rows:] - mean)
        known = np.isfinite(error) & (there > 0)
        errors[:, index] = np.where(known, error, 0.0).sum(axis=0)
        counts[:, index] = known.sum(axis=0)
    return errors, counts
