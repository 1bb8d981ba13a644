"""Pictures of a regressor's evaluation as PNG files."""

from collections.abc import Sequence

import numpy as np
from etils.epath import Path
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from millrace.components.charts import style
from millrace.components.evaluating.regression import PredictedRow

_SIZE = (5.0, 5.0)  # inches
_BINS = 30


def draw(rows: Sequence[PredictedRow], out: Path) -> list[str]:
    """Draw `predicted_vs_actual.png` and `residuals.png` of `rows`; returns the files' names."""
    figures = {"predicted_vs_actual.png": predicted(rows), "residuals.png": residuals(rows)}
    return style.write_all(figures, out)


def predicted(rows: Sequence[PredictedRow]) -> Figure:
    """Prediction over truth, with the line on which they are equal."""
    figure, axes = style.panel("Predicted against actual", "actual", "predicted", _SIZE)
    truth = np.array([row.truth for row in rows])
    prediction = np.array([row.prediction for row in rows])
    ends = [min(truth.min(), prediction.min()), max(truth.max(), prediction.max())]
    axes.plot(ends, ends, ":", color=style.TRUTH, label="equal")
    label = f"{len(rows):,} row{'' if len(rows) == 1 else 's'}"
    axes.scatter(truth, prediction, s=14, alpha=0.6, color=style.MODEL, label=label)
    axes.legend(loc="upper left")
    return figure


def residuals(rows: Sequence[PredictedRow]) -> Figure:
    """How many rows have which residual."""
    figure, axes = style.panel("Residuals", "predicted less actual", "rows", _SIZE)
    axes.hist([row.residual for row in rows], bins=_BINS, color=style.MODEL)
    axes.axvline(0, linestyle=":", color=style.TRUTH)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    return figure
