"""Charts as SVG of one look, for pages, for the report and for notebooks; no scripts.

They take plain values, as they stand in JSON: lists of numbers, where None or NaN is a gap, and
texts, which are escaped and cut to fit. What is drawn reads on white and on dark by its attributes
alone; a style sheet may colour its classes: `s1` to `s4` (series, by `color`), `grid` and
`axis`. Colour is never the only sign: lines are dashed differently, and
what a chart shows is said in its label.
"""

import html
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, NotRequired, TypedDict

from millrace.components.display import axes
from millrace.components.display.axes import Axis, Number, Point
from millrace.components.display.html import Markup

WIDTH, HEIGHT = 420, 240  # pixels
COLOURS = ("#2a7ac0", "#c2610c", "#23805a", "#8b4fb3")  # 3 to 1 on white and on #12171d
_DASHES = ("", "7 3", "2 3", "7 3 2 3")
_SIZE = 11  # pixels of a letter
_LINE = 16  # pixels of a line of text
_POINTS = 40  # up to so many, each has a circle that says its value
_SERIES = 8  # drawn at most
_BARS = 60
_TOLD = 500  # cells: of so many each says its number under the pointer
_CLASSES = 100
_DOT = 3  # pixels: no two points of a scatter lie nearer
_SHORT, _WIDE = (96, 24), (160, 36)  # pixels of drawings within a table


class Series(TypedDict):
    """One line, or one set of bars; `low` and `high` are the ends of its intervals."""

    name: str
    y: Sequence[Number]
    x: NotRequired[Sequence[Number]]
    low: NotRequired[Sequence[Number]]
    high: NotRequired[Sequence[Number]]


class _Frame(NamedTuple):
    """A place to draw in, with its scales; and what stands around it, drawn already."""

    x: Axis
    y: Axis
    around: str


def lines(
    title: str,
    series: Sequence[Series],
    *,
    x_label: str = "",
    x_names: Sequence[str] = (),
    log_x: bool = False,
    at_least: Sequence[float] = (),
    marks: Sequence[tuple[str, float]] = (),
    diagonal: bool = False,
    width: int = WIDTH,
    height: int = HEIGHT,
) -> Markup:
    """Lines over a common axis: learning curves, forecasts, calibration, thresholds.

    Args:
        title: what is shown.
        series: without `x`, over 0, 1, 2 …; with `low` and `high`, in a band.
        x_label: what lies to the right.
        x_names: texts in place of the numbers 0, 1, 2 …, such as times.
        log_x: whether equal distances to the right are equal ratios.
        at_least: values that the upright axis holds in any case, such as 0 and 1.
        marks: names and places of upright lines, such as the best epoch.
        diagonal: whether to draw the line of y = x.
        width: of the drawing, in pixels.
        height: of it.
    """
    shown = series[:_SERIES]
    places = [_places(one) for one in shown]
    head, top = _head(title, [one["name"] for one in shown], width)
    values = [value for one in shown for value in _all(one)]
    frame = _frame(
        (top, width, height),
        [*(x for each in places for x in each), *(place for _, place in marks)],
        [*values, *at_least],
        x_label=x_label,
        x_names=x_names,
        log_x=log_x,
    )
    drawn = "".join(
        _series(number, _line(frame, one, xs, _dashed(number)))
        for number, (one, xs) in enumerate(zip(shown, places, strict=True))
    )
    extra = "".join(_mark(frame, name, place) for name, place in marks)
    if diagonal and not log_x:
        extra += _diagonal(frame)
    said = "; ".join([*map(_said, shown), *(f"{name} at {place:.4g}" for name, place in marks)])
    return _svg(width, height, f"{title}: {said}", head + frame.around + extra + drawn)


