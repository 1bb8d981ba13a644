"""Pictures of an evaluation as PNG files.

Figures are drawn by matplotlib's Agg canvas without pyplot, so nothing global changes and
nothing stays open: a figure goes with its last reference.
"""

from collections.abc import Sequence

import numpy as np
from etils.epath import Path
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from components.metrics import precision_recall_curve, reliability, roc_curve
from components.tallies import BINS, Ints, Scores, Tally

_NAMED = 40  # classes that can still be read along an axis
_NUMBERED = 20  # and in the cells
_POINTS = 2_000  # of a curve


def draw(counted: Tally, classes: Sequence[str], out: Path) -> list[str]:
    """Draw all the plots that a tally allows; returns the names of the files in `out`.

    `confusion_matrix.png` and `reliability.png`; with two classes that both have rows also
    `roc.png` and `precision_recall.png`.
    """
    figures = {
        "confusion_matrix.png": confusion_matrix(counted.matrix, classes),
        "reliability.png": reliability_diagram(counted),
    }
    if counted.scores is not None and len(np.unique(counted.pairs[0])) == 2:
        figures["roc.png"] = roc(counted.scores, classes[1])
        figures["precision_recall.png"] = precision_recall(counted.scores, classes[1])
    for name, figure in figures.items():
        with (out / name).open("wb") as file:
            FigureCanvasAgg(figure).print_png(file)
    return sorted(figures)


def confusion_matrix(matrix: Ints, classes: Sequence[str]) -> Figure:
    """Counts int64 [truth, answer] as cells, coloured by the share of their row."""
    size = len(classes)
    side = 3 + 0.35 * min(size, _NAMED)
    figure, axes = _axes("Answers by class", "answer", "truth", (side + 1, side))
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    figure.colorbar(image, ax=axes, label="share of the true class")
    if size <= _NAMED:
        labels = [_label(name, number) for number, name in enumerate(classes)]
        axes.set_xticks(range(size), labels, rotation=90)
        axes.set_yticks(range(size), labels)
    if size <= _NUMBERED:
        for truth, answer in np.argwhere(matrix):
            colour = "white" if shares[truth, answer] > 0.5 else "black"
            text = str(matrix[truth, answer])
            axes.text(answer, truth, text, ha="center", va="center", color=colour, fontsize=7)
    return figure


def reliability_diagram(counted: Tally) -> Figure:
    """Accuracy over confidence by bin, with the share of rows in each."""
    figure, axes = _axes("Is its confidence deserved?", "confidence", "accuracy", (5, 5))
    bins = reliability(counted)
    filled = bins["count"] > 0
    edges = np.arange(BINS) / BINS
    share = bins["count"] / bins["count"].sum()
    axes.bar(edges, share, 1 / BINS, align="edge", color="lightgrey", label="share of rows")
    axes.plot([0, 1], [0, 1], ":", color="grey", label="perfectly calibrated")
    axes.plot(bins["confidence"][filled], bins["accuracy"][filled], "o-", label="this model")
    axes.legend(loc="upper left")
    return figure


def roc(scores: Scores, positive: str) -> Figure:
    """True over false positive rate for the class `positive`."""
    title = f"ROC curve of {_label(positive, 1)}"
    figure, axes = _axes(title, "false positive rate", "true positive rate", (5, 5))
    false_rate, true_rate = roc_curve(scores)
    label = f"area {np.trapezoid(true_rate, false_rate):.4f}"
    keep = _thinned(len(false_rate))
    axes.plot([0, 1], [0, 1], ":", color="grey", label="guessing")
    axes.plot(false_rate[keep], true_rate[keep], label=label)
    axes.legend(loc="lower right")
    return figure


def precision_recall(scores: Scores, positive: str) -> Figure:
    """Precision over recall for the class `positive`."""
    title = f"Precision and recall of {_label(positive, 1)}"
    figure, axes = _axes(title, "recall", "precision", (5, 5))
    recall, precision = precision_recall_curve(scores)
    keep = _thinned(len(recall))
    axes.step(recall[keep], precision[keep], where="post")
    axes.set_ylim(0, 1.05)
    return figure


def _axes(title: str, x: str, y: str, size: tuple[float, float]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, dpi=100, layout="constrained")
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=x, ylabel=y)
    return figure, axes


def _label(name: str, number: int) -> str:
    """A class's name on one short line, or its number where the font cannot write it."""
    written = get_font(findfont(FontProperties())).get_charmap()
    if any(ord(letter) not in written for letter in name):
        return f"#{number}"
    cut = name if len(name) <= 20 else name[:19] + "…"
    return cut.replace("$", r"\$")  # else `$...$` is read as mathematics


def _thinned(points: int) -> Ints:
    """Indices of at most `_POINTS` of `points` points, the ends among them."""
    return np.unique(np.linspace(0, points - 1, min(points, _POINTS)).astype(np.int64))
