"""Which candidates answer together, by what they answered on the validation split. NumPy alone.

Source: Caruana et al., "Ensemble Selection from Libraries of Models", 2004: the best is taken
first, then again and again the one that makes the average of those taken best, the same one twice
if need be.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy import optimize

_ROUNDS = 8  # so that weights are eighths at the finest
_LEAST_GAIN = 0.002  # of the measure, below which another member is not worth its time

Measure = Callable[[np.ndarray], float]
"""How wrong answers are, of one candidate or an average of several; less is better."""


def weights(answers: Sequence[np.ndarray], measure: Measure, most: int) -> dict[int, float]:
    """The share of each candidate in the answer, by its place; the sum is 1.

    Args:
        answers: of each candidate, arrays of one shape.
        measure: of answers.
        most: how many candidates may have a share.
    """
    scores = [measure(each) for each in answers]
    best = int(np.argmin(scores))
    taken, total, score = [best], answers[best].astype(np.float64), scores[best]
    kept, kept_score = list(taken), score
    for _ in range(_ROUNDS - 1):
        allowed = range(len(answers)) if len(set(taken)) < most else sorted(set(taken))
        trials = {
            place: measure((total + answers[place]) / (len(taken) + 1))
            for place in allowed
            if np.isfinite(scores[place])
        }
        place = min(trials, key=lambda one: (trials[one], one))
        taken.append(place)
        total = total + answers[place]
        if trials[place] < kept_score - _LEAST_GAIN * abs(kept_score):
            kept, kept_score = list(taken), trials[place]
    return {place: kept.count(place) / len(kept) for place in sorted(set(kept))}


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
