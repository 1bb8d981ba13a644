"""A directed graph as SVG, from the top down: the steps of a run, or the kin of an artifact.

Boxes stand in layers, each below all that it comes from; within a layer each stands as near to its
neighbours as the others allow. That is the layered drawing of K. Sugiyama, S. Tagawa and M. Toda,
"Methods for Visual Understanding of Hierarchical System Structures", IEEE Transactions on Systems,
Man, and Cybernetics 11, 1981.
"""

import dataclasses
import functools
import itertools
import statistics
from collections.abc import Iterable, Mapping, Sequence

from millrace.components.display.html import Markup, escape, shortened

WIDTH, HEIGHT = 176, 46  # pixels of a box
_ACROSS, _DOWN = 22, 30  # pixels between boxes
_THIN = 14  # pixels kept free for a line that passes a layer
_LETTERS, _SMALL_LETTERS = 22, 27  # of a title and of the line below it that fit
_SWEEPS = 8

Edge = tuple[str, str]


@dataclasses.dataclass(frozen=True)
class Box:
    """A node.

    Attributes:
        name: what edges call it.
        title: what it shows.
        text: a line below the title.
        state: a word for the style sheet, such as `ran`.
        link: where a click leads; nowhere if empty.
        share: how much of it is done, 0 to 1, as a bar; None without.
    """

    name: str
    title: str
    text: str = ""
    state: str = ""
    link: str = ""
    share: float | None = None


def reduced(edges: Iterable[Edge]) -> list[Edge]:
    """The edges without those that others imply: of a to b, b to c and a to c, not the last."""
    known = list(dict.fromkeys(edges))
    after: dict[str, list[str]] = {}
    for start, end in known:
        after.setdefault(start, []).append(end)

    @functools.cache
    def leads(start: str, end: str) -> bool:
        return any(each == end or leads(each, end) for each in after.get(start, ()))

    return [
        (start, end)
        for start, end in known
        if not any(leads(each, end) for each in after[start] if each != end)
    ]


def layers(names: Sequence[str], edges: Iterable[Edge]) -> list[list[str]]:
    """The names by their longest way from one that comes from nothing, in the order given.

    The graph has no cycle.
    """
    before: dict[str, list[str]] = {name: [] for name in names}
    for start, end in edges:
        before[end].append(start)
    depth: dict[str, int] = {}

    def depth_of(name: str) -> int:
        if name not in depth:
            depth[name] = max((depth_of(each) + 1 for each in before[name]), default=0)
        return depth[name]

    found: list[list[str]] = [[] for _ in range(max(map(depth_of, names), default=-1) + 1)]
    for name in names:
        found[depth[name]].append(name)
    return found


def draw(boxes: Sequence[Box], edges: Iterable[Edge], label: str) -> Markup:
    """The graph of `boxes`; edges that others imply are left out.

    Args:
        boxes: each with a name of its own.
        edges: names of boxes, from and to, without a cycle.
        label: what is drawn, for those who hear the page.
    """
    if not boxes:
        return Markup("")
    kept = reduced(edges)
    placed, chains = _with_ways(layers([box.name for box in boxes], kept), kept)
    _untangle(placed, chains)
    middle = _across(placed, chains)
    rows = {name: row for row, layer in enumerate(placed) for name in layer}
    names = {box.name for box in boxes}
    left = min(middle[name] - _width(name, names) / 2 for name in middle)
    right = max(middle[name] + _width(name, names) / 2 for name in middle)
    width, height = right - left + 4, len(placed) * (HEIGHT + _DOWN) - _DOWN + 4
    points = {
        name: (middle[name] - left + 2, rows[name] * (HEIGHT + _DOWN) + 2.0) for name in middle
    }
    lines = "".join(_line([points[name] for name in chain]) for chain in chains)
    drawn = "".join(_box(box, *points[box.name]) for box in boxes)
    return Markup(
        f'<svg class="graph" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="group" aria-label="{escape(label)}" '
        f'font-size="13" fill="currentColor">'
        f'<g class="edges" fill="none" stroke="currentColor" stroke-opacity="0.45" '
        f'stroke-width="1.5" aria-hidden="true">{lines}</g>{drawn}</svg>'
    )


def _with_ways(
    placed: list[list[str]], edges: Sequence[Edge]
) -> tuple[list[list[str]], list[list[str]]]:
    """Layers with a place for each line that passes one, and each line's places in order."""
    rows = {name: row for row, layer in enumerate(placed) for name in layer}
    full = [list(layer) for layer in placed]
    chains = []
    for start, end in edges:
        passed = [f"{start}\0{end}\0{row}" for row in range(rows[start] + 1, rows[end])]
        for row, name in enumerate(passed, start=rows[start] + 1):
            full[row].append(name)
        chains.append([start, *passed, end])
    return full, chains


