"""The end of each series in a file, to forecast from: read as the training data was."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from etils.epath import Path

from millrace.components.artifacts import Rejected
from millrace.components.example_gen.time_series import clock, grid, grid_size, ingest
from millrace.components.example_gen.time_series.bases import less_base
from millrace.components.example_gen.time_series.grid import GridCounts
from millrace.components.example_gen.time_series.reading import SeriesSource
from millrace.components.features.series_spec import time_unit
from millrace.serving.example import Decoded, Value, decode, encode


class LatestSeries(NamedTuple):
    """A series up to now, which is its last row with all targets.

    Attributes:
        past: a raw record, as `series_example_gen` writes it: NaN where a cell is missing.
        ahead: the columns known ahead at the `times`, float32 [horizon], NaN where a row lacks.
        times: of the rows to be forecast, as the data's clock shows them.
    """

    past: Decoded
    ahead: Decoded
    times: list[str]


def read(file: Path, source: SeriesSource, horizon: int) -> Iterator[LatestSeries | Rejected]:
    """The latest of each series in `file`, which has the columns of the training data.

    Rows after the last one with all targets say what is known ahead; without such columns
    there need be none.

    Raises:
        DataError: it is not a table, lacks a column, or holds something else in one.
    """
    found = ingest.read(file, source.reading, source.learnt)
    raw, reading = found.table, found.reading
    yield from found.rejected
    if source.zone != reading.clock.zone:
        raw = ingest.in_utc(raw, reading.clock.zone)
    table = ingest.in_order(raw, source.zone, reading, GridCounts())
    if reading.rows.resample:
        table["time"] = grid.snapped(table["time"], source.step)
    for series, rows in table.groupby("series", sort=True):
        name = str(series) or file.name
        if excess := grid_size.excess(rows, source.step):
            gap = ingest.described_gap(found.rows, raw, rows, source.step)
            yield Rejected(name, f"{excess}; {gap}")
            continue
        values = rows.set_index("time")[list(reading.columns.values)]
        yield _latest(str(series), name, values, source, horizon)


def _latest(
    series: str, name: str, values: pd.DataFrame, source: SeriesSource, horizon: int
) -> LatestSeries | Rejected:
    """What is known of `series`, called `name` where it cannot be used.

    All its rows are brought to the grid, those after the last target too: what is known ahead is
    aggregated as it was for training.
    """
    rows, targets = source.reading.rows, list(source.reading.columns.targets)
    aggregate = rows.aggregate if rows.resample else None
    found = grid.regular(values, source.step, aggregate, GridCounts())
    past = found.iloc[: _known(found, targets)]
    if aggregate is None and not values.index[: _known(values, targets)].isin(found.index).all():
        return Rejected(name, f"expected rows every {source.step}, received others")
    if past.empty:
        return Rejected(name, f"no row with {' and '.join(targets)}")
    missing = past.isna().to_numpy()
    limit = source.reading.limits.filled
    if missing.mean() > limit:
        return Rejected(
            name,
            f"expected at most {limit:.2%} of cells that are missing, as training allowed by "
            f"series_example_gen.max_filled, received {missing.sum()} of {missing.size}",
        )
    times = _times_after(past.index[-1], source.step, horizon)
    ahead = found[list(source.reading.columns.known)].reindex(times)
    utc = clock.to_utc(pd.DatetimeIndex(past.index), source.zone)
    return LatestSeries(
        _record({"series": series, "time": clock.unix(utc, time_unit(source.step))}, past, source),
        _record({}, ahead, source),
        _shown(times, source),
    )


def _known(values: pd.DataFrame, targets: list[str]) -> int:
    """How many rows there are up to the last one with all targets."""
    known = np.flatnonzero(values[targets].notna().all(axis=1).to_numpy())
    return int(known[-1]) + 1 if len(known) else 0


def _times_after(last: pd.Timestamp, step: str, count: int) -> pd.DatetimeIndex:
    found = pd.date_range(last, periods=count + 1, freq=step)
    return found[found > last][:count]


def _record(named: dict[str, Value], values: pd.DataFrame, source: SeriesSource) -> Decoded:
    numbers = {str(name): less_base(values[name], source.bases) for name in values.columns}
    return decode(encode({**named, **numbers}))


def _shown(times: pd.DatetimeIndex, source: SeriesSource) -> list[str]:
    """Dates where each time is a midnight, else date and time, with the zone's offset if any."""
    zone = source.reading.clock.zone
    if (times == times.normalize()).all() and (zone == source.zone):
        return [str(time.date()) for time in times]
    if zone != "UTC":
        times = times.tz_localize(source.zone).tz_convert(zone)
    return [time.isoformat(" ") for time in times]
