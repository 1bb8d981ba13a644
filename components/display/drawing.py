"""What charts are drawn of: the frame with its axes, texts, paths; SVG that reads on any ground."""

import html
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from millrace.components.display import axes
from millrace.components.display.axes import Axis, Number, Point
from millrace.components.display.html import Markup

WIDTH, HEIGHT = 420, 240  # pixels
COLOURS = ("#2a7ac0", "#c2610c", "#23805a", "#8b4fb3")  # 3 to 1 on white and on #12171d
_DASHES = ("", "7 3", "2 3", "7 3 2 3")
SIZE = 11  # pixels of a letter
LINE = 16  # pixels of a line of text


class Frame(NamedTuple):
    """A place to draw in, with its scales; and what stands around it, drawn already."""

    x: Axis
    y: Axis
    around: str


def svg(
    width: int, height: int, label: str, shapes: str, role: str = "img", *, name: str = "chart"
) -> Markup:
    """The drawing of that size, with what it shows in words for who does not see it."""
    return Markup(
        f'<svg class="{name}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="{role}" aria-label="{escape(label)}" font-size="{SIZE}" '
        f'font-family="system-ui, sans-serif" fill="currentColor">{shapes}</svg>'
    )


def escape(text: object) -> str:
    """Text as XML has it, without what it cannot hold."""
    return html.escape(axes.clean(text))


def head(title: str, names: Sequence[str], width: int, *, boxes: bool = False) -> tuple[str, int]:
    """The title and a legend below it, and the pixel from which on there is room."""
    drawn = '<text x="2" y="13" font-size="13" font-weight="600">'
    drawn += f"{html.escape(axes.fitted(title, width - 4, 13))}</text>"
    x, y = 2.0, 13
    if names:
        y += LINE + 2
    for number, name in enumerate(names):
        text = axes.fitted(name, width - 34, SIZE)
        wide = 30 + axes.width_of(text, SIZE)
        if x > 2 and x + wide > width:
            x, y = 2.0, y + LINE
        pen = 'stroke-width="10"' if boxes else f'stroke-width="2.5"{dashed(number)}'
        sample = f'<path d="M{x:.1f},{y - 4}h20" stroke="currentColor" {pen}/>'
        drawn += series(number, sample) + label(x + 24, y, text)
        x += wide + 8
    return drawn, y + 10


