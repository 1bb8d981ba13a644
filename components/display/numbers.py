"""Numbers as text for people: answers with all their digits, figures in short; no `e+06`."""

import math

_LARGE = 1e15  # from here on, and below _SMALL, a power of ten is easier to read
_SMALL = 1e-4


def exact(value: float) -> str:
    """All digits that `value` has, and no more: 0.1, 1234572, 6779547060.56.

    A number that float32 holds is taken for one: the shortest text that gives it again. Of others
    there are 15 digits.
    """
    if not math.isfinite(value):
        return str(value)
    if value == 0:
        return "0"
    if abs(value) < _LARGE and value == int(value):
        return str(int(value))
    import numpy as np  # figures are printed by what must start quickly

    with np.errstate(over="ignore"):
        narrow = np.float32(value)
    number = narrow if float(narrow) == value else np.float64(f"{value:.15g}")
    if _SMALL <= abs(value) < _LARGE:
        return np.format_float_positional(number, trim="-")
    return np.format_float_scientific(number, trim="-", exp_digits=2)


def between(low: float, high: float) -> str:
    """An interval, with as many digits as tell its ends apart: 0.95 to 0.99."""
    size = high - low
    places = max(0, 1 - math.floor(math.log10(size))) if size > 0 else 4
    if size >= _LARGE or places > 12:
        return f"{low:.3g} to {high:.3g}"
    return f"{low:.{places}f} to {high:.{places}f}"


def short(value: float, digits: int = 6) -> str:
    """So many digits, or all before the point and two behind it: 0.123457, 1234572.25."""
    rounded = f"{value:.{digits}g}"
    if "e+" not in rounded or abs(value) >= _LARGE:
        return rounded
    return f"{value:.2f}".rstrip("0").rstrip(".")


def size(count: int) -> str:
    """So many bytes in two or three digits of a decimal unit: 42 B, 3.4 MB, 512 MB."""
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value >= 999.5:
            value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "B" or value >= 9.95 else f"{value:.1f} {unit}"
