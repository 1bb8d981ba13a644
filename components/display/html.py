"""Pieces of HTML and SVG for pages and notebooks: everything escaped, and no scripts.

What is drawn takes `currentColor`, so that it can be read on a dark page as on a light one.
"""

import base64
import html
import math
from collections.abc import Iterable, Sequence
from typing import Any

from etils.epath import Path

BARS, LINE = (96, 24), (160, 36)  # pixels: width and height of the drawings within a table


class Markup(str):
    """Text that is HTML already; everything else that goes into a table is escaped."""

    __slots__ = ()

    def __html__(self) -> str:
        """What a template takes it for, which escapes everything else."""
        return self


def escape(value: object) -> str:
    """`value` as HTML, unless it is that; floats in four digits, nothing for None."""
    if isinstance(value, Markup):
        return value
    shown = "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
    return html.escape(shown)


def shortened(text: str, length: int) -> str:
    """`text` on one line, of `length` letters at most."""
    whole = " ".join(text.split())
    return whole if len(whole) <= length else whole[: length - 1] + "…"


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Markup:
    """A table, its cells as `escape` has them; without `columns`, without a head."""
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return Markup(f"<table>{head and f'<tr>{head}</tr>'}{body}</table>")


def folded(summary: str, body: str) -> Markup:
    """`body` behind a line that opens it."""
    return Markup(f"<details><summary>{html.escape(summary)}</summary>{body}</details>")


def picture(content: bytes, label: str, *, width: int | None = None) -> Markup:
    """A PNG picture within the page, at most `width` pixels wide."""
    data = base64.b64encode(content).decode()
    size = "" if width is None else f' style="max-width:{width}px"'
    return Markup(f'<img alt="{html.escape(label)}"{size} src="data:image/png;base64,{data}">')


def plots(folder: Path, *, width: int | None = None) -> Markup:
    """The PNG files of a folder and of the folders in it, within the page."""
    files = sorted([*folder.glob("*.png"), *folder.glob("*/*.png")])
    shown = (picture(file.read_bytes(), file.stem, width=width) for file in files)
    return Markup("".join(f"<p>{one}</p>" for one in shown))


def bars(buckets: Sequence[tuple[str, float]]) -> Markup:
    """A small histogram of (label, count); both show under the pointer."""
    if not buckets:
        return Markup("")
    width, height = BARS
    step, highest = width / len(buckets), max(count for _, count in buckets) or 1.0
    drawn = "".join(
        f'<rect x="{index * step:.1f}" y="{height * (1 - count / highest):.1f}" '
        f'width="{step * 0.9:.1f}" height="{height * count / highest:.1f}">'
        f"<title>{html.escape(f'{label}: {count:g}')}</title></rect>"
        for index, (label, count) in enumerate(buckets)
    )
    return _drawing(width, height, f'<g fill="currentColor" fill-opacity="0.6">{drawn}</g>')


def line(values: Sequence[float]) -> Markup:
    """A small line through `values`; NaN parts it."""
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return Markup("")
    width, height = LINE
    low, high = min(known), max(known)
    scale, step = (height - 4) / ((high - low) or 1.0), width / max(1, len(values) - 1)
    path, pen = "", "M"
    for index, value in enumerate(values):
        if math.isnan(value):
            pen = "M"
        else:
            path += f"{pen}{index * step:.1f},{height - 2 - (value - low) * scale:.1f}"
            pen = "L"
    return _drawing(width, height, f'<path fill="none" stroke="currentColor" d="{path}"/>')


def _drawing(width: int, height: int, shapes: str) -> Markup:
    return Markup(f'<svg width="{width}" height="{height}" role="img">{shapes}</svg>')
