"""From CSV files to the records of series: read, sorted, resampled, split, written."""

import dataclasses
import functools
import json
import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from etils.epath import Path
from numpy.typing import NDArray

from millrace.components.artifacts import Examples, Property, Rejected
from millrace.components.beam.options import BeamOptions
from millrace.components.beam.rejected import check_rejected, first_rejected
from millrace.components.errors import DataError, OptionError
from millrace.components.example_gen.csv import dates
from millrace.components.example_gen.csv.columns import ColumnReading
from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.time_series import (
    bases,
    clock,
    cuts,
    daylight,
    file_splits,
    grid,
    grid_size,
    records,
    steps,
)
from millrace.components.example_gen.time_series import columns as columns_of_series
from millrace.components.example_gen.time_series import reading as series_files
from millrace.components.example_gen.time_series.clock import ParsedTimes
from millrace.components.example_gen.time_series.cuts import Cuts
from millrace.components.example_gen.time_series.grid import GridCounts
from millrace.components.example_gen.time_series.options import SeriesColumns, SeriesReading
from millrace.components.example_gen.time_series.reading import Learnt, SeriesRows, SeriesSource
from millrace.components.example_gen.time_series.records import SeriesPlan, Written
from millrace.components.features.series_spec import time_unit
from millrace.components.statistics import stand_ins

logger = logging.getLogger("millrace.components.series_example_gen")

_DAILY = 86400  # seconds; steps from here on follow the days of the zone, shorter ones UTC


class ReadSeries(NamedTuple):
    """Rows with a time, how they were read, and what was set aside.

    `table` has columns `series`, `time` (as the clock showed it, or UTC) and values, float64, with
    the numbers of the rows in the files as its index; `starts` where the files themselves begin
    a split, first times by its name; `form` how times were read.
    """

    table: pd.DataFrame
    rows: SeriesRows
    reading: SeriesReading
    learnt: Learnt
    rejected: list[Rejected]
    bad_cells: list[Rejected]
    starts: dict[str, pd.Timestamp]
    form: str


def ingest(
    source: Path, out: Examples, run_on: BeamOptions, reading: SeriesReading
) -> tuple[Examples, SeriesSource]:
    """Write the series in the files at `source` to `out`; see `series_example_gen`.

    Returns:
        The records, and how the files were read, with all that was chosen from the data.
    """
    if reading.clock.zone != "UTC":
        clock.check_zone(reading.clock.zone)
    step = steps.check_frequency(reading.rows.resample) if reading.rows.resample else ""
    found = read(source, reading)
    _show(found)
    reading = found.reading
    columns, counts = reading.columns, GridCounts()
    _warn_of_stand_ins(found.table, columns.values)
    raw, zone = _on_clock(found.table, reading)
    table = in_order(raw, zone, reading, counts)
    if step:
        table["time"] = grid.snapped(table["time"], step)
    else:
        place = functools.partial(_place, found.rows, raw)
        step = steps.frequency(table.set_index("series")["time"], place)
    if excess := grid_size.excess(table, step):
        gap = described_gap(found.rows, raw, table, step)
        raise DataError(
            f"series_example_gen: {excess}; {gap}. Correct that time, or set "
            "series_example_gen.resample to a longer step."
        )
    aggregate = reading.rows.aggregate if reading.rows.resample else None
    plan = SeriesPlan(
        columns=columns.values,
        targets=columns.targets,
        step=step,
        aggregate=aggregate,
        cuts=_cuts(table, step, zone, reading, found.starts, found.form),
        zone=zone,
        bases=bases.find(
            table, columns.values, columns.targets, step, aggregate, reading.rows.impute
        ),
    )
    written = records.write(run_on, out, table, plan)
    written.counts.add(counts)
    if lack := _lack(written, plan, reading.limits.filled, table):
        gap = described_gap(found.rows, raw, table, step)
        raise DataError(f"{lack} The widest gap: {gap or 'none'}.")
    _warn_of_clock(table, step, reading.clock.zone)
    _report(written, plan, reading)
    out.write_summary(
        written.records,
        [*found.rejected, *written.rejected],
        _notes(written, plan, reading, found),
        bad_cells=found.bad_cells,
    )
    return out, SeriesSource(reading, found.learnt, plan.step, plan.zone, dict(plan.bases))


