"""How wrong answers are, to choose networks and settings by."""

from collections.abc import Callable

import numpy as np
from scipy import optimize

Measure = Callable[[np.ndarray], float]
"""Of one network's answers, or an average of several; less is better."""


def cross_entropy(labels: np.ndarray) -> Measure:
    """The log loss of probabilities [rows, classes], after the temperature that suits them best.

    A network that is too sure of itself is not worse for it: probabilities are calibrated later.

    Args:
        labels: int [rows].
    """
    rows = np.arange(len(labels))

    def measure(probabilities: np.ndarray) -> float:
        logs = np.log(np.clip(probabilities, 1e-7, 1.0))

        def loss(log_temperature: float) -> float:
            scaled = logs / np.exp(log_temperature)
            top = scaled.max(axis=1)
            normal = top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))
            return float(np.mean(normal - scaled[rows, labels]))

        if not np.isfinite(logs).all():
            return float("inf")
        return float(optimize.minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").fun)

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
