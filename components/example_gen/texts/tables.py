"""Tables of texts and classes, CSV, TSV, JSON lines and arrays: found, and read in stretches.

Of a CSV of texts, otherwise than of one of numbers: cells that are separated by tabs stand in no
quotes, no cell is missing but an empty one, for `NA` may be a text, and a few bytes that are not of
the encoding spoil no row.
"""

import dataclasses
import io
import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from etils.epath import Path

from millrace.components.errors import DataError
from millrace.components.example_gen.csv import encodings, files, parsing
from millrace.components.example_gen.csv import spans as csv_spans
from millrace.components.example_gen.csv.dialect import CsvFormat, Dialect
from millrace.components.example_gen.csv.encodings import BadBytes
from millrace.components.example_gen.csv.parsing import Block
from millrace.components.example_gen.csv.spans import Span
from millrace.components.example_gen.shards.folders import Listing
from millrace.components.example_gen.shards.splits import is_split_name
from millrace.components.example_gen.texts import json_rows, lines
from millrace.components.example_gen.texts.files import OPTION, Decoding
from millrace.components.example_gen.texts.options import TextLayout
from millrace.components.files.walk import is_hidden, walk

TableForm = Literal["csv", "lines", "array", "class_files", "labelled_lines"]


class Item(NamedTuple):
    """Where a row lies, its cells or why there are none, and the encoding of bad bytes in it."""

    place: str
    cells: json_rows.Cells | str
    repaired: str = ""


_SUFFIXES = (
    *(".csv", ".tsv", ".tab", ".json", ".jsonl", ".ndjson"),
    *(".csv.gz", ".tsv.gz", ".json.gz", ".jsonl.gz", ".ndjson.gz"),
)
_JSON = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")
_TEXT = (".txt", ".text")
_SAMPLE = 1 << 20  # bytes
_ROWS = 1000  # of the sample, by which columns are chosen
_EMPTY = ("",)  # what is missing among texts
_log = logging.getLogger("millrace.components.example_gen.text")


@dataclasses.dataclass(frozen=True)
class TextTable:
    """Files of one form below `root`.

    Attributes:
        dialect: of a CSV; of the others only its encoding counts.
        names: of the columns.
        bad: what becomes of bytes that are not of the encoding.
        separator: between the label and the text of labelled lines.
    """

    root: Path
    kind: TableForm
    dialect: Dialect
    names: tuple[str, ...]
    bad: BadBytes = "latin-1"
    separator: str = ""


def is_table(path: str) -> bool:
    """Whether the file's name ends like that of a table."""
    return path.lower().endswith(_SUFFIXES)


def holds_tables(source: Path) -> bool:
    """Whether `source` is a file, or a folder with tables in it or in folders named like splits.

    Raises:
        DataError: there are class folders of text files beside them.
    """
    if source.is_file():
        return True
    paths = [path.split("/") for path in walk(source) if not is_hidden(path)]
    found = [
        "/".join(path)
        for path in paths
        if is_table(path[-1]) and all(map(is_split_name, path[:-1]))
    ]
    texts = [path for path in paths if path[-1].lower().endswith(_TEXT) or "." not in path[-1]]
    inner = [list(itertools.dropwhile(is_split_name, path)) for path in texts]
    classes = sorted({path[0] for path in inner if len(path) > 1})
    if found and len(classes) > 1:
        layout = "splits" if any(is_split_name(path[0]) for path in texts) else "classes"
        raise DataError(
            f"{source}: expected tables or class folders. Received: {', '.join(found[:3])} beside "
            f"folders of texts, {', '.join(classes[:5])}. Set text_example_gen.layout={layout} to "
            "read the folders, or give the path of the table."
        )
    return bool(found)


def look(
    source: Path, layout: TextLayout, given: CsvFormat, decoding: Decoding, separator: str
) -> tuple[TextTable, Listing] | None:
    """The tables of `source`, or its files of lines; None where it is to be class folders.

    Raises:
        DataError: as of `find` and `find_lines`.
    """
    encoding, bad = decoding.encoding, decoding.bad
    if layout == "auto" and lines.is_fasttext(source):
        return find_lines(source, "labelled_lines", encoding, bad)
    if layout == "auto" and holds_tables(source):
        return find(source, given, encoding, bad)
    if layout == "auto" and lines.holds_class_files(source):
        return find_lines(source, "class_files", encoding, bad)
    if layout in ("class_files", "labelled_lines"):
        return find_lines(source, layout, encoding, bad, separator)
    return None


