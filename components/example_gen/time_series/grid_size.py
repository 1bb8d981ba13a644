"""How many rows a grid of times will have, counted in whole numbers before any of it is built.

One mistyped year makes a minute's grid of centuries. So a grid may hold 16 times the cells that
were read, or a million (8 MB), whichever is more; beyond that the rows around its widest gap are
named, not built.
"""

import dataclasses

import numpy as np
import pandas as pd

AT_MOST = 16  # cells of the grid for each one read
_FREE = 1 << 20  # cells that any input may have
_MEASURED = 64  # steps of a calendar, whose mean length is taken


@dataclasses.dataclass(frozen=True)
class Gap:
    """The longest time between two rows of a series.

    Attributes:
        series: its name.
        rows: of the grid that lie between the two.
        stray: the time of the row on that side of the gap on which there are fewer.
        neighbor: the time of the other.
    """

    series: str
    rows: int
    stray: pd.Timestamp
    neighbor: pd.Timestamp

    def __str__(self) -> str:
        name = f" of series {self.series!r}" if self.series else ""
        return f"{self.rows:,} rows are missing between {self.neighbor} and {self.stray}{name}"


def rows(first: pd.Timestamp, last: pd.Timestamp, step: str) -> int:
    """The rows of a grid from `first` to `last`, both included.

    Exact for a step of fixed length from `first` on; a resampled grid begins up to one earlier.
    Months, years and business days count by their mean length.

    Args:
        first: naive.
        last: alike, not before.
        step: as pandas writes it, a microsecond or longer.
    """
    return _whole(last - first) // step_length(step) + 1


def step_length(step: str) -> int:
    """The microseconds of `step`, of a calendar's the mean ones; at least 1."""
    start = pd.Timestamp("2001-01-01")
    end = start + _MEASURED * pd.tseries.frequencies.to_offset(step)
    return max(1, _whole(end - start) // _MEASURED)


def widest_gap(table: pd.DataFrame, step: str) -> Gap | None:
    """Where the most rows are missing; None where there are no two rows of a series.

    Args:
        table: columns `series` and `time`, ordered by them.
        step: of the grid.
    """
    apart = table.groupby("series", sort=False)["time"].diff()
    if apart.isna().all():
        return None
    after = int(apart.fillna(pd.Timedelta(0)).to_numpy().argmax())
    name, end = table["series"].iloc[after], table["time"].iloc[after]
    start = table["time"].iloc[after - 1]
    of_series = (table["series"] == name).to_numpy()
    before = int(of_series[:after].sum())
    is_later = before >= int(of_series.sum()) - before
    stray, neighbor = (end, start) if is_later else (start, end)
    return Gap(str(name), rows(start, end, step) - 2, stray, neighbor)


def excess(table: pd.DataFrame, step: str) -> str:
    """What is out of proportion: the grids of all series, or the one of all their times.

    Args:
        table: columns `series`, `time` and values, ordered by the first two.
        step: of the grid.

    Returns:
        What was expected and received, or "".
    """
    width = max(1, table.shape[1] - 2)
    most = max(_FREE // width, AT_MOST * len(table))
    ends = table.groupby("series", sort=False)["time"].agg(["min", "max"])
    first, last = ends["min"].min(), ends["max"].max()
    length = step_length(step)
    spans = (ends["max"] - ends["min"]).to_numpy("timedelta64[us]").astype(np.int64)
    needed = max(sum(span // length + 1 for span in spans.tolist()), rows(first, last, step))
    if needed <= most:
        return ""
    return (
        f"expected a grid of at most {most:,} rows, one every {step}, of {len(table):,} rows read. "
        f"Received: times from {first} to {last}, {needed:,} rows"
    )


def _whole(span: pd.Timedelta) -> int:
    """Microseconds."""
    return int(span.to_timedelta64().astype("timedelta64[us]").astype(np.int64))
