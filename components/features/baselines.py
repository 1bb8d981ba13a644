"""Forecasts that need no training, each a linear map of a window: float64 [horizon, lookback].

A forecast is `map @ values` of one target's window, oldest value first. The same maps are
the baselines that a forecast is compared with, and the servable models of the same names.
Source of the names: Hyndman, Athanasopoulos, "Forecasting: Principles and Practice", 5.2.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from millrace.components.errors import OptionError

Map = NDArray[np.float64]
Method = Literal["naive", "seasonal_naive", "moving_average", "differenced_moving_average"]


def naive(lookback: int, horizon: int) -> Map:
    """The last value, for every step."""
    return seasonal_naive(lookback, horizon, 1)


def seasonal_naive(lookback: int, horizon: int, season: int) -> Map:
    """The value a season before; beyond a season ahead, the one of the last season known.

    Raises:
        OptionError: the window is shorter than the season.
    """
    _check("seasonal_naive", lookback, season, f"a season of {season} rows")
    weights = np.zeros((horizon, lookback))
    weights[np.arange(horizon), _a_season_before(lookback, horizon, season)] = 1.0
    return weights


def moving_average(lookback: int, horizon: int, window: int) -> Map:
    """The mean of the last `window` values, for every step.

    Raises:
        OptionError: the window of the data is shorter.
    """
    _check("moving_average", lookback, window, f"the {window} that are averaged")
    weights = np.zeros((horizon, lookback))
    weights[:, lookback - window :] = 1.0 / window
    return weights


def differenced_moving_average(
    lookback: int, horizon: int, season: int, window: int, smoothing: int
) -> Map:
    """The mean of `smoothing` values around a season before, plus the mean recent change.

    The change is `value - value a season before`, averaged over the last `window` rows. Near
    the window's ends the smoothing takes the values that there are.

    Raises:
        OptionError: the window is shorter than `season + window`.
    """
    needed = f"a season of {season} rows and the {window} changes that are averaged"
    _check("differenced_moving_average", lookback, season + window, needed)
    weights = moving_average(lookback, horizon, window)
    weights[:, lookback - season - window : lookback - season] -= 1.0 / window
    for step, centre in enumerate(_a_season_before(lookback, horizon, season)):
        first = max(0, int(centre) - smoothing // 2)
        last = min(lookback, int(centre) + (smoothing - 1) // 2 + 1)
        weights[step, first:last] += 1.0 / (last - first)
    return weights


def apply(weights: Map, values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Forecasts float64 [rows, horizon, targets] from `values` [rows, lookback, targets]."""
    return np.einsum("hl,blt->bht", weights, values.astype(np.float64))


def _a_season_before(lookback: int, horizon: int, season: int) -> NDArray[np.int64]:
    """For each step, the newest place in the window that is whole seasons before, [horizon]."""
    steps = np.arange(horizon)
    return lookback - season + steps % season


def _check(name: str, lookback: int, needed: int, described: str) -> None:
    if lookback < needed:
        raise OptionError(
            f"Model {name}: expected windows of {needed} rows or more, for {described}. "
            f"Received: {lookback}. Set analyze.features.lookback={needed} or more."
        )
