"""The files of a forecaster's evaluation.

metrics.json    split, count, metrics, splits, baseline, change, rejected; `judged` and `unknown`
                (how many targets the figures are of, and how many are not known); `steps`,
                `targets`, `folds`, `baselines` of the main split; `comparison`, `cannot_judge` (see
                `summary`); the fields of a `rivals.Outcome`
slices.json     a list of split, feature (`series` or `fold`), value, count, metrics
forecasts.csv   of the main split: time, series, target, step, actual (empty where it is not known),
                forecast, naive and so on
mistakes.jsonl  the windows that were forecast worst, worst first
rejected.jsonl  rows set aside, each with source, position and reason
*.png           see `forecast_plots`
"""

import csv
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from etils.epath import Path

from millrace.components.artifacts import Rejected
from millrace.components.evaluating import (
    forecast_metrics,
    forecast_plots,
    rivals,
    significance,
    summary,
)
from millrace.components.evaluating.forecast_rows import Rows, Settings
from millrace.components.evaluating.rivals import Outcome, Rival
from millrace.components.evaluating.significance import Change
from millrace.components.evaluating.summary import write_json, write_lines
from millrace.components.files.json_files import or_none

BASELINES = ("constant", "naive", "seasonal_naive", "moving_average")
_SLICES = 10_000  # series with figures of their own


def write(
    rows: Rows | None,
    settings: Settings | None,
    rejected: Sequence[Rejected],
    mistakes: int,
    out: Path,
    splits: Sequence[str],
    must_beat: Sequence[str] | None,
) -> None:
    """Write all files to `out`, an existing folder; `rows` is None where none was scored."""
    main = summary.main_split(splits)
    write_lines(out / "rejected.jsonl", map(dataclasses.asdict, rejected))
    if rows is None or settings is None:
        nothing = summary.figures(main, {}, {}, len(rejected)) | {"judged": 0, "unknown": 0}
        unjudged = {"comparison": None, "cannot_judge": ""}
        write_json(out / "metrics.json", nothing | unjudged | dataclasses.asdict(Outcome()))
        write_json(out / "slices.json", [])
        write_lines(out / "mistakes.jsonl", ())
        return
    own = {split: rows.take(rows.split == split) for split in splits}
    own = {split: part for split, part in own.items() if len(part)}
    content = _summary(own, settings, main, len(rejected), must_beat)
    write_json(out / "metrics.json", content)
    write_json(out / "slices.json", _slices(own, settings))
    worst = [_worst(part, mistakes, settings) for part in own.values()]
    write_lines(out / "mistakes.jsonl", (line for part in worst for line in part))
    if main in own:
        _write_forecasts(out / "forecasts.csv", own[main], settings)
        forecast_plots.draw(own[main], settings, out)


def against_rivals(
    metrics: Mapping[str, float], must_beat: Sequence[str] | None, noise: float = 0.0
) -> Outcome:
    """A forecaster's mean absolute error beside those of the baselines that it must beat.

    `constant` is the train split's mean, of which a model of an earlier version does not tell.

    Args:
        metrics: the figures of the model, and of each baseline that the windows allow.
        must_beat: None asks for each of these; one asked for by its name that the windows do not
            allow is an objection.
        noise: what rounding may add to an error.
    """
    if must_beat is None:
        must_beat = [name for name in BASELINES if f"{name}_mae" in metrics]
    errors = {name: metrics.get(f"{name}_mae") for name in must_beat if name in BASELINES}
    found = rivals.compare(
        "mae",
        metrics["mae"],
        [
            Rival(error, f"{name}'s {error:.6g}", rivals.improve_or_leave_out(name))
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


def metrics_of(rows: Rows, settings: Settings, who: str = "candidate") -> dict[str, float]:
    """The figures of `who`, and the mean absolute errors of the baselines beside them."""
    found = forecast_metrics.figures(rows.actual, rows.forecasts[who], settings.naive_error)
    beside = {
        f"{name}_mae": forecast_metrics.mae(rows.actual, rows.forecasts[name])
        for name in BASELINES
        if name in rows.forecasts and found
    }
    return found | beside


def known(rows: Rows) -> dict[str, int]:
    """How many targets the figures of `rows` are of, and how many are not known."""
    judged = int(np.isfinite(rows.actual).sum())
    return {"judged": judged, "unknown": rows.actual.size - judged}


def _summary(
    own: dict[str, Rows],
    settings: Settings,
    main: str,
    rejected: int,
    must_beat: Sequence[str] | None,
) -> dict[str, Any]:
    found = summary.figures(
        main, _by_split(own, settings, "candidate"), _by_split(own, settings, "baseline"), rejected
    )
    judged = own.get(main)
    if judged is None:
        unjudged = {"judged": 0, "unknown": 0, "comparison": None, "cannot_judge": ""}
        return {**found, **unjudged, **dataclasses.asdict(Outcome())}
    noise = significance.rounding(float(np.nanmean(np.abs(judged.actual))))
    return {
        **found,
        **known(judged),
        "comparison": summary.comparison(_change(judged, settings, found, noise)),
        "cannot_judge": _cannot_judge(judged, settings),
        **dataclasses.asdict(against_rivals(found["metrics"], must_beat, noise)),
        **_details(judged, settings),
    }


def _change(
    rows: Rows, settings: Settings, found: Mapping[str, Any], noise: float
) -> Change | None:
    """The mean absolute error beside the last blessed model's."""
    if found["baseline"] is None:
        return None
    own, other = (np.abs(rows.actual - rows.forecasts[who]) for who in ("candidate", "baseline"))
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
            settings.overlap,
        ),
        noise=noise,
    )


