"""Series to raw records, a part of the series as one shard.

The driver has read, ordered and cut time for all; a worker brings its series to the grid and writes
one record per series and split. A cell without a value stays so, NaN. A series lies in the shard
of the same number in every split.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Self

import numpy as np
import pandas as pd
from etils.epath import Path

from millrace.components.artifacts import Examples, Rejected
from millrace.components.beam.options import BeamOptions
from millrace.components.beam.shard_pass import shard_pass
from millrace.components.example_gen.shards.writing import shard_files
from millrace.components.example_gen.time_series import clock
from millrace.components.example_gen.time_series.bases import less_base
from millrace.components.example_gen.time_series.cuts import Cuts
from millrace.components.example_gen.time_series.grid import (
    GridCounts,
    last_moments,
    regular,
    trimmed,
)
from millrace.components.example_gen.time_series.options import Aggregate
from millrace.components.features.series_spec import time_unit
from millrace.components.files.tfrecord import write_records
from millrace.serving.example import encode

_SHARD_CELLS = 1 << 23


@dataclasses.dataclass(frozen=True)
class SeriesPlan:
    """What a worker does with each series.

    Attributes:
        columns: of values, in the order of the table.
        targets: those of them that are forecast.
        step: of the grid, as pandas writes it.
        aggregate: of the rows that fall into one step; None where they are that far apart.
        cuts: of time, in UTC.
        zone: of the table's times.
        bases: by column, what its values are written less; see `features.precision`.
    """

    columns: tuple[str, ...]
    targets: tuple[str, ...]
    step: str
    aggregate: Aggregate | None
    cuts: Cuts
    zone: str
    bases: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Written:
    """What became of the series.

    Attributes:
        records: by split.
        rows: by split, of all series.
        counts: of what was changed.
        rejected: series that a split has no row of, none of which is lost in others.
    """

    records: dict[str, int]
    rows: dict[str, int]
    counts: GridCounts
    rejected: list[Rejected]

    @classmethod
    def none(cls, splits: Sequence[str]) -> Self:
        """Nothing yet."""
        return cls(dict.fromkeys(splits, 0), dict.fromkeys(splits, 0), GridCounts(), [])

    def add(self, other: Self) -> None:
        """Take in what another shard wrote."""
        for split, records in other.records.items():
            self.records[split] += records
            self.rows[split] += other.rows[split]
        self.counts.add(other.counts)
        self.rejected.extend(other.rejected)


def write(run_on: BeamOptions, out: Examples, table: pd.DataFrame, plan: SeriesPlan) -> Written:
    """Write the series of `table` (columns series, time and values), each whole in one shard."""
    codes, names = pd.factorize(table["series"], sort=True)
    shards = max(1, min(len(names), -(-table.size // _SHARD_CELLS)))
    files = shard_files(out, plan.cuts.names, shards)
    share = ((files[index], table[codes % shards == index]) for index in range(shards))
    written = Written.none(plan.cuts.names)
    work = functools.partial(_write_shard, plan)
    for part in shard_pass("CutAndWrite", share, work, out.path, run_on):
        written.add(part)
    return written


def _write_shard(plan: SeriesPlan, share: tuple[Mapping[str, Path], pd.DataFrame]) -> Written:
    """Write the series of a table, by split into a file each."""
    files, table = share
    written = Written.none(plan.cuts.names)
    records = {split: list[bytes]() for split in files}
    for name, rows in table.groupby("series", sort=True):
        times = pd.DatetimeIndex(rows["time"].astype("datetime64[us]"))
        values = rows[list(plan.columns)].set_index(times)
        for split, moments, kept in _splits(str(name), values, plan, written):
            records[split].append(_record(str(name), moments, kept, plan))
    for split, found in records.items():
        write_records(files[split], found)
    return written


def _splits(
    name: str, values: pd.DataFrame, plan: SeriesPlan, written: Written
) -> Iterator[tuple[str, np.ndarray, pd.DataFrame]]:
    """A series' rows in each split, on the grid, with their Unix times."""
    grid = regular(values, plan.step, plan.aggregate, written.counts)
    grid = trimmed(grid, plan.targets, written.counts)
    index = pd.DatetimeIndex(grid.index)
    unit = time_unit(plan.step)
    times = clock.unix(clock.to_utc(index, plan.zone), unit)
    ends = times
    if plan.aggregate:
        ends = clock.unix(clock.to_utc(last_moments(index, plan.step), plan.zone), unit)
    places = plan.cuts.places(ends)
    written.counts.outside += len(grid) - sum(rows.stop - rows.start for rows in places.values())
    for split, rows in places.items():
        kept = grid.iloc[rows]
        if not len(kept):
            written.rejected.append(Rejected(name, f"no row in split {split}"))
            continue
        written.records[split] += 1
        written.rows[split] += len(kept)
        yield split, times[rows], kept


def _record(name: str, times: np.ndarray, values: pd.DataFrame, plan: SeriesPlan) -> bytes:
    folds = plan.cuts.fold_of(times)
    own = {column: less_base(values[column], plan.bases) for column in plan.columns}
    return encode({"series": name, "time": times, "fold": folds, **own})