def frame(
    place: tuple[int, int, int],
    across: Iterable[Number],
    upwards: Iterable[Number],
    *,
    x_label: str = "",
    x_names: Sequence[str] = (),
    log_x: bool = False,
    flush: bool = False,
    without_y: bool = False,
) -> Frame:
    """The scales of a drawing, with their lines, ticks and texts.

    Args:
        place: the top of the room, the drawing's width and its height.
        across: what the axis to the right holds.
        upwards: what the upright one holds.
        x_label: see `lines`.
        x_names: see `lines`.
        log_x: see `lines`.
        flush: whether to begin and end exactly with `across`.
        without_y: whether the upright axis has no ticks.
    """
    top, width, height = place
    bottom = height - LINE - 4 - (LINE if x_label else 0)
    y = axes.axis(upwards, bottom, top + 4, most=max(2, min(5, (bottom - top) // 28)))
    left = 8.0 if without_y else 10 + max(axes.width_of(text, SIZE) for _, text in y.ticks)
    right = width - 10.0
    xs = list(across)
    if log_x:
        x = axes.log_axis(xs, left, right)
    else:
        # As many ticks as their texts leave room for.
        wide = max(axes.width_of(text, SIZE) for _, text in axes.axis(xs, left, right).ticks)
        most = max(1, min(8, int((right - left) / (wide + 14))))
        x = axes.axis(xs, left, right, most=most, tight=True)
    if flush:
        low, high = min(v for v in xs if v is not None), max(v for v in xs if v is not None)
        x = Axis(low, max(high, low + 1), left, right, ())
    around = "" if without_y else "".join(_level(y, tick, left, right) for tick in y.ticks)
    around += ruled(f"M{left:.1f},{bottom}H{right:.1f}", 0.5)
    ticks = _named(x, x_names) if x_names else x.ticks
    around += _ticks(x, ticks, bottom, width)
    if x_label:
        text = axes.fitted(x_label, right - left, SIZE)
        around += label((left + right) / 2, height - 5, text, "middle", name="axis")
    return Frame(x, y, around)


def _level(y: Axis, tick: tuple[float, str], left: float, right: float) -> str:
    value, text = tick
    at = y.at(value)
    line = ruled(f"M{left:.1f},{at:.1f}H{right:.1f}", 0.15)
    return line + label(left - 5, at + 4, text, "end", name="axis")


def ruled(path: str, opacity: float) -> str:
    """A line of the grid."""
    pen = f'stroke="currentColor" stroke-opacity="{opacity}"'
    return f'<path class="grid" d="{path}" fill="none" {pen}/>'


def _named(x: Axis, names: Sequence[str]) -> tuple[tuple[float, str], ...]:
    """Names in place of the numbers 0, 1, 2 …, so many as there is room for."""
    room = (x.end - x.start) / max(1, len(names))
    texts = [axes.fitted(name, max(room - 6, 72), SIZE) for name in names]
    wide = max((axes.width_of(text, SIZE) for text in texts), default=0) + 8
    stride = max(1, math.ceil(wide / max(room, 1e-9)))
    return tuple((float(n), texts[n]) for n in range(0, len(names), stride))


def _ticks(x: Axis, ticks: Sequence[tuple[float, str]], bottom: float, width: int) -> str:
    """Texts below the axis, none over another and none outside."""
    drawn, free = "", 0.0
    for value, text in ticks:
        half = axes.width_of(text, SIZE) / 2
        at = x.at(value)
        middle = max(half, min(at, width - half))
        if middle - half < free:
            continue
        free = middle + half + 4
        drawn += ruled(f"M{at:.1f},{bottom}v4", 0.5)
        drawn += label(middle, bottom + LINE, text, "middle", name="axis")
    return drawn


def label(x: float, y: float, text: str, anchor: str = "start", *, name: str = "") -> str:
    """Text that begins, ends or is centred at x, on the line y."""
    where = "" if anchor == "start" else f' text-anchor="{anchor}"'
    of = f' class="{name}"' if name else ""
    return f'<text{of} x="{x:.1f}" y="{y:.1f}"{where}>{html.escape(text)}</text>' if text else ""


def turned(x: float, y: float, text: str) -> str:
    """A text that is read upwards, in the middle of where it stands."""
    turn = f'transform="rotate(-90 {x:.1f} {y:.1f})" text-anchor="middle"'
    return f'<text class="axis" x="{x:.1f}" y="{y:.1f}" {turn}>{html.escape(text)}</text>'


def series(number: int, shapes: str) -> str:
    """Shapes in the colour of the series with that number."""
    kind = number % len(COLOURS)
    return f'<g class="s{kind + 1}" color="{COLOURS[kind]}" fill="currentColor">{shapes}</g>'


def dashed(number: int) -> str:
    """The attribute by which the line of a series differs without colour; none of the first."""
    dash = _DASHES[number % len(_DASHES)]
    return f' stroke-dasharray="{dash}"' if dash else ""


def path(points: Sequence[Point]) -> str:
    """The commands of a path through points."""
    return "".join(f"{'L' if number else 'M'}{pair(one)}" for number, one in enumerate(points))


def pair(point: Point) -> str:
    """A point in tenths of a pixel."""
    return f"{point[0]:.1f},{point[1]:.1f}"


def circle(point: Point, told: str) -> str:
    """A point that says something under the pointer."""
    title = f"<title>{escape(told)}</title>" if told else ""
    return f'<circle cx="{point[0]:.1f}" cy="{point[1]:.1f}" r="2.5">{title}</circle>'


def upright(x: float, top: float, bottom: float, *, dashes: str = "") -> str:
    """A line from top to bottom."""
    line = f'<path class="axis" d="M{x:.1f},{top:.1f}V{bottom:.1f}" stroke="currentColor" '
    return f'{line}stroke-opacity="0.6"{dashes}/>'


def figure(value: Number) -> str:
    """A number in three digits; nothing for a gap."""
    return f"{value:.3g}" if axes.is_known(value) else ""
