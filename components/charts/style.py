"""The look of every chart: its colours, its sizes, and how it becomes a PNG file.

Figures are drawn by matplotlib's Agg canvas without pyplot, so nothing global changes and nothing
stays open: a figure is freed with its last reference. The colours are those that Okabe and
Ito chose for all kinds of colour vision ("Color Universal Design", 2008).
"""

from collections.abc import Mapping

from etils.epath import Path
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"
VERMILION, PURPLE, SKY = "#D55E00", "#CC79A7", "#56B4E9"
TRUTH, MODEL, PAPER = "black", BLUE, "#BBBBBB"  # the truth, the model, anything else

_DOTS = 100  # per inch


def panels(size: tuple[float, float], rows: int = 1, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure of `size` inches and its panels, row by row."""
    figure = Figure(figsize=size, dpi=_DOTS, layout="constrained")
    found = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for axes in found:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.set_axisbelow(True)
    return figure, found


def panel(title: str, x: str, y: str, size: tuple[float, float]) -> tuple[Figure, Axes]:
    """A figure of `size` inches and its only panel."""
    figure, (axes,) = panels(size)
    axes.set(title=title, xlabel=x, ylabel=y)
    return figure, axes


def write(figure: Figure, file: Path) -> None:
    """Write `figure` as PNG."""
    with file.open("wb") as sink:
        FigureCanvasAgg(figure).print_png(sink)


def write_all(figures: Mapping[str, Figure], out: Path) -> list[str]:
    """Write each figure to its file in `out`; returns their names, sorted."""
    for name, figure in figures.items():
        write(figure, out / name)
    return sorted(figures)


def label(name: str, otherwise: str, longest: int = 20) -> str:
    """`name` on one short line, or `otherwise` if the font lacks a letter of it."""
    written = get_font(findfont(FontProperties())).get_charmap()
    if any(ord(letter) not in written for letter in name):
        return otherwise
    cut = name if len(name) <= longest else name[: longest - 1] + "…"
    return cut.replace("$", r"\$")  # else `$...$` is read as mathematics
