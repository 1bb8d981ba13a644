"""Tables of texts and classes, CSV, TSV, JSON lines and arrays: found, and read in stretches."""

import csv
import dataclasses
import io
import itertools
from collections.abc import Iterator
from typing import Literal

from etils.epath import Path

from millrace.components.errors import DataError
from millrace.components.example_gen.csv import dialect as csv_dialect
from millrace.components.example_gen.csv import encodings, files
from millrace.components.example_gen.csv import spans as csv_spans
from millrace.components.example_gen.csv.dialect import CsvFormat, Dialect, TextCsv
from millrace.components.example_gen.csv.spans import Span
from millrace.components.example_gen.shards.folders import Listing
from millrace.components.example_gen.shards.splits import is_split_name
from millrace.components.example_gen.texts import json_rows
from millrace.components.files.walk import is_hidden, walk

TableForm = Literal["csv", "lines", "array"]
Item = tuple[str, json_rows.Cells | str]  # where, and the cells of a row, or why there are none

_SUFFIXES = (
    *(".csv", ".tsv", ".tab", ".json", ".jsonl", ".ndjson"),
    *(".csv.gz", ".tsv.gz", ".json.gz", ".jsonl.gz", ".ndjson.gz"),
)
_JSON = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")
_SAMPLE = 1 << 20  # bytes
_ROWS = 1000  # of the sample, by which columns are chosen
_SHARD_BYTES = 64 * 2**20


@dataclasses.dataclass(frozen=True)
class TextTable:
    """Files of one form below `root`.

    Attributes:
        dialect: of a CSV; of JSON only its encoding counts.
        names: of the columns.
    """

    root: Path
    kind: TableForm
    dialect: Dialect
    names: tuple[str, ...]


def is_table(path: str) -> bool:
    """Whether the file's name ends like that of a table."""
    return path.lower().endswith(_SUFFIXES)


def holds_tables(source: Path) -> bool:
    """Whether `source` is a file, or a folder with tables in it or in folders named like splits."""
    if source.is_file():
        return True
    paths = (path.split("/") for path in walk(source) if not is_hidden(path))
    return any(
        path[-1].lower().endswith(_SUFFIXES) and all(map(is_split_name, path[:-1]))
        for path in paths
    )


def find(source: Path, given: TextCsv, encoding: str | None) -> tuple[TextTable, Listing]:
    """The tables of `source`, which are written like the first one.

    Raises:
        DataError: there is none, it is empty, or its columns have no names of their own.
    """
    root, listing = files.list_tables(source, (_SUFFIXES,))
    path = listing.rows[0].path
    data = _beginning(root / path)
    encoding = encoding or encodings.likely(data)
    text = data[encodings.bom_length(data) :].decode(encoding, "replace")
    files.check_text(root / path, text.encode())
    kind = _kind(path, text)
    if kind == "csv":
        dialect = _dialect(root / path, text, encoding, given)
    else:
        dialect = Dialect(",", "", header=False, names=(), encoding=encoding, decimal=".",
                          thousands="", missing=())  # fmt: skip
    table = TextTable(root, kind, dialect, dialect.names)
    if kind != "csv":
        seen = dict.fromkeys(name for row in first_rows(table, listing) for name in row)
        table = dataclasses.replace(table, names=tuple(seen))
    return table, listing


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


def _dialect(place: Path, text: str, encoding: str, given: TextCsv) -> Dialect:
    sample = text[: text.rfind("\n") + 1] or text
    wanted = CsvFormat(given.delimiter, given.quoting, header=given.header, names=given.names)
    return csv_dialect.settle(place, sample, encoding, wanted, texts=True)


def _read_csv(text: str, delimiter: str, *, quoting: bool) -> Iterator[tuple[int, list[str]]]:
    """The cells of each record, and how many lines lie before it; blank lines are left out."""
    csv.field_size_limit(2**31 - 1)
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE,
    )
    before = 0
    for cells in reader:
        if cells:
            yield before, cells
        before = reader.line_num


def first_rows(table: TextTable, listing: Listing) -> list[json_rows.Cells]:
    """The first usable rows of the first file."""
    row = listing.rows[0]
    span: Span | None = _whole(table, row.path, row.split)
    if table.kind != "array":
        spans = csv_spans.spans(table.root, row.path, row.split, table.dialect, _SAMPLE)
        span = next(spans, None)
    items = itertools.islice(read(table, span), _ROWS) if span else ()
    return [cells for _, cells in items if not isinstance(cells, str)]


def cut(table: TextTable, listing: Listing, shards: int) -> tuple[Span, ...]:
    """The files in stretches: about `shards` in all, or of 64 MiB; an array is one."""
    if table.kind == "array":
        return tuple(_whole(table, row.path, row.split) for row in listing.rows)
    sizes = [(table.root / row.path).stat().length for row in listing.rows]
    size = max(1, -(-sum(sizes) // shards)) if shards else _SHARD_BYTES
    return tuple(
        span
        for row in listing.rows
        for span in csv_spans.spans(table.root, row.path, row.split, table.dialect, size)
    )


def _whole(table: TextTable, path: str, split: str) -> Span:
    return Span(path, split, 0, (table.root / path).stat().length, 1, whole=True)


def read(table: TextTable, span: Span) -> Iterator[Item]:
    """Where each row of `span` lies, and its cells, or why it has none; bytes as they are read.

    Text that is not in the table's encoding comes with lone surrogates; `repaired` puts it right.
    """
    if table.kind == "array":
        yield from _array(table, span)
        return
    encoding = "utf-8" if span.whole else table.dialect.encoding
    for block, line in csv_spans.blocks(table.root, span, table.dialect):
        text = block.decode(encoding, "surrogateescape")
        yield from _records(text, line, table) if table.kind == "csv" else _lines(text, line)


def _records(text: str, line: int, table: TextTable) -> Iterator[Item]:
    names = table.names
    for before, cells in _read_csv(
        text, table.dialect.delimiter, quoting=bool(table.dialect.quote)
    ):
        place = f"line {line + before}"
        if len(cells) == len(names):
            yield place, dict(zip(names, cells, strict=True))
        else:
            yield place, f"{len(cells)} cells where the table has {len(names)} columns"


def _lines(text: str, first: int) -> Iterator[Item]:
    for number, line in enumerate(text.split("\n"), start=first):
        if line.strip():
            try:
                yield f"line {number}", json_rows.line_cells(line)
            except DataError as error:
                yield f"line {number}", str(error)


def _array(table: TextTable, span: Span) -> Iterator[Item]:
    place = table.root / span.path
    is_gzipped = span.path.endswith(".gz")
    opened = io.BytesIO(csv_spans.raw_bytes(place)) if is_gzipped else place.open("rb")
    with opened as file:
        values = json_rows.array_values(file, place, table.dialect.encoding)
        for number, value in enumerate(values, start=1):
            try:
                yield f"member {number}", json_rows.cells_of(value)
            except DataError as error:
                yield f"member {number}", str(error)


def repaired(text: str, encoding: str, bad: encodings.BadBytes) -> encodings.DecodedText:
    """`text` of `read`, its bytes of no meaning in `encoding` treated as `bad` says.

    Raises:
        DataError: it is refused; the reason alone.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        data = text.encode(encoding, "surrogateescape")
        return encodings.decode_as(data, encoding, bad)
    return encodings.DecodedText(text, encoding)
