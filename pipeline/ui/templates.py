"""The templates, how numbers, times and sizes are written in them, and what draws charts."""

import datetime
import functools
import json
import secrets
from importlib import resources
from typing import Any

import jinja2

from millrace.components.display import charts, graph, heat_map, numbers
from millrace.components.display.html import Markup

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


@functools.cache
def environment() -> jinja2.Environment:
    """Jinja, with everything escaped, and a name that is not there an error."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("millrace.pipeline.ui"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "size": size,
        "seconds": seconds,
        "figure": numbers.short,
        "signed": lambda value: f"{'+' if value > 0 else ''}{numbers.short(value, 3)}",
        "between": lambda ends: numbers.between(*ends),
        "moment": moment,
        "pretty": lambda value: json.dumps(value, indent=2, ensure_ascii=False),
    }
    made.globals["draw_graph"] = _graph
    made.globals["draw_heat_map"] = heat_map.draw
    made.globals["charts"] = charts  # {{ charts.lines("loss", shown.curves) }}
    return made


def _graph(boxes: list[dict[str, Any]], edges: list[list[str]], label: str) -> Markup:
    """The drawing of `boxes`, each as `graph.Box` has it."""
    return graph.draw([graph.Box(**box) for box in boxes], [(a, b) for a, b in edges], label)


def render(template: str, **values: Any) -> str:
    """The text of a template."""
    return environment().get_template(template).render(**values)


def static(name: str) -> str:
    """A style sheet or a script of ours."""
    return (resources.files("millrace.pipeline.ui") / "static" / name).read_text("utf-8")


def size(count: float) -> str:
    """Bytes for people: 512 bytes, 1.4 kB, 23 MB; a kB is 1,000 bytes, as in a file browser."""
    unit = 0
    while count >= 1000 and unit < len(_UNITS) - 1:
        count, unit = count / 1000, unit + 1
    digits = 1 if unit and count < 10 else 0
    return f"{count:.{digits}f} {_UNITS[unit]}"


def seconds(count: float) -> str:
    """A duration for people: 0.4 s, 12 s, 3 min 20 s, 2 h 5 min."""
    if count < 10:
        return f"{count:.1f} s"
    whole = round(count)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def moment(text: str) -> str:
    """A time in UTC as it stands in the twin, `2026-01-31T12:00:05`, for people."""
    return datetime.datetime.fromisoformat(text).strftime("%d %b %Y, %H:%M UTC")


def new_secret() -> str:
    """A text that nobody can guess, 256 bits."""
    return secrets.token_urlsafe(32)
