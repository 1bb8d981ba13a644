"""CSV files of pixels, one picture a line.

One pass finds the column of the class and the classes; the workers then read stretches by
themselves, so that no file is ever in memory.
"""

import collections
import dataclasses
import logging
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from etils.epath import Path
from numpy.typing import NDArray

from millrace.components.artifacts import Examples, Rejected
from millrace.components.beam.exchange import Reads
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.example_gen.csv import files as csv_files
from millrace.components.example_gen.csv import parsing
from millrace.components.example_gen.csv.columns import ColumnReading
from millrace.components.example_gen.csv.dialect import CsvFormat, Dialect
from millrace.components.example_gen.csv.parsing import Block, ParsedCells
from millrace.components.example_gen.csv.passes import CsvFiles
from millrace.components.example_gen.csv.spans import Span
from millrace.components.example_gen.images.pixel_rows import (
    PixelOptions,
    PixelRow,
    numbered,
)
from millrace.components.example_gen.shards.folders import ListedRow, Listing
from millrace.components.example_gen.shards.splits import SplitRule, split_in
from millrace.components.example_gen.shards.tally import IngestTally
from millrace.components.example_gen.shards.writing import (
    Converted,
    Unlabelled,
    write_shards,
)
from millrace.components.files.walk import is_hidden, walk
from millrace.serving.errors import few

_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_LABELS = ("label", "labels", "class", "target", "y", "digit", "letter", "category", "emotion")
_PIXEL = re.compile(r".*\d")  # the name of a column of pixels: px12, 1x1, 783
_NUMBER = re.compile(
    r"(column_|unnamed: *|level_)\d+|index|idx|id|row|row_?(id|number)|nr|no", re.I
)
_BESIDE = re.compile(r"(image_?|file_?)?(name|path|id|file|image)|usage|split|set|fold", re.I)
_WHOLE = r"^\s*[0-9]{1,9}(\.0*)?\s*$"
_INT = ColumnReading("int")
_NOTES = 3  # columns of a class map, at most
_DIGITS = 16  # of a row's number, at most
_FEW = 4  # times fewer values than the other column's make a column the label
_WITHIN = ((1, None), (0, -1), (2, None), (1, -1), (0, -2))  # where pixels may be, beside a label
_PLACES = {"first": 0, "last": -1}
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class PixelTable:
    """What a record of the files holds: the class in column `label`, the pixels in the columns
    `pixels`, row by row, `sizes[2]` values each.
    """

    dialect: Dialect
    label: str
    pixels: tuple[str, ...]
    sizes: tuple[int, int, int]


@dataclasses.dataclass(frozen=True)
class PixelTables:
    """Stretches of CSV files below `root`; a row's path is the place of its stretch in `spans`.

    `labels` are the classes' numbers.
    """

    root: str
    table: PixelTable
    spans: tuple[Span, ...]
    labels: Mapping[str, int]
    rule: SplitRule

    def read(self, rows: Sequence[ListedRow]) -> Iterator[PixelRow | Rejected | Unlabelled]:
        """Yield the pictures of each stretch."""
        files = CsvFiles(self.root, self.table.dialect)
        for row in rows:
            span = self.spans[int(row.path)]
            for block in files.blocks(span):
                yield from _pictures(block, span.split, self.table)

    def convert(self, item: PixelRow | Rejected | Unlabelled) -> Converted:
        """Encode one picture."""
        if not isinstance(item, PixelRow):
            return item
        return item.record(self.labels[item.text], self.rule)


