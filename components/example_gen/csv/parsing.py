"""Bytes of a CSV to the columns of its features: parsed and converted by Arrow.

A record of more cells than there are columns, or of fewer than those that are kept need, a byte
that is not of the encoding, and a record without any value are set aside with their line and the
reason; all others are kept. A cell that is not of its column's type is missing, and said to be.
"""

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

from millrace.components.artifacts import Rejected, SetAside
from millrace.components.example_gen.csv import columns, no_data, numbers
from millrace.components.example_gen.csv.columns import ColumnReading, Dates
from millrace.components.example_gen.csv.dialect import Dialect
from millrace.components.example_gen.csv.spans import line_end, line_ends, record_ends

_PLAIN = {"int": pa.int64(), "float": pa.float64()}
_NEWLINES = np.frombuffer(b"\r\n", np.uint8)
_BEGINNING = 2**16  # bytes that hold the records looked at first
_DIGITS = np.frombuffer(b"0123456789", np.uint8)


@dataclasses.dataclass(frozen=True)
class TableLayout:
    """The columns that become features.

    Attributes:
        readings: how each column is read, by name; a column that is not here is left out.
        dates: what becomes of a date.
        least: how many cells a record needs; those that it lacks at its end are missing.
    """

    readings: dict[str, ColumnReading]
    dates: Dates = "parts"
    least: int = 0


class Block(NamedTuple):
    """Raw bytes of whole records: the file they are of, the line they begin in, their encoding."""

    path: str
    line: int
    data: bytes
    encoding: str


class ParsedCells(NamedTuple):
    """The records of a block as columns, and what was set aside.

    `table` holds strings, or numbers where these were requested; `places` is the place of each
    row among the block's records, int64 [rows].
    """

    table: pa.Table
    places: NDArray[np.int64]
    text: bytes
    rejected: list[Rejected]

    @property
    def columns(self) -> dict[str, pa.Array]:
        """Each column as one array, by name."""
        return {name: self.table.column(name).combine_chunks() for name in self.table.column_names}


def strings(block: Block, dialect: Dialect, names: Sequence[str], least: int = 1) -> ParsedCells:
    """The columns `names` of `block`, cells as they stand there; missing ones null.

    Records of fewer than `least` cells, or of more than there are columns, are set aside.
    """
    return _parsed(block, dialect, dict.fromkeys(names, pa.string()), least)


def cells_of(
    block: Block, dialect: Dialect, readings: Mapping[str, ColumnReading | None], least: int = 1
) -> ParsedCells:
    """The columns of `readings`: numbers where theirs is a plain one that all cells fit.

    If a single cell does not fit, all columns are strings, as those of no reading are.
    """
    plain = {
        name: _PLAIN[reading.kind] if reading and reading.is_plain else pa.string()
        for name, reading in readings.items()
    }
    if not (pa.int64() in plain.values() and _may_be_hexadecimal(block.data)):
        with contextlib.suppress(pa.ArrowInvalid):  # a cell is not a plain number
            return _parsed(block, dialect, plain, least)
    return strings(block, dialect, list(readings), least)


def _may_be_hexadecimal(data: bytes) -> bool:
    """Whether `0x` stands anywhere: Arrow reads 0x10 as 16."""
    letters = np.frombuffer(data, np.uint8)
    return any(
        (letters[np.flatnonzero(letters[1:] == ord(x))] == ord("0")).any()
        for x in "xX"
        if x.encode() in data  # fast where there is none, other than a search for `0x`
    )


class Features(NamedTuple):
    """The features of a block's records by name, where those lie, and what was set aside.

    `places` and `text` are as in `ParsedCells`; `bad_cells` are missing in records that are kept.
    """

    columns: dict[str, pa.Array]
    places: NDArray[np.int64]
    text: bytes
    rejected: list[Rejected]
    bad_cells: list[Rejected]