def described_gap(rows: SeriesRows, raw: pd.DataFrame, table: pd.DataFrame, step: str) -> str:
    """Where the grid of `table` lacks the most rows, by file and line; empty if it lacks none.

    Args:
        rows: of the files.
        raw: those with a time, by their numbers among `rows`.
        table: the same in order.
        step: of the grid.
    """
    gap = grid_size.widest_gap(table, step)
    if gap is None or gap.rows < 1:  # a step longer than it leaves less than none
        return ""
    return f"{gap} ({_place(rows, raw, gap.series, gap.stray)})"


def _place(rows: SeriesRows, raw: pd.DataFrame, series: str, time: pd.Timestamp) -> str:
    """The file and the line of the row of a series and time; see `described_gap`."""
    apart = (raw["time"] - time).abs()  # a row may have been moved to the grid
    row = apart[raw["series"] == series].idxmin()
    return ", ".join(rows.place(int(row)))


def read(source: Path, reading: SeriesReading, learnt: Learnt | None = None) -> ReadSeries:
    """The rows in the files at `source`.

    Args:
        source: a file, or a folder of them.
        reading: what is requested; columns that are not named are chosen.
        learnt: of the training data, whose `reading` this is: then nothing is chosen.
    """
    rows = series_files.read(source, reading.csv, learnt)
    limit, found = reading.limits.rejected, rows.cells.num_rows + len(rows.rejected)
    check_rejected("series_example_gen", rows.rejected, found, limit, what="rows")
    columns, parsed = _chosen(rows, reading, learnt)
    logger.info("%d rows; times read as %s", len(parsed.times), dates.shown(parsed.format))
    is_timed = parsed.times.notna().to_numpy()
    rejected = [
        rows.rejection(row, _untimed(rows, columns.time, row))
        for row in np.flatnonzero(~is_timed).tolist()
    ]
    rejected = [*rows.rejected, *rejected]
    check_rejected("series_example_gen", rejected, found, limit, what="rows")
    read_all = {
        name: columns_of_series.numbers(rows, name, is_timed, limit)
        for name in columns.wide or columns.values
    }
    table = pd.DataFrame(
        {
            "series": _names(rows, reading, columns),
            "time": _shown(parsed, reading),
            **{name: each.floats for name, each in read_all.items()},
        }
    )[is_timed]
    starts = dict[str, pd.Timestamp]()
    if learnt is None and not reading.series_per_file:
        table, starts = file_splits.settled(
            table, rows.splits[is_timed], columns.wide or columns.targets
        )
    return ReadSeries(
        _melted(table, columns) if columns.wide else table,
        rows,
        _settled(reading, columns, parsed),
        Learnt(
            parsed.within, _used(rows, columns) | {n: each.reading for n, each in read_all.items()}
        ),
        rejected,
        [item for each in read_all.values() for item in each.bad_cells],
        starts,
        parsed.format,
    )


def _chosen(
    rows: SeriesRows, reading: SeriesReading, learnt: Learnt | None
) -> tuple[SeriesColumns, ParsedTimes]:
    """The columns, those that are not named chosen from the data, and the times in theirs."""
    columns, form = reading.columns, reading.clock.form
    columns_of_series.check(rows, columns)
    if form:
        dates.check_form("series_example_gen, option time_format", form)
    if not columns.time:
        time = columns_of_series.time_of(rows, columns, form)
        columns = dataclasses.replace(columns, time=time)
    within = learnt.within if learnt else ""
    parsed = clock.read(rows, columns.time, form, within, reading.clock.zone)
    if learnt is not None:
        return columns, parsed
    is_named = columns.series or reading.series_per_file
    if reading.rows.duplicates == "error" and not is_named:
        series = columns_of_series.telling_apart(
            rows, columns, parsed.times, texts_alone=reading.wide
        )
        columns = dataclasses.replace(columns, series=series)
    return columns_of_series.values_of(rows, columns, parsed.times, wide=reading.wide), parsed


def _used(rows: SeriesRows, columns: SeriesColumns) -> dict[str, ColumnReading]:
    """How the columns of the time were read."""
    return {name: rows.readings[name] for name in columns.time if name in rows.readings}


