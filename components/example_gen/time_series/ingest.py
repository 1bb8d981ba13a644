"""From CSV files to the records of series: read, sorted, resampled, split, written."""

import dataclasses
import json
import logging
import shlex

import numpy as np
import pandas as pd
from etils.epath import Path

from millrace.components.artifacts import Examples, Property, Rejected
from millrace.components.beam.options import BeamOptions
from millrace.components.beam.rejected import check_rejected
from millrace.components.errors import DataError, OptionError
from millrace.components.example_gen.time_series import bases, clock, cuts, grid, grid_size, records
from millrace.components.example_gen.time_series import columns as columns_of_series
from millrace.components.example_gen.time_series import reading as series_files
from millrace.components.example_gen.time_series.cuts import Cuts
from millrace.components.example_gen.time_series.grid import GridCounts
from millrace.components.example_gen.time_series.options import SeriesReading, SeriesSource
from millrace.components.example_gen.time_series.records import SeriesPlan, Written
from millrace.components.files import printable

logger = logging.getLogger("millrace.components.series_example_gen")

_DAILY = 86400  # seconds; steps from here on follow the days of the zone, shorter ones UTC


def ingest(
    source: Path, out: Examples, run_on: BeamOptions, reading: SeriesReading
) -> tuple[Examples, SeriesSource]:
    """Write the series in the files at `source` to `out`; see `series_example_gen`.

    Returns:
        The records, and how the files were read, with all that was chosen from the data.
    """
    if reading.clock.zone != "UTC":
        clock.check_zone(reading.clock.zone)
    step = grid.check_frequency(reading.rows.resample) if reading.rows.resample else ""
    raw, reading, rejected = read(source, reading)
    columns, counts = reading.columns, GridCounts()
    raw, zone = _on_clock(raw, reading)
    table = grid.ordered(raw, reading.rows.duplicates, counts)
    step = step or grid.frequency(table.set_index("series")["time"])

    if excess := grid_size.excess(table, step):
        gap = described_gap(source, reading, raw, table, step)
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
        cuts=_cuts(table, step, zone, reading),
        zone=zone,
        bases=bases.find(table, columns.values, step, aggregate, reading.rows.impute),
    )
    written = records.write(run_on, out, table, plan)
    written.counts.add(counts)
    if lack := _lack(written, plan, reading.limits.filled):
        gap = described_gap(source, reading, raw, table, step)
        raise DataError(f"{lack} The widest gap: {gap or 'none'}.")
    _report(written, plan, reading)
    notes = _notes(written, plan, reading)
    examples = out.write_summary(written.records, [*rejected, *written.rejected], notes)
    return examples, SeriesSource(reading, plan.step, plan.zone, dict(plan.bases))


def described_gap(
    source: Path, reading: SeriesReading, raw: pd.DataFrame, table: pd.DataFrame, step: str
) -> str:
    """Where the grid of `table` lacks the most rows, by file and line; empty if it lacks none.

    Args:
        source: of the rows.
        reading: how they were read.
        raw: its rows, numbered as they lie in the files.
        table: the same in order.
        step: of the grid.
    """
    gap = grid_size.widest_gap(table, step)
    if gap is None or gap.rows < 1:  # a step longer than it leaves less than none
        return ""
    is_it = (raw["series"] == gap.series) & (raw["time"] == gap.stray)
    place = series_files.place_of(source, reading.csv, int(raw.index[is_it][0]))
    return f"{gap} ({place})"


def read(
    source: Path, reading: SeriesReading
) -> tuple[pd.DataFrame, SeriesReading, list[Rejected]]:
    """The rows in the files at `source`, how they were read, and those without a time.

    Returns:
        Columns `series`, `time` (as the clock showed it, or UTC) and values, float64, with the
        numbers of the rows in the files; `reading` with the columns that were chosen, and the
        order of day and month that was found.
    """
    text, dialect, unread = series_files.read(source, reading.csv)
    for item in unread:
        logger.warning("rejected %s: %s", printable.one_line(item.source), item.reason)
    files = text.pop(series_files.FILE)
    columns = columns_of_series.choose(text, reading.columns, reading.clock.day_first, dialect)
    parsed = clock.read(text, columns.time, reading.clock.form, reading.clock.day_first)
    logger.info("%d rows; times read as %s", len(text), parsed.format)
    if reading.rows.duplicates == "error" and not reading.series_per_file:
        _advise(columns_of_series.telling_apart(text, columns))
    names = files if reading.series_per_file else pd.Series("", index=text.index, dtype=object)
    if columns.series:
        names = text[columns.series].fillna("")
    limit = reading.limits.rejected
    read_all = {
        name: columns_of_series.numbers(text, name, dialect, limit) for name in columns.values
    }
    values = {name: numbers for name, (numbers, _) in read_all.items()}
    bad_cells = [
        Rejected(
            str(files.iloc[row]),
            f"column {name!r}: expected a number, received {text[name].iloc[row]!r}; taken as "
            "missing",
            f"data row {row + 1}",
        )
        for name, (_, wrong) in read_all.items()
        for row in wrong.tolist()
    ]
    table = pd.DataFrame({"series": names.astype(object), "time": parsed.times, **values})
    if parsed.has_offset and reading.clock.zone != "UTC":
        shown = pd.DatetimeIndex(table["time"]).tz_localize("UTC").tz_convert(reading.clock.zone)
        table["time"] = shown.tz_localize(None)
    lacking = np.flatnonzero(table["time"].isna().to_numpy())
    rejected = [
        Rejected(str(files.iloc[row]), "no time that can be read", f"data row {row + 1}")
        for row in lacking.tolist()
    ]
    found = len(table) + len(unread)
    check_rejected("series_example_gen", [*unread, *rejected], found, limit, what="rows")
    table = table.drop(index=table.index[lacking])
    order = clock.order_of(parsed.format, reading.clock.day_first)
    settled = dataclasses.replace(reading.clock, day_first=order)
    settled_reading = dataclasses.replace(reading, columns=columns, clock=settled)
    return table, settled_reading, [*unread, *rejected, *bad_cells]


