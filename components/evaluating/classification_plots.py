"""Pictures of a classifier's evaluation as PNG files."""

from collections.abc import Sequence

import numpy as np
from etils.epath import Path
from matplotlib.figure import Figure

from millrace.components.charts import style
from millrace.components.evaluating.classification_metrics import (
    precision_recall_curve,
    reliability,
    roc_curve,
)
from millrace.components.evaluating.classification_tally import BINS, Ints, Scores, Tally

_NAMED = 40  # classes that can still be read along an axis
_NUMBERED = 20  # and in the cells
_SHORT = 3  # classes whose names fit side by side
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
    return style.write_all(figures, out)


def confusion_matrix(matrix: Ints, classes: Sequence[str]) -> Figure:
    """Counts int64 [truth, answer] as cells, coloured by the share of their row."""
    size = len(classes)
    side = 3.5 + 0.35 * min(size, _NAMED)
    figure, axes = style.panel("Answers by class", "answer", "truth", (side + 1.5, side))
    axes.grid(visible=False)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    figure.colorbar(image, ax=axes, label="share of the true class")
    if size <= _NAMED:
        labels = [_label(name, number) for number, name in enumerate(classes)]
        axes.set_xticks(range(size), labels, rotation=0 if size <= _SHORT else 90)
        axes.set_yticks(range(size), labels)
    if size <= _NUMBERED:
        for truth, answer in np.argwhere(matrix):
            colour = "white" if shares[truth, answer] > 0.5 else "black"
            text = str(matrix[truth, answer])
            axes.text(answer, truth, text, ha="center", va="center", color=colour, fontsize=9)
    return figure


def reliability_diagram(counted: Tally) -> Figure:
    """Accuracy over confidence by bin, with the share of rows in each."""
    figure, axes = style.panel("Is its confidence deserved?", "confidence", "accuracy", (5, 5))
    bins = reliability(counted)
    filled = bins["count"] > 0
    edges = np.arange(BINS) / BINS
    share = bins["count"] / bins["count"].sum()
    axes.bar(edges, share, 1 / BINS, align="edge", color=style.PAPER, label="share of rows")
    axes.plot([0, 1], [0, 1], ":", color=style.TRUTH, label="perfectly calibrated")
    points = bins["confidence"][filled], bins["accuracy"][filled]
    axes.plot(*points, "o-", color=style.MODEL, label="this model")
    axes.legend(loc="upper left")
    return figure


def roc(scores: Scores, positive: str) -> Figure:
    """True over false positive rate for the class `positive`."""
    title = f"ROC curve of {_label(positive, 1)}"
    figure, axes = style.panel(title, "false positive rate", "true positive rate", (5, 5))
    false_rate, true_rate = roc_curve(scores)
    label = f"area {np.trapezoid(true_rate, false_rate):.4f}"
    keep = _thinned(len(false_rate))
    axes.plot([0, 1], [0, 1], ":", color=style.TRUTH, label="guessing")
    axes.plot(false_rate[keep], true_rate[keep], color=style.MODEL, linewidth=2, label=label)
    axes.legend(loc="lower right")
    return figure


def precision_recall(scores: Scores, positive: str) -> Figure:
    """Precision over recall for the class `positive`."""
    title = f"Precision and recall of {_label(positive, 1)}"
    figure, axes = style.panel(title, "recall", "precision", (5, 5))
    recall, precision = precision_recall_curve(scores)
    keep = _thinned(len(recall))
    axes.step(recall[keep], precision[keep], where="post", color=style.MODEL, linewidth=2)
    axes.set_ylim(0, 1.05)
    return figure


def _label(name: str, number: int) -> str:
    """A class's name, or its number where the font cannot write it."""
    return style.label(name, f"#{number}")


def _thinned(points: int) -> Ints:
    """Indices of at most `_POINTS` of `points` points, the ends among them."""
    return np.unique(np.linspace(0, points - 1, min(points, _POINTS)).astype(np.int64))
