"""Pictures of forecasts as PNG files: against what came, what was left over, and by step.

Figures are drawn by matplotlib's Agg canvas without pyplot, so nothing global changes and
nothing stays open.
"""

import numpy as np
from etils.epath import Path
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from components.evaluating.forecast_rows import Rows, Settings

_POINTS = 1_000  # along the time axis; of more, the last ones
_BINS = 40


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
    """What was forecast one step ahead, over what came."""
    rows = rows.take(np.arange(max(0, len(rows) - _POINTS), len(rows)))
    figure = Figure(figsize=(10, 4), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    times = rows.time.astype("datetime64[s]")
    axes.plot(times, rows.actual[:, 0, 0], color="black", linewidth=1, label="actual")
    naive = rows.forecasts["naive"][:, 0, 0]
    axes.plot(times, naive, ":", color="grey", linewidth=1, label="naive")
    axes.plot(times, rows.forecasts["candidate"][:, 0, 0], linewidth=1, label="forecast")
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
    """The mean absolute error of each step ahead, beside the baselines'."""
    figure = Figure(figsize=(6, 4), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    steps = np.arange(1, rows.actual.shape[1] + 1)
    styles = {"candidate": "o-", "baseline": "s--"}
    for name, found in rows.forecasts.items():
        label = "this model" if name == "candidate" else name.replace("_", " ")
        error = np.abs(rows.actual - found).mean(axis=(0, 2))
        axes.plot(steps, error, styles.get(name, ".:"), label=label)
    axes.set(title="Error by step ahead", xlabel="step", ylabel="mean absolute error")
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
