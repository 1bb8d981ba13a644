"""From which probability on the second of two classes is the answer, chosen on the eval split.

Where one class is rare, few rows reach a probability of 1/2, and a model may never name it. What is
made large is the mean of accuracy and balanced accuracy, so that neither is given up for the other:
a row of a class then weighs 1 + 1 / (2 times the class's share). Of a probability that is true to
its word it follows which threshold does so; that it is true is seen to by Platt's scaling on these
rows (1999), two parameters, rather than by trying every threshold on them, which would fit noise.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from millrace.components.models.certainty import EVEN

LEAST_OF_A_CLASS = 20  # rows, from which a threshold is chosen
EVEN_ENOUGH = 0.4  # the share of the rarer class from which on 1/2 will do
_LEAST_GAIN = 0.01  # of the mean of both accuracies: a class that is hardly missed is left at 1/2
_CLOSEST = 1e-6  # a probability's distance from 0 and 1

Floats = NDArray[np.float64]


def threshold(truth: NDArray[np.int64], second: NDArray[np.floating]) -> float:
    """The probability of the second class from which on it is the answer.

    `EVEN`, where the classes are even or too few, or another one can be expected to gain nothing.

    Args:
        truth: [rows], 0 or 1.
        second: probabilities of the second class, [rows].
    """
    counts = np.bincount(truth, minlength=2)
    shares = counts / len(truth)
    if counts.min() < LEAST_OF_A_CLASS or shares.min() >= EVEN_ENOUGH:
        return EVEN
    weights = 1 + 1 / (2 * shares)
    wanted = _logit(np.array([weights[0] / weights.sum()]))[0]
    slope, offset = _platt(truth, _logit(second.astype(np.float64)))
    if slope <= 0:
        return EVEN
    found = float(1 / (1 + np.exp(-(wanted - offset) / slope)))
    true = special.expit(slope * _logit(second.astype(np.float64)) + offset)
    other = (second >= found).astype(int) - (second > EVEN)
    expected = other @ (true * weights[1] - (1 - true) * weights[0]) / (2 * len(truth))
    return found if expected > _LEAST_GAIN else EVEN


def _logit(probabilities: Floats) -> Floats:
    kept = np.clip(probabilities, _CLOSEST, 1 - _CLOSEST)
    return np.asarray(np.log(kept) - np.log1p(-kept))


def _platt(truth: NDArray[np.int64], logits: Floats) -> tuple[float, float]:
    """Slope and offset of the logits that make the log loss least."""

    def loss(both: Floats) -> float:
        scaled = both[0] * logits + both[1]
        return float(np.mean(np.logaddexp(0, scaled) - truth * scaled))

    slope, offset = optimize.minimize(loss, np.array([1.0, 0.0])).x
    return float(slope), float(offset)
