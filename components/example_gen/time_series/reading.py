"""CSV files of series to one table of text, of which each row is known by its file and line."""

import bisect
import dataclasses
import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from etils.epath import Path
from numpy.typing import NDArray

from millrace.components.artifacts import Rejected
from millrace.components.beam.rejected import check_rejected
from millrace.components.errors import DataError
from millrace.components.example_gen.csv import columns, dates, files, parsing, plan
from millrace.components.example_gen.csv.columns import TEXT, ColumnReading
from millrace.components.example_gen.csv.dialect import CsvFormat, Dialect
from millrace.components.example_gen.csv.evidence import Evidence, seen_in
from millrace.components.example_gen.csv.parsing import Block, ParsedCells
from millrace.components.example_gen.csv.passes import CsvFiles
from millrace.components.example_gen.shards.folders import Listing
from millrace.components.example_gen.time_series.options import SeriesReading, WithinDay
from millrace.serving.errors import few

logger = logging.getLogger("millrace.components.series_example_gen")

STEP = "series_example_gen"
AS_DETECTED = CsvFormat()
PARTS: dict[str, tuple[str, ...]] = {
    "year": ("year", "yr", "yyyy", "jahr", "annee", "année", "ano", "año", "anno"),
    "month": ("month", "mnth", "mon", "mm", "monat", "mois", "mes", "mese"),
    "day": ("day", "dd", "dom", "mday", "tag", "jour", "dia", "día", "giorno"),
    "hour": ("hour", "hr", "hh", "stunde", "heure", "hora", "ora"),
    "minute": ("minute", "min", "minuto"),
    "second": ("second", "sec", "sekunde", "seconde", "segundo"),
}
SPANS: dict[str, tuple[str, ...]] = {
    "quarter": ("quarter", "qtr", "q", "quartal", "trimestre"),
    "week": (
        *("week", "wk", "isoweek", "iso_week", "weekofyear", "week_of_year", "weeknumber"),
        *("week_number", "weeknum", "kw", "woche", "semaine", "semana"),
    ),
}
_OF = {alias: part for part, aliases in (PARTS | SPANS).items() for alias in aliases}
_SAMPLED = 1000  # cells that rule forms of dates out
_CELLS = 1 << 20  # of columns that are looked at together


@dataclasses.dataclass(frozen=True)
class Learnt:
    """How the cells of the training data were written, for others of the same kind.

    Attributes:
        within: a time of day in a column of its own.
        readings: each column that was used.
    """

    within: WithinDay = ""
    readings: dict[str, ColumnReading] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class SeriesSource:
    """How CSV files of series were read.

    Attributes:
        reading: what was requested, with the columns that were chosen.
        learnt: from their cells.
        step: of the grid, as pandas writes it.
        zone: of the grid's times.
        bases: by column, what its values are written less; see `features.precision`.
    """

    reading: SeriesReading
    learnt: Learnt
    step: str
    zone: str
    bases: dict[str, float] = dataclasses.field(default_factory=dict)
    kind: Literal["series"] = "series"


@dataclasses.dataclass(frozen=True)
class SeriesRows:
    """The rows of all files, one after another.

    Attributes:
        cells: strings [rows] by column, null where a cell is missing.
        dialect: how they are written.
        readings: of each column; none of one without any value.
        splits: that each row's file is of, or "", str [rows].
        rejected: files that cannot be read, and records of too many cells.
        ignored: files that are no tables.
        blocks: what they were read from, and their records.
    """

    cells: pa.Table
    dialect: Dialect
    readings: dict[str, ColumnReading]
    splits: np.ndarray
    rejected: list[Rejected]
    ignored: list[str]
    blocks: list[tuple[Block, ParsedCells]]

    def column(self, name: str) -> pa.StringArray:
        """The cells of one column, strings [rows]."""
        return self.cells.column(name).combine_chunks()

    def texts(self, name: str) -> pa.StringArray:
        """The same without spaces around, null where nothing is left."""
        return columns.convert(self.column(name), TEXT)[0]

    def path(self, row: int) -> str:
        """The file, below the source, that the row is of."""
        return self._block_of(row)[0].path

    def place(self, row: int) -> tuple[str, str]:
        """The file of the row, and the line that it begins in, in words."""
        block, cells, start = self._block_of(row)
        record = int(cells.places[row - start])
        (line,) = parsing.lines_of([record], block, cells.text, self.dialect)
        return block.path, f"line {line}"

    def rejection(self, row: int, reason: str) -> Rejected:
        """The row, set aside."""
        path, line = self.place(row)
        return Rejected(path, reason, line)

    def files(self) -> pa.StringArray:
        """The name of each row's file up to its first dot, strings [rows]."""
        names = [block.path.split("/")[-1].split(".")[0] for block, _ in self.blocks]
        counts = [len(cells.places) for _, cells in self.blocks]
        return pa.array(np.repeat(np.array(names, object), counts), pa.string())

    def _block_of(self, row: int) -> tuple[Block, ParsedCells, int]:
        ends = list(itertools.accumulate(len(cells.places) for _, cells in self.blocks))
        place = bisect.bisect_right(ends, row)
        block, cells = self.blocks[place]
        return block, cells, ends[place] - len(cells.places)


