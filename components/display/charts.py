"""Charts as SVG of one look, for pages, for the report and for notebooks; no scripts.

They take plain values, as they stand in JSON: lists of numbers, where None or NaN is a gap, and
texts, which are escaped and cut to fit. What is drawn reads on white and on dark by its attributes
alone; a style sheet may colour its classes: `s1` to `s4` (series, by `color`), `grid` and
`axis`. Colour is never the only sign: lines are dashed differently, and
what a chart shows is said in its label.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NotRequired, TypedDict

from millrace.components.display import axes, drawing
from millrace.components.display.axes import Axis, Number, Point
from millrace.components.display.html import Markup

_POINTS = 40  # up to so many, each has a circle that says its value
_SERIES = 8  # drawn at most
_BARS = 60
_DOT = 3  # pixels: no two points of a scatter lie nearer
_SHORT, _WIDE = (96, 24), (160, 36)  # pixels of drawings within a table


class Series(TypedDict):
    """One line, or one set of bars; `low` and `high` are the ends of its intervals."""

    name: str
    y: Sequence[Number]
    x: NotRequired[Sequence[Number]]
    low: NotRequired[Sequence[Number]]
    high: NotRequired[Sequence[Number]]


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
    width: int = drawing.WIDTH,
    height: int = drawing.HEIGHT,
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
    head, top = drawing.head(title, [one["name"] for one in shown], width)
    values = [value for one in shown for value in _all(one)]
    frame = drawing.frame(
        (top, width, height),
        [*(x for each in places for x in each), *(place for _, place in marks)],
        [*values, *at_least],
        x_label=x_label,
        x_names=x_names,
        log_x=log_x,
    )
    drawn = "".join(
        drawing.series(number, _line(frame, one, xs, drawing.dashed(number)))
        for number, (one, xs) in enumerate(zip(shown, places, strict=True))
    )
    extra = "".join(_mark(frame, name, place) for name, place in marks)
    if diagonal and not log_x:
        extra += _diagonal(frame)
    said = "; ".join([*map(_said, shown), *(f"{name} at {place:.4g}" for name, place in marks)])
    return drawing.svg(width, height, f"{title}: {said}", head + frame.around + extra + drawn)


def scatter(
    title: str,
    x: Sequence[Number],
    y: Sequence[Number],
    *,
    x_label: str = "",
    diagonal: bool = False,
    width: int = drawing.WIDTH,
    height: int = drawing.HEIGHT,
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
    head, top = drawing.head(title, (), width)
    frame = drawing.frame(
        (top, width, height), [a for a, _ in drawable], [b for _, b in drawable], x_label=x_label
    )
    cells = {
        (round(frame.x.at(a) / _DOT), round(frame.y.at(b) / _DOT)): (frame.x.at(a), frame.y.at(b))
        for a, b in drawable
    }
    dots = "".join(f"M{drawing.pair(point)}h0" for point in cells.values())
    pen = 'stroke="currentColor" stroke-opacity="0.6" stroke-width="4" stroke-linecap="round"'
    drawn = drawing.series(0, f'<path d="{dots}" {pen}/>' if dots else "")
    extra = _diagonal(frame) if diagonal else ""
    said = f"{title}: {len(drawable)} points"
    return drawing.svg(width, height, said, head + frame.around + extra + drawn)


def bars(
    title: str,
    rows: Sequence[tuple[str, Number]],
    *,
    intervals: Sequence[Sequence[float] | None] = (),
    at_least: Sequence[float] = (),
    width: int = drawing.WIDTH,
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
    head, top = drawing.head(title, (), width)
    left = 8 + min(
        0.4 * width, max((axes.width_of(axes.clean(n), drawing.SIZE) for n, _ in shown), default=0)
    )
    figures = [drawing.figure(value) for _, value in shown]
    right = width - 8 - max((axes.width_of(text, drawing.SIZE) for text in figures), default=0)
    bounds = [value for pair in ends for value in pair or ()]
    scale = axes.axis([0.0, *(v for _, v in shown), *bounds, *at_least], left, right, tight=True)
    drawn = ""
    for number, (name, value) in enumerate(shown):
        y = top + number * 20
        drawn += drawing.label(left - 6, y + 13, axes.fitted(name, left - 8, drawing.SIZE), "end")
        drawn += drawing.label(width - 2, y + 13, figures[number], "end")
        if axes.is_known(value):
            drawn += drawing.series(
                0, _bar(scale, value, y + 3) + _whisker(scale, ends[number], y + 9)
            )
    height = top + 20 * len(shown) + 4
    zero = drawing.upright(scale.at(0.0), top, height - 2)
    if len(rows) > _BARS:
        height += drawing.LINE
        drawn += drawing.label(left, height - 6, f"and {len(rows) - _BARS} more")
    said = ", ".join(f"{name} {figures[n]}" for n, (name, _) in enumerate(shown[:10]))
    return drawing.svg(width, height, f"{title}: {said}", head + zero + drawn)


def columns(
    title: str,
    names: Sequence[str],
    series: Sequence[Series],
    *,
    share: bool = False,
    width: int = drawing.WIDTH,
    height: int = drawing.HEIGHT,
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
    head, top = drawing.head(title, legend, width, boxes=True)
    values = [value for one in shown for value in _all(one)]
    frame = drawing.frame(
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
        drawn += drawing.series(number, rects)
    said = "; ".join(map(_said, shown))
    return drawing.svg(width, height, f"{title}: {said}", head + frame.around + drawn)


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
    head, top = drawing.head(title, [name for name, _ in shown], width)
    steps = [_steps(buckets) for _, buckets in shown]
    frame = drawing.frame(
        (top, width, height),
        [x for one in steps for x, _ in one],
        [0.0, *(y for one in steps for _, y in one)],
        without_y=True,
    )
    drawn = ""
    for number, one in enumerate(steps):
        path = drawing.path([(frame.x.at(x), frame.y.at(y)) for x, y in one])
        drawn += drawing.series(
            number,
            f'<path d="{path}" fill="currentColor" fill-opacity="0.18" stroke="currentColor"'
            f"{drawing.dashed(number)}/>"
            if one
            else "",
        )
    said = ", ".join(f"{name} {sum(b[2] for b in buckets):g}" for name, buckets in shown)
    return drawing.svg(width, height, f"{title}: {said}", head + frame.around + drawn)


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
        f"<title>{drawing.escape(f'{label}: {count:g}')}</title></rect>"
        for index, (label, count) in enumerate(buckets)
    )
    most = max(buckets, key=lambda bucket: bucket[1])[0]
    shapes = f'<g fill="currentColor" fill-opacity="0.6">{drawn}</g>'
    return drawing.svg(width, height, f"histogram, most at {most}", shapes, name="spark")


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
    return drawing.svg(width, height, label, shapes, name="spark")


def _places(series: Series) -> Sequence[Number]:
    return series.get("x") or [float(number) for number in range(len(series["y"]))]


def _all(series: Series) -> list[Number]:
    return [*series["y"], *series.get("low", ()), *series.get("high", ())]


def _line(frame: drawing.Frame, series: Series, xs: Sequence[Number], dashes: str) -> str:
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
                drawn += drawing.circle(point, told)
    return drawn


def _strokes(runs: Sequence[Sequence[Point]], dashes: str) -> str:
    """Lines through the points of each run; a circle where there is but one."""
    alone = "".join(drawing.circle(run[0], "") for run in runs if len(run) == 1)
    path = "".join(drawing.path(axes.thinned(run)) for run in runs if len(run) > 1)
    if not path:
        return alone
    line = f'<path d="{path}" fill="none" stroke="currentColor" stroke-width="1.8" '
    return f'{line}stroke-linejoin="round"{dashes}/>{alone}'


def _band(
    frame: drawing.Frame, xs: Sequence[Number], low: Sequence[Number], high: Sequence[Number]
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
        path += drawing.path([*axes.thinned(above), *reversed(axes.thinned(below))]) + "Z"
    return f'<path d="{path}" fill-opacity="0.18"/>' if path else ""


def _mark(frame: drawing.Frame, name: str, place: float) -> str:
    if not frame.x.has(place):
        return ""
    at = frame.x.at(place)
    text = axes.fitted(name, 110, drawing.SIZE)
    to_left = at > (frame.x.start + frame.x.end) / 2
    beside = drawing.label(
        at + (-4 if to_left else 4), frame.y.end + 6, text, "end" if to_left else "start"
    )
    return (
        drawing.upright(at, frame.y.end, frame.y.start, dashes=' stroke-dasharray="3 3"') + beside
    )


def _diagonal(frame: drawing.Frame) -> str:
    low = max(frame.x.low, frame.y.low)
    high = min(frame.x.high, frame.y.high)
    if low >= high:
        return ""
    ends = [(frame.x.at(value), frame.y.at(value)) for value in (low, high)]
    line = f'<path class="axis" d="{drawing.path(ends)}" fill="none" stroke="currentColor" '
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


def _column(frame: drawing.Frame, x: float, thick: float, value: float, told: str) -> str:
    top, bottom = sorted((frame.y.at(0.0), frame.y.at(value)))
    size = f'width="{thick:.1f}" height="{bottom - top:.1f}"'
    return f'<rect x="{x:.1f}" y="{top:.1f}" {size}><title>{drawing.escape(told)}</title></rect>'


def _whiskers(frame: drawing.Frame, series: Series, index: int, x: float) -> str:
    low, high = series.get("low", ()), series.get("high", ())
    if index >= min(len(low), len(high)):
        return ""
    ends = low[index], high[index]
    if not (axes.is_known(ends[0]) and axes.is_known(ends[1])):
        return ""
    return drawing.upright(x, frame.y.at(ends[1]), frame.y.at(ends[0]))


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


def _said(series: Series) -> str:
    known = [value for value in series["y"] if axes.is_known(value)]
    if not known:
        return f"{series['name']} without values"
    if len(known) == 1:
        return f"{series['name']} {known[0]:.4g}"
    ends = f"{known[0]:.4g} to {known[-1]:.4g}"
    return f"{series['name']} from {ends}, between {min(known):.4g} and {max(known):.4g}"