def _names(rows: SeriesRows, reading: SeriesReading, columns: SeriesColumns) -> NDArray[np.object_]:
    if columns.series:
        return columns_of_series.names_of(rows, columns.series)
    if reading.series_per_file:
        return rows.files().to_numpy(zero_copy_only=False)
    return np.full(rows.cells.num_rows, "", object)


def _shown(parsed: ParsedTimes, reading: SeriesReading) -> "pd.Series[pd.Timestamp]":
    """The times as the clocks of the zone show them."""
    if not parsed.has_offset or reading.clock.zone == "UTC":
        return parsed.times
    utc = parsed.times.dt.tz_localize("UTC")
    return utc.dt.tz_convert(reading.clock.zone).dt.tz_localize(None)


def _settled(reading: SeriesReading, columns: SeriesColumns, parsed: ParsedTimes) -> SeriesReading:
    order = clock.order_of(parsed.format, reading.csv.day_first)
    written = dataclasses.replace(reading.csv, day_first=order)
    return dataclasses.replace(reading, columns=columns, csv=written)


def _untimed(rows: SeriesRows, time: Sequence[str], row: int) -> str:
    cells = ", ".join(str(rows.cells.column(name)[row].as_py() or "") for name in time)
    return f"no time that can be read: {cells!r}"


def _melted(table: pd.DataFrame, columns: SeriesColumns) -> pd.DataFrame:
    """A row for each of the columns that are a series, of the series' name."""
    parts = [
        table[["series", "time"]].assign(
            series=[f"{name}/{column}" if name else column for name in table["series"]],
            **{columns.targets[0]: table[column]},
        )
        for column in columns.wide
    ]
    return pd.concat(parts)


def _show(found: ReadSeries) -> None:
    for kind, items in (("rejected", found.rejected), ("bad cell", found.bad_cells)):
        shown = first_rejected(items)
        for line in shown:
            logger.warning("%s %s", kind, line)
        if len(items) > len(shown):
            logger.warning("%s: %d more", kind, len(items) - len(shown))


def _on_clock(table: pd.DataFrame, reading: SeriesReading) -> tuple[pd.DataFrame, str]:
    """Times as the zone's days have them for steps of a day or more, in UTC for shorter ones.

    Before rows are ordered: of the hour that clocks show twice, the file says which came first.
    """
    zone = reading.clock.zone
    times = table.sort_values("time").groupby("series")["time"]
    apart = times.diff().dropna().dt.total_seconds()
    is_daily = are_daily = bool(len(apart)) and float(apart.mode().iloc[0]) >= _DAILY
    if reading.rows.resample:
        step = pd.tseries.frequencies.to_offset(reading.rows.resample)
        start = pd.Timestamp("2001-01-01")
        is_daily = (start + 2 * step - start).total_seconds() >= _DAILY
    if not are_daily:
        daylight.check_clock(table, reading)
    return (table, zone) if is_daily else (in_utc(table, zone), "UTC")


def in_order(
    raw: pd.DataFrame, zone: str, reading: SeriesReading, counts: GridCounts
) -> pd.DataFrame:
    """`raw`, whose times are of `zone`, by series and time; see `grid.ordered`.

    Rows that are to be brought to the days of a zone are ordered in UTC, where the hour that its
    clocks show twice is two.
    """
    duplicates = reading.rows.duplicates
    if zone == "UTC" or not reading.rows.resample:
        return grid.ordered(raw, duplicates, counts)
    table = grid.ordered(in_utc(raw, zone), duplicates, counts)
    shown = table["time"].dt.tz_localize("UTC").dt.tz_convert(zone).dt.tz_localize(None)
    return table.assign(time=shown)


def in_utc(table: pd.DataFrame, zone: str) -> pd.DataFrame:
    """`table` with its times, which the clocks of `zone` showed, in UTC."""
    if zone == "UTC":
        return table
    again = daylight.second_runs(table)
    return table.assign(time=clock.to_utc(pd.DatetimeIndex(table["time"]), zone, again))


