"""How wrong answers are, to choose networks and settings by."""

from collections.abc import Callable

import numpy as np
from scipy import optimize

Measure = Callable[[np.ndarray], float]
"""Of one network's answers, or an average of several; less is better."""


def log_loss(labels: np.ndarray, logits: np.ndarray, temperature: float) -> float:
    """The mean log loss of `logits` [rows, classes] over `temperature`; labels are int [rows]."""
    scaled = logits / temperature
    top = scaled.max(axis=1)
    normal = top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))
    return float(np.mean(normal - scaled[np.arange(len(labels)), labels]))


def best_temperature(labels: np.ndarray, logits: np.ndarray) -> tuple[float, float]:
    """The temperature of the least log loss, at most e**3 either way of 1, and that loss."""
    found = optimize.minimize_scalar(
        lambda heat: log_loss(labels, logits, np.exp(heat)), bounds=(-3.0, 3.0), method="bounded"
    )
    return float(np.exp(found.x)), float(found.fun)


def cross_entropy(labels: np.ndarray) -> Measure:
    """The log loss of probabilities [rows, classes], after the temperature that suits them best.

    A network that is too sure of itself is not worse for it: probabilities are calibrated later.

    Args:
        labels: int [rows].
    """

    def measure(probabilities: np.ndarray) -> float:
        logs = np.log(np.clip(probabilities, 1e-7, 1.0))
        return best_temperature(labels, logs)[1] if np.isfinite(logs).all() else float("inf")

    return measure


def error_of_numbers(truth: np.ndarray, unit: np.ndarray, *, squared: bool) -> Measure:
    """The mean absolute or squared error of numbers in `unit`; a truth of NaN is left out.

    Args:
        truth: float [rows, ...].
        unit: what counts as 1, of the shape of a row's last axis or a scalar.
        squared: whether errors are squared, as the loss that was trained for.
    """

    def measure(answers: np.ndarray) -> float:
        off = np.abs(answers - truth) / unit
        known = ~np.isnan(truth)
        found = float(np.mean(np.square(off[known]) if squared else off[known]))
        return found if np.isfinite(found) else float("inf")

    return measure