def _on_clock(table: pd.DataFrame, reading: SeriesReading) -> tuple[pd.DataFrame, str]:
    """Times as the zone's days have them for steps of a day or more, in UTC for shorter ones.

    Before rows are ordered: of the hour that clocks show twice, the file says which came first.
    """
    zone = reading.clock.zone
    if zone == "UTC":
        return table, zone
    if reading.rows.resample:
        step = pd.tseries.frequencies.to_offset(reading.rows.resample)
        start = pd.Timestamp("2001-01-01")
        is_daily = (start + 2 * step - start).total_seconds() >= _DAILY
    else:
        times = table.sort_values("time").groupby("series")["time"]
        steps = times.diff().dropna().dt.total_seconds()
        is_daily = bool(len(steps)) and float(steps.mode().iloc[0]) >= _DAILY
    return (table, zone) if is_daily else (in_utc(table, zone), "UTC")


def in_utc(table: pd.DataFrame, zone: str) -> pd.DataFrame:
    """`table` with its times, which the clocks of `zone` showed, in UTC."""
    again = table.duplicated(["series", "time"]).to_numpy()
    return table.assign(time=clock.to_utc(pd.DatetimeIndex(table["time"]), zone, again))


def _cuts(table: pd.DataFrame, step: str, zone: str, reading: SeriesReading) -> Cuts:
    first, last = table["time"].min(), table["time"].max()
    index = grid.times(first, last, step, resampled=bool(reading.rows.resample))
    times = clock.seconds(clock.to_utc(index, zone))
    cutting = reading.cutting
    if cutting.dates:
        first = next(iter(cutting.shares))
        starts = {name: _moment(text, zone) for name, text in cutting.dates.items()}
        found = cuts.by_dates(times, first, starts)
    else:
        found = cuts.by_shares(times, cutting.shares)
    if cutting.folds > 1 or cutting.fold:
        return cuts.roll_forward(found, times, cutting.folds, cutting.fold, cutting.origin)
    return found


def _moment(text: str, zone: str) -> int:
    try:
        found = pd.DatetimeIndex([pd.Timestamp(text)])
    except ValueError as error:
        raise OptionError(
            f"series_example_gen, option split_dates: expected a date such as 2019-01-31. "
            f"Received: {text!r}. Correct it."
        ) from error
    utc = found.tz_convert("UTC").tz_localize(None) if found.tz else clock.to_utc(found, zone)
    return int(clock.seconds(utc)[0])


def _advise(name: str) -> None:
    if name:
        logger.warning(
            "times repeat, but never with the same %s: `--set series_example_gen.series=%s` makes "
            "a series of each",
            *(name, shlex.quote(name)),
        )


def _report(written: Written, plan: SeriesPlan, reading: SeriesReading) -> None:
    counts = written.counts
    logger.info(
        "a row every %s: %s",
        *(plan.step, ", ".join(f"{name} {rows}" for name, rows in written.rows.items())),
    )
    logger.info(
        "%d rows out of order, %d repeated; %d times without a row, %d cells missing (impute=%s), "
        "%d rows without a target trimmed from the ends",
        *(counts.disorder, counts.repeated, counts.added, counts.missing, reading.rows.impute),
        counts.trimmed,
    )
    if counts.partial:
        logger.info("%d steps at the ends are filled in part only: missing", counts.partial)


def _notes(written: Written, plan: SeriesPlan, reading: SeriesReading) -> dict[str, Property]:
    """What the summary of the records says of the series; JSON text where it is a list."""
    columns, counts = reading.columns, written.counts
    return {
        **{name: json.dumps(getattr(columns, name)) for name in ("targets", "covariates", "known")},
        "time": json.dumps(columns.time),
        "frequency": plan.step,
        "zone": reading.clock.zone,
        "impute": reading.rows.impute,
        "impute_season": reading.rows.season or grid.season_of(plan.step),
        "read": counts.rows,
        "disorder": counts.disorder,
        "repeated": counts.repeated,
        "added": counts.added,
        "partial": counts.partial,
        "missing": counts.missing,
        "trimmed": counts.trimmed,
        **({"bases": json.dumps(dict(plan.bases))} if plan.bases else {}),
        **{f"rows_{name}": rows for name, rows in written.rows.items()},
    }


def _lack(written: Written, plan: SeriesPlan, limit: float) -> str:
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
    return (
        f"series_example_gen: expected at most {limit:.2%} of cells that were missing. Received: "
        f"{missing} of {cells} ({missing / max(1, cells):.2%}). Correct the data, bring it to a "
        "longer step by series_example_gen.resample, or raise series_example_gen.max_filled."
    )