def _cannot_judge(rows: Rows, settings: Settings) -> str:
    """Why the windows cannot: of those that forecast a common step, one counts."""
    _, counts = np.unique(rows.series.astype(str), return_counts=True)
    apart = int(np.ceil(counts / settings.overlap).sum())
    lucky = f"is nearer than the naive forecast in each of {apart} windows that do not overlap"
    return significance.cannot_judge(significance.of_signs(apart), lucky)


def _by_split(own: dict[str, Rows], settings: Settings, who: str) -> dict[str, dict[str, Any]]:
    return {
        split: {"count": len(part), **known(part), "metrics": metrics_of(part, settings, who)}
        for split, part in own.items()
        if who in part.forecasts
    }


def _details(rows: Rows, settings: Settings) -> dict[str, Any]:
    candidate, units = rows.forecasts["candidate"], settings.naive_error
    folds = sorted(set(rows.fold.tolist()))
    return {
        "steps": forecast_metrics.by_step(rows.actual, candidate, units),
        "targets": forecast_metrics.by_target(rows.actual, candidate, units, settings.targets),
        "folds": {str(fold): metrics_of(rows.take(rows.fold == fold), settings) for fold in folds},
        "baselines": {
            name: forecast_metrics.figures(rows.actual, rows.forecasts[name], units)
            for name in BASELINES
            if name in rows.forecasts
        },
    }


def _slices(own: dict[str, Rows], settings: Settings) -> list[dict[str, Any]]:
    found = []
    for split, rows in own.items():
        for feature, values in (("series", rows.series), ("fold", rows.fold)):
            distinct = sorted(set(values.tolist()))
            if len(distinct) < 2:
                continue
            for value in distinct[:_SLICES]:
                part = rows.take(values == value)
                found.append(
                    {
                        "split": split,
                        "feature": feature,
                        "value": str(value),
                        "count": len(part),
                        **known(part),
                        "metrics": metrics_of(part, settings),
                    }
                )
    return found


def _worst(rows: Rows, number: int, settings: Settings) -> list[dict[str, Any]]:
    errors = np.nanmean(np.abs(rows.actual - rows.forecasts["candidate"]), axis=(1, 2))
    order = np.argsort(-errors, kind="stable")[:number]
    return [
        {
            "split": rows.split[i],
            "series": rows.series[i],
            "time": _iso(int(rows.time[i])),
            "targets": list(settings.targets),
            "actual": [[or_none(value) for value in step] for step in rows.actual[i].tolist()],
            "forecast": rows.forecasts["candidate"][i].tolist(),
            "mae": float(errors[i]),
        }
        for i in order.tolist()
    ]


def _write_forecasts(file: Path, rows: Rows, settings: Settings) -> None:
    """A line per row, step and target; `time` is that of the row's first step."""
    others = [name for name in (*BASELINES, "baseline") if name in rows.forecasts]
    columns = [rows.actual, rows.forecasts["candidate"], *(rows.forecasts[n] for n in others)]
    header = ["time", "series", "fold", "target", "step", "actual", "forecast", *others]
    with file.open("w") as sink:
        lines = csv.writer(sink, lineterminator="\n")
        lines.writerow(header)
        for i in range(len(rows)):
            first = [_iso(int(rows.time[i])), rows.series[i], int(rows.fold[i])]
            for step in range(settings.horizon):
                for j, target in enumerate(settings.targets):
                    values = [_cell(column[i, step, j]) for column in columns]
                    lines.writerow([*first, target, step + 1, *values])


def _cell(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.9g}"


def _iso(seconds: int) -> str:
    return f"{np.datetime64(seconds, 's')}Z"
