"""The rows of a CSV as raw records to predict, read as the model's training data was."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from etils.epath import Path

from millrace.components.artifacts import Rejected
from millrace.components.errors import DataError
from millrace.components.example_gen.csv import columns, files, parsing, passes, spans
from millrace.components.example_gen.csv.columns import TEXT, ColumnReading, Evidence
from millrace.components.example_gen.csv.dialect import CsvFormat, Dialect
from millrace.components.example_gen.csv.parsing import Block, TableLayout
from millrace.components.example_gen.unlabelled_rows.source import TableSource
from millrace.serving.example import Decoded

AS_DETECTED = CsvFormat()

Line = tuple[int, Decoded]  # the line of the file that a row begins in, and its features


def read(
    file: Path, needed: Mapping[str, bool], source: TableSource | None
) -> Iterator[Line | Rejected]:
    """The rows of `file`, and those that cannot be read; columns that are not needed are ignored.

    A missing cell makes no feature.

    Args:
        file: a CSV, maybe gzipped, in any order of columns.
        needed: features by name, and whether each is text; a date is needed by its parts.
        source: how the training data was read. None: as the cells look.

    Raises:
        DataError: it is not a table, has no row, or no column that is needed.
    """
    root, listing = files.list_tables(file)
    dialect = _named(files.settle(root, listing, _format(source)), needed, source)
    blocks = [
        Block(file.name, line, data, "utf-8" if span.whole else dialect.encoding)
        for span in files.cut(root, listing, dialect, 1)
        for data, line in spans.blocks(root, span, dialect)
    ]
    layout = _layout(file, blocks, dialect, needed, source)
    for block in blocks:
        rows = parsing.features(block, dialect, layout, asked=True)
        yield from rows.rejected
        yield from _lines(block, rows, dialect, needed)


def with_dates(cells: Mapping[str, str], source: TableSource) -> dict[str, str]:
    """`cells` by column, each date replaced by the features that the ingest makes of it.

    Raises:
        DataError: a date is written in another way than the training data's.
    """
    found: dict[str, str] = {}
    for name, cell in cells.items():
        reading = source.layout.readings.get(name)
        if reading is None or reading.kind != "date" or not cell:
            found[name] = cell
            continue
        values, is_misfit = columns.convert(pa.array([cell]), reading)
        if is_misfit.true_count:
            raise DataError(
                f"{name}: expected {columns.expected(reading)}. Received: {cell!r}. Write it so."
            )
        made = columns.features(name, values, reading, source.layout.dates)
        found |= {each: str(number[0]) for each, number in made.items()}
    return found


def _lines(
    block: Block, rows: parsing.Features, dialect: Dialect, needed: Mapping[str, bool]
) -> Iterator[Line]:
    kept = {name: values.to_pylist() for name, values in rows.columns.items() if name in needed}
    lines = parsing.lines_of(rows.places.tolist(), block, rows.text, dialect)
    for row, line in enumerate(lines):
        cells = {name: values[row] for name, values in kept.items()}
        yield line, {name: _value(cell) for name, cell in cells.items() if cell is not None}


def _value(cell: str | float) -> list[bytes] | np.ndarray:
    return [cell.encode()] if isinstance(cell, str) else np.array([cell], np.float32)


def _format(source: TableSource | None) -> CsvFormat:
    """What of the training data's form is not to be detected again."""
    if source is None:
        return AS_DETECTED
    learnt = source.dialect
    return CsvFormat(
        quoting=bool(learnt.quote),
        decimal=learnt.decimal,
        thousands=learnt.thousands,
        missing=learnt.missing,
        default_missing=False,
        fill_short=learnt.fill_short,
    )


def _named(dialect: Dialect, needed: Mapping[str, bool], source: TableSource | None) -> Dialect:
    """`dialect`, with the training data's names where the file has none of its own.

    It may lack what was learnt to be predicted.
    """
    if source is None or any(_is_used(name, needed, source) for name in dialect.names):
        return dialect
    every = source.dialect.names
    used = tuple(name for name in every if _is_used(name, needed, source))
    names = every if len(every) == len(dialect.names) else used
    if len(names) != len(dialect.names):
        return dialect
    return dataclasses.replace(dialect, header=False, names=names)


def _layout(
    file: Path,
    blocks: Sequence[Block],
    dialect: Dialect,
    needed: Mapping[str, bool],
    source: TableSource | None,
) -> TableLayout:
    dates = source.layout.dates if source else "parts"
    known = {name: _reading(name, needed, source) for name in dialect.names}
    unknown = {name: _candidates(name, needed, dialect) for name in known if known[name] is None}
    evidence = {name: Evidence(kept) for name, kept in unknown.items() if kept}
    for block in blocks if evidence else ():
        evidence = passes.with_block(evidence, block, dialect)
    seen = {
        name: each.best.reading if each.best.misfits < each.filled else unknown[name][0]
        for name, each in evidence.items()
    }
    readings = {name: known[name] or seen.get(name) for name in dialect.names}
    found = {name: reading for name, reading in readings.items() if reading is not None}
    if not found:
        raise DataError(
            f"{file}: expected columns that the model takes: {', '.join(needed)}. Received: "
            f"{', '.join(dialect.names)}. Name them in the first line."
        )
    return TableLayout(found, dates, least=1)


def _reading(
    name: str, needed: Mapping[str, bool], source: TableSource | None
) -> ColumnReading | None:
    """How column `name` was read, if a feature that it makes is needed.

    None for a whole number as well: others of the column may be none, and are fine.
    """
    reading = source.layout.readings[name] if source and _is_used(name, needed, source) else None
    return reading if reading is not None and reading.kind != "int" else None


def _is_used(name: str, needed: Mapping[str, bool], source: TableSource) -> bool:
    reading = source.layout.readings.get(name)
    made = columns.feature_names(name, reading, source.layout.dates) if reading else []
    return any(feature in needed for feature in made)


def _candidates(
    name: str, needed: Mapping[str, bool], dialect: Dialect
) -> tuple[ColumnReading, ...]:
    """What a column that nothing is known of may be read as, by what is needed of it."""
    if needed.get(name):
        return (TEXT,)
    kind = "float" if name in needed else "date" if f"{name}/year" in needed else ""
    every = columns.readings(
        dialect.decimal, dialect.thousands, comma_parts_cells=dialect.delimiter == ",", name=name
    )
    return columns.of_type(kind, every) if kind else ()
