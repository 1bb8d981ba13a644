"""What becomes of each column of a CSV: the candidates, and the choice by what its cells are."""

import logging
from collections.abc import Mapping

from etils.epath import Path

from millrace.components.errors import DataError, OptionError
from millrace.components.example_gen.csv import columns
from millrace.components.example_gen.csv.columns import ColumnReading, Dates, Evidence
from millrace.components.example_gen.csv.dialect import Dialect
from millrace.components.example_gen.csv.parsing import TableLayout
from millrace.components.features import table_label

_log = logging.getLogger(__name__)


def candidates(
    step: str, dialect: Dialect, types: Mapping[str, str], dates: Dates, drop: tuple[str, ...]
) -> dict[str, tuple[ColumnReading, ...]]:
    """What each column that is not dropped may be read as, preferred first.

    Raises:
        OptionError: `types` or `drop` names a column that is not there, or an unknown type.
    """
    columns.check_types(step, types, dialect.names)
    unknown = [name for name in drop if name not in dialect.names]
    if unknown:
        raise OptionError(
            f"{step}, option drop: expected columns of the table: {', '.join(dialect.names)}. "
            f"Received: {', '.join(unknown)}. Correct the name."
        )
    every = columns.readings(
        dialect.decimal, dialect.thousands, comma_parts_cells=dialect.delimiter == ","
    )
    if dates == "text":
        every = tuple(reading for reading in every if reading.kind != "date")
    return {
        name: columns.of_type(types[name], every) if name in types else every
        for name in dialect.names
        if name not in drop
    }


def settle(
    place: Path,
    dialect: Dialect,
    evidence: Mapping[str, Evidence],
    candidates: Mapping[str, tuple[ColumnReading, ...]],
    dates: Dates,
) -> TableLayout:
    """The columns with a value, each by the first reading that all its cells fit.

    Where a type was given that not all cells fit, it is taken all the same: the other rows
    will be set aside.

    Raises:
        DataError: no column has any value, or a date's parts have another column's name.
    """
    empty = [name for name, seen in evidence.items() if not seen.filled]
    if empty:
        _log.info("columns without any value, left out: %s", ", ".join(empty))
    readings = {
        name: (seen.survivors or candidates[name])[0]
        for name, seen in evidence.items()
        if seen.filled
    }
    if not readings:
        raise DataError(
            f"{place}: expected a table with values. Received: none in the columns "
            f"{', '.join(dialect.names)}. Check the file, and what stands for a missing value "
            "(option csv.missing)."
        )
    for name, reading in readings.items():
        others = ", ".join(each.pattern for each in evidence[name].ambiguous[1:])
        if others:
            _log.warning(
                "column %r may be dates like %s or %s: took the first; types.%s=date:PATTERN "
                "says which",
                *(name, reading.pattern, others, name),
            )
    _log.info("columns: %s", ", ".join(f"{name} ({each})" for name, each in readings.items()))
    _check_names(place, readings, dates)
    needed = 1 if dialect.fill_short else max(map(dialect.names.index, readings)) + 1
    return TableLayout(readings, dates, needed)


def label(
    step: str, given: str | None, layout: TableLayout, evidence: Mapping[str, Evidence]
) -> str:
    """The feature that is to be predicted: the one `given`, or chosen; empty if all are dates.

    Raises:
        OptionError: none has the name that is given.
    """
    made = {
        feature: name
        for name, reading in layout.readings.items()
        for feature in columns.feature_names(name, reading, layout.dates)
    }
    if given is not None:
        if given not in made:
            raise _no_label(step, given, layout, evidence)
        return given
    whole = [name for name, reading in layout.readings.items() if reading.kind != "date"]
    most = max((evidence[name].filled for name in whole), default=0)
    filled = [name for name in whole if 2 * evidence[name].filled > most]
    chosen, how = table_label.choose(whole, filled[-1] if filled else "")
    if chosen:
        _log.info("label: %r (%s); analyze.features.label names another", chosen, how)
    return chosen


def _no_label(
    step: str, given: str, layout: TableLayout, evidence: Mapping[str, Evidence]
) -> OptionError:
    parts = (
        columns.feature_names(given, layout.readings[given], layout.dates)
        if (given in layout.readings)
        else []
    )
    received = f"{given!r}"
    if parts:
        received += f", a date that becomes {', '.join(parts)}"
    elif given in evidence:
        received += ", which is empty in every row"
    return OptionError(
        f"{step}, option label, which a recipe takes from analyze.features.label: expected a "
        f"feature of the table: {', '.join(layout.readings)}. Received: {received}. "
        + ("Name one of these." if parts else "Correct the name.")
    )


def _check_names(place: Path, readings: Mapping[str, ColumnReading], dates: Dates) -> None:
    made: dict[str, str] = {}
    for name, reading in readings.items():
        for feature in columns.feature_names(name, reading, dates):
            if feature in made:
                raise DataError(
                    f"{place}: expected features of distinct names. Received: {feature!r} of "
                    f"the columns {made[feature]!r} and {name!r}. Rename one, or set dates."
                )
            made[feature] = name
