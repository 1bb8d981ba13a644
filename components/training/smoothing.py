"""What exponential smoothing makes of a window: each forecast as a weighted sum of its rows.

Simple, Holt's and Holt-Winters' additive smoothing are the best forecasts of a structural model: a
level, a slope and a season that each move by steps of chance, and noise on top. From the variances
of these steps, in units of the noise's, the best unbiased weights of a window of any length follow
in closed form, where the recursions would need all of the past and a place to start from.
Source: Harvey, "Forecasting, Structural Time Series Models and the Kalman Filter" (1989), 4.1;
the weights are those of universal kriging.
"""

import dataclasses
import itertools

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LEVELS = (0.0, 0.003, 0.03, 0.1, 0.3, 1.0, 3.0, 30.0)
_SLOPES = (None, 0.0, 0.001)
_SEASONS = (None, 0.0, 0.01, 0.1, 0.5)
_LONGEST_SEASON = 60  # rows: a longer one has a parameter for each of its rows, seen once or twice


@dataclasses.dataclass(frozen=True)
class Smoothing:
    """The variances of the steps, from row to row, in units of the noise's.

    Attributes:
        level: of the level.
        slope: of the slope, 0 for a straight line. None: there is none.
        season: of the season, from one season to the next; 0 repeats. None: there is none.
    """

    level: float
    slope: float | None = None
    season: float | None = None


def choices(rows: int, season: int) -> tuple[Smoothing, ...]:
    """Those worth trying on windows of `rows` rows.

    Args:
        rows: of the window.
        season: rows; 1 if there is none.
    """
    seasonal = 1 < season <= min(_LONGEST_SEASON, rows - 2)
    grid = itertools.product(_SLOPES, _SEASONS if seasonal else (None,), _LEVELS)
    return tuple(Smoothing(level, slope, own) for slope, own, level in grid)


def weights(smoothing: Smoothing, rows: int, horizon: int, season: int) -> Floats:
    """Of each row for each step ahead, float64 [horizon, rows]; the sum of a step's is 1."""
    places = np.arange(rows + horizon, dtype=np.float64)
    earlier = np.minimum.outer(places, places)
    covariance = np.eye(len(places)) + smoothing.level * earlier
    unknown = [np.ones_like(places)]  # of which nothing is supposed
    if smoothing.slope is not None:
        later = np.maximum.outer(places, places)
        # Of a sum of sums of steps.
        covariance += smoothing.slope * earlier**2 * (3 * later - earlier) / 6
        unknown.append((places - places.mean()) / rows)
    if smoothing.season is not None:
        turn, phase = np.divmod(np.arange(len(places)), season)
        same = phase[:, None] == phase
        covariance += smoothing.season * same * np.minimum.outer(turn, turn)
        unknown += list((phase == np.arange(1, season)[:, None]).astype(np.float64))
    effects = np.stack(unknown, axis=1)
    seen, ahead = effects[:rows], effects[rows:]
    solved = np.linalg.solve(covariance[:rows, :rows], seen).T
    normal = solved @ seen + 1e-9 * np.eye(len(unknown))
    estimate = np.linalg.solve(normal, solved)  # generalised least squares of what is unknown
    rest = np.linalg.solve(covariance[:rows, :rows], np.eye(rows) - seen @ estimate)
    found: Floats = covariance[rows:, :rows] @ rest + ahead @ estimate
    return found
