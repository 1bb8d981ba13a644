"""Rows that a model is asked about, made of plain values."""

from typing import Any, NamedTuple

from millrace.components.files import columns
from millrace.components.inference.rows import Rows


class Asked(NamedTuple):
    """One row."""

    source: str
    position: str
    features: dict[str, Any]


def rows_of(asked):
    """All of `asked` as columns."""
    return Rows.of(
        [row.features for row in asked],
        [row.source for row in asked],
        [row.position for row in asked],
    )


def features_of(rows):
    """The features of each row of columns, by name."""
    return columns.rows(rows.features)
