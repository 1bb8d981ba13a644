"""A matrix as shades of a colour, such as a confusion matrix, as SVG."""

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from millrace.components.display import axes, drawing
from millrace.components.display.axes import Point
from millrace.components.display.html import Markup

_TOLD = 500  # cells: of so many each says its number under the pointer
_CLASSES = 100


def draw(
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Iterable[Sequence[float]],
    *,
    row_label: str = "",
    column_label: str = "",
    links: Mapping[tuple[int, int], str] | None = None,
    width: int = drawing.WIDTH,
) -> Markup:
    """Numbers as shades, each as its share of its row: a confusion matrix.

    Args:
        title: what is shown.
        rows: their names, the first 100 are drawn.
        columns: theirs.
        cells: (row, column, number) of those that are not 0.
        row_label: what the rows are, such as `truth`.
        column_label: what the columns are.
        links: by row and column, the address of what a cell holds.
        width: of the drawing, in pixels, at most.
    """
    head, top = drawing.head(title, (), width)
    grid = _grid(rows[:_CLASSES], columns[:_CLASSES], top, width)
    room = grid.under if grid.is_slanted else drawing.LINE
    height = math.ceil(grid.bottom + room + drawing.LINE + 10)
    below = axes.fitted(column_label, width - grid.left, drawing.SIZE)
    around = drawing.label((grid.left + grid.right) / 2, height - 5, below, "middle", name="axis")
    beside = axes.fitted(row_label, grid.bottom - top, drawing.SIZE)
    around += drawing.turned(12, (top + grid.bottom) / 2, beside)
    around += _row_names(grid) + _column_names(grid)
    found = {(int(a), int(b)): number for a, b, number in cells if axes.is_known(number)}
    inside = _cells(grid, found, row_label, column_label, links or {})
    more = f", the first {_CLASSES} shown" if max(len(rows), len(columns)) > _CLASSES else ""
    said = f"{title}: {len(rows)} by {len(columns)}{more}"
    # What is in an image has no links for a screen reader.
    role = "group" if links else "img"
    return drawing.svg(width, height, said, head + around + inside, role)


def _shade(place: Point, size: float, share: float) -> str:
    opacity = 0.06 + 0.44 * min(1.0, max(0.0, share))  # a number stands on it, in ink
    at = f'x="{place[0]:.1f}" y="{place[1]:.1f}" width="{size:.1f}" height="{size:.1f}"'
    return f'<rect {at} fill-opacity="{opacity:.2f}"/>'


def _linked(shade: str, told: str, address: str) -> str:
    if not address.startswith(("/", "?", "#")) or address.startswith("//"):
        address = ""  # to this site alone, and never a script
    if not address:
        return shade.replace("/>", f"><title>{drawing.escape(told)}</title></rect>")
    where = f'href="{html.escape(address)}" aria-label="{drawing.escape(told)}"'
    return f"<a {where}><title>{drawing.escape(told)}</title>{shade}</a>"


class _Grid(NamedTuple):
    """Where the cells of a heat map lie; `under` is the room that names of columns need."""

    rows: Sequence[str]
    columns: Sequence[str]
    left: float
    top: float
    size: float
    under: float

    @property
    def right(self) -> float:
        return self.left + len(self.columns) * self.size

    @property
    def bottom(self) -> float:
        return self.top + len(self.rows) * self.size

    @property
    def is_slanted(self) -> bool:
        """Whether names of columns are turned, since they are longer than a cell."""
        return self.under > self.size - 4

    @property
    def stride(self) -> int:
        """Every how many cells there is room for a name."""
        return max(1, math.ceil(13 / self.size))


def _grid(rows: Sequence[str], columns: Sequence[str], top: float, width: int) -> _Grid:
    left = drawing.LINE + 9 + min(0.3 * width, _longest(rows))
    size = max(2.0, min(40.0, (width - left - 4) / max(1, len(columns))))
    return _Grid(rows, columns, left, top, size, min(90.0, _longest(columns) + 1))


def _longest(names: Iterable[object]) -> float:
    return max((axes.width_of(axes.clean(name), drawing.SIZE) for name in names), default=0)


def _row_names(grid: _Grid) -> str:
    drawn = ""
    for number in range(0, len(grid.rows), grid.stride):
        text = axes.fitted(grid.rows[number], grid.left - drawing.LINE - 8, drawing.SIZE)
        drawn += drawing.label(
            grid.left - 6, grid.top + (number + 0.5) * grid.size + 4, text, "end"
        )
    return drawn


def _column_names(grid: _Grid) -> str:
    drawn, y = "", grid.bottom + 6
    for number in range(0, len(grid.columns), grid.stride):
        x = grid.left + (number + 0.5) * grid.size
        if grid.is_slanted:
            text = html.escape(axes.fitted(grid.columns[number], grid.under, drawing.SIZE))
            turn = f'transform="rotate(-90 {x + 4:.1f} {y:.1f})" text-anchor="end"'
            drawn += f'<text x="{x + 4:.1f}" y="{y:.1f}" {turn}>{text}</text>'
        else:
            drawn += drawing.label(x, y + 8, axes.clean(grid.columns[number]), "middle")
    return drawn


def _cells(
    grid: _Grid,
    found: Mapping[tuple[int, int], float],
    row_label: str,
    column_label: str,
    links: Mapping[tuple[int, int], str],
) -> str:
    """The shades, the numbers on them where there is room, and the edge of it all."""
    sums: dict[int, float] = {}
    for (row, _), number in found.items():
        sums[row] = sums.get(row, 0.0) + number
    shades = figures = ""
    for (row, column), number in sorted(found.items()):
        if row >= len(grid.rows) or column >= len(grid.columns) or not number:
            continue
        place = grid.left + column * grid.size, grid.top + row * grid.size
        shade = _shade(place, grid.size, number / (sums[row] or 1.0))
        address = links.get((row, column), "")
        told = f"{row_label} {grid.rows[row]}, {column_label} {grid.columns[column]}: {number:g}"
        is_told = bool(address) or len(found) <= _TOLD
        shades += _linked(shade, told, address) if is_told else shade
        if grid.size >= drawing.LINE + 2:
            text = axes.fitted(f"{number:.4g}", grid.size, drawing.SIZE)
            middle = place[0] + grid.size / 2, place[1] + grid.size / 2 + 4
            figures += drawing.label(*middle, text, "middle")
    path = f"M{grid.left:.1f},{grid.top:.1f}H{grid.right:.1f}V{grid.bottom:.1f}H{grid.left:.1f}Z"
    told = f'<g pointer-events="none">{figures}</g>'
    return f"{drawing.series(0, shades)}{told}{drawing.ruled(path, 0.3)}"