def scatter(
    title: str,
    x: Sequence[Number],
    y: Sequence[Number],
    *,
    x_label: str = "",
    diagonal: bool = False,
    width: int = WIDTH,
    height: int = HEIGHT,
) -> Markup:
    """Points, such as residuals over predictions; of those that would cover one another, one.

    Args:
        title: what is shown.
        x: to the right, one for each of `y`.
        y: upwards.
        x_label: what lies to the right.
        diagonal: whether to draw the line of y = x.
        width: of the drawing, in pixels.
        height: of it.
    """
    pairs = list(zip(x, y, strict=True))
    drawable = [(a, b) for a, b in pairs if axes.is_known(a) and axes.is_known(b)]
    head, top = _head(title, (), width)
    frame = _frame(
        (top, width, height), [a for a, _ in drawable], [b for _, b in drawable], x_label=x_label
    )
    cells = {
        (round(frame.x.at(a) / _DOT), round(frame.y.at(b) / _DOT)): (frame.x.at(a), frame.y.at(b))
        for a, b in drawable
    }
    dots = "".join(f"M{_pair(point)}h0" for point in cells.values())
    pen = 'stroke="currentColor" stroke-opacity="0.6" stroke-width="4" stroke-linecap="round"'
    drawn = _series(0, f'<path d="{dots}" {pen}/>' if dots else "")
    extra = _diagonal(frame) if diagonal else ""
    said = f"{title}: {len(drawable)} points"
    return _svg(width, height, said, head + frame.around + extra + drawn)


def bars(
    title: str,
    rows: Sequence[tuple[str, Number]],
    *,
    intervals: Sequence[Sequence[float] | None] = (),
    at_least: Sequence[float] = (),
    width: int = WIDTH,
) -> Markup:
    """Bars to the right, one below the other, with their values: importance, probabilities.

    Args:
        title: what is shown.
        rows: names and values; the first 60 are drawn.
        intervals: their ends, or None, one for each of `rows`.
        at_least: values that the axis holds in any case, such as 1.
        width: of the drawing, in pixels.
    """
    shown = list(rows[:_BARS])
    ends = [intervals[n] if n < len(intervals) else None for n in range(len(shown))]
    head, top = _head(title, (), width)
    left = 8 + min(
        0.4 * width, max((axes.width_of(axes.clean(n), _SIZE) for n, _ in shown), default=0)
    )
    figures = [_figure(value) for _, value in shown]
    right = width - 8 - max((axes.width_of(text, _SIZE) for text in figures), default=0)
    bounds = [value for pair in ends for value in pair or ()]
    scale = axes.axis([0.0, *(v for _, v in shown), *bounds, *at_least], left, right, tight=True)
    drawn = ""
    for number, (name, value) in enumerate(shown):
        y = top + number * 20
        drawn += _text(left - 6, y + 13, axes.fitted(name, left - 8, _SIZE), "end")
        drawn += _text(width - 2, y + 13, figures[number], "end")
        if axes.is_known(value):
            drawn += _series(0, _bar(scale, value, y + 3) + _whisker(scale, ends[number], y + 9))
    height = top + 20 * len(shown) + 4
    zero = _upright(scale.at(0.0), top, height - 2)
    if len(rows) > _BARS:
        height += _LINE
        drawn += _text(left, height - 6, f"and {len(rows) - _BARS} more")
    said = ", ".join(f"{name} {figures[n]}" for n, (name, _) in enumerate(shown[:10]))
    return _svg(width, height, f"{title}: {said}", head + zero + drawn)


def columns(
    title: str,
    names: Sequence[str],
    series: Sequence[Series],
    *,
    share: bool = False,
    width: int = WIDTH,
    height: int = HEIGHT,
) -> Markup:
    """Upright bars, those of several series side by side above each name.

    Args:
        title: what is shown.
        names: what the bars stand on.
        series: `y` with one value for each name; `low` and `high` are drawn as whiskers.
        share: whether to draw each as its share of its series, so that unlike sizes compare.
        width: of the drawing, in pixels.
        height: of it.
    """
    shown = [_as_shares(one) if share else one for one in series[:_SERIES]]
    legend = [one["name"] for one in shown] if len(shown) > 1 else ()
    head, top = _head(title, legend, width, boxes=True)
    values = [value for one in shown for value in _all(one)]
    frame = _frame(
        (top, width, height), (-0.5, len(names) - 0.5), [0.0, *values], x_names=names, flush=True
    )
    step = (frame.x.end - frame.x.start) / max(1, len(names))
    thick = 0.84 * step / max(1, len(shown))
    drawn = ""
    for number, one in enumerate(shown):
        rects = ""
        for index, value in enumerate(one["y"][: len(names)]):
            if not axes.is_known(value):
                continue
            x = frame.x.start + index * step + 0.08 * step + number * thick
            told = f"{names[index]}, {one['name']}: {value:.4g}"
            rects += _column(frame, x, thick, value, told)
            rects += _whiskers(frame, one, index, x + thick / 2)
        drawn += _series(number, rects)
    said = "; ".join(map(_said, shown))
    return _svg(width, height, f"{title}: {said}", head + frame.around + drawn)


