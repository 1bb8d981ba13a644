"""Series to raw records: one Beam element per shard of series.

The driver has read, ordered and cut time for all; a worker brings its series to the grid and writes
one record per series and split. A cell without a value stays so, NaN. A series lies in the shard
of the same number in every split. What a worker counted it leaves in a file, as every ingest does.
"""

import dataclasses
import functools
import json
from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np
import pandas as pd
from etils.epath import Path

from millrace.components.artifacts import Examples, Rejected
from millrace.components.beam.options import BeamOptions
from millrace.components.example_gen.time_series import clock
from millrace.components.example_gen.time_series.cuts import Cuts
from millrace.components.example_gen.time_series.grid import Counts, last_moments, regular, trimmed
from millrace.components.example_gen.time_series.options import Aggregate
from millrace.components.files.tfrecord import write_records
from millrace.serving.example import encode

_SHARD_CELLS = 1 << 23


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a worker does with each series.

    Attributes:
        columns: of values, in the order of the table.
        targets: those of them that are forecast.
        step: of the grid, as pandas writes it.
        aggregate: of the rows that fall into one step; None where they are that far apart.
        cuts: of time, in UTC.
        zone: of the table's times.
    """

    columns: tuple[str, ...]
    targets: tuple[str, ...]
    step: str
    aggregate: Aggregate | None
    cuts: Cuts
    zone: str


@dataclasses.dataclass(frozen=True)
class _Job:
    out: Examples
    plan: Plan
    shards: int

    def table(self, index: int) -> Path:
        return self.out.path / ".shards" / f"{index:05d}.npz"

    def notes(self, index: int) -> Path:
        return self.out.path / ".shards" / f"{index:05d}.json"


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
    counts: Counts
    rejected: list[Rejected]

    @classmethod
    def none(cls, splits: Sequence[str]) -> Self:
        """Nothing yet."""
        return cls(dict.fromkeys(splits, 0), dict.fromkeys(splits, 0), Counts(), [])

    def add(self, other: Self) -> None:
        """Take in what another shard wrote."""
        for split, records in other.records.items():
            self.records[split] += records
            self.rows[split] += other.rows[split]
        self.counts.add(other.counts)
        self.rejected.extend(other.rejected)


def write(run_on: BeamOptions, out: Examples, table: pd.DataFrame, plan: Plan) -> Written:
    """Write the series of `table` (columns series, time and values), each whole in one shard."""
    import apache_beam as beam

    codes, names = pd.factorize(table["series"], sort=True)
    shards = max(1, min(len(names), -(-table.size // _SHARD_CELLS)))
    job = _Job(out, plan, shards)
    job.table(0).parent.mkdir(parents=True)
    for split in plan.cuts.names:
        out.split_path(split).mkdir(parents=True)
    for index in range(shards):
        _save(job.table(index), table[codes % shards == index], plan.columns)
    with run_on.pipeline() as pipeline:
        _ = (
            pipeline
            | "Shards" >> beam.Create(range(shards))
            | "CutAndWrite" >> beam.Map(functools.partial(_write_shard, job))
        )
    written = Written.none(plan.cuts.names)
    for index in range(shards):
        written.add(_read(job.notes(index)))
    job.table(0).parent.rmtree()
    return written


def _save(file: Path, table: pd.DataFrame, columns: Sequence[str]) -> None:
    with file.open("wb") as sink:
        np.savez(
            sink,
            series=table["series"].to_numpy(str),
            time=table["time"].to_numpy("datetime64[s]").astype(np.int64),
            values=table[list(columns)].to_numpy(np.float64),
        )


def _write_shard(job: _Job, index: int) -> None:
    plan = job.plan
    written = Written.none(plan.cuts.names)
    records = {split: list[bytes]() for split in plan.cuts.names}
    for name, values in _series(job.table(index), plan.columns):
        for split, times, kept in _splits(name, values, plan, written):
            records[split].append(_record(name, times, kept, plan))
    for split, found in records.items():
        write_records(job.out.shard(split, index, job.shards), found)
    job.notes(index).write_text(json.dumps(dataclasses.asdict(written)))


def _splits(
    name: str, values: pd.DataFrame, plan: Plan, written: Written
) -> Iterator[tuple[str, np.ndarray, pd.DataFrame]]:
    """A series' rows in each split, on the grid, with their Unix seconds."""
    grid = regular(values, plan.step, plan.aggregate, written.counts)
    grid = trimmed(grid, plan.targets, written.counts)
    index = pd.DatetimeIndex(grid.index)
    seconds = clock.seconds(clock.to_utc(index, plan.zone))
    ends = seconds
    if plan.aggregate:
        ends = clock.seconds(clock.to_utc(last_moments(index, plan.step), plan.zone))
    for split, rows in plan.cuts.places(ends).items():
        kept = grid.iloc[rows]
        if not len(kept):
            written.rejected.append(Rejected(name, f"no row in split {split}"))
            continue
        written.records[split] += 1
        written.rows[split] += len(kept)
        yield split, seconds[rows], kept


def _series(file: Path, columns: Sequence[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each series' name and its values float64 by time, ascending."""
    with file.open("rb") as source, np.load(source) as arrays:
        index = pd.DatetimeIndex(arrays["time"].astype("datetime64[s]"))
        frame = pd.DataFrame(arrays["values"], index=index, columns=list(columns))
        for name, values in frame.groupby(arrays["series"], sort=True):
            yield str(name), values


def _record(name: str, times: np.ndarray, values: pd.DataFrame, plan: Plan) -> bytes:
    folds = plan.cuts.fold_of(times)
    own = {column: values[column].to_numpy(np.float32) for column in plan.columns}
    return encode({"series": name, "time": times, "fold": folds, **own})


def _read(notes: Path) -> Written:
    found = json.loads(notes.read_text())
    rejected = [Rejected(**item) for item in found["rejected"]]
    return Written(found["records"], found["rows"], Counts(**found["counts"]), rejected)