def _neighbours(chains: Iterable[Sequence[str]]) -> tuple[dict[str, list[str]], ...]:
    """Of each place those above it, and those below it."""
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for chain in chains:
        for upper, lower in itertools.pairwise(chain):
            below.setdefault(upper, []).append(lower)
            above.setdefault(lower, []).append(upper)
    return above, below


def _untangle(placed: list[list[str]], chains: Iterable[Sequence[str]]) -> None:
    """Order each layer by the mean place of each one's neighbours, downwards and upwards."""
    above, below = _neighbours(chains)
    for sweep in range(_SWEEPS):
        near, order = (above, placed) if sweep % 2 == 0 else (below, placed[::-1])
        at = {name: place for layer in placed for place, name in enumerate(layer)}
        for layer in order:
            mean = {
                name: statistics.fmean([at[each] for each in near[name]])
                if near.get(name)
                else float(at[name])
                for name in layer
            }
            layer.sort(key=mean.__getitem__)
            at |= {name: place for place, name in enumerate(layer)}


def _across(placed: Sequence[Sequence[str]], chains: Iterable[Sequence[str]]) -> dict[str, float]:
    """The middle of each place from left to right, near to its neighbours' median."""
    above, below = _neighbours(chains)
    names = {name for layer in placed for name in layer if "\0" not in name}
    middle: dict[str, float] = {}
    for layer in placed:
        _spread(layer, dict.fromkeys(layer, 0.0), names, middle)
    for sweep in range(_SWEEPS):
        near, order = (above, placed) if sweep % 2 == 0 else (below, placed[::-1])
        for layer in order:
            wanted = {
                name: statistics.median([middle[each] for each in near[name]])
                if near.get(name)
                else middle[name]
                for name in layer
            }
            _spread(layer, wanted, names, middle)
    return middle


def _spread(
    layer: Sequence[str],
    wanted: Mapping[str, float],
    names: Iterable[str],
    middle: dict[str, float],
) -> None:
    """Put a layer's places where they are wanted, without one over another.

    Those that would touch stand side by side around the mean of what they want.
    """
    groups: list[list[tuple[str, float]]] = []  # (name, offset within the group)
    starts: list[float] = []
    for name in layer:
        groups.append([(name, 0.0)])
        starts.append(wanted[name])
        while len(groups) > 1:
            last, offset = groups[-2][-1]
            first = groups[-1][0][0]
            gap = (_width(last, names) + _width(first, names)) / 2 + _ACROSS
            if starts[-1] >= starts[-2] + offset + gap:
                break
            moved = [(each, offset + gap + own) for each, own in groups.pop()]
            starts.pop()
            groups[-1] += moved
            starts[-1] = statistics.fmean([wanted[each] - own for each, own in groups[-1]])
    for start, group in zip(starts, groups, strict=True):
        middle |= {name: start + offset for name, offset in group}


def _width(name: str, names: Iterable[str]) -> float:
    return WIDTH if name in names else _THIN


def _line(points: Sequence[tuple[float, float]]) -> str:
    """From the lower edge of the first place through the others to the upper edge of the last."""
    x, y = points[0]
    path = f"M{x:.0f},{y + HEIGHT:.0f}"
    for number, (to_x, to_y) in enumerate(points[1:], start=1):
        is_last = number == len(points) - 1
        above = points[number - 1][1] + HEIGHT
        bend = (to_y - above) / 2
        path += f"C{x:.0f},{above + bend:.0f} {to_x:.0f},{to_y - bend:.0f} {to_x:.0f},{to_y:.0f}"
        path += "" if is_last else f"V{to_y + HEIGHT:.0f}"
        x = to_x
    return f'<path d="{path}"/>'


def _box(box: Box, middle: float, top: float) -> str:
    left = middle - WIDTH / 2
    bar = ""
    if box.share is not None:
        done = (WIDTH - 2) * min(max(box.share, 0.0), 1.0)
        bar = (
            f'<rect class="share" x="{left + 1:.0f}" y="{top + HEIGHT - 4:.0f}" '
            f'width="{done:.0f}" height="3" fill="currentColor"/>'
        )
    shown = (
        f"<title>{escape(f'{box.title}: {box.text}' if box.text else box.title)}</title>"
        f'<rect class="box" x="{left:.0f}" y="{top:.0f}" width="{WIDTH}" height="{HEIGHT}" rx="6" '
        f'fill="none" stroke="currentColor"/>'
        f'<text class="title" x="{left + 10:.0f}" y="{top + 19:.0f}">'
        f"{escape(shortened(box.title, _LETTERS))}</text>"
        f'<text class="text" x="{left + 10:.0f}" y="{top + 36:.0f}" font-size="11.5" '
        f'fill-opacity="0.8">{escape(shortened(box.text, _SMALL_LETTERS))}</text>{bar}'
    )
    if box.link:
        shown = f'<a href="{escape(box.link)}">{shown}</a>'
    return f'<g class="node {escape(box.state)}">{shown}</g>'
