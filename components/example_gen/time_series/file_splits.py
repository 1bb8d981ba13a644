"""Files that are splits of their own, `train.csv` and `test.csv`: where in time each begins."""

import logging

import numpy as np
import pandas as pd

logger = logging.getLogger("millrace.components.series_example_gen")


def settled(
    table: pd.DataFrame, splits: np.ndarray
) -> tuple[pd.DataFrame, dict[str, pd.Timestamp]]:
    """`table` with each time of a series from the later split alone, and where each split begins.

    Args:
        table: columns `series`, `time` and values.
        splits: of each row's file, str [rows]; "" of files that are none.

    Returns:
        Rows in their order, and first times by split, ascending; none of a single split.
    """
    starts = table.groupby(splits)["time"].min().sort_values()
    if len(starts) < 2:
        return table, {}
    place = pd.Series(splits, index=table.index).map(
        {name: i for i, name in enumerate(starts.index)}
    )
    by_time = table[["series", "time"]].assign(place=place)
    latest = by_time.groupby(["series", "time"])["place"].transform("max")
    twice = (place < latest).to_numpy()
    if twice.any():
        first = table["time"][twice].iloc[0]
        logger.warning(
            "%d times, such as %s, stand in the files of two splits: taken from those of %s",
            *(int(twice.sum()), first, ", ".join(map(str, starts.index[1:]))),
        )
    return table[~twice], dict(starts.items())
