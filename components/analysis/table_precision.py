"""Columns of a table that float32 flattens: a label is refused, a feature is warned of."""

import logging
from collections.abc import Collection

import numpy as np

from millrace.components.analysis.table_survey import ColumnSurvey, TableSurvey
from millrace.components.errors import DataError
from millrace.components.features import precision

logger = logging.getLogger("millrace.components.analyze")

_NOTICED = 0.01  # of a column's deviation: from here on float32's spacing is worth a warning
_HARMFUL = 0.1  # and from here on a label's answers would be rounded to few values


def check_label(label: str, truth: ColumnSurvey) -> None:
    """Refuse a regression of numbers that float32 hardly tells apart.

    Raises:
        DataError: they are such, or were and are all the same now.
    """
    if not precision.is_flat(truth.low, truth.high, truth.deviation, _HARMFUL):
        return
    raise DataError(
        f"Label {label!r}: expected numbers that float32 tells apart. Received: numbers around "
        f"{truth.mean:.15g} with a deviation of {truth.deviation:.3g}, where float32's lie "
        f"{_spacing(truth):g} apart. Subtract a constant such as {_constant(truth):.15g} from the "
        "column, and add it to the answers."
    )


def warn(survey: TableSurvey, others: Collection[str]) -> None:
    """Warn of features, all columns but `others`, whose differences a network hardly sees."""
    for name, column in survey.columns.items():
        is_number = column.dtype == "float32" or (column.dtype == "int64" and column.deviation)
        if (
            name not in others
            and is_number
            and precision.is_flat(column.low, column.high, column.deviation, _NOTICED)
        ):
            logger.warning(
                "column %r: float32's numbers are %g apart at its size, and its deviation is %.3g: "
                "small differences are lost. Subtract a constant such as %.15g in the data",
                *(name, _spacing(column), column.deviation, _constant(column)),
            )


def _spacing(column: ColumnSurvey) -> float:
    return precision.spacing(np.array([column.low, column.high]))


def _constant(column: ColumnSurvey) -> float:
    return precision.rounded(column.mean, max(column.high - column.low, 1.0))