def _cuts(
    table: pd.DataFrame,
    step: str,
    zone: str,
    reading: SeriesReading,
    files: Mapping[str, pd.Timestamp],
    own: str,
) -> Cuts:
    is_known = table[list(reading.columns.targets)].notna().any(axis=1)
    first, last = table["time"].min(), _last_known(is_known.groupby(table["time"]).any())
    index = grid.times(first, last, step, resampled=bool(reading.rows.resample))
    unit = time_unit(step)
    times = clock.unix(clock.to_utc(index, zone), unit)
    cutting = reading.cutting
    if cutting.dates:
        first = next(iter(cutting.shares))
        moments = _moments(list(cutting.dates.values()), reading.clock.zone, reading.csv, own)
        starts = dict(zip(cutting.dates, clock.unix(moments, unit).tolist(), strict=True))
        found = cuts.by_dates(times, first, starts, unit)
    elif files:
        index_of_files = clock.to_utc(pd.DatetimeIndex(list(files.values())), zone)
        starts = dict(zip(files, clock.unix(index_of_files, unit).tolist(), strict=True))
        found = _cuts_of_files(times, starts, cutting.shares, unit)
    else:
        found = cuts.by_shares(times, cutting.shares, unit)
    if cutting.folds > 1 or cutting.fold:
        found = cuts.roll_forward(found, times, cutting.folds, cutting.fold, cutting.origin)
    if reading.rows.resample and found.edges[-1] > times[-1]:
        end = clock.unix(clock.to_utc(grid.last_moments(index[-1:], step), zone), unit)
        return dataclasses.replace(found, edges=(*found.edges[:-1], int(end[0]) + 1))
    return found


def _last_known(is_known: "pd.Series[bool]") -> pd.Timestamp:
    """The last time, less blank ones at the end if more are than in any gap: to be forecast."""
    known = np.flatnonzero(is_known)
    ahead = len(is_known) - 1 - int(known[-1]) if len(known) else 0
    is_future = ahead > max(1, *(np.diff(known) - 1).tolist(), 0)
    return is_known.index[-1 - ahead if is_future else -1]


def _cuts_of_files(
    times: NDArray[np.int64], starts: dict[str, int], shares: Mapping[str, float], unit: cuts.Unit
) -> Cuts:
    """Cuts where the files of each split begin; the end of train is eval's where it has none."""
    first = next(iter(starts))
    if first == "train" and "eval" not in starts and {"train", "eval"} <= shares.keys():
        end = np.searchsorted(times, min(starts[name] for name in starts if name != first))
        kept = shares["train"] / (shares["train"] + shares["eval"])
        starts["eval"] = int(times[round(end * kept)])
        logger.info(
            "the files hold no split eval: it is the last %.0f%% of train, from %s",
            *(100 * (1 - kept), np.datetime64(starts["eval"], unit)),
        )
    later = sorted((name for name in starts if name != first), key=starts.__getitem__)
    return cuts.by_dates(times, first, {name: starts[name] for name in later}, unit)


def _moments(texts: Sequence[str], zone: str, given: CsvFormat, own: str) -> pd.DatetimeIndex:
    """The times, in UTC, that a person wrote as any column of times may be written.

    Each is of the form `own` if it can be, as the times of the data are; what one of them says of
    the order of day and month holds for the others.
    """
    written = [text.strip() for text in texts]
    cells = [f"{text}-01" if text.isdecimal() and len(text) == 4 else text for text in written]
    every = dates.candidates("", given.day_first)
    fits = [[form for form, _ in dates.fits(pa.array([cell]), every)] for cell in cells]
    said = [{clock.order_of(form, "auto") for form in forms} - {"auto"} for forms in fits]
    orders = {order for each in said if len(each) == 1 for order in each}
    found = list[pd.Timestamp]()
    for text, cell, fitting in zip(texts, cells, fits, strict=True):
        array = pa.array([cell])
        year_last = [form for form in fitting if not form.startswith("%y")] or fitting
        of_order = [form for form in year_last if {clock.order_of(form, "auto")} == orders]
        forms = [form for form in fitting if form in dates.parts(own)] or of_order or year_last
        read = {dates.read(array, form)[0].as_py() for form in forms}
        if len(read) != 1:
            raise OptionError(
                "series_example_gen, option split_dates: expected a date such as 2019-01-31, which "
                f"can be read in one way. Received: {text!r}. Write the year, month and day in "
                "this order."
            )
        moment = pd.DatetimeIndex([read.pop()])
        has_offset = any(dates.have_offsets(array, form) for form in forms)
        found.append((moment if has_offset else clock.to_utc(moment, zone))[0])
    return pd.DatetimeIndex(found)