def features(
    block: Block, dialect: Dialect, layout: TableLayout, *, asked: bool = False
) -> Features:
    """The features of the records in `block`, and what was set aside.

    Numbers are narrowed to float32. A cell that is not of its column is missing; a record of
    nothing but such cells, or of cells that repeat the header, is set aside, and so are totals.

    Args:
        block: of a file in the `dialect`.
        dialect: how it is written.
        layout: the columns that are read.
        asked: whether somebody wants an answer to each record: then numbers may be written plainly
            whatever the column's form is, and a record with a cell that is not of its column is set
            aside, unless it is a usual word for a missing value.
    """
    cells = cells_of(block, dialect, layout.readings, layout.least)
    found: dict[str, pa.Array] = {}
    misfits: dict[int, dict[str, str]] = {}
    for name, raw in cells.columns.items():
        reading = layout.readings[name]
        values, is_misfit = _converted(raw, reading, lenient=asked)
        rows = pc.indices_nonzero(is_misfit).to_pylist()
        written = raw
        if rows and raw.type != pa.string():
            written = strings(block, dialect, [name], layout.least).columns[name]
        for row in rows:
            misfits.setdefault(row, {})[name] = written[row].as_py()
        found |= columns.features(name, values, reading, layout.dates)
    reasons = no_data.aside(cells.columns, misfits, layout.readings)
    if not asked:
        reasons = no_data.of_totals(cells.columns, found, layout.readings) | reasons
    for row in np.flatnonzero(_is_blank(list(found.values()))).tolist():
        reason = no_data.of_misfits(misfits.get(row, {}), layout.readings)
        reasons.setdefault(row, reason or "no value in any column")
    bad = {
        row: [no_data.misfit(name, cell, layout.readings[name]) for name, cell in cell_of.items()]
        for row, cell_of in misfits.items()
        if row not in reasons and not (asked and columns.are_missing(cell_of.values()))
    }
    if asked:
        reasons |= {row: first for row, (first, *_) in bad.items()}
        bad = {}
    rejected = cells.rejected + _placed(block, cells, dialect, reasons)
    bad_cells = [
        each
        for count in range(max(map(len, bad.values()), default=0))
        for each in _placed(
            block, cells, dialect, {row: one[count] for row, one in bad.items() if count < len(one)}
        )
    ]
    places = cells.places
    if reasons:
        kept = np.ones(len(places), bool)
        kept[list(reasons)] = False
        found = {name: values.filter(pa.array(kept)) for name, values in found.items()}
        places = places[kept]
    return Features(found, places, cells.text, rejected, bad_cells)


def labelled(
    rows: Features, label: str, block: Block, dialect: Dialect
) -> tuple[Features, SetAside]:
    """The `rows` of `block` that have the feature `label`, all if it is empty; and the others.

    Where the label is a bad cell, that is why its row is left out.
    """
    if not label or not rows.columns[label].null_count:
        return rows, SetAside()
    has_label = rows.columns[label].is_valid()
    kept = has_label.to_numpy(zero_copy_only=False)
    lines = lines_of(rows.places[~kept].tolist(), block, rows.text, dialect)
    positions = [f"line {line}" for line in lines]
    bad = {each.position: each.reason for each in rows.bad_cells if _is_of(each, label)}
    missing = f"no label {label!r}"
    unlabelled = SetAside()
    for reason, same in itertools.groupby(positions, lambda each: bad.get(each, missing)):
        unlabelled.add(block.path, reason, same)
    left_out = set(positions)
    columns_kept = {name: values.filter(has_label) for name, values in rows.columns.items()}
    bad_cells = [each for each in rows.bad_cells if each.position not in left_out]
    left = rows._replace(columns=columns_kept, places=rows.places[kept], bad_cells=bad_cells)
    return left, unlabelled


def _is_of(bad_cell: Rejected, name: str) -> bool:
    return bad_cell.reason.startswith(f"column {name!r}: ")


def _placed(
    block: Block, cells: ParsedCells, dialect: Dialect, reasons: Mapping[int, str]
) -> list[Rejected]:
    by_place = {int(cells.places[row]): reason for row, reason in reasons.items()}
    return _rejected(block, cells.text, dialect, by_place)


def _converted(
    raw: pa.Array, reading: ColumnReading, *, lenient: bool
) -> tuple[pa.Array, pa.BooleanArray]:
    if raw.type != pa.string():
        values, is_misfit = numbers.finite(raw)
    else:
        values, is_misfit = columns.convert(raw, reading, lenient=lenient)
    narrow, is_too_large = numbers.narrowed(values)
    return narrow, pc.or_(is_misfit, is_too_large)


