"""The files of a forecaster's evaluation: those of `files`, a table of forecasts and pictures.

metrics.json    has as well `judged` and `unknown` (how many targets the figures are of, and how
                many are not known); `steps`, `targets`, `folds`, `baselines` (figures of each) of
                the main split
slices.json     `feature` is `series` or `fold`; without baseline
forecasts.csv   of the main split: time, series, target, step, actual (empty where it is not known),
                forecast, naive and so on; of models with intervals, their ends at each level in
                per cent, `lower_at_80` and so on
mistakes.jsonl  the windows that were forecast worst
*.png           see `forecast_plots`
"""

import csv
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from etils.epath import Path

from millrace.components.display import numbers
from millrace.components.evaluating import (
    files,
    forecast_metrics,
    forecast_plots,
    intervals,
    significance,
)
from millrace.components.evaluating.coverage import Coverage
from millrace.components.evaluating.forecast import ScoredForecast
from millrace.components.evaluating.forecast_metrics import BASELINES
from millrace.components.evaluating.forecast_rows import ForecastRows, WindowSpec
from millrace.components.evaluating.scoring import BASELINE, CANDIDATE, EvalConfig
from millrace.components.evaluating.significance import Change
from millrace.components.evaluating.simple_baselines import (
    BaselineResults,
    SimpleBaseline,
    compare,
    improve_or_leave_out,
)
from millrace.components.features.series_spec import time_unit
from millrace.components.files.json_files import or_none
from millrace.components.models.certainty import LEVELS

_SLICES = 10_000  # series with figures of their own


def write(scored: ScoredForecast, out: Path, splits: Sequence[str], config: EvalConfig) -> None:
    """Write all files to `out`, an existing folder; `splits` in the order of the report."""
    spec, own = WindowSpec.of(config.model), dict[str, ForecastRows]()
    if scored.parts:
        rows = ForecastRows.joined(scored.parts)
        own = {split: rows.take(rows.split == split) for split in splits}
        own = {split: part for split, part in own.items() if len(part)}
    main = files.main_split(splits)
    metrics = _metrics(own, spec, main, len(scored.rejected), config.must_beat)
    if main in own and (around := _coverage(own[main])) is not None:
        measured_on = config.model.get("calibrated_on", "")
        metrics["prediction_intervals"] = around.described(measured_on, main)
    worst = (line for part in own.values() for line in _worst(part, config.mistakes, spec))
    files.write(out, metrics, _slices(own, spec), worst, scored.rejected)
    if main in own:
        _write_forecasts(out / "forecasts.csv", own[main], spec)
        forecast_plots.draw(own[main], spec, out)


def against_baselines(
    metrics: Mapping[str, float], must_beat: Sequence[str] | None, noise: float = 0.0
) -> BaselineResults:
    """A forecaster's mean absolute error beside those of the baselines that it must beat.

    `constant` is the train split's mean, which a model of an earlier version does not say.

    Args:
        metrics: the figures of the model, and of each baseline that the windows allow.
        must_beat: None for each of these; one given by its name that the windows do not allow is
            an objection.
        noise: what rounding may add to an error.
    """
    if must_beat is None:
        must_beat = [name for name in BASELINES if f"{name}_mae" in metrics]
    errors = {name: metrics.get(f"{name}_mae") for name in must_beat if name in BASELINES}
    found = compare(
        "mae",
        metrics["mae"],
        [
            SimpleBaseline(error, f"{name}'s {numbers.short(error)}", improve_or_leave_out(name))
            for name, error in errors.items()
            if error is not None
        ],
        noise=noise,
    )
    absent = tuple(
        f"must_beat: expected a baseline that the windows allow. Received: {name!r}. Look "
        "back further (analyze.features.lookback) or leave it out of evaluator.must_beat"
        for name, error in errors.items()
        if error is None and name != "constant"
    )
    not_asked = ("constant: not asked, the model does not tell the train split's mean",)
    return dataclasses.replace(
        found,
        objections=absent + found.objections,
        not_asked=not_asked if errors.get("constant", 0.0) is None else (),
    )


