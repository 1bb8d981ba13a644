"""Pictures of a regressor's evaluation as PNG files, drawn without pyplot."""

from collections.abc import Sequence

import numpy as np
from etils.epath import Path
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from components.evaluating.residual_rows import Judged

_SIZE = (5.0, 5.0)  # inches
_BINS = 30


def draw(rows: Sequence[Judged], out: Path) -> list[str]:
    """Draw `predicted_vs_actual.png` and `residuals.png` of `rows`; returns the files' names."""
    figures = {"predicted_vs_actual.png": predicted(rows), "residuals.png": residuals(rows)}
    for name, figure in figures.items():
        with (out / name).open("wb") as file:
            FigureCanvasAgg(figure).print_png(file)
    return sorted(figures)


def predicted(rows: Sequence[Judged]) -> Figure:
    """Prediction over truth, with the line on which they are equal."""
    figure, axes = _axes("Predicted against actual", "actual", "predicted")
    truth = np.array([row.truth for row in rows])
    prediction = np.array([row.prediction for row in rows])
    ends = [min(truth.min(), prediction.min()), max(truth.max(), prediction.max())]
    axes.plot(ends, ends, ":", color="grey", label="equal")
    axes.scatter(truth, prediction, s=8, alpha=0.5, label=f"{len(rows)} rows")
    axes.legend(loc="upper left")
    return figure


def residuals(rows: Sequence[Judged]) -> Figure:
    """How many rows have which residual."""
    figure, axes = _axes("Residuals", "predicted less actual", "rows")
    axes.hist([row.residual for row in rows], bins=_BINS)
    axes.axvline(0, linestyle=":", color="grey")
    return figure


def _axes(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=_SIZE, dpi=100, layout="constrained")
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=x, ylabel=y)
    return figure, axes
