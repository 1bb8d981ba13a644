"""The files of a regressor's evaluation: those of `files`, and pictures.

metrics.json    has `mean_predictor` as well: the train split's mean, and its figures for the same
                rows
mistakes.jsonl  the rows of each split with the largest residuals
sample.csv      truth and prediction of some rows of the main split, drawn by lot
*.png           see `regression_plots`: of the main split
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from etils.epath import Path

from millrace.components.display import numbers
from millrace.components.evaluating import (
    files,
    intervals,
    regression_plots,
    significance,
)
from millrace.components.evaluating.regression import MEAN, Labels, PredictedRow, ScoredRegression
from millrace.components.evaluating.regression_metrics import Residuals, figures
from millrace.components.evaluating.scoring import CANDIDATE, EvalConfig, Key
from millrace.components.evaluating.significance import Change
from millrace.components.evaluating.simple_baselines import (
    BaselineResults,
    SimpleBaseline,
    compare,
    improve_or_leave_out,
)
from millrace.components.statistics.numbers import FLOAT_SHIFT


def write(scored: ScoredRegression, out: Path, splits: Sequence[str], config: EvalConfig) -> None:
    """Write all files to `out`, an existing folder; `splits` in the order of the report."""
    is_compared = scored.is_compared
    found = files.figures(scored, splits, _describe, is_compared=is_compared)
    main, train_mean = found["split"], config.model.get("target_mean")
    knows_nothing = float("nan") if train_mean is None else train_mean

    def around(key: Key, metrics: Mapping[str, float]) -> intervals.Intervals:
        return _intervals(scored, key, metrics, knows_nothing)

    files.add_intervals(found, around)
    mean = files.by_split(scored, splits, MEAN, _describe)
    must_beat = config.must_beat is None or "constant" in config.must_beat
    results = BaselineResults()
    if must_beat and Key(main, CANDIDATE) in scored.sums:
        results = _against_the_mean(scored, main, train_mean)
    metrics = {
        **found,
        "comparison": files.comparison(_change(scored, found)),
        "cannot_judge": _cannot_judge(scored.labels.get(main, {})),
        "mean_predictor": {"prediction": train_mean, "splits": mean} if mean else None,
        **dataclasses.asdict(results),
        "warnings": _warnings(found),
    }
    if main in scored.coverage:
        measured_on = config.model.get("calibrated_on", "")
        metrics["prediction_intervals"] = scored.coverage[main].described(measured_on, main)

    slices = files.slices(scored, splits, _describe, around, is_compared=is_compared)
    for part in slices:
        part["intervals"].pop("gain", None)
    mistakes = map(_mistake, files.ranked(scored, splits))
    files.write(out, metrics, slices, mistakes, scored.rejected)
    if drawn := [row for row in scored.sample if row.split == main]:
        regression_plots.draw(drawn, out)
        lines = [f"{row.truth!r},{row.prediction!r}" for row in drawn]
        (out / "sample.csv").write_text("\n".join(["truth,prediction", *lines, ""]))


def _mistake(row: PredictedRow) -> dict[str, Any]:
    found = {**dataclasses.asdict(row), "residual": row.residual}
    del found["slices"]
    return found


def _describe(residuals: Residuals) -> dict[str, Any]:
    return {"count": residuals.count, "metrics": figures(residuals)}


def _intervals(
    scored: ScoredRegression, key: Key, metrics: Mapping[str, float], constant: float
) -> intervals.Intervals:
    """By the rows that were drawn by lot; of a slice, those among them that are in it."""
    drawn = [row for row in scored.sample if row.split == key.split]
    if key.feature:
        drawn = [row for row in drawn if (key.feature, key.value) in row.slices]
    truth, prediction = (
        np.array([getattr(row, name) for row in drawn]) for name in ("truth", "prediction")
    )
    count = scored.sums[key].count
    return intervals.of_regression(truth, prediction, count, metrics, constant)


def _warnings(found: dict[str, Any]) -> tuple[str, ...]:
    """Whether what is gained over the train split's mean may be chance."""
    gain = found["intervals"].pop("gain", None)
    for own in found["splits"].values():
        own["intervals"].pop("gain", None)
    if gain is None:
        return ()
    mse = f"mse {numbers.short(found['metrics']['mse'])}"
    share = "the train split's mean, as a share of its error,"
    return files.too_small(found, mse, share, sum(gain) / 2, gain)


def _change(scored: ScoredRegression, found: Mapping[str, Any]) -> Change | None:
    """The mean absolute error beside the baseline's."""
    if found["baseline"] is None:
        return None
    main = found["split"]
    paired, own = scored.paired[main], scored.sums[Key(main, CANDIDATE)]
    size = math.sqrt(own.truth_squares / (own.count << 2 * FLOAT_SHIFT))
    return Change(
        metric="mae",
        better="less",
        was=found["baseline"]["metrics"]["mae"],
        now=found["metrics"]["mae"],
        rows=paired.count,
        interval=significance.of_means(paired, FLOAT_SHIFT),
        noise=significance.rounding(size),
    )


def _cannot_judge(labels: Labels) -> str:
    """Why the rows cannot, by how often each of the least labels came."""
    if len(labels) == 1:
        return f"the label of every row is {numbers.short(next(iter(labels)))}"
    chance = significance.of_guesses(list(labels.values()))
    return significance.cannot_judge(chance, "gets all rows right") if labels else ""


def _against_the_mean(
    scored: ScoredRegression, main: str, train_mean: float | None
) -> BaselineResults:
    """The mean squared error beside that of the train split's mean for all rows."""
    constant = scored.sums.get(Key(main, MEAN))
    if constant is None:
        return BaselineResults(
            not_asked=("constant: not asked, for model.json has no target_mean",)
        )
    error = figures(constant)["mse"]
    if not error:
        return BaselineResults(
            not_asked=("constant: not asked, for all labels are equal to the train split's mean",)
        )
    mean = "" if train_mean is None else f" {numbers.short(train_mean)}"
    said = f"{numbers.short(error)}, which the train split's mean{mean} reaches"
    remedy = improve_or_leave_out("constant")
    own = figures(scored.sums[Key(main, CANDIDATE)])["mse"]
    return compare("mse", own, [SimpleBaseline(error, said, remedy)])
