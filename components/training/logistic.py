"""Logistic regression on sparse features, solved as the convex problem that it is. No TensorFlow.

What is made small is scikit-learn's: C sum_i s_i loss_i + |V|^2 / 2, the bias free of penalty,
where loss is the log loss of a softmax over the classes, or of a sigmoid for the second of two.
It is solved by L-BFGS (Liu, Nocedal, 1989). Of rows that are fewer than features, which is what
texts are, V is a sum of them (the representer theorem): then their products with one another, once
factored, take the place of the features, and a step a thirtieth of the time.
"""

import dataclasses
import logging
from collections.abc import Callable, Sequence

import numpy as np
from scipy import linalg, optimize, sparse, special

from millrace.components.training import measures

logger = logging.getLogger("millrace.components.trainer")

_LEAST_GAIN = 0.003  # of the log loss, for which a weaker penalty is worth its time
_LIMIT = 1e-5  # beyond it no answer changes
_STEPS = 1000
_IN_MEMORY = 1 << 26  # products of rows, of all units
_COMMON = 32  # features of more than one row in so many are multiplied as dense ones
_JITTER = 1e-10  # of a row's product with itself: rows may be equal


@dataclasses.dataclass(frozen=True)
class Solution:
    """The weights of a linear classifier.

    Attributes:
        kernel: float64 [features, units]; one unit for two classes, else one for each.
        bias: float64 [units].
    """

    kernel: np.ndarray
    bias: np.ndarray

    def logits(self, features: sparse.csr_matrix | np.ndarray) -> np.ndarray:
        """Of rows of features, float64 [rows, units]."""
        return np.asarray(features @ self.kernel) + self.bias

    def probabilities(self, features: sparse.csr_matrix | np.ndarray) -> np.ndarray:
        """Of each class, float64 [rows, classes]."""
        logits = self.logits(features)
        if logits.shape[1] == 1:
            logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
        return np.asarray(special.softmax(logits, axis=1))


def best(
    fit: Callable[[Solution, float], Solution],
    start: Solution,
    features: sparse.csr_matrix | np.ndarray,
    labels: np.ndarray,
    strengths: Sequence[float],
) -> Solution:
    """The solution of the strength that suits other rows best, tried until it gains no more.

    Args:
        fit: solves from a start, for a strength.
        start: where the first begins; each later one begins at the best so far.
        features: of the other rows, those of the validation split.
        labels: theirs.
        strengths: ascending.
    """
    measure = measures.cross_entropy(labels)
    found, least, tried = start, np.inf, dict[float, float]()
    for strength in strengths:
        solution = fit(found, strength)
        tried[strength] = measure(solution.probabilities(features))
        if tried[strength] >= least * (1 - _LEAST_GAIN):
            break
        found, least = solution, tried[strength]
    said = ", ".join(f"{strength:g}: {loss:.4f}" for strength, loss in tried.items())
    logger.info("log loss on the validation split by strength: %s", said)
    return found


def nothing(features: int, units: int) -> Solution:
    """All weights zero: where to begin."""
    return Solution(np.zeros((features, units)), np.zeros(units))


def fit(
    features: sparse.csr_matrix,
    labels: np.ndarray,
    start: Solution,
    strength: float,
    weights: np.ndarray | None = None,
    scale: np.ndarray | None = None,
    limit: float = _LIMIT,
    factors: Sequence[np.ndarray] = (),
) -> Solution:
    """The solution of the problem.

    Args:
        features: float [rows, features].
        labels: int [rows], from 0.
        start: where to begin; its units say whether classes have one each.
        strength: C, the inverse of the penalty.
        weights: of each row; None is 1 each.
        scale: [features, units], what V is multiplied by to give the kernel: the penalty on a
            weight is lighter where it is larger. None is 1 each.
        limit: the largest number in the gradient of the mean loss at which to end.
        factors: what `factored` gave for `features` and `scale`.
    """
    rows, units = features.shape[0], start.kernel.shape[1]
    each = np.full(rows, 1 / rows) if weights is None else weights / rows
    penalty = 1 / (strength * rows)
    space: _OfFeatures | _OfRows = _OfFeatures(features, 1.0 if scale is None else scale)
    if factors:
        space = _OfRows(features, scale, factors)
    is_binary = units == 1
    truth = labels[:, None] if is_binary else labels

    def value(flat: np.ndarray) -> tuple[float, np.ndarray]:
        own, bias = flat[:-units].reshape(-1, units), flat[-units:]
        logits = space.logits(own) + bias
        if is_binary:
            loss = np.logaddexp(0, logits) - truth * logits
            slope = special.expit(logits) - truth
        else:
            normal = special.logsumexp(logits, axis=1, keepdims=True)
            loss = normal - np.take_along_axis(logits, truth[:, None], axis=1)
            slope = np.exp(logits - normal)
            slope[np.arange(rows), truth] -= 1
        slope *= each[:, None]
        gradient = space.gradient(slope) + penalty * own
        total = float(each @ loss[:, 0]) + penalty / 2 * float(np.vdot(own, own))
        return total, np.concatenate([gradient.ravel(), slope.sum(axis=0)])

    found = optimize.minimize(
        value,
        np.concatenate([space.start(start.kernel).ravel(), start.bias]),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": _STEPS, "gtol": limit, "ftol": np.finfo(float).eps, "maxls": 50},
    )
    return Solution(space.kernel(found.x[:-units].reshape(-1, units)), found.x[-units:])


