"""Files that are splits of their own, `train.csv` and `test.csv`: where in time each begins."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd

logger = logging.getLogger("millrace.components.series_example_gen")
_INTERLEAVED = 0.5  # share of a split's rows beyond the next one's beginning


def settled(
    table: pd.DataFrame, splits: np.ndarray, targets: Sequence[str]
) -> tuple[pd.DataFrame, dict[str, pd.Timestamp]]:
    """`table` with each time of a series from the later split alone, and where each split begins.

    Args:
        table: columns `series`, `time` and values.
        splits: of each row's file, str [rows]; "" of files that are none.
        targets: columns; the files of a split without a value in any hold rows to be forecast.

    Returns:
        Rows in their order, and first times by split, ascending; none of a single split, or where
        the files of two cover the same time.
    """
    is_known = table[list(targets)].notna().any(axis=1)
    for split, share in is_known.groupby(splits).mean().items():
        if split and not share:
            logger.warning(
                "the files of split %s have no value of %s, and are no split: their rows are "
                "trimmed, and time is cut by what the others hold",
                *(split, ", ".join(targets)),
            )
            splits = np.where(splits == split, "train", splits)
    starts = table.groupby(splits)["time"].min().sort_values()
    if len(starts) < 2:
        return table, {}
    for split, following in zip(starts.index, starts.iloc[1:], strict=False):
        beyond = (table["time"][splits == split] >= following).mean()
        if beyond > _INTERLEAVED:
            logger.warning(
                "%.0f%% of the rows in files named like split %s lie after %s, where the next "
                "split begins: time is cut by series_example_gen.splits instead",
                *(100 * beyond, split, following),
            )
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
