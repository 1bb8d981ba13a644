"""The bases of a table's columns: see `features.precision`. Found once, for all of its series."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from millrace.components.errors import DataError
from millrace.components.example_gen.time_series import grid
from millrace.components.example_gen.time_series.grid import GridCounts
from millrace.components.example_gen.time_series.options import Aggregate
from millrace.components.features import precision
from millrace.components.features.series_spec import Impute

logger = logging.getLogger("millrace.components.series_example_gen")


def find(
    table: pd.DataFrame,
    columns: Sequence[str],
    targets: Sequence[str],
    step: str,
    aggregate: Aggregate | None,
    impute: Impute,
) -> dict[str, float]:
    """The base of each of `columns` that needs one; logged, as is a column that none can help.

    Args:
        table: columns `series`, `time` and float64 values, in order.
        columns: of values.
        targets: those of them that are forecast.
        step: of the grid that the rows are brought to.
        aggregate: how; sums are larger than the rows.
        impute: what is put in place of missing cells; a 0 would be far from the values less a base.

    Raises:
        DataError: a usual change of a target is less than float32's spacing, whatever the base.
    """
    if aggregate == "sum":
        table = _summed(table, columns, step)
    by_series = table.groupby("series", sort=False)
    found = {}
    for name in columns:
        values, steps = table[name].to_numpy(np.float64), by_series[name].diff().to_numpy()
        if not precision.is_coarse(values, steps):
            continue
        base = 0.0 if impute == "zero" else precision.base_of(values, steps)
        if base:
            found[name] = base
            logger.info(
                "%s: kept less %.15g, since float32's numbers are %g apart at its size",
                *(name, base, precision.spacing(values)),
            )
        usual = _usual(steps)
        if not precision.is_coarse(values - base, steps):
            continue
        advice = _advice(by_series[name], impute)
        at_median = precision.spacing(np.nanmedian(np.abs(values - base)))
        if name in targets and at_median > usual:
            raise DataError(
                f"series_example_gen, column {name!r}: expected changes that float32 can tell "
                f"apart, whose numbers are {at_median:g} apart at its size. Received: {usual:g} "
                f"from row to row, usually. {advice}."
            )
        logger.warning(
            "%s: float32's numbers are %g apart at its size, and its usual step is %g: small "
            "changes are lost. %s",
            *(name, precision.spacing(values - base), usual, advice),
        )
    return found


def _advice(column: "pd.api.typing.SeriesGroupBy[str]", impute: Impute) -> str:
    changes = "orecast the changes from row to row, as a column of their own"
    if impute == "zero":
        return f"Set series_example_gen.impute=linear, or f{changes}"
    alone = [each.to_numpy(np.float64) for _, each in column]
    if len(alone) > 1 and not any(
        precision.is_coarse(each - precision.base_of(each, steps), steps)
        for each, steps in ((each, np.diff(each)) for each in alone)
    ):
        return f"Give one series at a time, in a file of its own, or f{changes}"
    return f"F{changes}"


def less_base(values: pd.Series, bases: Mapping[str, float]) -> NDArray[np.float32]:
    """A column as records have it, float32 [rows]: its float64 values less its base."""
    return (values.to_numpy(np.float64) - bases.get(str(values.name), 0.0)).astype(np.float32)


def _summed(table: pd.DataFrame, columns: Sequence[str], step: str) -> pd.DataFrame:
    grids = [
        grid.regular(rows.set_index("time")[list(columns)], step, "sum", GridCounts()).assign(
            series=name
        )
        for name, rows in table.groupby("series")
    ]
    return pd.concat(grids)


def _usual(steps: NDArray[np.float64]) -> float:
    return float(np.median(np.abs(steps[np.isfinite(steps) & (steps != 0)])))
