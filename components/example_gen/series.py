"""CSV files of time series to `Examples`."""

from etils.epath import Path

from millrace.components.artifacts import Examples, RawFiles
from millrace.components.beam.options import BeamOptions
from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.shards.splits import Shares, SplitName
from millrace.components.example_gen.time_series.options import (
    SHARES,
    Aggregate,
    ClockOptions,
    Duplicates,
    GridOptions,
    Limits,
    RollingOrigin,
    SeriesColumns,
    SeriesReading,
    SplitOptions,
)
from millrace.components.features.series_spec import Impute
from millrace.components.options.ranges import Count, Number, Share

DETECTED = CsvFormat()
_NO_DATES: dict[str, str] = {}
_NONE: tuple[str, ...] = ()


def series_example_gen(
    source: RawFiles,
    out: Path,
    *,
    run_on: BeamOptions,
    time: tuple[str, ...] = _NONE,
    targets: tuple[str, ...] = _NONE,
    covariates: tuple[str, ...] = _NONE,
    known: tuple[str, ...] = _NONE,
    series: tuple[str, ...] = _NONE,
    series_per_file: bool = False,
    wide: bool = False,
    time_format: str = "",
    zone: str = "UTC",
    duplicates: Duplicates = "error",
    resample: str = "",
    aggregate: Aggregate = "mean",
    impute: Impute = "linear",
    season: Number = 0,
    splits: Shares = SHARES,
    split_dates: dict[SplitName, str] = _NO_DATES,
    folds: Count = 1,
    fold: Number = 0,
    origin: RollingOrigin = "expanding",
    csv: CsvFormat = DETECTED,
    max_rejected: Share = 0.01,
    max_filled: Share = 0.25,
) -> Examples:
    """Turn CSV files of series into records of regular rows, split by time.

    A record is one series in one split: `series` (its name), `time` (int64, Unix seconds, or
    microseconds where the noted `frequency` is in ms or us), `fold` (int64 per row), and float32
    per row under each value column's name, NaN where the cell is missing: what is filled and what
    was measured must stay distinguishable.

    Args:
        source: a CSV file, a folder of them, or an archive of either.
        out: becomes the records.
        run_on: where Beam runs.
        time: the column of times; several hold its parts (`year,month,day,hour`), or a date and
            the time of day (`date,time`, `date,hour`, `date,period`; hours, halves and quarters
            from 1 on are counted from midnight). None: the first column of times, with the time
            of day beside it where dates repeat.
        targets: columns to forecast. None: the column of numbers called like what is forecast
            usually (`sales`, `demand`, `value`) or like the file, else the first.
        covariates: columns that are known up to the last row only; `*` is every other one.
        known: columns that are known for the rows to be forecast as well.
        series: the columns that identify the series, by their cells together. None: where times
            repeat, the column or two of texts or whole numbers that tell their rows apart.
        series_per_file: each file is a series of its own, of the file's name.
        wide: each column of numbers (or of the targets) is a series of its own.
        time_format: strptime's, `unix`, or `quarter` for 2012-Q3 and the like; empty finds it
            over the whole column.
        zone: of clocks whose times say nothing of it, such as `Europe/Berlin`: the hour that they
            show twice in autumn is then two hours.
        duplicates: what becomes of rows of the same time with other values.
        resample: bring rows to this step, as pandas writes it: `500ms`, `15min`, `h`, `D`, `W`,
            `MS`. Rows that all lie within a tenth of a step around its times are moved there, or
            within a quarter, if some come early and some late.
        aggregate: of the rows that fall into one step.
        impute: what the model puts in place of the missing cells of a window, in training as in
            serving, from its other cells alone: the last value, a line (where the next value is
            not in the window, the last one), the value a season before, 0, or nothing, which
            leaves out the windows that they are in. A missing target is never made up.
        season: rows, for `seasonal`; 0 goes by the step.
        splits: share of each split, in the order of time.
        split_dates: where each split after train begins, instead of shares: `test=2019-01-01`,
            or as the data's times may be written (`1 Jan 2019`, `2019-01`, `2019`), by the clock
            of `zone`; with one for train, the rows before it are left out.
        folds: parts of the last split, each to be judged by itself.
        fold: 0 keeps them in one split; else the one to be judged, by a model trained on what
            comes before it.
        origin: whether train then grows with each fold, or keeps its length.
        csv: how the files are written; what is not given is detected.
        max_rejected: share of rows without a time above which the step fails.
        max_filled: share of cells that may be missing.

    Raises:
        DataError: a column is missing or holds something else, times are ambiguous, repeated or
            irregular, so far apart that their grid would be 16 times what was read (and over a
            million cells), or too much is missing.
        OptionError: an option does not fit another, or the data.
    """
    from millrace.components.example_gen.time_series import ingest
    from millrace.components.example_gen.unlabelled_rows import source as sources
    from millrace.components.files import archives
    from millrace.components.files.walk import is_hidden

    reading = SeriesReading(
        columns=SeriesColumns(time, targets, covariates, known, series),
        clock=ClockOptions(time_format, zone),
        rows=GridOptions(duplicates, resample, aggregate, impute, season),
        cutting=SplitOptions(splits, split_dates, folds, fold, origin),
        limits=Limits(max_rejected, max_filled),
        csv=csv,
        series_per_file=series_per_file,
        wide=wide,
    )
    with archives.unpacked(source.path, out, is_hidden) as root:
        examples, learnt = ingest.ingest(root, Examples(out), run_on, reading)
    sources.write(learnt, examples)
    return examples
