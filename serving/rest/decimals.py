"""Floats as text, digit for digit as the real server writes them.

Six significant digits (`%g`) where they give the same number back in its own type, all that the
type has where not; `.0` after a whole number that has no exponent.
Source: WriteDecimal in tensorflow_serving/util/json_tensor.cc.
"""

import numpy as np

_ALL_DIGITS = {"float32": "%.9g", "float64": "%.17g"}
_NAMES = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def texts(array: np.ndarray) -> list[str]:
    """One text for each number of `array`, of any shape, float32 or float64, row-major."""
    flat = array.ravel()
    values = flat.tolist()
    short = _format("%.6g", values)
    same = np.array(short, np.float64).astype(flat.dtype) == flat
    if not same.all():
        others = np.flatnonzero(~same)
        all_digits = _ALL_DIGITS[flat.dtype.name]
        long = _format(all_digits, [values[place] for place in others])
        for place, text in zip(others.tolist(), long, strict=True):
            short[place] = text
    return [text if "." in text or "e" in text else _finish(text) for text in short]


def _format(form: str, values: list[float]) -> list[str]:
    # One format for all of them is several times as fast as one each.
    return (f"{form} " * len(values) % tuple(values)).split()


def _finish(text: str) -> str:
    return _NAMES.get(text) or f"{text}.0"