def write_files(
    run_on: BeamOptions,
    out: Examples,
    source: Path,
    options: PixelOptions,
    rule: SplitRule,
    *,
    shards: int,
) -> tuple[IngestTally, list[str]]:
    """Write the lines of the file or of the folder `source`; what became of them, files ignored.

    Raises:
        DataError: there is nothing to write, its columns make no picture, or the column of the
            class cannot be told.
    """
    root, listing = _list(source)
    given = _pixel_files(root, listing, options.csv)
    dialect = csv_files.settle(root, listing, given)
    spans = tuple(csv_files.cut(root, listing, dialect, shards))
    table, classes = _settled(source, root, dialect, spans, options)
    if len(classes) < 2:
        raise DataError(
            f"{source}: expected lines of at least two classes. Received: "
            f"{few(sorted(classes)) or 'no line'}. Check the options label_column and "
            "csv.delimiter."
        )
    splits = {span.split for span in spans}
    rule = rule.for_given(splits)
    tally = write_shards(
        run_on,
        out,
        PixelTables(str(root), table, spans, numbered(classes), rule),
        [ListedRow(str(place), "", span.split) for place, span in enumerate(spans)],
        splits=rule.reachable(splits),
        shards=min(shards or len(spans), len(spans)),
        reads=Reads(root, lambda rows: (spans[int(row.path)].path for row in rows)),
    )
    tally.rejected.extend(listing.rejected)
    return tally, listing.ignored


def _list(source: Path) -> tuple[Path, Listing]:
    """The folder, and the CSV files in it."""
    if source.is_file():
        return source.parent, Listing(
            [ListedRow(source.name, "", _splits([source.name])[source.name])]
        )
    entries = walk(source)
    paths = [path for path in entries if not is_hidden(path)]
    splits = _splits([path for path in paths if path.lower().endswith(_SUFFIXES)])
    rows = [ListedRow(path, "", split) for path, split in splits.items()]
    if not rows:
        raise DataError(
            f"{source}: expected a CSV file of pixels, or a folder of them. Received: a folder "
            "without one. Check the path."
        )
    listing = Listing(rows, sorted({*paths} - {row.path for row in rows}))
    listing.set_aside(source, entries)
    return source, listing


def _splits(paths: Sequence[str]) -> dict[str, str]:
    """The split of each file by its name; none where all are of one that is not `train`."""
    splits = {path: split_in(path) for path in paths}
    is_alone = len({*splits.values()}) == 1 and "train" not in splits.values()
    return dict.fromkeys(paths, "") if is_alone else splits


def _pixel_files(root: Path, listing: Listing, given: CsvFormat) -> CsvFormat:
    """Leave the files of pixels in `listing`, without class maps and files without a class."""
    dialects = {row.path: csv_files.settle(root, Listing([row]), given) for row in listing.rows}
    if given.header is None and all(_counts(root, *item) for item in dialects.items()):
        given = dataclasses.replace(given, header=True)
        return _pixel_files(root, listing, given)
    widest = max((dialect.names for dialect in dialects.values()), key=len)
    for path, dialect in dialects.items():
        if len(dialect.names) < len(widest) and len(dialect.names) <= _NOTES:
            reason = f"{len(dialect.names)} columns are no pixels"
        elif len(dialect.names) == len(widest) - 1:
            reason = "it has no class"
        else:
            continue
        _log.warning("%s is ignored: %s", root / path, reason)
        listing.ignored.append(path)
    listing.rows = [row for row in listing.rows if row.path not in listing.ignored]
    found = {dialects[row.path].encoding for row in listing.rows}
    return dataclasses.replace(given, encoding=found.pop()) if len(found) == 1 else given


def _counts(root: Path, path: str, dialect: Dialect) -> bool:
    """Whether the first record numbers the pixels: `label,0,1,2`."""
    if dialect.header or len(dialect.names) <= _NOTES:
        return False
    span = csv_files.cut(root, Listing([ListedRow(path, "")]), dialect, 0)[0]
    block = next(CsvFiles(str(root), dialect).blocks(span))
    cells = parsing.strings(block, dialect, dialect.names).table.slice(0, 1).to_pylist()
    first = [cell or "" for cell in cells[0].values()] if cells else []
    ends = [(first[:start], first[start:stop], first[stop:]) for start, stop in _WITHIN]
    return any(
        not "".join((*before, *after)).isdecimal()
        and numbers == [str(number) for number in range(start, start + len(numbers))]
        for before, numbers, after in ends
        for start in (0, 1)
    )


