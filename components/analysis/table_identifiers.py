"""Which columns of a table only tell its rows apart: a model could but learn them by heart."""

import math
import re
from collections.abc import Iterable

from millrace.components.analysis.table_survey import TableSurvey
from millrace.components.features import table_label

EXACT = 2**53  # beyond it a float64 does not hold every whole number

_UUID = re.compile(r"\{?[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}\}?", re.IGNORECASE)
_FEW_ROWS = 10  # below which it says nothing that all cells differ
_NEAR = 0.02  # of the rows: how far moments of a share of them may be from those of all
_LOOKED_AT = 100  # values of a column that show whether they are UUIDs


def reason(name: str, survey: TableSurvey, rows: int) -> str:
    """Why the column `name` is one of them, in words; empty if it is none.

    Args:
        name: of the column.
        survey: of the train split.
        rows: of all splits.
    """
    column = survey.columns[name]
    if column.dtype == "int64" and max(abs(column.low), abs(column.high)) > EXACT:
        return "an identifier: whole numbers beyond 2^53, of which many would become equal"
    if column.dtype == "bytes" and _are_uuids(column.counts):
        return "an identifier: UUIDs"
    if counts_rows(name, survey, rows) and (_is_unnamed(name) or table_label.names_rows(name)):
        return "it numbers the rows"
    if column.present < _FEW_ROWS or column.distinct < column.present:
        return ""
    if column.dtype == "float32" and not (column.counts and are_whole(column.counts)):
        return ""
    if not table_label.names_rows(name):
        return ""
    return f"an identifier: {column.distinct} distinct values in {column.present} rows"


def counts_rows(name: str, survey: TableSurvey, rows: int) -> bool:
    """Whether it holds whole numbers as a count of the `rows` from 0 or 1 does, each once.

    Of more values than the survey tells apart, it is their mean and deviation that show it.
    """
    column = survey.columns[name]
    if (
        column.dtype == "bytes"
        or not _FEW_ROWS <= column.present == survey.records
        or column.low < 0
        or column.high > rows
    ):
        return False
    if column.distinct == column.present:
        return column.dtype == "int64" or bool(column.counts and are_whole(column.counts))
    off = (column.mean - rows / 2, column.deviation - rows / math.sqrt(12))
    return column.dtype == "int64" and not column.counts and max(map(abs, off)) < _NEAR * rows


def are_whole(values: Iterable[str]) -> bool:
    """Whether all numbers, written as `values`, are whole ones."""
    return all(float(value).is_integer() for value in values)


def _are_uuids(values: Iterable[str]) -> bool:
    some = [value for value, _ in zip(values, range(_LOOKED_AT), strict=False)]
    return bool(some) and all(map(_UUID.fullmatch, some))


def _is_unnamed(name: str) -> bool:
    """Whether it is the first column, and its name was made up, as for R's and pandas' exports."""
    return name in ("column_1", "Unnamed: 0", "...1", "X1")