def metrics_of(rows: ForecastRows, spec: WindowSpec, who: str = CANDIDATE) -> dict[str, float]:
    """The figures of `who`, and the mean absolute errors of the baselines beside them."""
    found = forecast_metrics.figures(rows.actual, rows.forecasts[who], spec.naive_error)
    beside = {
        f"{name}_mae": forecast_metrics.mae(rows.actual, rows.forecasts[name])
        for name in BASELINES
        if name in rows.forecasts and found
    }
    return found | beside


def known(rows: ForecastRows) -> dict[str, int]:
    """How many targets the figures of `rows` are of, and how many are not known."""
    judged = int(np.isfinite(rows.actual).sum())
    return {"judged": judged, "unknown": rows.actual.size - judged}


def _metrics(
    own: dict[str, ForecastRows],
    spec: WindowSpec,
    main: str,
    rejected: int,
    must_beat: Sequence[str] | None,
) -> dict[str, Any]:
    found = files.figures_of(
        main, _by_split(own, spec, CANDIDATE), _by_split(own, spec, BASELINE), rejected
    )
    files.add_intervals(found, lambda key, figures: _intervals(own[key.split], spec, figures))
    judged = own.get(main)
    if judged is None:
        unjudged = {"judged": 0, "unknown": 0, "comparison": None, "cannot_judge": ""}
        return {**found, **unjudged, "warnings": (), **dataclasses.asdict(BaselineResults())}
    noise = significance.rounding(float(np.nanmean(np.abs(judged.actual - spec.bases))))
    return {
        **found,
        **known(judged),
        "comparison": files.comparison(_change(judged, spec, found, noise)),
        "cannot_judge": _cannot_judge(judged, spec),
        **dataclasses.asdict(against_baselines(found["metrics"], must_beat, noise)),
        "warnings": _warnings(judged, spec, found),
        **_details(judged, spec),
    }


def _change(
    rows: ForecastRows, spec: WindowSpec, found: Mapping[str, Any], noise: float
) -> Change | None:
    """The mean absolute error beside the last blessed model's."""
    if found["baseline"] is None:
        return None
    own, other = (np.abs(rows.actual - rows.forecasts[who]) for who in (CANDIDATE, BASELINE))
    return Change(
        metric="mae",
        better="less",
        was=found["baseline"]["metrics"]["mae"],
        now=found["metrics"]["mae"],
        rows=len(rows),
        interval=significance.of_forecasts(
            np.nansum(own - other, axis=(1, 2)),
            np.isfinite(own).sum(axis=(1, 2)),
            rows.time,
            spec.overlap,
        ),
        noise=noise,
    )


def _intervals(
    rows: ForecastRows, spec: WindowSpec, metrics: Mapping[str, float]
) -> intervals.Intervals:
    """Of the model's own figures; `rmse` by the root of that of `mse`."""
    sums = forecast_metrics.by_window(rows.actual, rows.forecasts[CANDIDATE], spec.naive_error)
    columns, counts = ({name: each[i] for name, each in sums.items()} for i in (0, 1))
    found = intervals.of_forecasts(columns, counts, rows.time, spec.overlap, metrics)
    if "mse" in found:
        low, high = found["mse"]
        found["rmse"] = low**0.5, high**0.5
    return {name: found[name] for name in metrics if name in found}


def _warnings(rows: ForecastRows, spec: WindowSpec, found: Mapping[str, Any]) -> tuple[str, ...]:
    """Whether what is gained over the best of the baselines may be chance."""
    metrics = found["metrics"]
    errors = {n: metrics[f"{n}_mae"] for n in BASELINES if f"{n}_mae" in metrics}
    if not errors:
        return ()
    best = min(errors, key=lambda name: errors[name])
    off, other = (np.abs(rows.actual - rows.forecasts[who]) for who in (CANDIDATE, best))
    gained = np.nansum(other - off, axis=(1, 2))
    counts = np.isfinite(off).sum(axis=(1, 2))
    interval = significance.of_forecasts(gained, counts, rows.time, spec.overlap)
    figure = f"mae {numbers.short(metrics['mae'])}"
    other_figure = f"{best}'s {numbers.short(errors[best])}"
    return files.too_small(found, figure, other_figure, errors[best] - metrics["mae"], interval)


def _coverage(rows: ForecastRows) -> Coverage | None:
    if rows.lower is None or rows.upper is None:
        return None
    found = Coverage.of(rows.actual, rows.lower, rows.upper)
    return found if found.count else None


