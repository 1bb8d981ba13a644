"""Which candidates answer together, by what they answered on the validation split. NumPy alone.

Source: Caruana et al., "Ensemble Selection from Libraries of Models", 2004: the best is taken
first, then again and again the one that makes the average of those taken best, the same one twice
if need be.
"""

from collections.abc import Sequence

import numpy as np

from millrace.components.training.measures import Measure

_ROUNDS = 8  # so that weights are eighths at the finest
_LEAST_GAIN = 0.002  # of the measure, below which another member is not worth its time


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
