"""Learning curves as SVG: a chart for each metric, training beside validation."""

import html
from collections.abc import Iterator, Sequence

WIDTH, HEIGHT, MARGIN = 420, 200, 36
COLOURS = {"": "#1f6fb4", "val_": "#d1741b"}  # training, validation


def draw(columns: Sequence[str], rows: Sequence[Sequence[float]]) -> Iterator[str]:
    """One chart per metric of a training history.

    Args:
        columns: `epoch`, then Keras's names, those of validation with `val_`.
        rows: one per epoch.
    """
    metrics = [name for name in columns if name != "epoch" and not name.startswith("val_")]
    for metric in metrics if len(rows) > 1 else []:
        lines = {
            prefix: [row[columns.index(prefix + metric)] for row in rows]
            for prefix in COLOURS
            if prefix + metric in columns
        }
        yield _chart(metric, lines)


def _chart(title: str, lines: dict[str, list[float]]) -> str:
    low = min(min(values) for values in lines.values())
    high = max(max(values) for values in lines.values())
    shapes = "".join(
        f'<polyline fill="none" stroke="{COLOURS[prefix]}" stroke-width="2" '
        f'points="{points(values, low, high)}"/>'
        for prefix, values in lines.items()
    )
    legend = " ".join(
        f'<tspan fill="{COLOURS[prefix]}">{"validation" if prefix else "training"}</tspan>'
        for prefix in lines
    )
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{html.escape(title)}" '
        f'font-size="12" fill="currentColor">'
        f'<text x="{MARGIN}" y="14">{html.escape(title)} {legend}</text>'
        f'<text x="0" y="{MARGIN}">{high:.3g}</text>'
        f'<text x="0" y="{HEIGHT - MARGIN}">{low:.3g}</text>'
        f'<text x="{WIDTH - MARGIN * 2}" y="{HEIGHT - 8}">epoch {len(next(iter(lines.values())))}'
        f"</text>{shapes}</svg>"
    )


def points(values: Sequence[float], low: float, high: float) -> str:
    """`values` as the points of an SVG polyline; `low` lies at the bottom, `high` at the top."""
    span = (high - low) or 1.0
    step = (WIDTH - 2 * MARGIN) / max(1, len(values) - 1)
    return " ".join(
        f"{MARGIN + index * step:.1f},"
        f"{HEIGHT - MARGIN - (value - low) / span * (HEIGHT - 2 * MARGIN):.1f}"
        for index, value in enumerate(values)
    )