def _warn_of_clock(table: pd.DataFrame, step: str, zone: str) -> None:
    if zone == "UTC" and (hint := daylight.spring_hint(table, step)):
        logger.warning("%s", hint)


def _warn_of_stand_ins(table: pd.DataFrame, columns: tuple[str, ...]) -> None:
    for name in columns:
        for found in stand_ins.among(table[name].to_numpy(np.float64)):
            logger.warning(
                "column %r: %s. If it means that there is no value: "
                "`--set series_example_gen.csv.missing=%s`",
                *(name, found, found.text),
            )


def _report(written: Written, plan: SeriesPlan, reading: SeriesReading) -> None:
    counts = written.counts
    logger.info(
        "a row every %s: %s",
        *(plan.step, ", ".join(f"{name} {rows}" for name, rows in written.rows.items())),
    )
    logger.info(
        "%d rows out of order, %d repeated; %d times without a row, %d cells missing (impute=%s), "
        "%d rows without a target trimmed from the ends%s",
        *(counts.disorder, counts.repeated, counts.added, counts.missing, reading.rows.impute),
        counts.trimmed,
        f"; {counts.merged} rows merged into longer steps" if counts.merged else "",
    )
    if written.rejected:
        first = written.rejected[0]
        logger.info(
            "%d times a series has no row in a split, such as %r (%s): see rejected.jsonl",
            *(len(written.rejected), first.source, first.reason),
        )
    if counts.outside:
        logger.info("%d rows lie outside of all splits, and are left out", counts.outside)
    if counts.partial:
        logger.info("%d steps at the ends are filled in part only: missing", counts.partial)


def _notes(
    written: Written, plan: SeriesPlan, reading: SeriesReading, found: ReadSeries
) -> dict[str, Property]:
    """What the summary of the records says of the series; JSON text where it is a list."""
    columns, counts = reading.columns, written.counts
    return {
        **{name: json.dumps(getattr(columns, name)) for name in ("targets", "covariates", "known")},
        "time": json.dumps(columns.time),
        "frequency": plan.step,
        "zone": reading.clock.zone,
        "impute": reading.rows.impute,
        "impute_season": reading.rows.season or grid.season_of(plan.step),
        **({"series": json.dumps(columns.series)} if columns.series else {}),
        "encoding": found.rows.dialect.encoding,
        "read": counts.rows,
        "disorder": counts.disorder,
        "repeated": counts.repeated,
        **({"merged": counts.merged} if plan.aggregate else {}),
        "added": counts.added,
        "partial": counts.partial,
        "missing": counts.missing,
        "trimmed": counts.trimmed,
        **({"outside": counts.outside} if counts.outside else {}),
        **({"bases": json.dumps(dict(plan.bases))} if plan.bases else {}),
        **{f"rows_{name}": rows for name, rows in written.rows.items()},
    }


def _lack(written: Written, plan: SeriesPlan, limit: float, table: pd.DataFrame) -> str:
    """What a set of series cannot do without, and lacks; empty if it has all."""
    empty = [split for split, rows in written.rows.items() if not rows]
    if empty:
        return (
            f"series_example_gen: expected rows in every split. Received: none in "
            f"{', '.join(empty)} of {dict(written.rows)} rows {plan.step} apart. Change "
            "series_example_gen.splits, or impute what is missing there."
        )
    missing, cells = written.counts.missing, sum(written.rows.values()) * len(plan.columns)
    if missing <= limit * cells:
        return ""
    longer = grid.longer_step(table, plan.targets, plan.step, limit)
    advice = f"bring it to a longer step by series_example_gen.resample={longer}, "
    return (
        f"series_example_gen: expected at most {limit:.2%} of cells that were missing. Received: "
        f"{missing} of {cells} ({missing / max(1, cells):.2%}). Correct the data, "
        f"{advice if longer else ''}or raise series_example_gen.max_filled."
    )