def find(
    source: Path,
    given: CsvFormat,
    encoding: str | None = None,
    bad: BadBytes = "latin-1",
    *,
    is_another: bool = False,
) -> tuple[TextTable, Listing]:
    """The tables of `source`, which are written like the first one.

    For `is_another` see `files.settle`.

    Raises:
        DataError: there is none, it is empty, or its columns have no names of their own.
    """
    root, listing = files.list_tables(source, (_SUFFIXES,))
    path = listing.rows[0].path
    encoding = encoding or given.encoding
    if not encoding or is_another:
        encoding = _encoding(root, listing, encoding, "" if is_another else OPTION)
    files.check_kind(root / path)
    text = _text(root / path, encoding)
    files.check_text(root / path, text.encode())
    kind = _kind(path, text)
    for other in (row.path for row in listing.rows[1:]):
        if _kind(other, _text(root / other, encoding)) != kind:
            raise DataError(
                f"{root / other}: expected a table of the same form as {path}. Received: another. "
                "Give files of one form, CSV or JSON lines or JSON arrays, or the path of one."
            )
    if kind == "csv":
        found = given.of_others if is_another else given
        found = dataclasses.replace(found, encoding=encoding)
        dialect = files.settle(root, listing, found, texts=True)
        dialect = dataclasses.replace(dialect, missing=_EMPTY)
        return TextTable(root, kind, dialect, dialect.names, bad), listing
    if call := json_rows.rewritten(text, root / path):
        raise DataError(
            f"{root / path}: expected JSON objects with texts and labels, one a line or all in an "
            f"array. Received: one object that holds them all. Write it again, by {call}."
        )
    table = TextTable(root, kind, _of_lines(encoding), (), bad)
    items = first_items(table, listing)
    names = tuple(dict.fromkeys(name for item in items for name in _cells(item)))
    if not names:
        raise _no_objects(root / path, items)
    return dataclasses.replace(table, names=names), listing


def find_lines(
    source: Path,
    kind: Literal["class_files", "labelled_lines"],
    encoding: str | None,
    bad: BadBytes,
    separator: str = "",
) -> tuple[TextTable, Listing]:
    """The files of `source` in which each line is a text.

    Raises:
        DataError: there is none.
    """
    if kind == "class_files" and not source.is_file():
        root, listing = lines.class_files(source)
        _log.info(
            "a file of texts for each class, one a line: %s",
            ", ".join(
                f"{row.path} ({lines.class_of(row.path, row.split)})" for row in listing.rows[:5]
            ),
        )
    else:
        root, listing = files.list_tables(source, (("",),))
        lines.ignore_notes(listing)
    if kind == "labelled_lines":
        paths = [row.path for row in listing.rows[:5]]
        _log.info("lines that begin with their label: %s", ", ".join(paths))
    encoding = encoding or _encoding(root, listing, None, OPTION)
    return TextTable(root, kind, _of_lines(encoding), lines.NAMES, bad, separator), listing


def _of_lines(encoding: str) -> Dialect:
    return Dialect(",", "", header=False, names=(), encoding=encoding, decimal=".",
                   thousands="", missing=())  # fmt: skip


def _no_objects(place: Path, items: Sequence[Item]) -> DataError:
    reasons = [item for item in items if isinstance(item.cells, str)]
    if not items:
        received = "an empty file"
    elif reasons:
        place = Path(f"{place}, {reasons[0].place}")
        received = str(reasons[0].cells).removeprefix("expected an object, received ")
    else:
        received = "objects without a member that is a text, a number, true or false"
    return DataError(
        f"{place}: expected JSON objects with texts and labels, one a line or all in an array. "
        f"Received: {received}. Write it again, such as by pandas' "
        "table.to_json('texts.jsonl', orient='records', lines=True)."
    )


def _encoding(root: Path, listing: Listing, learnt: str | None, option: str) -> str:
    """UTF-8 if most of each file is; else what the first that is not seems to be written in."""
    for row in listing.rows:
        data = _beginning(root / row.path)
        found = encodings.guess(root / row.path, data, option, learnt)
        if found.removesuffix("-sig") != "utf-8":
            return found
    return "utf-8"


def _text(file: Path, encoding: str) -> str:
    data = _beginning(file)
    return data[encodings.bom_length(data) :].decode(encoding, "replace")


def _beginning(file: Path) -> bytes:
    if str(file).endswith(".gz"):
        return csv_spans.raw_bytes(file)[:_SAMPLE]
    with file.open("rb") as opened:
        return opened.read(_SAMPLE)


def _kind(path: str, text: str) -> TableForm:
    first = text.lstrip()[:1]
    is_json = path.lower().endswith(_JSON) or ("." not in path and first == "{")
    if not is_json:
        return "csv"
    return "array" if first == "[" else "lines"