def leading_zeros(block: Block, dialect: Dialect) -> frozenset[str]:
    """The columns of which a cell may begin with a zero and another digit, as codes do."""
    data = np.frombuffer(b"\n" + block.data, np.uint8)
    ends = np.frombuffer(f'\r\n "{dialect.delimiter}'.encode(), np.uint8)
    may_be = data[1:-1] == ord("0")
    may_be &= data[2:] >= ord("0")
    if ends.max() < ord("0"):
        may_be &= data[:-2] < ord("0")
    zeros = np.flatnonzero(may_be) + 1
    zeros = zeros[np.isin(data[zeros + 1], _DIGITS)]
    zeros = zeros[np.isin(data[zeros - 1], ends)]
    if not len(zeros):
        return frozenset()
    if dialect.quote and dialect.quote.encode() in block.data:
        return frozenset(dialect.names)
    parts = np.flatnonzero(data == ord(dialect.delimiter))
    lines = np.flatnonzero(data == ord(line_end(block.data)))
    starts = np.concatenate([[0], lines])[np.searchsorted(lines, zeros)]
    places = np.searchsorted(parts, zeros) - np.searchsorted(parts, starts)
    return frozenset(
        dialect.names[place] for place in np.unique(places).tolist() if place < len(dialect.names)
    )


def _is_blank(values: Sequence[pa.Array]) -> NDArray[np.bool_]:
    blank = [each.is_null().to_numpy(zero_copy_only=False) for each in values if each.null_count]
    if len(blank) < len(values):
        return np.zeros(len(values[0]), bool)
    return np.logical_and.reduce(blank)


def _parsed(
    block: Block, dialect: Dialect, types: dict[str, pa.DataType], least: int
) -> ParsedCells:
    """The records of `block` with a cell for every column, or at least `least` of them.

    Raises:
        pa.ArrowInvalid: a cell is not of its type; never where all are strings.
    """
    text, rejected = _decoded(block, dialect)
    ragged: list[csv.InvalidRow] = []

    def skip(row: csv.InvalidRow) -> str:
        ragged.append(row)
        return "skip"

    padding = _padding(dialect)
    types = types | dict.fromkeys(padding, pa.string())
    table = _read(text, dialect, types, skip)
    numbers = np.array([row.number - 1 for row in ragged], np.int64)
    places = np.delete(np.arange(table.num_rows + len(ragged)), numbers)
    short = [row for row in ragged if least <= row.actual_columns < row.expected_columns]
    if short:
        whole = _read(_completed(short, dialect), dialect, types, skip)
        places = np.concatenate([places, [row.number - 1 for row in short]])
        order = places.argsort()
        table, places = pa.concat_tables([table, whole]).take(order), places[order]
    table = _without_padded(table, dialect.missing)
    kept = set(places.tolist())
    reasons = {
        row.number - 1: f"expected {row.expected_columns} cells, received {row.actual_columns}: "
        f"{no_data.cut(row.text)}"
        for row in ragged
        if row.number - 1 not in kept
    }
    if padding:
        is_blank = np.logical_and.reduce(
            [table.column(name).is_null().to_numpy() for name in padding]
        )
        for place in places[~is_blank].tolist():
            reasons[place] = f"expected {len(dialect.names)} cells and nothing after them"
        table, places = table.filter(pa.array(is_blank)).drop(padding), places[is_blank]
    return ParsedCells(table, places, text, rejected + _rejected(block, text, dialect, reasons))


def _without_padded(table: pa.Table, missing: Sequence[str]) -> pa.Table:
    """`table`, null also where blanks surround a cell that is `missing`, or an empty one."""
    for place, name in enumerate(table.column_names):
        cells = table.column(place)
        if cells.type != pa.string():
            continue
        bare = pc.utf8_trim_whitespace(cells)
        if _size(bare) < _size(cells):
            is_padded = pc.match_substring_regex(cells, r"^[\s\pZ]|[\s\pZ]$")
            is_missing = pc.and_(is_padded, pc.is_in(bare, pa.array(missing, pa.string())))
            cells = pc.if_else(is_missing, pa.scalar(None, pa.string()), cells)
            table = table.set_column(place, name, cells)
    return table


def _size(cells: pa.ChunkedArray) -> int:
    """Bytes of all `cells`."""
    return pc.sum(pc.binary_length(cells)).as_py() or 0


