"""Logistic regression on sparse features, solved as the convex problem that it is. No TensorFlow.

What is made small is scikit-learn's: C sum_i s_i loss_i + |V|^2 / 2, the bias free of penalty,
where loss is the log loss of a softmax over the classes, or of a sigmoid for the second of two.
It is solved by L-BFGS (Liu, Nocedal, 1989).
"""

import dataclasses
import logging
from collections.abc import Callable, Sequence

import numpy as np
from scipy import optimize, sparse, special

from millrace.components.training import measures

logger = logging.getLogger("millrace.components.trainer")

_LEAST_GAIN = 0.003  # of the log loss, for which a weaker penalty is worth its time
_LIMIT = 1e-5  # beyond it no answer changes
_STEPS = 1000


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
    """
    rows, shape = features.shape[0], start.kernel.shape
    each = np.full(rows, 1 / rows) if weights is None else weights / rows
    penalty = 1 / (strength * rows)
    factor: np.ndarray | float = 1.0 if scale is None else scale
    transposed = features.T.tocsr()
    is_binary = shape[1] == 1
    truth = labels[:, None] if is_binary else labels

    def value(flat: np.ndarray) -> tuple[float, np.ndarray]:
        own, bias = flat[: -shape[1]].reshape(shape), flat[-shape[1] :]
        logits = np.asarray(features @ (own * factor)) + bias
        if is_binary:
            loss = np.logaddexp(0, logits) - truth * logits
            slope = special.expit(logits) - truth
        else:
            normal = special.logsumexp(logits, axis=1, keepdims=True)
            loss = normal - np.take_along_axis(logits, truth[:, None], axis=1)
            slope = np.exp(logits - normal)
            slope[np.arange(rows), truth] -= 1
        slope *= each[:, None]
        kernel = np.asarray(transposed @ slope) * factor + penalty * own
        total = float(each @ loss[:, 0]) + penalty / 2 * float(np.vdot(own, own))
        return total, np.concatenate([kernel.ravel(), slope.sum(axis=0)])

    own = np.divide(start.kernel, factor, out=np.zeros(shape), where=np.not_equal(factor, 0))
    found = optimize.minimize(
        value,
        np.concatenate([own.ravel(), start.bias]),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": _STEPS, "gtol": limit, "ftol": np.finfo(float).eps, "maxls": 50},
    )
    own, bias = found.x[: -shape[1]].reshape(shape), found.x[-shape[1] :]
    return Solution(own * factor, bias)


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
