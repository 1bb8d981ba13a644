"""The answers of an exported model held against those of the trained one: plain numpy."""

import numpy as np

from components.errors import ModelError
from components.exporting.answers import Answers


def largest_difference(
    found: Answers, expected: np.ndarray, classes: tuple[str, ...], tolerance: float
) -> float:
    """The largest difference of a score between the exported and the trained model.

    Args:
        found: the exported model's answers.
        expected: the trained model's scores on the transformed rows, float32 [rows, classes].
        classes: their names.
        tolerance: of a score.

    Raises:
        ModelError: a score differs by more, or a row's class is another one although the
            scores of the first two are further apart than that.
    """
    regress = expected[:, 1] if len(classes) == 2 else expected.max(axis=1)
    wanted = {"serving_default": expected, "classify": expected, "regress": regress}
    differences = {name: _difference(found[name], scores) for name, scores in wanted.items()}
    signature, worst = max(differences.items(), key=lambda item: item[1])
    if not worst <= tolerance:
        raise _error(signature, f"scores that differ by up to {worst:.3g}", tolerance)
    ranked = np.sort(expected, axis=1)
    is_clear = ranked[:, -1] - ranked[:, -2] > 2 * tolerance
    names = np.array(classes)[expected.argmax(axis=1)]
    wrong = np.flatnonzero(is_clear & (found["class"] != names))
    if len(wrong):
        row = int(wrong[0])
        received = f"class {str(found['class'][row])!r} instead of {str(names[row])!r} in row {row}"
        raise _error("serving_default", received, tolerance)
    return worst


def _difference(found: np.ndarray, expected: np.ndarray) -> float:
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found.astype(np.float64) - expected).max())


def _error(signature: str, received: str, tolerance: float) -> ModelError:
    return ModelError(
        f"Exported model, signature {signature!r}: expected the trained model's answers within "
        f"{tolerance:g}. Received: {received}. Do not serve it; export again, and if it stays, "
        "look for an op that works differently in a graph."
    )