def histograms(
    title: str,
    splits: Mapping[str, Sequence[tuple[float, float, float]]],
    *,
    width: int = 260,
    height: int = 150,
) -> Markup:
    """How numbers are distributed in several splits, as densities over one axis.

    Args:
        title: what is shown.
        splits: by name, buckets as (low, high, count); unlike ones compare.
        width: of the drawing, in pixels.
        height: of it.
    """
    shown = list(splits.items())[:_SERIES]
    head, top = _head(title, [name for name, _ in shown], width)
    steps = [_steps(buckets) for _, buckets in shown]
    frame = _frame(
        (top, width, height),
        [x for one in steps for x, _ in one],
        [0.0, *(y for one in steps for _, y in one)],
        without_y=True,
    )
    drawn = ""
    for number, one in enumerate(steps):
        path = _path([(frame.x.at(x), frame.y.at(y)) for x, y in one])
        drawn += _series(
            number,
            f'<path d="{path}" fill="currentColor" fill-opacity="0.18" stroke="currentColor"'
            f"{_dashed(number)}/>"
            if one
            else "",
        )
    said = ", ".join(f"{name} {sum(b[2] for b in buckets):g}" for name, buckets in shown)
    return _svg(width, height, f"{title}: {said}", head + frame.around + drawn)


