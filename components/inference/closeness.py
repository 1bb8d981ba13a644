"""How far apart two sets of numbers are that should be the same."""

import numpy as np


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest absolute difference; of numbers above 1 in size, relative to the largest.

    float32 sums come out differently by their order, in proportion to their size. Infinite where
    the shapes differ.
    """
    if found.shape != expected.shape:
        return float("inf")
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    return float(np.abs(found.astype(np.float64) - expected).max(initial=0.0)) / scale