def _cannot_judge(rows: ForecastRows, spec: WindowSpec) -> str:
    """Why the windows cannot: of those that forecast a common step, one counts."""
    _, counts = np.unique(rows.series.astype(str), return_counts=True)
    apart = int(np.ceil(counts / spec.overlap).sum())
    lucky = f"is nearer than the naive forecast in each of {apart} windows that do not overlap"
    return significance.cannot_judge(significance.of_signs(apart), lucky)


def _by_split(
    own: dict[str, ForecastRows], spec: WindowSpec, who: str
) -> dict[str, dict[str, Any]]:
    return {
        split: {"count": len(part), **known(part), "metrics": metrics_of(part, spec, who)}
        for split, part in own.items()
        if who in part.forecasts
    }


def _details(rows: ForecastRows, spec: WindowSpec) -> dict[str, Any]:
    candidate, units = rows.forecasts[CANDIDATE], spec.naive_error
    folds = sorted(set(rows.fold.tolist()))
    return {
        "steps": forecast_metrics.by_step(rows.actual, candidate, units),
        "targets": forecast_metrics.by_target(rows.actual, candidate, units, spec.targets),
        "folds": {str(fold): metrics_of(rows.take(rows.fold == fold), spec) for fold in folds},
        "baselines": {
            name: forecast_metrics.figures(rows.actual, rows.forecasts[name], units)
            for name in BASELINES
            if name in rows.forecasts
        },
    }


def _slices(own: dict[str, ForecastRows], spec: WindowSpec) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    places = []
    for split, rows in own.items():
        for feature, values in (("series", rows.series), ("fold", rows.fold)):
            distinct = sorted(set(values.tolist()))
            if len(distinct) < 2:
                continue
            for value in distinct[:_SLICES]:
                part = rows.take(values == value)
                places.append((split, values == value))
                found.append(
                    {
                        "split": split,
                        "feature": feature,
                        "value": str(value),
                        "count": len(part),
                        **known(part),
                        "metrics": metrics_of(part, spec),
                    }
                )

    def around(number: int) -> intervals.Intervals:
        split, chosen = places[number]
        return _intervals(own[split].take(chosen), spec, found[number]["metrics"])

    files.surround(found, around)
    return found


def _worst(rows: ForecastRows, number: int, spec: WindowSpec) -> list[dict[str, Any]]:
    errors = np.nanmean(np.abs(rows.actual - rows.forecasts[CANDIDATE]), axis=(1, 2))
    order = np.argsort(-errors, kind="stable")[:number]
    return [
        {
            "split": rows.split[i],
            "series": rows.series[i],
            "time": _iso(int(rows.time[i]), spec.frequency),
            "targets": list(spec.targets),
            "actual": [[or_none(value) for value in step] for step in rows.actual[i].tolist()],
            "forecast": rows.forecasts[CANDIDATE][i].tolist(),
            "mae": float(errors[i]),
        }
        for i in order.tolist()
    ]


def _write_forecasts(file: Path, rows: ForecastRows, spec: WindowSpec) -> None:
    """A line per row, step and target; `time` is that of the row's first step."""
    others = [name for name in (*BASELINES, BASELINE) if name in rows.forecasts]
    columns = [rows.actual, rows.forecasts[CANDIDATE], *(rows.forecasts[n] for n in others)]
    ends: list[str] = []
    if rows.lower is not None and rows.upper is not None:
        for place, level in enumerate(LEVELS):
            ends += [f"{end}_at_{round(100 * level)}" for end in ("lower", "upper")]
            columns += [rows.lower[..., place], rows.upper[..., place]]
    header = ["time", "series", "fold", "target", "step", "actual", "forecast", *others, *ends]
    with file.open("w") as sink:
        lines = csv.writer(sink, lineterminator="\n")
        lines.writerow(header)
        for i in range(len(rows)):
            first = [_iso(int(rows.time[i]), spec.frequency), rows.series[i], int(rows.fold[i])]
            for step in range(spec.horizon):
                for j, target in enumerate(spec.targets):
                    values = [_cell(column[i, step, j]) for column in columns]
                    lines.writerow([*first, target, step + 1, *values])


def _cell(value: float) -> str:
    return "" if np.isnan(value) else numbers.exact(value)


def _iso(time: int, frequency: str) -> str:
    return f"{np.datetime64(time, time_unit(frequency))}Z"