def heat_map(
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Iterable[Sequence[float]],
    *,
    row_label: str = "",
    column_label: str = "",
    links: Mapping[tuple[int, int], str] | None = None,
    width: int = WIDTH,
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
    head, top = _head(title, (), width)
    grid = _grid(rows[:_CLASSES], columns[:_CLASSES], top, width)
    room = grid.under if grid.is_slanted else _LINE
    height = math.ceil(grid.bottom + room + _LINE + 10)
    below = axes.fitted(column_label, width - grid.left, _SIZE)
    around = _text((grid.left + grid.right) / 2, height - 5, below, "middle", name="axis")
    beside = axes.fitted(row_label, grid.bottom - top, _SIZE)
    around += _turned(12, (top + grid.bottom) / 2, beside)
    around += _row_names(grid) + _column_names(grid)
    found = {(int(a), int(b)): number for a, b, number in cells if axes.is_known(number)}
    inside = _cells(grid, found, row_label, column_label, links or {})
    more = f", the first {_CLASSES} shown" if max(len(rows), len(columns)) > _CLASSES else ""
    said = f"{title}: {len(rows)} by {len(columns)}{more}"
    # What is in an image has no links for a screen reader.
    role = "group" if links else "img"
    return _svg(width, height, said, head + around + inside, role)


def learning_curves(columns: Sequence[str], rows: Sequence[Sequence[float]]) -> Iterator[Markup]:
    """One chart per metric of a training history, training beside validation.

    Args:
        columns: `epoch`, then Keras's names, those of validation with `val_`.
        rows: one per epoch; a single one makes no curve.
    """
    history = dict(zip(columns, zip(*rows, strict=True), strict=False)) if len(rows) > 1 else {}
    for metric in history:
        if metric != "epoch" and not metric.startswith("val_"):
            names = (("training", metric), ("validation", f"val_{metric}"))
            shown: list[Series] = [
                {"name": name, "x": history["epoch"], "y": history[column]}
                for name, column in names
                if column in history
            ]
            yield lines(metric, shown, x_label="epoch")


def spark_bars(buckets: Sequence[tuple[str, float]]) -> Markup:
    """A small histogram of (label, count) without axes; both show under the pointer."""
    if not buckets:
        return Markup("")
    width, height = _SHORT
    step, highest = width / len(buckets), max(count for _, count in buckets) or 1.0
    drawn = "".join(
        f'<rect x="{index * step:.1f}" y="{height * (1 - count / highest):.1f}" '
        f'width="{step * 0.9:.1f}" height="{height * count / highest:.1f}">'
        f"<title>{_escape(f'{label}: {count:g}')}</title></rect>"
        for index, (label, count) in enumerate(buckets)
    )
    most = max(buckets, key=lambda bucket: bucket[1])[0]
    shapes = f'<g fill="currentColor" fill-opacity="0.6">{drawn}</g>'
    return _svg(width, height, f"histogram, most at {most}", shapes, name="spark")


def spark_line(values: Sequence[Number]) -> Markup:
    """A small line without axes; gaps part it."""
    known = [value for value in values if axes.is_known(value)]
    if not known:
        return Markup("")
    width, height = _WIDE
    across = axes.axis((0, max(1, len(values) - 1)), 2, width - 2, tight=True)
    up = axes.axis(known, height - 2, 2, tight=True)
    points = ((across.at(n), up.at(v)) if axes.is_known(v) else None for n, v in enumerate(values))
    shapes = f'<g fill="currentColor">{_strokes(axes.runs(points), "")}</g>'
    label = f"line of {len(values)} values, {min(known):.4g} to {max(known):.4g}"
    return _svg(width, height, label, shapes, name="spark")


def _svg(
    width: int, height: int, label: str, shapes: str, role: str = "img", *, name: str = "chart"
) -> Markup:
    return Markup(
        f'<svg class="{name}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="{role}" aria-label="{_escape(label)}" font-size="{_SIZE}" '
        f'font-family="system-ui, sans-serif" fill="currentColor">{shapes}</svg>'
    )


def _escape(text: object) -> str:
    return html.escape(axes.clean(text))


def _head(title: str, names: Sequence[str], width: int, *, boxes: bool = False) -> tuple[str, int]:
    """The title and a legend below it, and the pixel from which on there is room."""
    drawn = '<text x="2" y="13" font-size="13" font-weight="600">'
    drawn += f"{html.escape(axes.fitted(title, width - 4, 13))}</text>"
    x, y = 2.0, 13
    if names:
        y += _LINE + 2
    for number, name in enumerate(names):
        text = axes.fitted(name, width - 34, _SIZE)
        wide = 30 + axes.width_of(text, _SIZE)
        if x > 2 and x + wide > width:
            x, y = 2.0, y + _LINE
        pen = 'stroke-width="10"' if boxes else f'stroke-width="2.5"{_dashed(number)}'
        sample = f'<path d="M{x:.1f},{y - 4}h20" stroke="currentColor" {pen}/>'
        drawn += _series(number, sample) + _text(x + 24, y, text)
        x += wide + 8
    return drawn, y + 10


def _frame(
    place: tuple[int, int, int],
    across: Iterable[Number],
    upwards: Iterable[Number],
    *,
    x_label: str = "",
    x_names: Sequence[str] = (),
    log_x: bool = False,
    flush: bool = False,
    without_y: bool = False,
) -> _Frame:
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
    bottom = height - _LINE - 4 - (_LINE if x_label else 0)
    y = axes.axis(upwards, bottom, top + 4, most=max(2, min(5, (bottom - top) // 28)))
    left = 8.0 if without_y else 10 + max(axes.width_of(text, _SIZE) for _, text in y.ticks)
    right = width - 10.0
    xs = list(across)
    if log_x:
        x = axes.log_axis(xs, left, right)
    else:
        # As many ticks as their texts leave room for.
        wide = max(axes.width_of(text, _SIZE) for _, text in axes.axis(xs, left, right).ticks)
        most = max(1, min(8, int((right - left) / (wide + 14))))
        x = axes.axis(xs, left, right, most=most, tight=True)
    if flush:
        low, high = min(v for v in xs if v is not None), max(v for v in xs if v is not None)
        x = Axis(low, max(high, low + 1), left, right, ())
    around = "" if without_y else "".join(_level(y, tick, left, right) for tick in y.ticks)
    around += _ruled(f"M{left:.1f},{bottom}H{right:.1f}", 0.5)
    ticks = _named(x, x_names) if x_names else x.ticks
    around += _ticks(x, ticks, bottom, width)
    if x_label:
        text = axes.fitted(x_label, right - left, _SIZE)
        around += _text((left + right) / 2, height - 5, text, "middle", name="axis")
    return _Frame(x, y, around)


def _level(y: Axis, tick: tuple[float, str], left: float, right: float) -> str:
    value, text = tick
    at = y.at(value)
    line = _ruled(f"M{left:.1f},{at:.1f}H{right:.1f}", 0.15)
    return line + _text(left - 5, at + 4, text, "end", name="axis")


def _ruled(path: str, opacity: float) -> str:
    pen = f'stroke="currentColor" stroke-opacity="{opacity}"'
    return f'<path class="grid" d="{path}" fill="none" {pen}/>'


def _named(x: Axis, names: Sequence[str]) -> tuple[tuple[float, str], ...]:
    """Names in place of the numbers 0, 1, 2 …, so many as there is room for."""
    room = (x.end - x.start) / max(1, len(names))
    texts = [axes.fitted(name, max(room - 6, 72), _SIZE) for name in names]
    wide = max((axes.width_of(text, _SIZE) for text in texts), default=0) + 8
    stride = max(1, math.ceil(wide / max(room, 1e-9)))
    return tuple((float(n), texts[n]) for n in range(0, len(names), stride))


def _ticks(x: Axis, ticks: Sequence[tuple[float, str]], bottom: float, width: int) -> str:
    """Texts below the axis, none over another and none outside."""
    drawn, free = "", 0.0
    for value, text in ticks:
        half = axes.width_of(text, _SIZE) / 2
        at = x.at(value)
        middle = max(half, min(at, width - half))
        if middle - half < free:
            continue
        free = middle + half + 4
        drawn += _ruled(f"M{at:.1f},{bottom}v4", 0.5)
        drawn += _text(middle, bottom + _LINE, text, "middle", name="axis")
    return drawn


def _text(x: float, y: float, text: str, anchor: str = "start", *, name: str = "") -> str:
    where = "" if anchor == "start" else f' text-anchor="{anchor}"'
    of = f' class="{name}"' if name else ""
    return f'<text{of} x="{x:.1f}" y="{y:.1f}"{where}>{html.escape(text)}</text>' if text else ""


def _turned(x: float, y: float, text: str) -> str:
    """A text that is read upwards, in the middle of where it stands."""
    turn = f'transform="rotate(-90 {x:.1f} {y:.1f})" text-anchor="middle"'
    return f'<text class="axis" x="{x:.1f}" y="{y:.1f}" {turn}>{html.escape(text)}</text>'


def _series(number: int, shapes: str) -> str:
    kind = number % len(COLOURS)
    return f'<g class="s{kind + 1}" color="{COLOURS[kind]}" fill="currentColor">{shapes}</g>'


def _dashed(number: int) -> str:
    dash = _DASHES[number % len(_DASHES)]
    return f' stroke-dasharray="{dash}"' if dash else ""


def _places(series: Series) -> Sequence[Number]:
    return series.get("x") or [float(number) for number in range(len(series["y"]))]


def _all(series: Series) -> list[Number]:
    return [*series["y"], *series.get("low", ()), *series.get("high", ())]


def _line(frame: _Frame, series: Series, xs: Sequence[Number], dashes: str) -> str:
    low, high = series.get("low"), series.get("high")
    drawn = _band(frame, xs, low, high) if low and high else ""
    points = [
        (frame.x.at(x), frame.y.at(y)) if frame.x.has(x) and frame.y.has(y) else None
        for x, y in zip(xs, series["y"], strict=False)
    ]
    drawn += _strokes(axes.runs(points), dashes)
    if len(points) <= _POINTS:
        for point, x, y in zip(points, xs, series["y"], strict=False):
            if point:
                told = f"{series['name']}: {y:.4g} at {x:.4g}"
                drawn += _circle(point, told)
    return drawn


def _strokes(runs: Sequence[Sequence[Point]], dashes: str) -> str:
    """Lines through the points of each run; a circle where there is but one."""
    alone = "".join(_circle(run[0], "") for run in runs if len(run) == 1)
    path = "".join(_path(axes.thinned(run)) for run in runs if len(run) > 1)
    if not path:
        return alone
    line = f'<path d="{path}" fill="none" stroke="currentColor" stroke-width="1.8" '
    return f'{line}stroke-linejoin="round"{dashes}/>{alone}'


def _path(points: Sequence[Point]) -> str:
    return "".join(f"{'L' if number else 'M'}{_pair(one)}" for number, one in enumerate(points))


def _pair(point: Point) -> str:
    return f"{point[0]:.1f},{point[1]:.1f}"


def _circle(point: Point, told: str) -> str:
    title = f"<title>{_escape(told)}</title>" if told else ""
    return f'<circle cx="{point[0]:.1f}" cy="{point[1]:.1f}" r="2.5">{title}</circle>'


def _band(
    frame: _Frame, xs: Sequence[Number], low: Sequence[Number], high: Sequence[Number]
) -> str:
    ends = [
        ((frame.x.at(x), frame.y.at(a)), (frame.x.at(x), frame.y.at(b)))
        if frame.x.has(x) and frame.y.has(a) and frame.y.has(b)
        else None
        for x, a, b in zip(xs, low, high, strict=False)
    ]
    path = ""
    for below, above in zip(
        axes.runs(e and e[0] for e in ends), axes.runs(e and e[1] for e in ends), strict=True
    ):
        path += _path([*axes.thinned(above), *reversed(axes.thinned(below))]) + "Z"
    return f'<path d="{path}" fill-opacity="0.18"/>' if path else ""


def _mark(frame: _Frame, name: str, place: float) -> str:
    if not frame.x.has(place):
        return ""
    at = frame.x.at(place)
    text = axes.fitted(name, 110, _SIZE)
    to_left = at > (frame.x.start + frame.x.end) / 2
    beside = _text(
        at + (-4 if to_left else 4), frame.y.end + 6, text, "end" if to_left else "start"
    )
    return _upright(at, frame.y.end, frame.y.start, dashes=' stroke-dasharray="3 3"') + beside


def _upright(x: float, top: float, bottom: float, *, dashes: str = "") -> str:
    line = f'<path class="axis" d="M{x:.1f},{top:.1f}V{bottom:.1f}" stroke="currentColor" '
    return f'{line}stroke-opacity="0.6"{dashes}/>'


def _diagonal(frame: _Frame) -> str:
    low = max(frame.x.low, frame.y.low)
    high = min(frame.x.high, frame.y.high)
    if low >= high:
        return ""
    ends = [(frame.x.at(value), frame.y.at(value)) for value in (low, high)]
    line = f'<path class="axis" d="{_path(ends)}" fill="none" stroke="currentColor" '
    return f'{line}stroke-opacity="0.6" stroke-dasharray="3 3"/>'


def _bar(scale: Axis, value: float, y: float) -> str:
    start, end = sorted((scale.at(0.0), scale.at(value)))
    return f'<rect x="{start:.1f}" y="{y:.1f}" width="{max(end - start, 0.5):.1f}" height="13"/>'


def _whisker(scale: Axis, ends: Sequence[float] | None, y: float) -> str:
    if not ends or not all(map(axes.is_known, ends)):
        return ""
    start, end = (scale.at(value) for value in ends)
    shape = f"M{start:.1f},{y - 4:.1f}v8M{start:.1f},{y:.1f}H{end:.1f}M{end:.1f},{y - 4:.1f}v8"
    return f'<path class="axis" d="{shape}" fill="none" stroke="currentColor" stroke-width="1.5"/>'


def _column(frame: _Frame, x: float, thick: float, value: float, told: str) -> str:
    top, bottom = sorted((frame.y.at(0.0), frame.y.at(value)))
    size = f'width="{thick:.1f}" height="{bottom - top:.1f}"'
    return f'<rect x="{x:.1f}" y="{top:.1f}" {size}><title>{_escape(told)}</title></rect>'


def _whiskers(frame: _Frame, series: Series, index: int, x: float) -> str:
    low, high = series.get("low", ()), series.get("high", ())
    if index >= min(len(low), len(high)):
        return ""
    ends = low[index], high[index]
    if not (axes.is_known(ends[0]) and axes.is_known(ends[1])):
        return ""
    return _upright(x, frame.y.at(ends[1]), frame.y.at(ends[0]))


def _as_shares(series: Series) -> Series:
    whole = sum(value for value in series["y"] if axes.is_known(value)) or 1.0
    parts = [value / whole if axes.is_known(value) else None for value in series["y"]]
    return {"name": series["name"], "y": parts}


def _steps(buckets: Sequence[tuple[float, float, float]]) -> list[Point]:
    """The outline of a density, from 0 to 0; buckets of no width are drawn as narrow ones."""
    known = [bucket for bucket in buckets if all(map(axes.is_known, bucket))]
    if not known:
        return []
    span = max(high for _, high, _ in known) - min(low for low, _, _ in known)
    whole = sum(count for _, _, count in known) or 1.0
    outline: list[Point] = [(known[0][0], 0.0)]
    for low, high, count in known:
        least = span / 100 or abs(low) / 100 or 1.0
        dense = count / whole / max(high - low, least)
        outline += [(low, dense), (max(high, low + (0 if span else least)), dense)]
    return [*outline, (outline[-1][0], 0.0)]


def _shade(place: Point, size: float, share: float) -> str:
    opacity = 0.06 + 0.44 * min(1.0, max(0.0, share))  # a number stands on it, in ink
    at = f'x="{place[0]:.1f}" y="{place[1]:.1f}" width="{size:.1f}" height="{size:.1f}"'
    return f'<rect {at} fill-opacity="{opacity:.2f}"/>'


def _linked(shade: str, told: str, address: str) -> str:
    if not address.startswith(("/", "?", "#")) or address.startswith("//"):
        address = ""  # to this site alone, and never a script
    if not address:
        return shade.replace("/>", f"><title>{_escape(told)}</title></rect>")
    where = f'href="{html.escape(address)}" aria-label="{_escape(told)}"'
    return f"<a {where}><title>{_escape(told)}</title>{shade}</a>"


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
    left = _LINE + 9 + min(0.3 * width, _longest(rows))
    size = max(2.0, min(40.0, (width - left - 4) / max(1, len(columns))))
    return _Grid(rows, columns, left, top, size, min(90.0, _longest(columns) + 1))


def _longest(names: Iterable[object]) -> float:
    return max((axes.width_of(axes.clean(name), _SIZE) for name in names), default=0)


def _row_names(grid: _Grid) -> str:
    drawn = ""
    for number in range(0, len(grid.rows), grid.stride):
        text = axes.fitted(grid.rows[number], grid.left - _LINE - 8, _SIZE)
        drawn += _text(grid.left - 6, grid.top + (number + 0.5) * grid.size + 4, text, "end")
    return drawn


def _column_names(grid: _Grid) -> str:
    drawn, y = "", grid.bottom + 6
    for number in range(0, len(grid.columns), grid.stride):
        x = grid.left + (number + 0.5) * grid.size
        if grid.is_slanted:
            text = html.escape(axes.fitted(grid.columns[number], grid.under, _SIZE))
            turn = f'transform="rotate(-90 {x + 4:.1f} {y:.1f})" text-anchor="end"'
            drawn += f'<text x="{x + 4:.1f}" y="{y:.1f}" {turn}>{text}</text>'
        else:
            drawn += _text(x, y + 8, axes.clean(grid.columns[number]), "middle")
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
        if grid.size >= _LINE + 2:
            text = axes.fitted(f"{number:.4g}", grid.size, _SIZE)
            middle = place[0] + grid.size / 2, place[1] + grid.size / 2 + 4
            figures += _text(*middle, text, "middle")
    path = f"M{grid.left:.1f},{grid.top:.1f}H{grid.right:.1f}V{grid.bottom:.1f}H{grid.left:.1f}Z"
    return f'{_series(0, shades)}<g pointer-events="none">{figures}</g>{_ruled(path, 0.3)}'


def _figure(value: Number) -> str:
    return f"{value:.3g}" if axes.is_known(value) else ""


def _said(series: Series) -> str:
    known = [value for value in series["y"] if axes.is_known(value)]
    if not known:
        return f"{series['name']} without values"
    if len(known) == 1:
        return f"{series['name']} {known[0]:.4g}"
    ends = f"{known[0]:.4g} to {known[-1]:.4g}"
    return f"{series['name']} from {ends}, between {min(known):.4g} and {max(known):.4g}"