def part_of(name: str) -> str | None:
    """The part of a time that a column of this name holds, by the usual names."""
    return _OF.get(name.strip().lower())


def read(source: Path, given: CsvFormat, learnt: Learnt | None = None) -> SeriesRows:
    """The rows of the file `source`, or of all tables in that folder, as text.

    Args:
        source: a file, or a folder.
        given: how they are written; what is not given is detected.
        learnt: of the training data, where these are others of its kind.

    Raises:
        DataError: there is no such file, one cannot be read or has no row, or their columns differ.
    """
    root, listing = files.list_tables(source)
    if learnt is None:
        _ignore_future(root, listing, given)
    dialect = files.settle(root, listing, given, is_another=learnt is not None)
    tables = CsvFiles(str(root), dialect)
    blocks: list[tuple[Block, ParsedCells]] = []
    splits: list[np.ndarray] = []
    rows = dict.fromkeys((row.path for row in listing.rows), 0)
    for span in files.cut(root, listing, dialect, 0):
        for block in tables.blocks(span):
            cells = parsing.strings(block, dialect, dialect.names)
            blocks.append((block, cells))
            splits.append(np.full(len(cells.places), span.split, object))
            rows[span.path] += len(cells.places) + len(cells.rejected)
    empty = next((path for path, count in rows.items() if not count), None)
    if empty is not None:
        raise DataError(
            f"{root / empty}: expected rows below the header. Received: none. Fill the file."
        )
    rejected = [*listing.rejected, *(item for _, cells in blocks for item in cells.rejected)]
    cells = pa.concat_tables([cells.table for _, cells in blocks])
    if not cells.num_rows:
        check_rejected(STEP, rejected, len(rejected), 0.0, what="rows")
    return SeriesRows(
        cells,
        dialect,
        _readings(source, dialect, cells, given, learnt, [block for block, _ in blocks]),
        np.concatenate(splits),
        rejected,
        listing.ignored,
        blocks,
    )


def names(source: Path, given: CsvFormat) -> tuple[str, ...]:
    """The columns of the file `source`, which may be of the kind that was read as `given`.

    Raises:
        DataError: it is no table.
        OptionError: it has not as many columns as names were given.
    """
    root, listing = files.list_tables(source)
    return files.settle(root, listing, given, is_another=True).names


def _ignore_future(root: Path, listing: Listing, given: CsvFormat) -> None:
    """Leave out files of a later split that lack a column of train's: rows to be forecast."""
    train = next((row for row in listing.rows if row.split == "train"), None)
    if train is None or given.names or len(listing.given) < 2:
        return
    names = {row.path: files.settle(root, Listing([row]), given).names for row in listing.rows}
    every = names[train.path]
    for row in listing.rows:
        lacking = [name for name in every if name not in names[row.path]]
        if row.split != "train" and lacking and set(names[row.path]) < set(every):
            logger.warning(
                "%s lacks %s, which %s has: ignored, as rows that are to be forecast; the splits "
                "are cut from the others by series_example_gen.splits",
                *(row.path, few(map(repr, lacking)), train.path),
            )
            listing.ignored.append(row.path)
    listing.rows = [row for row in listing.rows if row.path not in listing.ignored]


def number_of(rows: SeriesRows, name: str) -> ColumnReading:
    """How the numbers of a column are written, by most of its cells, however many are none."""
    known = rows.readings.get(name, TEXT)
    if known.is_number:
        return known
    every = columns.of_type("number", plan.candidates(STEP, rows.dialect, AS_DETECTED)[name])
    found = Evidence(every).seen(rows.column(name), name).best.reading
    return found if found.is_number else ColumnReading("float")


