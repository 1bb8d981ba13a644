"""Pictures of forecasts as PNG files: against what came, what was left over, and by step.

Figures are drawn by matplotlib's Agg canvas without pyplot, so nothing global changes and
nothing stays open.
"""

import numpy as np
from etils.epath import Path
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from components.evaluating.forecast_rows import Rows, Settings

_POINTS = 1_000  # along the time axis; of more, the last ones
_BINS = 40
_GREY = "0.75"
_CALLED = {"candidate": "this model", "baseline": "last blessed model"}


def draw(rows: Rows, settings: Settings, out: Path) -> list[str]:
    """Write `forecast.png`, `residuals.png` and `error_by_step.png`; returns their names.

    The first two show the first step ahead of the first target of the first series.
    """
    first = rows.take(rows.series == rows.series[0])
    figures = {
        "forecast.png": forecast(first, settings),
        "residuals.png": residuals(first, settings),
        "error_by_step.png": error_by_step(rows),
    }
    for name, figure in figures.items():
        with (out / name).open("wb") as file:
            FigureCanvasAgg(figure).print_png(file)
    return sorted(figures)


def forecast(rows: Rows, settings: Settings) -> Figure:
    """What was forecast one step ahead, over what came.

    Without the naive forecast: that is the actual curve moved by a step, and hides both.
    """
    rows = rows.take(np.arange(max(0, len(rows) - _POINTS), len(rows)))
    figure = Figure(figsize=(10, 4), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    times = rows.time.astype("datetime64[s]")
    axes.plot(times, rows.actual[:, 0, 0], color="black", linewidth=1, label="actual")
    candidate = rows.forecasts["candidate"][:, 0, 0]
    axes.plot(times, candidate, color="tab:orange", linewidth=1.2, label="forecast")
    title = f"{_plain(settings.targets[0])}, one step ahead"
    axes.set(title=title, xlabel="time", ylabel=_plain(settings.targets[0]))
    axes.legend(loc="upper left")
    return figure


def residuals(rows: Rows, settings: Settings) -> Figure:
    """What was left over one step ahead: how often how much, and when."""
    figure = Figure(figsize=(10, 4), dpi=100, layout="constrained")
    left, right = figure.subplots(1, 2)
    rest = rows.actual[:, 0, 0] - rows.forecasts["candidate"][:, 0, 0]
    left.hist(rest, bins=_BINS)
    left.axvline(0, color="black", linewidth=1)
    left.set(title="Actual less forecast", xlabel=_plain(settings.targets[0]), ylabel="rows")
    right.axhline(0, color="black", linewidth=1)
    right.plot(rows.time.astype("datetime64[s]"), rest, ".", markersize=3)
    right.set(title="The same over time", xlabel="time")
    _turn(right)
    return figure


def error_by_step(rows: Rows) -> Figure:
    """The mean absolute error of each step ahead, beside the baselines'; of one step as bars."""
    figure = Figure(figsize=(6, 4), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    errors = {
        _CALLED.get(name, name.replace("_", " ")): np.abs(rows.actual - found).mean(axis=(0, 2))
        for name, found in rows.forecasts.items()
    }
    if rows.actual.shape[1] == 1:
        bars = axes.barh(list(errors), [float(error[0]) for error in errors.values()], color=_GREY)
        bars[list(errors).index(_CALLED["candidate"])].set_color("tab:orange")
        axes.bar_label(bars, fmt="{:.4g}", padding=3)
        axes.margins(x=0.15)
        axes.invert_yaxis()
        axes.set(title="Error one step ahead", xlabel="mean absolute error")
        return figure
    for number, (name, error) in enumerate(errors.items()):
        style = "o-" if name == _CALLED["candidate"] else f"{'s^vD'[number % 4]}:"
        axes.plot(np.arange(1, len(error) + 1), error, style, markersize=4, label=name)
    axes.set(title="Error by step ahead", xlabel="step", ylabel="mean absolute error")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(bottom=0)
    axes.legend()
    return figure


def _turn(axes: Axes) -> None:
    for label in axes.get_xticklabels():
        label.set_rotation(30)


def _plain(name: str) -> str:
    """A column's name on one short line; a `$` would begin mathematics."""
    cut = name if len(name) <= 40 else name[:39] + "…"
    return cut.replace("$", r"\$")
