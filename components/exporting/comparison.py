"""The answers of an exported model compared with those of the trained one: plain numpy."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from millrace.components.errors import ModelError
from millrace.components.exporting.answers import OutputArrays
from millrace.components.inference.predictions import difference


@dataclasses.dataclass(frozen=True)
class Reference:
    """What the trained model answers on the path of training, by `signature/output`.

    Attributes:
        numbers: arrays [rows, ...].
        texts: arrays [rows, ...] of text, and which of them to compare, bool of the same shape:
            not those where two answers are equally good.
        base: what the exported model's numbers have besides, [] or [targets]: see
            `features.precision`.
    """

    numbers: Mapping[str, np.ndarray]
    texts: Mapping[str, tuple[np.ndarray, np.ndarray]] = dataclasses.field(default_factory=dict)
    base: np.ndarray | float = 0.0


def largest_difference(found: OutputArrays, reference: Reference, tolerance: float) -> float:
    """The largest difference between numbers, as `predictions.difference` measures it.

    Args:
        found: the exported model's answers, by `signature/output`.
        reference: the trained model's, on the path of training.
        tolerance: of a number.

    Raises:
        ModelError: a number differs by more, or a text to compare differs.
    """
    differences = {
        name: difference(found[name] - reference.base, expected)
        for name, expected in reference.numbers.items()
    }
    output, worst = max(differences.items(), key=lambda item: item[1])
    if not worst <= tolerance:
        raise _error(output, f"numbers that differ by up to {worst:.3g}", tolerance)
    for output, (texts, is_clear) in reference.texts.items():
        wrong = np.argwhere(is_clear & (found[output] != texts))
        if len(wrong):
            place = tuple(wrong[0].tolist())
            pair = f"{str(found[output][place])!r} instead of {str(texts[place])!r}"
            raise _error(output, f"{pair} in row {place[0]}", tolerance)
    return worst


def _error(output: str, received: str, tolerance: float) -> ModelError:
    return ModelError(
        f"Exported model, {output}: expected the trained model's answers within "
        f"{tolerance:g}. Received: {received}. Do not serve it; export again, and if that does "
        "not help, look for an op that works differently in a graph."
    )
