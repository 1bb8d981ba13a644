"""Tables in CSV files to `Examples`, one feature per column."""

import functools
from typing import Literal

from etils.epath import Path

from millrace.components.artifacts import Examples, Property, RawFiles
from millrace.components.beam.options import BeamOptions
from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.shards.splits import DEFAULT_SHARES, Shares, SplitRule
from millrace.components.example_gen.shards.tally import finish
from millrace.components.options.ranges import Shards, Share, ShareBelowOne

_STEP = "csv_example_gen"
AS_DETECTED = CsvFormat()


def csv_example_gen(
    source: RawFiles,
    out: Path,
    *,
    run_on: BeamOptions,
    csv: CsvFormat = AS_DETECTED,
    label: str | None = None,
    dates: Literal["parts", "seconds", "text"] = "parts",
    drop: tuple[str, ...] = (),
    splits: Shares = DEFAULT_SHARES,
    eval_from_train: ShareBelowOne = 0.0,
    max_rejected: Share = 0.01,
    shards: Shards = 0,
) -> Examples:
    """Turn the rows of a CSV, or of a folder of them, into records.

    A column becomes a feature of its name: int64, float32 or bytes, by what all its cells can
    be read as, or all but a few; a row lacks the feature where its cell is missing or is one of
    those few. Columns without any value are left out.

    Args:
        source: a CSV, maybe gzipped, or a folder of such files with the same columns, or an
            archive of either; files or folders named `train`, `test` and so on are splits.
        out: becomes the records.
        run_on: where Beam runs.
        csv: how the files are written; detected where nothing is said.
        label: the feature to predict, whose rows without it are counted and left out. None:
            the one called label, target, class, species, price or similar, else the last column
            that is neither a date nor mostly empty.
        dates: become their `parts` (`<column>/year`, `/month`, `/day`, `/weekday`, and
            `/hour`, `/minute` where they have a time), Unix `seconds`, or stay `text`.
        drop: columns to leave out.
        splits: share of each split, chosen by each row's content; used for rows that come
            in no split of their own.
        eval_from_train: share of a given train split to hold out as `eval`, where the data
            has no eval split of its own.
        max_rejected: share of unusable rows above which the step fails.
        shards: files per split, about; 0 makes eight, or as many as take 16 to 64 MiB of CSV each.

    Raises:
        DataError: there is no table, the files have different columns, what a date or a number
            means cannot be told, or too many rows are unusable.
        OptionError: the shares are not valid, or a column, a type or the label is unknown.
    """
    from millrace.components.example_gen.csv import files, passes, plan
    from millrace.components.example_gen.unlabelled_rows import source as sources
    from millrace.components.files import archives
    from millrace.components.files.walk import is_hidden

    rule = SplitRule.of(_STEP, splits, eval_from_train)
    examples = Examples(out)
    with archives.unpacked(source.path, out, is_hidden) as place:
        root, listing = files.list_tables(place)
        rule = rule.for_given(listing.given)
        dialect = files.settle(root, listing, csv)
        tables = passes.CsvFiles(str(root), dialect)
        spans = files.cut(root, listing, dialect, shards)
        candidates = plan.candidates(_STEP, dialect, csv, dates, drop, clock=True)
        evidence = passes.gather(run_on, out, tables, spans, candidates)
        find = functools.partial(passes.place_of, tables, spans)
        layout = plan.settle(_STEP, place, dialect, evidence, csv, dates, find, codes=True)
        blocks = (block for span in spans for block in tables.blocks(span))
        plan.tell_strays(dialect, evidence, layout.readings, csv, blocks)
        truth = plan.label(_STEP, label, layout, evidence)
        tally = passes.write(run_on, examples, tables, spans, layout, rule, truth)
    bad_cells = [*tally.bad_cells, *tally.unlabelled.because("column ")]
    plan.tell_bad_cells(_STEP, bad_cells, evidence, layout, csv, max_rejected)
    tally.rejected.extend(listing.rejected)
    sources.write(sources.TableSource(dialect, layout), examples)
    notes: dict[str, Property] = {
        "columns": len(layout.readings),
        "label": truth,
        "encoding": dialect.encoding,
    }
    return finish(_STEP, examples, tally, listing.ignored, max_rejected, what="rows", notes=notes)
