"""Two tiny tables of known equations: the first lessons of a course, with no download."""

from collections.abc import Iterable

from etils.epath import Path

from millrace.components.artifacts import RawFiles

_LINE = [(x, 2 * x - 1) for x in (-1.0, 0.0, 1.0, 2.0, 3.0, 4.0)]
_HOUSES = [(bedrooms, 0.5 + 0.5 * bedrooms) for bedrooms in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)]


def line_fit(out: Path) -> RawFiles:
    """Write six points of the line y = 2x - 1 as a CSV of `x` and `y`.

    Args:
        out: becomes the folder of the table.
    """
    return _write(out, "line.csv", ("x", "y"), _LINE)


def house_prices(out: Path) -> RawFiles:
    """Write six houses as a CSV of `bedrooms` and `price`, in units of 100,000.

    A house costs half a unit, and half a unit more for each bedroom.

    Args:
        out: becomes the folder of the table.
    """
    return _write(out, "houses.csv", ("bedrooms", "price"), _HOUSES)


def _write(
    out: Path, name: str, header: tuple[str, str], rows: Iterable[tuple[float, float]]
) -> RawFiles:
    lines = [",".join(header), *(f"{x},{y}" for x, y in rows)]
    (out / name).write_text("\n".join(lines) + "\n")
    return RawFiles(out)
