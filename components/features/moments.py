"""Mean and variance of data seen in parts: the moments of each part, and how to merge them.

Formulas: Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing
sample variances" (1979). No TensorFlow, no Beam.
"""

import dataclasses
import functools
import json
from collections.abc import Iterable

import numpy as np


@dataclasses.dataclass(frozen=True)
class Moments:
    """Mean and squared deviations of `count` values per channel.

    Attributes:
        mean: float64 [channels].
        m2: float64 [channels], the sum of squared deviations from the mean.
    """

    count: int
    mean: np.ndarray
    m2: np.ndarray

    @property
    def variance(self) -> np.ndarray:
        """Of the population, float64 [channels]; 0 if nothing was seen."""
        return self.m2 / max(self.count, 1)

    def to_json(self) -> str:
        """As JSON, to the last bit."""
        return json.dumps([self.count, self.mean.tolist(), self.m2.tolist()])

    @classmethod
    def from_json(cls, text: str) -> "Moments":
        """What `to_json` wrote."""
        count, mean, m2 = json.loads(text)
        return cls(count, np.array(mean, np.float64), np.array(m2, np.float64))


NONE = Moments(0, np.zeros(1), np.zeros(1))  # the moments of nothing, of any number of channels


def of(values: np.ndarray) -> Moments:
    """The moments of `values` [..., channels] over every axis but the last."""
    flat = values.reshape(-1, values.shape[-1]).astype(np.float64)
    if not len(flat):
        return NONE
    mean = flat.mean(axis=0)
    return Moments(len(flat), mean, np.square(flat - mean).sum(axis=0))


def merge(parts: Iterable[Moments]) -> Moments:
    """The moments of all the parts' values together.

    mean = mean_a + delta * n_b / n;  m2 = m2_a + m2_b + delta^2 * n_a * n_b / n
    """
    return functools.reduce(_merge_two, parts, NONE)


def _merge_two(a: Moments, b: Moments) -> Moments:
    count = a.count + b.count
    if count == 0:
        return b
    delta, share = b.mean - a.mean, b.count / count
    return Moments(count, a.mean + delta * share, a.m2 + b.m2 + delta**2 * a.count * share)