def _settled(
    place: Path, root: Path, dialect: Dialect, spans: Sequence[Span], options: PixelOptions
) -> tuple[PixelTable, set[str]]:
    """The form of the files, and their classes."""
    label, rest = _named(place, dialect, options)
    is_numbered = not options.sizes(len(rest) - 1)
    candidates = [label] if label else [rest[0], rest[-1]]
    if is_numbered:
        candidates = list(dict.fromkeys([*candidates, *rest[:2], *rest[-2:]]))
    counts = {name: collections.Counter[str]() for name in candidates}
    files = CsvFiles(str(root), dialect)
    for span in spans:
        for block in files.blocks(span):
            cells = parsing.strings(block, dialect, candidates, len(dialect.names)).columns
            for name, column in cells.items():
                for pair in pc.value_counts(column.drop_null()).to_pylist():
                    counts[name][pair["values"].strip()] += pair["counts"]
    if is_numbered:
        repeats = len({span.path for span in spans})
        numbers = [name for name in counts if name != label and _numbers(counts[name], repeats)]
        rest = [name for name in rest if name not in numbers[:1]]
    sizes = options.sizes(len(rest) - 1)
    if not sizes:
        raise _no_picture(place, len(rest) - 1)
    label = label or _likelier(place, *((name, counts[name]) for name in (rest[0], rest[-1])))
    left_out = [name for name in dialect.names if name not in rest]
    _log.info(
        "%s: classes are in column %r (%d of %d), pixels in the others%s; label_column names "
        "another",
        *(place, label, dialect.names.index(label) + 1, len(dialect.names)),
        f" but {', '.join(map(repr, left_out))}, left out" if left_out else "",
    )
    pixels = tuple(name for name in rest if name != label)
    return PixelTable(dialect, label, pixels, sizes), {*counts[label]} - {""}


def _named(place: Path, dialect: Dialect, options: PixelOptions) -> tuple[str, list[str]]:
    """The column of the class, "" if the names do not tell it; and that and those of pixels.

    One of the latter may still be the number of the row.
    """
    names = list(dialect.names)
    odd = [name for name in names if _NUMBER.fullmatch(name) or not _PIXEL.fullmatch(name)]
    if not dialect.header or 2 * len(odd) > len(names):  # the pixels are named so too
        odd = []
    label = _named_label(place, dialect, odd, options.label_column)
    rest = [name for name in names if name == label or name not in odd]
    if odd and not label:
        raise _no_label(place, odd)
    if not options.sizes(len(rest) - 1) and options.sizes(len(names) - 1):
        rest = names
    if not any(options.sizes(len(rest) - others) for others in (1, 2)):
        raise _no_picture(place, len(rest) - 1)
    return label, rest


def _no_picture(place: Path, pixels: int) -> DataError:
    return DataError(
        f"{place}: expected one label and the pixels of a picture. Received: {pixels} "
        "pixels, which do not make a picture of the options' size, or a square. Set the "
        "options height, width and channels, or csv.delimiter."
    )


def _no_label(place: Path, odd: Sequence[str]) -> DataError:
    return DataError(
        f"{place}: expected one column of classes beside the pixels. Received: "
        f"{', '.join(map(repr, odd[:5]))}. Name it by the option label_column."
    )


def _named_label(place: Path, dialect: Dialect, odd: Sequence[str], given: str) -> str:
    """The column of the class, if it is given or can be told by the names; else "".

    `odd` are the columns that are not called like pixels.
    """
    names = dialect.names
    if given:
        if given in names:
            return given
        if given in _PLACES:
            return names[_PLACES[given]]
        raise DataError(
            f"{place}: expected the column {given!r}. Received: {', '.join(names[:5])} and so on. "
            "Name it by the option label_column, or set that to first or last, and the delimiter "
            "by the option csv.delimiter."
        )
    if not dialect.header:
        return ""
    folded = {name.lower(): name for name in names}
    named = [folded[name] for name in _LABELS if name in folded]
    others = [name for name in odd if not (_NUMBER.fullmatch(name) or _BESIDE.fullmatch(name))]
    return named[0] if named else others[0] if len(others) == 1 else ""


def _numbers(values: "collections.Counter[str]", repeats: int) -> bool:
    """Whether they number the rows of as many files: 0, 1, 2 and so on, none missing."""
    if len(values) < 2 or not all(cell.isdecimal() and len(cell) < _DIGITS for cell in values):
        return False
    numbers = sorted(map(int, values))
    is_whole = numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    return is_whole and numbers[0] < 2 and max(values.values()) <= repeats