def _padding(dialect: Dialect) -> list[str]:
    """Names for the empty cells at the end of each record."""
    return [f"\0{n}" for n in range(dialect.padding)]


def _completed(short: Sequence[csv.InvalidRow], dialect: Dialect) -> bytes:
    """Records that end early, with an empty cell for each that they lack."""
    lines = (
        row.text + dialect.delimiter * (row.expected_columns - row.actual_columns) for row in short
    )
    return "\n".join(lines).encode()


def _read(
    text: bytes,
    dialect: Dialect,
    types: dict[str, pa.DataType],
    skip: Callable[[csv.InvalidRow], str],
) -> pa.Table:
    if not text.strip(b"\r\n"):
        return pa.table({name: pa.array([], kind) for name, kind in types.items()})
    return csv.read_csv(
        pa.BufferReader(text),
        csv.ReadOptions(
            use_threads=False,
            block_size=len(text) + 1,
            column_names=[*dialect.names, *_padding(dialect)],
        ),
        csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=dialect.quote or False,
            double_quote=bool(dialect.quote),
            newlines_in_values=bool(dialect.quote),
            invalid_row_handler=skip,
        ),
        csv.ConvertOptions(
            include_columns=list(types),
            column_types=types,
            null_values=list(dialect.missing),
            strings_can_be_null=True,
        ),
    )


def _decoded(block: Block, dialect: Dialect) -> tuple[bytes, list[Rejected]]:
    """The block in UTF-8; records with bytes that are not of the encoding left empty."""
    try:
        text = block.data.decode(block.encoding)
    except UnicodeDecodeError:
        return _repaired(block, dialect)
    if text.isascii():
        return block.data, []
    return text.replace("\ufeff", "").encode(), []  # as where files were put together


def _repaired(block: Block, dialect: Dialect) -> tuple[bytes, list[Rejected]]:
    rejected = []
    kept = []
    end = line_end(block.data)
    for start, record in records(block.data, dialect):
        try:
            kept.append(record.decode(block.encoding).encode())
        except UnicodeDecodeError as error:
            line = block.line + line_ends(block.data, 0, start)
            reason = f"byte {record[error.start]:#04x} is not of {block.encoding}"
            rejected.append(Rejected(block.path, reason, f"line {line}"))
            kept.append(end * record.count(end))  # so that lines keep their numbers
    return b"".join(kept), rejected


def parted(block: Block, dialect: Dialect, count: int) -> tuple[Block, Block]:
    """The first `count` records of `block`, or as many as its first bytes hold; and the others."""
    ends = record_ends(block.data[:_BEGINNING], dialect)[:count]
    end = int(ends[-1]) if len(ends) else 0
    line = block.line + line_ends(block.data, 0, end)
    return block._replace(data=block.data[:end]), block._replace(line=line, data=block.data[end:])


def records(data: bytes, dialect: Dialect) -> Iterator[tuple[int, bytes]]:
    """Each record of `data` with the place where it begins, blank lines among them."""
    start = 0
    for end in [*record_ends(data, dialect).tolist(), len(data)]:
        if end > start:
            yield start, data[start:end]
        start = end


def _rejected(
    block: Block, text: bytes, dialect: Dialect, reasons: dict[int, str]
) -> list[Rejected]:
    """`reasons` by the places of records in `text`, with the lines that these begin in."""
    if not reasons:
        return []
    places = sorted(reasons)
    lines = lines_of(places, block, text, dialect)
    return [
        Rejected(block.path, reasons[place], f"line {line}")
        for place, line in zip(places, lines, strict=True)
    ]


def lines_of(places: Sequence[int], block: Block, text: bytes, dialect: Dialect) -> list[int]:
    """The line of the file that each record at `places` of `text` begins in."""
    letters = np.frombuffer(text, np.uint8)
    edges = np.concatenate([[0], record_ends(text, dialect), [len(text)]])
    starts = edges[edges < len(text)]
    may_be_blank = np.flatnonzero(np.isin(letters[starts], _NEWLINES))
    blank = [n for n in may_be_blank if not text[starts[n] : edges[n + 1]].strip(b"\r\n")]
    found = np.delete(starts, blank)[np.array(places, np.int64)]
    newlines = np.flatnonzero(letters == ord(line_end(text)))
    return (block.line + np.searchsorted(newlines, found)).tolist()
