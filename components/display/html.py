"""Pieces of HTML for pages and notebooks: everything escaped, and no scripts."""

import base64
import html
from collections.abc import Iterable, Sequence
from typing import Any

from etils.epath import Path


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
