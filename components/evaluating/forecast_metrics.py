"""How far forecasts are off, in numpy.

Forecasts and actual values are float64 [rows, horizon, targets], an actual value NaN where it is
not known. Every figure is a mean over all that are known, so that it is the same for any order of
rows once they are sorted, and nothing that was made up counts.
Source: Hyndman, Koehler, "Another look at measures of forecast accuracy" (2006).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NAMES = ("mae", "mse", "rmse", "mape", "smape", "mase")
BASELINES = ("constant", "naive", "seasonal_naive", "moving_average")


def figures(actual: Floats, forecast: Floats, naive_error: Sequence[float]) -> dict[str, float]:
    """The metrics by name; one that the values do not allow is left out, all if none is known.

    mae, mse, rmse: in the data's units, squared for mse.
    mape: 100 |actual - forecast| / |actual|, over the values that are not 0.
    smape: 200 |actual - forecast| / (|actual| + |forecast|), 0 for 0 / 0.
    mase: |actual - forecast| / naive_error; 1 is as good as the value a season before was on the
        train split. Left out where a target never changed there.

    Args:
        actual: what came.
        forecast: of it, alike.
        naive_error: per target, of the train split: see `analysis.series_shape.naive_error`.
    """
    known = np.isfinite(actual)
    if not known.any():
        return {}
    units = np.broadcast_to(np.array(naive_error, np.float64), actual.shape)[known]
    actual, forecast = actual[known], forecast[known]
    error = np.abs(actual - forecast)
    found = {"mae": float(error.mean()), "mse": float(np.square(error).mean())}
    found["rmse"] = float(np.sqrt(found["mse"]))
    size = np.abs(actual)
    if (size > 0).any():
        found["mape"] = 100 * float((error[size > 0] / size[size > 0]).mean())
    total = size + np.abs(forecast)
    ratio = np.divide(error, total, out=np.zeros_like(error), where=total > 0)
    found["smape"] = 200 * float(ratio.mean())
    if (units > 0).all():
        found["mase"] = float((error / units).mean())
    return found


def by_window(
    actual: Floats, forecast: Floats, naive_error: Sequence[float]
) -> dict[str, tuple[Floats, Floats]]:
    """By the name of a metric, each window's sum and how many targets it is of, [windows].

    Without `rmse`, which is no mean.
    """
    known = np.isfinite(actual)
    error = np.where(known, np.abs(actual - forecast), 0.0)
    size = np.where(known, np.abs(actual), 0.0)
    total = size + np.where(known, np.abs(forecast), 0.0)
    units = np.broadcast_to(np.array(naive_error, np.float64), actual.shape)
    parts = {
        "mae": (error, known),
        "mse": (error**2, known),
        "mape": (100 * _over(error, size), size > 0),
        "smape": (200 * _over(error, total), known),
        "mase": (_over(error, units), known),
    }
    axes = tuple(range(1, actual.ndim))
    return {
        name: (values.sum(axis=axes), counts.sum(axis=axes).astype(np.float64))
        for name, (values, counts) in parts.items()
    }


def _over(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def mae(actual: Floats, forecast: Floats) -> float:
    """The mean absolute error; NaN if nothing is known."""
    return float(np.nanmean(np.abs(actual - forecast))) if np.isfinite(actual).any() else np.nan


def by_step(
    actual: Floats, forecast: Floats, naive_error: Sequence[float]
) -> list[dict[str, float]]:
    """The metrics of each step ahead."""
    steps = range(actual.shape[1])
    return [figures(actual[:, [i]], forecast[:, [i]], naive_error) for i in steps]


def by_target(
    actual: Floats, forecast: Floats, naive_error: Sequence[float], targets: Sequence[str]
) -> dict[str, dict[str, float]]:
    """The metrics of each target."""
    return {
        name: figures(actual[..., [i]], forecast[..., [i]], naive_error[i : i + 1])
        for i, name in enumerate(targets)
    }