def factored(
    features: sparse.csr_matrix, units: int, scale: np.ndarray | None = None
) -> list[np.ndarray]:
    """The products of rows with one another as L L^T, L [rows, rows]; none where it would not pay.

    Args:
        features: float [rows, features].
        units: of the last layer.
        scale: [features, units], as of `fit`: then each unit has an L of its own.
    """
    rows, columns = features.shape
    count = 1 if scale is None else units
    if rows >= columns or count * rows**2 > _IN_MEMORY:
        return []
    parts = [features] if scale is None else [_scaled(features, each) for each in scale.T]
    return [_factor(_products(part)) for part in parts]


def _scaled(features: sparse.csr_matrix, by: np.ndarray) -> sparse.csr_matrix:
    data = features.data * by[features.indices]
    return sparse.csr_matrix((data, features.indices, features.indptr), features.shape)


def _products(features: sparse.csr_matrix) -> np.ndarray:
    rows = features.shape[0]
    is_common = np.bincount(features.indices, minlength=features.shape[1]) * _COMMON > rows
    by_column = features.tocsc()
    common, rare = by_column[:, is_common].toarray(), by_column[:, ~is_common].tocsr()
    return np.asarray(common @ common.T + (rare @ rare.T).toarray())


def _factor(products: np.ndarray) -> np.ndarray:
    products[np.diag_indices_from(products)] += _JITTER * max(1e-300, products.diagonal().mean())
    return np.asarray(linalg.cholesky(products, lower=True, overwrite_a=True))


class _OfFeatures:
    """V itself is looked for, [features, units]."""

    def __init__(self, features: sparse.csr_matrix, factor: np.ndarray | float) -> None:
        self._features, self._transposed = features, features.T.tocsr()
        self._factor = factor

    def start(self, kernel: np.ndarray) -> np.ndarray:
        """V of a kernel."""
        is_free = np.not_equal(self._factor, 0)
        return np.divide(kernel, self._factor, out=np.zeros(kernel.shape), where=is_free)

    def logits(self, own: np.ndarray) -> np.ndarray:
        """Of each row, but for the bias."""
        return np.asarray(self._features @ (own * self._factor))

    def gradient(self, slope: np.ndarray) -> np.ndarray:
        """By V, of a loss whose slope by the logits is `slope`."""
        return np.asarray(self._transposed @ slope) * self._factor

    def kernel(self, own: np.ndarray) -> np.ndarray:
        """Of a V."""
        return own * self._factor


class _OfRows:
    """V = X^T A is looked for as W = L^T A, [rows, units], where X X^T = L L^T; |V| = |W|."""

    def __init__(
        self,
        features: sparse.csr_matrix,
        scale: np.ndarray | None,
        factors: Sequence[np.ndarray],
    ) -> None:
        self._features, self._scale, self._factors = features, scale, factors

    def start(self, kernel: np.ndarray) -> np.ndarray:
        """W of a kernel, as it is on these rows."""
        logits = np.asarray(self._features @ kernel)
        return self._each(logits, lambda factor, part: _solved(factor, part, "N"))

    def logits(self, own: np.ndarray) -> np.ndarray:
        """Of each row, but for the bias."""
        return self._each(own, lambda factor, part: factor @ part)

    def gradient(self, slope: np.ndarray) -> np.ndarray:
        """By W, of a loss whose slope by the logits is `slope`."""
        return self._each(slope, lambda factor, part: factor.T @ part)

    def kernel(self, own: np.ndarray) -> np.ndarray:
        """Of a W."""
        shares = self._each(own, lambda factor, part: _solved(factor, part, "T"))
        plain = np.asarray(self._features.T @ shares)
        return plain if self._scale is None else plain * self._scale**2

    def _each(
        self, values: np.ndarray, work: Callable[[np.ndarray, np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """What `work` makes of the columns of each factor, side by side."""
        if len(self._factors) == 1:
            return np.asarray(work(self._factors[0], values))
        pairs = zip(self._factors, values.T, strict=True)
        return np.stack([work(factor, part) for factor, part in pairs], axis=1)


def _solved(factor: np.ndarray, values: np.ndarray, trans: str) -> np.ndarray:
    return np.asarray(linalg.solve_triangular(factor, values, trans=trans, lower=True))


def log_ratios(features: sparse.csr_matrix, labels: np.ndarray, units: int) -> np.ndarray:
    """How well each feature tells the classes apart by itself, [features, units].

    The log of the share of a class's features that it is, to that in the other classes together,
    each feature counted once a row and once more than it occurs (Wang, Manning, 2012). Signs do
    not matter to a penalty, so there are none.
    """
    binary = (features > 0).astype(np.float64)
    classes = [1] if units == 1 else range(units)
    ratios = np.empty((features.shape[1], units))
    for unit, label in enumerate(classes):
        inside = np.asarray(binary[labels == label].sum(axis=0))[0] + 1
        outside = np.asarray(binary[labels != label].sum(axis=0))[0] + 1
        ratios[:, unit] = np.log(inside / inside.sum()) - np.log(outside / outside.sum())
    return np.abs(ratios)


def balanced(labels: np.ndarray, classes: int) -> np.ndarray:
    """The weight of each row by which each class weighs the same, as `class_weights` has them."""
    counts = np.bincount(labels, minlength=classes)
    return np.asarray(len(labels) / (classes * counts[labels]))
