"""Forecasts held against what came, and against baselines on the very same rows.

The baselines need no training: the train split's mean, the last value, the value a season before,
the mean of the last ones. All but the first follow from the window by the maps of
`features.baselines`, its missing cells filled as they are for the model, so that no row is judged
by one and not by the other; a target that is not known judges neither. What is kept of a row is
small (its actual and forecast values), so rows are kept, and sorted by split, series and time
before any figure is drawn from them: the figures are the same to the last bit, however the rows
were partitioned.

metrics.json also has `steps`, `targets`, `folds` and `baselines` (figures of each), and what came
of the baselines as rivals; forecasts.csv has a line per value. See `forecast_files`.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from etils.epath import Path
from numpy.typing import NDArray

from millrace.components.artifacts import Rejected
from millrace.components.errors import ModelError
from millrace.components.evaluating import forecast_files, forecast_metrics
from millrace.components.evaluating.forecast_rows import Rows, Settings
from millrace.components.evaluating.scoring import Questions
from millrace.components.features import baselines
from millrace.components.inference.saved_model import (
    Models,
    Predict,
    Row,
    ahead,
    answer,
    batched,
    predictor,
    read_rows,
)

CANDIDATE, BASELINE, CONSTANT = "candidate", "baseline", "constant"


@dataclasses.dataclass(frozen=True)
class Scored:
    """What is kept of scored rows.

    Attributes:
        parts: rows as they came, batch by batch.
        settings: of the candidate; None before the first row.
        rejected: rows set aside.
        mistakes: how many of the worst rows are listed.
    """

    parts: tuple[Rows, ...] = ()
    settings: Settings | None = None
    rejected: tuple[Rejected, ...] = ()
    mistakes: int = 0


def names() -> list[str]:
    """The metrics that a threshold may name."""
    return [*forecast_metrics.NAMES, *(f"{name}_mae" for name in forecast_files.BASELINES)]


def score_shard(shard: tuple[str, str], models: Models, questions: Questions) -> Scored:
    """Score the windows of one file.

    Args:
        shard: the split's name, and the file's path.
        models: the candidate, and the last blessed model if there is one.
        questions: sizes, and the candidate's settings.
    """
    split, file = shard
    predicts = [predictor(model) for model in models.load()]
    settings = Settings.of(questions.settings)
    batches = batched(read_rows(Path(file)), questions.batch_size)

    def score(batch: list[Row]) -> Scored:
        return score_batch(split, batch, predicts, settings)

    found = merge(ahead(score, batches), questions.mistakes)
    return dataclasses.replace(found, settings=settings)


def merge(parts: Iterable[Scored], mistakes: int) -> Scored:
    """The same as if all the parts' rows had been one part."""
    known = list(parts)
    rejected = [item for part in known for item in part.rejected]
    return Scored(
        parts=tuple(itertools.chain.from_iterable(part.parts for part in known)),
        settings=next((part.settings for part in known if part.settings), None),
        rejected=tuple(sorted(rejected, key=lambda item: (item.source, item.position))),
        mistakes=mistakes,
    )


def write(
    scored: Scored, out: Path, splits: Sequence[str], must_beat: Sequence[str] | None
) -> None:
    """Write the files of the evaluation; see the head of this module and of `forecast_files`."""
    rows = Rows.joined(scored.parts) if scored.parts else None
    kept = scored.settings, scored.rejected, scored.mistakes
    forecast_files.write(rows, *kept, out, splits, must_beat)


def score_batch(
    split: str, rows: Sequence[Row], predicts: Sequence[Predict], settings: Settings
) -> Scored:
    """Ask for windows that fit into memory together, and hold the baselines beside."""
    usable = [row for row in rows if settings.is_whole(row.features)]
    whole = set(map(id, usable))
    rejected = [
        row.rejected("its window or its future is not of the model's size")
        for row in rows
        if id(row) not in whole
    ]
    answers = answer(predicts[0], usable)
    rejected += answers.rejected
    if not answers.rows:
        return Scored(rejected=tuple(rejected))
    kept = answers.rows
    windows, future = settings.arrays([row.features for row in kept])
    forecasts = {CANDIDATE: _checked(answers.outputs, future.shape)}
    if len(predicts) > 1 and (other := _of_baseline(predicts[1], kept, future.shape)) is not None:
        forecasts[BASELINE] = other
    if settings.mean:
        forecasts[CONSTANT] = np.broadcast_to(np.array(settings.mean), future.shape).copy()
    own = _targets(windows, settings)
    forecasts |= {name: baselines.apply(weights, own) for name, weights in maps(settings).items()}
    part = Rows.of(split, [row.features for row in kept], future, forecasts)
    return Scored(parts=(part,), rejected=tuple(rejected))


def _targets(windows: NDArray[np.float32], settings: Settings) -> NDArray[np.float32]:
    """The targets of windows, their missing cells filled: float32 [rows, lookback, targets]."""
    count = len(settings.targets)
    if settings.fill is None:
        return windows[..., :count]
    from millrace.components.features import series_fill  # TensorFlow

    fill = settings.fill.of_columns(0, count)
    found: NDArray[np.float32] = series_fill.filled(windows[..., :count], fill).numpy()
    return found


def maps(settings: Settings) -> dict[str, baselines.Map]:
    """The baselines that windows of this length allow."""
    size = settings.lookback, settings.horizon
    found = {
        "naive": baselines.naive(*size),
        "moving_average": baselines.moving_average(*size, settings.average),
    }
    if 1 < settings.season <= settings.lookback:
        found["seasonal_naive"] = baselines.seasonal_naive(*size, settings.season)
    return found


def _of_baseline(predict: Predict, rows: list[Row], shape: tuple[int, ...]) -> np.ndarray | None:
    """What the last blessed model says; None if it takes other windows or forecasts others."""
    answers = answer(predict, rows)
    found = answers.outputs.get("forecast")
    if len(answers.rows) < len(rows) or found is None or found.shape != shape:
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
