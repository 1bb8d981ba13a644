"""Why a row of a CSV is no data, or a cell no value of its column: told by the cells, in words."""

import re
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from millrace.components.example_gen.csv import columns, totals
from millrace.components.example_gen.csv.columns import ColumnReading

Readings = Mapping[str, ColumnReading]

_UNITS = (
    "kg g mg t lb oz m cm mm km ft in mi m2 m3 l ml s ms min h hr hours days years a v w kw kwh mw "
    "mwh wh hz pa hpa kpa bar k °c °f c f % m/s km/h eur usd gbp € $ £ ppm mol n j kj kcal deg int "
    "int32 int64 integer bigint float float32 float64 double number numeric real decimal num dbl "
    "<int> <dbl> continuous"
)
"""What a row of units or of types below the header holds above numbers, in lower case."""

REASONS = ("it repeats the header", "a row of totals", "a row of units or types")
"""How the reasons begin for rows that hold nothing of their own: there may be any number."""
_RULE = re.compile(r"\s*:?[-=+ ]{2,}:?\s*")
_SHOWN = 60  # letters of a record or a cell that a reason quotes


def aside(
    cells: Mapping[str, pa.Array], misfits: Mapping[int, Mapping[str, str]], readings: Readings
) -> dict[int, str]:
    """Rows that are no data by their `misfits`, and why: a repeated header, units, totals."""
    rows = set(misfits)
    name, first = next(iter(cells.items()))
    if first.type == pa.string():
        rows |= set(
            pc.indices_nonzero(pc.equal(first, name).fill_null(fill_value=False)).to_pylist()
        )
    found = {}
    below = {0}  # rows right below a header
    for row in sorted(rows):
        filled = {each: raw[row].as_py() for each, raw in cells.items() if raw[row].is_valid}
        repeated = [each for each, cell in filled.items() if str(cell).strip() == each]
        wrong = misfits.get(row, {})
        other = set(filled) - set(repeated) - set(wrong)
        if len(repeated) == len(filled) and repeated:
            found[row] = REASONS[0]
            below.add(row + 1)
        elif not other:
            found[row] = of_misfits(wrong, readings)
        elif reason := _why(filled, wrong, readings, is_below=row in below):
            found[row] = reason
    return found


def _why(
    filled: Mapping[str, object], misfits: Mapping[str, str], readings: Readings, *, is_below: bool
) -> str:
    """Why a row is no data, by its cells; units are right below a header."""
    _, totals_of, units = REASONS
    if all(_RULE.fullmatch(str(cell)) for cell in filled.values()):
        return "a line between rows, of dashes"
    if total := next(filter(totals.is_total, misfits.values()), ""):
        return f"{totals_of}: {cut(total)!r}"
    if is_below and _are_units(misfits, filled, readings):
        return f"{units}: {', '.join(repr(cut(str(cell))) for cell in filled.values())}"
    return ""


def _are_units(
    misfits: Mapping[str, str], filled: Mapping[str, object], readings: Readings
) -> bool:
    """Whether a row has no number where one should be, but units or at least texts."""
    typed = [name for name in filled if readings[name].kind != "text"]
    words = [cell for cell in misfits.values() if not columns.are_missing([cell])]
    are_known = all(cell.strip(" ()[]").lower() in _UNITS.split() for cell in words)
    return len(misfits) == len(typed) and (len(words) > 1 or (bool(words) and are_known))


def of_totals(
    cells: Mapping[str, pa.Array], values: Mapping[str, pa.Array], readings: Readings
) -> dict[int, str]:
    """Rows that are totals by a word in a column of text and by their `values`, and why."""
    texts = totals.likely_in({n: each for n, each in cells.items() if readings[n].kind == "text"})
    if not texts:
        return {}
    figures = [
        values[name].cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        for name in cells
        if readings[name].is_number
    ]
    count = len(next(iter(cells.values())))
    matrix = np.stack(figures, axis=1) if figures else np.empty((count, 0))
    return {
        row: f"{REASONS[1]}: {cut(word)!r}"
        for row, word in totals.find(cells, texts, matrix).items()
    }


def of_misfits(misfits: Mapping[str, str], readings: Readings) -> str:
    """Why a row of nothing but `misfits` is no data, if there are any."""
    if len(misfits) == 1:
        ((name, cell),) = misfits.items()
        return misfit(name, cell, readings[name])
    shown = ", ".join(repr(cut(cell)) for cell in list(misfits.values())[:3])
    return f"no cell is of its column's type: {shown}" if misfits else ""


def misfit(name: str, cell: object, reading: ColumnReading) -> str:
    """Why a cell of the column `name` is no value of it."""
    return f"column {name!r}: expected {columns.expected(reading)}, received {cut(str(cell))!r}"


def cut(text: str) -> str:
    """`text`, or its beginning where it is long."""
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