def _likelier(place: Path, *columns: tuple[str, "collections.Counter[str]"]) -> str:
    """Which of the first and the last column is the class, by their values.

    A class is text, or counts from 0 or 1 with few gaps; a pixel is anything from 0 to 255.

    Raises:
        DataError: both could be, or neither.
    """
    (first, of_first), (last, of_last) = columns
    is_pixel = [all(map(_is_pixel, values)) for values in (of_first, of_last)]
    if is_pixel != [True, True] and any(is_pixel):
        return last if is_pixel[0] else first
    may_be = [_counts_up(of_first), _counts_up(of_last)]
    if all(may_be):
        few = [len(of_first) * _FEW <= len(of_last), len(of_last) * _FEW <= len(of_first)]
        may_be = few
    if sum(may_be) == 1:
        return first if may_be[0] else last
    raise DataError(
        f"{place}: expected one column that holds classes, the first or the last. Received: "
        f"{_shown(of_first)} in the first, {_shown(of_last)} in the last. Set the option "
        "label_column to first or last, or name it."
    )


def _is_pixel(cell: str) -> bool:
    return cell.isdecimal() and len(cell) < 4 and int(cell) < 256


def _counts_up(values: Mapping[str, int]) -> bool:
    """Whether they are whole numbers from 0 or 1 on, two or more, with few gaps."""
    if len(values) < 2 or not all(map(_is_pixel, values)):
        return len(values) > 1 and not any(map(_is_pixel, values))
    numbers = [int(value) for value in values]
    return min(numbers) <= 1 and max(numbers) < 2 * len(numbers)


def _shown(values: Mapping[str, int]) -> str:
    some = ", ".join(sorted(values)[:3])
    return f"{len(values)} values ({some}{' …' if len(values) > 3 else ''})"


def _pictures(
    block: Block, split: str, table: PixelTable
) -> Iterator[PixelRow | Rejected | Unlabelled]:
    """The pictures of a block, and what was set aside."""
    readings: dict[str, ColumnReading | None] = {table.label: None}
    readings |= dict.fromkeys(table.pixels, _INT)
    cells = parsing.cells_of(block, table.dialect, readings, len(table.dialect.names))
    yield from cells.rejected
    if not len(cells.places):
        return
    columns = cells.columns
    texts = columns.pop(table.label).fill_null("").to_pylist()
    values = np.stack([_levels(column) for column in columns.values()], axis=1)
    is_bad = (values < 0) | (values > 255)
    pixels = np.where(is_bad, 0, values).astype(np.uint8).reshape(-1, *table.sizes)
    lines = parsing.lines_of(cells.places.tolist(), block, cells.text, table.dialect)
    bad_rows = set(np.flatnonzero(is_bad.any(axis=1)).tolist())
    for row, (text, line) in enumerate(zip(texts, lines, strict=True)):
        if row in bad_rows:
            reason = _misfit(cells, table, row, int(is_bad[row].argmax()))
            yield Rejected(block.path, reason, f"line {line}")
        elif not text.strip():
            yield Unlabelled(Rejected(block.path, "no label", f"line {line}"))
        else:
            yield PixelRow(split, block.path, line, text.strip(), pixels[row])


def _levels(column: pa.Array) -> NDArray[np.int64]:
    """The whole numbers of a column; -1 where a cell is none."""
    if column.type == pa.string():
        is_whole = pc.match_substring_regex(column.fill_null(""), _WHOLE)
        digits = pc.replace_substring_regex(pc.if_else(is_whole, column, "-1"), r"\.0*|\s", "")
        column = digits.cast(pa.int64())
    return column.fill_null(-1).to_numpy(zero_copy_only=False)


def _misfit(cells: ParsedCells, table: PixelTable, row: int, pixel: int) -> str:
    cell = cells.table.column(table.pixels[pixel])[row].as_py()
    shown = "an empty cell" if cell is None else repr(str(cell)[:20])
    return f"pixel {shown} is not a whole number from 0 to 255"
