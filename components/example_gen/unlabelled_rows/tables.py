"""The rows of a CSV as raw records to predict, read as the model's training data was."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from etils.epath import Path

from millrace.components.artifacts import Rejected
from millrace.components.errors import DataError
from millrace.components.example_gen.csv import columns, dates, files, parsing, passes, spans
from millrace.components.example_gen.csv.columns import TEXT, ColumnReading
from millrace.components.example_gen.csv.dialect import CsvFormat, Dialect
from millrace.components.example_gen.csv.evidence import Evidence
from millrace.components.example_gen.csv.numbers import PERCENT
from millrace.components.example_gen.csv.parsing import Block, TableLayout
from millrace.components.example_gen.unlabelled_rows.source import TableSource
from millrace.serving.errors import few
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
    dialect = _named(files.settle(root, listing, _format(source), is_another=True), needed, source)
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


def as_read(row: Mapping[str, object], source: TableSource) -> dict[str, str]:
    """The features that the ingest makes of a row, as text; columns that it did not read as given.

    Text is read as a cell of the training data, or as a number in any form that is certain. A
    number is taken as it is, as is a missing cell: None, or a word for it.

    Args:
        row: cells by column.
        source: how the training data was read.

    Raises:
        DataError: a cell is not of its column.
    """
    found: dict[str, str] = {}
    for name, cell in row.items():
        reading = source.layout.readings.get(name)
        if cell is None or cell != cell or str(cell).strip() in ("", *source.dialect.missing):
            continue
        if reading is None:
            found[name] = str(cell)
        elif reading.is_number:
            found[name] = _number(name, cell, reading)
        elif reading.kind == "date":
            found |= _date(name, str(cell), reading, source)
        elif isinstance(cell, int | float) and not isinstance(cell, bool):
            raise DataError(
                f"{name}: expected text, as the training data's cells are. Received: the number "
                f"{cell}. Quote it, with its leading zeros if it has any."
            )
        else:
            found[name] = str(cell).strip()
    return found


def _number(name: str, cell: object, reading: ColumnReading) -> str:
    """The number in `cell`, whole or not: read so, else in the one way that fits it."""
    if not isinstance(cell, str):
        return str(cell)
    known = dataclasses.replace(reading, kind="float")
    others = columns.readings("auto", "", comma_parts_cells=True)
    seen = Evidence(tuple(each for each in others if each.kind == "float")).seen(pa.array([cell]))
    same = [each for each in seen.fits if (each.mark == PERCENT) == (known.mark == PERCENT)]
    for tried in ([known], same):
        read = {_value_of(cell, each) for each in tried} - {None}
        if len(read) == 1:
            return str(*read)
    raise DataError(
        f"{name}: expected {columns.expected(known)}. Received: {cell!r}. Write it so, or leave it "
        "out if it is not known."
    )


def _value_of(cell: str, reading: ColumnReading) -> float | None:
    values, is_misfit = columns.convert(pa.array([cell]), reading, lenient=True)
    value: float | None = values[0].as_py()
    return None if is_misfit.true_count else value


def _date(name: str, cell: str, reading: ColumnReading, source: TableSource) -> dict[str, str]:
    values, is_misfit = columns.convert(pa.array([cell]), reading)
    if is_misfit.true_count:
        raise DataError(
            f"{name}: expected {columns.expected(reading)}. Received: {cell!r}. Write it so."
        )
    made = columns.features(name, values, reading, source.layout.dates)
    return {each: str(number[0]) for each, number in made.items()}


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
        encoding=learnt.encoding,
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
            f"{few(dialect.names)}. Name them in the first line."
        )
    return TableLayout(found, dates, least=1)


def _reading(
    name: str, needed: Mapping[str, bool], source: TableSource | None
) -> ColumnReading | None:
    """How column `name` was read, if a feature that it makes is needed.

    None for a plain whole number as well: others of the column may be none, and are fine.
    """
    reading = source.layout.readings[name] if source and _is_used(name, needed, source) else None
    if reading is None or reading == ColumnReading("int"):
        return None
    return dataclasses.replace(reading, kind="float") if reading.kind == "int" else reading


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
    if f"{name}/hour" in needed and f"{name}/year" not in needed:
        return (ColumnReading("date", dates.CLOCK),)
    kind = "float" if name in needed else "date" if f"{name}/year" in needed else ""
    every = columns.readings(
        dialect.decimal, dialect.thousands, comma_parts_cells=dialect.delimiter == ",", name=name
    )
    return columns.of_type(kind, every) if kind else ()