def as_floats(
    cells: pa.StringArray, reading: ColumnReading
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Numbers as float64 [rows], NaN where a cell is missing or none; and which are the latter."""
    values, is_misfit = columns.convert(cells, reading, lenient=True)
    is_wrong = is_misfit.to_numpy(zero_copy_only=False)
    floats = pc.cast(values, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.where(is_wrong, np.nan, floats), is_wrong


def _readings(
    source: Path,
    dialect: Dialect,
    cells: pa.Table,
    given: CsvFormat,
    learnt: Learnt | None,
    blocks: Sequence[Block],
) -> dict[str, ColumnReading]:
    """How each column is read: as its cells suggest, or as the training data's were if they fit."""
    candidates = plan.candidates(STEP, dialect, given)
    known = learnt.readings if learnt else {}
    texts = {}
    for name in candidates:
        column = cells.column(name).combine_chunks()
        if learnt is None or (name in known and _misfit(column, known[name])):
            texts[name] = column
    evidence = {}
    for some in _together(texts):
        begun = {name: Evidence(every) for name, every in _likely(some, candidates).items()}
        for name, seen in seen_in(begun, some).items():
            zeros = 0 if part_of(name) in PARTS else seen.zeros  # `01` is a month and no code
            evidence[name] = _in_order(dataclasses.replace(seen, zeros=zeros), texts[name])
    if learnt is None:
        found = plan.settle(STEP, source, dialect, evidence, given, "seconds").readings
        plan.tell_strays(dialect, evidence, found, given, blocks)
        return found
    return known | {
        name: plan.choose(STEP, source, name, evidence[name], given) for name in evidence
    }


def _in_order(seen: Evidence, cells: pa.StringArray) -> Evidence:
    """What was `seen` of `cells`, less dates such as `31/01/20` where more rows are in order if the
    year comes first: of two ways to read them the wrong one leaps back at the end of a month.
    """
    every = [each.pattern for each in seen.candidates if each.kind == "date"]
    for form in every:
        first = dates.year_first(form)
        if first not in every or not seen.dates.get(first, 0) >= seen.dates.get(form, 0) > 0:
            continue
        others = [each for each in (form, dates.swapped(form)) if each in seen.dates]
        if _ordered(cells, first) > max(_ordered(cells, each) for each in others):
            dropped = {form, f"%m{form[2]}%d{form[5:]}"}
            kept = (each for each in seen.candidates if each.pattern not in dropped)
            seen = dataclasses.replace(seen, candidates=tuple(kept))
    return seen


def _ordered(cells: pa.StringArray, form: str) -> float:
    """The share of the steps from row to row that go the way that most go."""
    moments = dates.read(cells, form).drop_null().cast(pa.int64()).to_numpy()
    steps = np.sign(np.diff(moments))
    return float(max((steps > 0).sum(), (steps < 0).sum()) / max(1, np.count_nonzero(steps)))


def _together(texts: Mapping[str, pa.StringArray]) -> Iterator[dict[str, pa.StringArray]]:
    """The columns, some at a time: all of many short ones, whose cells are looked at as one."""
    some, count = dict[str, pa.StringArray](), 0
    for name, column in texts.items():
        if some and count + len(column) > _CELLS:
            yield some
            some, count = {}, 0
        some[name], count = column, count + len(column)
    if some:
        yield some


def _likely(
    texts: Mapping[str, pa.StringArray], candidates: Mapping[str, tuple[ColumnReading, ...]]
) -> dict[str, tuple[ColumnReading, ...]]:
    """Those of `candidates` that may be of most cells: no dates that none of a sample is."""
    samples = {}
    for name, column in texts.items():
        known = column.drop_null()
        samples[name] = known.take(pa.array(np.arange(0, len(known), 1 + len(known) // _SAMPLED)))
    begun = {name: Evidence(candidates[name]) for name in texts}
    likely = {}
    for name, seen in seen_in(begun, samples).items():
        found = tuple(each.pattern for each in seen.fits if each.kind == "date")
        likely[name] = tuple(  # a day beside the same with a time
            each
            for each in candidates[name]
            if each.kind != "date" or any(form.startswith(each.pattern) for form in found)
        )
    return likely


def _misfit(cells: pa.StringArray, reading: ColumnReading) -> bool:
    return bool(columns.convert(cells, reading, lenient=True)[1].true_count)