def first_items(table: TextTable, listing: Listing) -> list[Item]:
    """What the first rows of the first file are."""
    row = listing.rows[0]
    span: Span | None = _whole(table, row.path, row.split)
    if table.kind != "array":
        spans = csv_spans.spans(table.root, row.path, row.split, table.dialect, _SAMPLE)
        span = next(spans, None)
    return list(itertools.islice(read(table, span), _ROWS)) if span else []


def first_rows(table: TextTable, listing: Listing) -> list[json_rows.Cells]:
    """The first usable rows of the first file."""
    return [cells for item in first_items(table, listing) if (cells := _cells(item))]


def _cells(item: Item) -> json_rows.Cells:
    return {} if isinstance(item.cells, str) else item.cells


def cut(table: TextTable, listing: Listing, shards: int) -> tuple[Span, ...]:
    """The files in stretches: see `files.cut`; an array is one."""
    if table.kind == "array":
        return tuple(_whole(table, row.path, row.split) for row in listing.rows)
    return tuple(files.cut(table.root, listing, table.dialect, shards))


def _whole(table: TextTable, path: str, split: str) -> Span:
    return Span(path, split, 0, (table.root / path).stat().length, 1, whole=True)


def read(table: TextTable, span: Span, used: Sequence[str] = ()) -> Iterator[Item]:
    """Where each row of `span` lies, and its cells in the columns `used`, or why it has none.

    Without `used` all the columns are read. A record may lack cells after those.
    """
    if table.kind == "array":
        yield from _array(table, span)
        return
    encoding = "utf-8" if span.whole else table.dialect.encoding
    for block, line in csv_spans.blocks(table.root, span, table.dialect):
        if table.kind == "csv":
            yield from _records(Block(span.path, line, block, encoding), table, used)
        else:
            yield from _lines(block, line, encoding, table, span)


def _records(block: Block, table: TextTable, used: Sequence[str]) -> Iterator[Item]:
    names = used or table.names
    least = 1 + max(map(table.names.index, names))
    block, repaired = _repaired(block, table)
    dialect = table.dialect
    found = parsing.strings(block, dialect, names, 1 if dialect.fill_short else least)
    many = f": expected {len(table.names)} cells, received "
    for item in found.rejected:
        hint = ""
        if dialect.quote and many.removeprefix(": ") in item.reason:
            hint = f"; a text that holds {dialect.delimiter!r} needs quotes around it"
        yield Item(item.position, item.reason + hint)
    lines_of = parsing.lines_of(found.places.tolist(), block, found.text, dialect)
    columns = {name: column.to_pylist() for name, column in found.columns.items()}
    for place, line, *cells in zip(found.places.tolist(), lines_of, *columns.values(), strict=True):
        row = {name: cell or "" for name, cell in zip(columns, cells, strict=True)}
        yield Item(f"line {line}", row, repaired.get(place, ""))


def _repaired(block: Block, table: TextTable) -> tuple[Block, Mapping[int, str]]:
    """`block` with its undecodable bytes treated, and the encodings of the records that had any."""
    if table.bad == "reject" or encodings.can_decode(block.encoding, block.data):
        return block, {}
    kept, found = [], {}
    place = 0
    for _, record in parsing.records(block.data, table.dialect):
        text = encodings.decode_as(record, block.encoding, table.bad)
        kept.append(text.text.encode())
        if text.repaired:
            found[place] = text.encoding
        place += bool(record.strip(b"\r\n"))
    return block._replace(data=b"".join(kept), encoding="utf-8"), found


def _lines(data: bytes, first: int, encoding: str, table: TextTable, span: Span) -> Iterator[Item]:
    for number, line in enumerate(data.split(csv_spans.line_end(data)), start=first):
        if not line.strip():
            continue
        try:
            found = encodings.decode_as(line.rstrip(b"\r"), encoding, table.bad)
            cells = _line_cells(found.text, table, span)
        except DataError as error:
            yield Item(f"line {number}", str(error))
        else:
            yield Item(f"line {number}", cells, found.encoding if found.repaired else "")


def _line_cells(line: str, table: TextTable, span: Span) -> json_rows.Cells:
    if table.kind == "class_files":
        return {"text": line.strip(), "label": lines.class_of(span.path, span.split)}
    if table.kind == "labelled_lines":
        return lines.labelled(line, table.separator)
    return json_rows.line_cells(line)


def _array(table: TextTable, span: Span) -> Iterator[Item]:
    place = table.root / span.path
    is_gzipped = span.path.endswith(".gz")
    opened = io.BytesIO(csv_spans.raw_bytes(place)) if is_gzipped else place.open("rb")
    with opened as file:
        values = json_rows.array_values(file, place, table.dialect.encoding)
        for number, value in enumerate(values, start=1):
            try:
                yield Item(f"member {number}", json_rows.cells_of(value))
            except DataError as error:
                yield Item(f"member {number}", str(error))
