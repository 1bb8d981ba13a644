"""Pictures of what a model goes by, from the content of `why.json`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from etils.epath import Path
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from millrace.components.charts import style

_BARS = 15
_CLASSES = 4
_LONG = 30  # letters of a name


def draw(found: Mapping[str, Any], out: Path) -> list[str]:
    """Write `why.png`; returns the files' names."""
    drawn = {
        "table": _columns,
        "series": _columns,
        "text": _words,
        "image": _pictures,
    }[found["kind"]]
    return style.write_all({"why.png": drawn(found)}, out)


def _columns(found: Mapping[str, Any]) -> Figure:
    lags = found.get("lags")
    number = max(len(found["columns"][:_BARS]), len(lags or []))
    size = (10.0 if lags else 6.0, 1.2 + 0.3 * number)
    figure, (left, *right) = style.panels(size, columns=2 if lags else 1)
    title = f"How much {found['metric']} rises without it"
    pairs = [(each["name"], each["worse"]) for each in found["columns"][:_BARS]]
    _bars(left, pairs, title)
    if lags:
        back = [(each["name"], each["worse"]) for each in lags]
        _bars(right[0], back, "The same by steps back")
    return figure


def _words(found: Mapping[str, Any]) -> Figure:
    classes = {name: words for name, words in found["classes"].items() if words}
    shown = list(classes.items())[:_CLASSES]
    columns = max(1, len(shown))
    figure, panels = style.panels((3.2 * columns, 4.5), columns=columns)
    for number, (axes, (name, words)) in enumerate(zip(panels, shown, strict=False)):
        pairs = [(each["word"], each["push"]) for each in words]
        _bars(axes, pairs, f"For {style.label(name, f'#{number}')}")
    return figure


def _pictures(found: Mapping[str, Any]) -> Figure:
    count = len(found["pixels"])
    figure, panels = style.panels((2.6 * count, 5.4), rows=2, columns=count)
    shown = zip(found["pixels"], found["pictures"], strict=True)
    for number, (pixels, one) in enumerate(shown):
        above, below = panels[number], panels[count + number]
        above.imshow(pixels)
        above.set_title(f"{style.label(one['class'], '?')} {one['score']:.2f}")
        taken = np.array(one["taken"])
        height, width = pixels.shape[:2]
        below.imshow(pixels.mean(axis=2), cmap="gray", alpha=0.6)
        reach = max(1e-6, float(np.abs(taken).max()))
        extent = (-0.5, width - 0.5, height - 0.5, -0.5)
        heat: dict[str, Any] = {"cmap": "RdBu_r", "vmin": -reach, "vmax": reach, "alpha": 0.5}
        below.imshow(taken, extent=extent, interpolation="bilinear", **heat)
        for axes in (above, below):
            axes.set_axis_off()
    panels[count].set_title("red: without it, less sure", loc="left", fontsize=9)
    return figure


def _bars(axes: Axes, pairs: Sequence[tuple[str, float]], title: str) -> None:
    names = [style.label(name, "?", longest=_LONG) for name, _ in pairs]
    axes.barh(range(len(pairs)), [value for _, value in pairs], color=style.MODEL)
    axes.set_yticks(range(len(pairs)), names)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_title(title, loc="left")
