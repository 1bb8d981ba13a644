"""Forecasters judged by how far they are off, beside baselines on the very same rows.

The baselines need no training: the train split's mean, the last value, the value a season before,
the mean of the last ones. All but the first follow from the window by the maps of
`features.baselines`, its missing cells filled as they are for the model, so that no row is judged
by one and not by the other; a target that is not known judges neither. What is kept of a row is
small (its actual and forecast values), so rows are kept, and sorted by split, series and time
before any figure is drawn from them: the figures are the same to the last bit, however the rows
were partitioned.
"""

import dataclasses
import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from millrace.components.errors import ModelError
from millrace.components.evaluating import forecast_metrics, scoring
from millrace.components.evaluating.coverage import ends
from millrace.components.evaluating.forecast_rows import ForecastRows, WindowSpec
from millrace.components.evaluating.scoring import BASELINE, CANDIDATE, EvalConfig, Scored
from millrace.components.features import baselines
from millrace.components.inference.rows import Rows
from millrace.components.inference.saved_model import Predict, RowAnswers, answer

CONSTANT = "constant"


@dataclasses.dataclass(frozen=True)
class ScoredForecast(Scored):
    """What is kept of a forecaster's windows: the rows themselves, and no sums.

    Attributes:
        parts: rows as they came, batch by batch.
    """

    parts: tuple[ForecastRows, ...] = ()

    @classmethod
    def merged_fields(cls, parts: Sequence[Self]) -> dict[str, Any]:
        return {"parts": tuple(itertools.chain.from_iterable(part.parts for part in parts))}


def metric_names(config: EvalConfig) -> list[str]:
    """The metrics that thresholds may name."""
    return [*forecast_metrics.NAMES, *(f"{name}_mae" for name in forecast_metrics.BASELINES)]


def score_batch(
    split: str, rows: Rows, predicts: Sequence[Predict], config: EvalConfig
) -> ScoredForecast:
    """Score windows that fit into memory together, by the models and the baselines."""
    spec = WindowSpec.of(config.model)
    is_whole = spec.are_whole(rows.features)
    rejected = [
        rows.rejected(row, "its window or its future is not of the model's size")
        for row in np.flatnonzero(~is_whole).tolist()
    ]
    answers = answer(predicts[0], rows.where(is_whole), config.batch_size)
    rejected += answers.rejected
    kept = answers.rows
    if not len(kept):
        return ScoredForecast(rejected=tuple(rejected))
    windows, future = spec.arrays(kept.features)
    forecasts = {CANDIDATE: _checked(answers.outputs, future.shape)}
    for predict in predicts[1:]:
        other = _of_baseline(answer(predict, kept, config.batch_size), future.shape)
        if other is not None:
            forecasts[BASELINE] = other
    if spec.mean:
        mean = np.array(spec.mean) + spec.bases
        forecasts[CONSTANT] = np.broadcast_to(mean, future.shape).copy()
    own = _targets(windows, spec)
    forecasts |= {
        name: baselines.apply(weights, own) + spec.bases for name, weights in maps(spec).items()
    }
    around = ends(answers.outputs, "forecast")
    part = ForecastRows.of(split, kept.features, future, forecasts, around)
    return ScoredForecast(parts=(part,), rejected=tuple(rejected))


score_shard = functools.partial(scoring.score_shard, ScoredForecast, score_batch)


def _targets(windows: NDArray[np.float32], spec: WindowSpec) -> NDArray[np.float32]:
    """The targets of windows, their missing cells filled: float32 [rows, lookback, targets]."""
    count = len(spec.targets)
    if spec.fill is None:
        return windows[..., :count]
    from millrace.components.features import series_fill  # TensorFlow

    fill = spec.fill.of_columns(0, count)
    found: NDArray[np.float32] = series_fill.filled(windows[..., :count], fill).numpy()
    return found


def maps(spec: WindowSpec) -> dict[str, baselines.Map]:
    """The baselines that windows of this length allow."""
    size = spec.lookback, spec.horizon
    found = {
        "naive": baselines.naive(*size),
        "moving_average": baselines.moving_average(*size, spec.average),
    }
    if 1 < spec.season <= spec.lookback:
        found["seasonal_naive"] = baselines.seasonal_naive(*size, spec.season)
    return found


def _of_baseline(answers: RowAnswers, shape: tuple[int, ...]) -> np.ndarray | None:
    """What the last blessed model says; None if it takes other windows or forecasts others."""
    found = answers.outputs.get("forecast")
    if found is None or found.shape != shape:
        return None
    return found.astype(np.float64)


def _checked(outputs: Mapping[str, np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    found: Any = outputs.get("forecast")
    if found is None or found.shape != shape:
        described = {name: list(array.shape) for name, array in outputs.items()}
        raise ModelError(
            f"Model's signature 'serving_default': expected an output `forecast` {list(shape)}. "
            f"Received: {described}. Export the forecaster with `export`."
        )
    return found.astype(np.float64)
