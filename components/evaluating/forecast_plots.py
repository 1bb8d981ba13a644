"""Pictures of forecasts as PNG files: against what came, what was left over, and by step."""

import numpy as np
import pandas as pd
from etils.epath import Path
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from millrace.components.charts import style as charts
from millrace.components.evaluating.forecast_rows import ForecastRows, WindowSpec
from millrace.components.features.series_spec import time_unit
from millrace.components.models.certainty import LEVELS

_POINTS = 1_000  # along the time axis; of more, the last ones
_CLOSE = 60  # rows that are shown from near by
_PATHS = 5  # forecasts of several steps that are shown beside each other
_BINS = 40
_COLOURS = {
    "candidate": charts.MODEL,
    "baseline": charts.VERMILION,
    "constant": charts.SKY,
    "naive": charts.ORANGE,
    "seasonal_naive": charts.PURPLE,
    "moving_average": charts.GREEN,
}
_NAMES = {"candidate": "this model", "baseline": "last blessed model"}


def draw(rows: ForecastRows, spec: WindowSpec, out: Path) -> list[str]:
    """Write `forecast.png`, `residuals.png` and `error_by_step.png`; returns their names.

    The first two show the first target of the first series.
    """
    first = rows.take(rows.series == rows.series[0])
    figures = {
        "forecast.png": forecast(first, spec),
        "residuals.png": residuals(first, spec),
        "error_by_step.png": error_by_step(rows),
    }
    return charts.write_all(figures, out)


def forecast(rows: ForecastRows, spec: WindowSpec) -> Figure:
    """What was forecast one step ahead over what came; and the end of it from near by.

    From near by, forecasts of several steps are shown whole, one after the other.
    """
    rows = _last(rows, _POINTS)
    is_long, target = len(rows) > _CLOSE, _target(spec)
    figure, (whole, *near) = charts.panels((10, 7 if is_long else 4), rows=2 if is_long else 1)
    _one_step(whole, rows, spec, "-")
    whole.set_title(f"{target}, one step ahead", loc="left")
    if near and spec.horizon > 1:
        _paths(near[0], _last(rows, _CLOSE + _PATHS * spec.horizon), spec)
        near[0].set_title(f"The last of them, all {spec.horizon} steps", loc="left")
    elif near:
        _one_step(near[0], _last(rows, _CLOSE), spec, ".-")
        near[0].set_title(f"The last {_CLOSE} of them", loc="left")
    for axes in (whole, *near):
        axes.set_ylabel(target)
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=5, frameon=False)  # above
        _date(axes)
    return figure


def _one_step(axes: Axes, rows: ForecastRows, spec: WindowSpec, style: str) -> None:
    times = _times(rows, spec)
    axes.plot(times, rows.actual[:, 0, 0], style, color=charts.TRUTH, linewidth=1.2, label="actual")
    if rows.lower is not None and rows.upper is not None:
        for place in range(len(LEVELS)):
            low, high = (each[:, 0, 0, place] for each in (rows.lower, rows.upper))
            label = f"{LEVELS[place]:.0%}"
            axes.fill_between(times, low, high, color=charts.MODEL, alpha=0.15, lw=0, label=label)
    for who, width in (("naive", 1.0), ("candidate", 1.4)):
        values = rows.forecasts[who][:, 0, 0]
        axes.plot(times, values, style, color=_COLOURS[who], linewidth=width, label=_name(who))


def _paths(axes: Axes, rows: ForecastRows, spec: WindowSpec) -> None:
    """What came, and every step of the last forecasts that do not overlap."""
    whole = _times(rows, spec)
    axes.plot(whole, rows.actual[:, 0, 0], color=charts.TRUTH, linewidth=1.2, label="actual")
    ends = rows.time[-1] + 1
    chosen: list[tuple[int, NDArray[np.datetime64]]] = []
    for i in reversed(range(len(rows))):
        times = pd.date_range(whole[i], periods=spec.horizon, freq=spec.frequency)
        moments = times.as_unit(time_unit(spec.frequency)).to_numpy()
        if not chosen or moments[-1].astype(np.int64) < ends:
            chosen.append((i, moments))
            ends = rows.time[i]
        if len(chosen) == _PATHS:
            break
    for number, (i, moments) in enumerate(chosen):
        axes.plot(moments, rows.actual[i, :, 0], color=charts.TRUTH, linewidth=1.2)
        for who in ("naive", "candidate"):
            named = _name(who) if not number else None
            values = rows.forecasts[who][i, :, 0]
            axes.plot(moments, values, ".-", color=_COLOURS[who], markersize=4, label=named)


def residuals(rows: ForecastRows, spec: WindowSpec) -> Figure:
    """What was left over one step ahead: how often how much, and when."""
    figure, (left, right) = charts.panels((10, 4), columns=2)
    rest = rows.actual[:, 0, 0] - rows.forecasts["candidate"][:, 0, 0]
    known = rest[np.isfinite(rest)]
    left.hist(known, bins=_BINS, color=charts.MODEL)
    left.axvline(0, color=charts.TRUTH, linewidth=1)
    name = f"actual less forecast, {_target(spec)}"
    average = f": {known.mean():.3g} on average" if len(known) else ""
    left.set(title=f"What is left over{average}", xlabel=name, ylabel="rows")
    right.axhline(0, color=charts.TRUTH, linewidth=1)
    right.plot(_times(rows, spec), rest, ".", color=charts.MODEL, markersize=4)
    right.set(title="The same over time", ylabel=name)
    _date(right)
    return figure


def error_by_step(rows: ForecastRows) -> Figure:
    """The mean absolute error of each step ahead, beside the baselines'; of one step, as bars."""
    steps_known = [i for i in range(rows.actual.shape[1]) if np.isfinite(rows.actual[:, i]).any()]
    errors = {
        who: np.nanmean(np.abs(rows.actual - found)[:, steps_known], axis=(0, 2))
        for who, found in rows.forecasts.items()
    }
    ordered = sorted(errors, key=lambda who: (list(_COLOURS).index(who), who))
    figure, (axes,) = charts.panels((7, 4))
    if rows.actual.shape[1] == 1:
        _bars(axes, {who: float(errors[who][0]) for who in ordered})
        return figure
    steps = np.array(steps_known) + 1
    for who in ordered:
        style = "o-" if who == "candidate" else ".--"
        axes.plot(steps, errors[who], style, color=_COLOURS[who], label=_name(who))
    axes.set(title="Error by step ahead", xlabel="steps ahead", ylabel="mean absolute error")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(bottom=0)
    axes.legend()
    return figure


def _bars(axes: Axes, errors: dict[str, float]) -> None:
    names = [_name(who) for who in errors]
    bars = axes.barh(names, list(errors.values()), color=[_COLOURS[who] for who in errors])
    axes.bar_label(bars, fmt="%.4g", padding=4)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.grid(visible=False, axis="y")
    axes.set(title="Error one step ahead", xlabel="mean absolute error")


def _last(rows: ForecastRows, number: int) -> ForecastRows:
    return rows.take(np.arange(max(0, len(rows) - number), len(rows)))


def _times(rows: ForecastRows, spec: WindowSpec) -> NDArray[np.datetime64]:
    return rows.time.astype(f"datetime64[{time_unit(spec.frequency)}]")


def _date(axes: Axes) -> None:
    """Few, short dates along the axis."""
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def _name(who: str) -> str:
    return _NAMES.get(who, who.replace("_", " "))


def _target(spec: WindowSpec) -> str:
    return charts.label(spec.targets[0], "the first target", longest=40)
