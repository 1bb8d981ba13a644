"""Which files of a source are its tables, what they are written in, and what columns they have."""

import codecs
import dataclasses
import itertools
import logging
import posixpath
from collections.abc import Iterator, Sequence

from etils.epath import Path

from millrace.components.errors import DataError
from millrace.components.example_gen.csv import dialect as csv_dialect
from millrace.components.example_gen.csv import encodings, spans
from millrace.components.example_gen.csv.dialect import CsvFormat, Dialect
from millrace.components.example_gen.csv.spans import Span
from millrace.components.example_gen.shards.folders import ListedRow, Listing
from millrace.components.example_gen.shards.splits import split_in
from millrace.components.files.walk import is_hidden, walk
from millrace.serving.errors import few

_ALIKE = 10  # columns, which an error need not list
_SUFFIXES = (".csv", ".tsv", ".tab", ".csv.gz", ".tsv.gz", ".tab.gz")
_ALSO = (".txt", ".data", ".dat", ".txt.gz", ".data.gz", ".dat.gz")  # where there is no other
_OTHERS = {
    ".xlsx": "pandas.read_excel({!r})",
    ".xls": "pandas.read_excel({!r})",
    ".ods": "pandas.read_excel({!r})",
    ".parquet": "pandas.read_parquet({!r})",
    ".html": "pandas.read_html({!r})[0]",
    ".xml": "pandas.read_xml({!r}, parser='etree')",
    ".feather": "pandas.read_feather({!r})",
    ".dta": "pandas.read_stata({!r})",
    **{
        f".{name}": f"pandas.read_csv({{!r}}, compression={kind!r})"
        for name, kind in (("zip", "zip"), ("gz", "gzip"), ("bz2", "bz2"), ("xz", "xz"))
    },
}  # what other tables are read by
_BEGINNINGS = {
    b"\xd0\xcf\x11\xe0": ".xls",
    b"PAR1": ".parquet",
    b"ARROW1": ".feather",
    b"\x1f\x8b": ".gz",
    b"BZh": ".bz2",
    b"\xfd7zXZ\0": ".xz",
    b"<stata_dta>": ".dta",
    b"<!doctype": ".html",
    b"<!--": ".html",
    b"<html": ".html",
    b"<table": ".html",
    b"<?xml": ".xml",
}  # how files of these begin, whatever they are called; tags in any case
_SAMPLE = 2**17  # bytes
_CHUNK = 2**24
_LOOKED_AT = 2**13  # bytes by which a file is taken for text
_CONTROLS = [bytes([code]) for code in {*range(32)} - {*b"\1\t\n\v\f\r\x1a\x1c\x1d\x1e\x1f"}]
_FEW, _SHARE = 3, 0.01  # control characters up to which it is
_SHARDS, _SHARD_BYTES = 8, (2**24, 2**26)
_log = logging.getLogger(__name__)


def list_tables(
    source: Path, suffixes: tuple[tuple[str, ...], ...] = (_SUFFIXES, _ALSO)
) -> tuple[Path, Listing]:
    """The folder of the files, and its tables with their splits.

    Those that end in the first of `suffixes`, or where there are none, in the next.

    A folder, or a file, whose name speaks of a split makes one (see `split_in`), unless all files
    are of one that is not `train`. A single file is of none.

    Raises:
        DataError: there is no table, or some of several files are in splits and others not.
    """
    if source.is_file():
        return source.parent, Listing([ListedRow(source.name, "", "")])
    entries = walk(source)
    paths = [path for path in entries if not is_hidden(path)]
    for endings in suffixes:
        tables = [path for path in paths if path.lower().endswith(endings)]
        if tables:
            break
    else:
        advice = next(filter(None, map(_conversion, (source / path for path in paths))), "")
        raise DataError(
            f"{source}: expected a CSV, or a folder of them. Received: a folder without any file "
            f"that ends in {', '.join(itertools.chain(*suffixes))}. "
            f"{advice or 'Check the path'}."
        )
    splits = {path: split_in(path) for path in tables}
    if len({*splits.values()}) == 1 and "train" not in splits.values():
        splits = dict.fromkeys(tables, "")
    rows = [ListedRow(path, "", split) for path, split in splits.items()]
    listing = Listing(rows, sorted(set(paths) - set(tables)))
    listing.set_aside(source, entries)
    without = [row.path for row in listing.rows if not row.split]
    named = [f"{row.path} ({row.split})" for row in listing.rows if row.split]
    if without and named:
        raise DataError(
            f"{source}: expected either all files in splits or none. Received: "
            f"{', '.join(without[:3])} beside {', '.join(named[:3])}. Move the former "
            f"away, or name them too: train-{posixpath.basename(without[0])}."
        )
    return source, listing


def _conversion(file: Path) -> str:
    """How to write a table of another kind as CSV; empty for what is none, by its name."""
    call = _OTHERS.get(posixpath.splitext(file.name)[1].lower(), "")
    return call and f"Write it by {call.format(str(file))}.to_csv('table.csv', index=False)"


def check_kind(file: Path) -> None:
    """Refuse a spreadsheet, a Parquet file or a page, by how it begins, whatever it is called.

    Raises:
        DataError: `file` is such.
    """
    with file.open("rb") as opened:
        begins = opened.read(_LOOKED_AT)
    found = ""
    if begins.startswith(b"PK\3\4"):
        found = ".xlsx" if b"[Content_Types].xml" in begins or b"xl/" in begins else ".zip"
    start = begins.removeprefix(codecs.BOM_UTF8).lstrip()
    start = start.lower() if start.startswith(b"<") else begins
    for beginning, name in () if file.name.lower().endswith(".gz") else _BEGINNINGS.items():
        found = name if start.startswith(beginning) else found
    if found:
        call = _OTHERS[found].format(str(file))
        raise DataError(
            f"{file}: expected a CSV. Received: what files {found} hold. Write it as CSV, by "
            f"{call}.to_csv('table.csv', index=False)."
        )


def settle(
    root: Path,
    listing: Listing,
    given: CsvFormat,
    *,
    texts: bool = False,
    is_another: bool = False,
) -> Dialect:
    """The dialect that all the files have in common.

    Args:
        root: the folder of the files.
        listing: these.
        given: what is not to be detected.
        texts: whether they hold texts, in which a quote between tabs is a quote.
        is_another: whether `given` was said of other files of the kind. These may be in UTF-8
            whatever those were in.

    Raises:
        DataError: two files have other columns than one another, or there is no record.
    """
    for row in listing.rows:
        check_kind(root / row.path)
    encoding = given.encoding
    if not encoding or is_another:
        encoding = _encoding(root, [row.path for row in listing.rows], encoding)
    if is_another:
        given = given.of_others
    dialects = {
        row.path: _dialect(root / row.path, encoding, given, texts=texts) for row in listing.rows
    }
    (first, dialect), *others = dialects.items()
    for path, other in others:
        if other.names != dialect.names or other.header != dialect.header:
            raise DataError(
                f"{root / path}: expected the columns of {first}: "
                f"{_where_apart(dialect.names, other.names)}. Received: "
                f"{_where_apart(other.names, dialect.names)}. Give files of one table, or "
                "set the options csv.header and csv.names."
            )
        if (other.delimiter, other.padding) != (dialect.delimiter, dialect.padding):
            raise DataError(
                f"{root / path}: expected cells parted by {dialect.delimiter!r} and ends of lines "
                f"as in {first}. Received: {other.delimiter!r}, or other ends. Write all files "
                "alike."
            )
    skipped = {path: each.skipped for path, each in others if each.skipped != dialect.skipped}
    comment = next((each.comment for each in dialects.values() if each.comment), "")
    return dataclasses.replace(dialect, skipped_in=skipped, comment=comment)


def _where_apart(names: Sequence[str], others: Sequence[str]) -> str:
    """The first of `names`; of many that begin alike, those from the last that is."""
    alike = sum(itertools.takewhile(bool, (a == b for a, b in zip(names, others, strict=False))))
    return f"…, {few(names[alike - 1 :])}" if alike > _ALIKE else few(names)


def _dialect(file: Path, encoding: str, given: CsvFormat, *, texts: bool) -> Dialect:
    _check_encoding(file, encoding)
    if spans.is_whole(str(file), encoding):
        data = spans.whole_text(file, encoding)[:_SAMPLE]
    else:
        with file.open("rb") as opened:
            data = opened.read(_SAMPLE)
        data = data[encodings.bom_length(data) :].decode(encoding, "replace").encode()
    check_text(file, data)
    sample = data if len(data) < _SAMPLE else data[: spans.last_line_end(data)] or data
    text = sample.decode(errors="replace")
    return csv_dialect.settle(file, text, encoding, given, texts=texts)


def check_text(file: Path, data: bytes) -> None:
    """Refuse a spreadsheet, an archive, a picture: what has many control characters.

    Raises:
        DataError: `data`, the beginning of `file` in UTF-8, is such.
    """
    start = data[:_LOOKED_AT]
    odd = sum(start.count(control) for control in _CONTROLS)
    if odd > _FEW and odd == start.count(0):
        raise DataError(
            f"{file}: expected a text file. Received: {odd} NUL characters in its first "
            f"{len(start)} bytes. Take them out, such as by tr -d '\\000' < old.csv > new.csv, or "
            "name its encoding by the option csv.encoding."
        )
    if odd > max(_FEW, _SHARE * len(start)):
        raise DataError(
            f"{file}: expected a text file. Received: one that begins with {start[:4]!r}. "
            "Save it as CSV, or name its encoding by the option csv.encoding."
        )


def _check_encoding(file: Path, encoding: str) -> None:
    if not encodings.is_known(encoding):
        raise DataError(
            f"{file}: expected an encoding that Python knows. Received: {encoding!r}. "
            "Correct the option csv.encoding, e.g. utf-8, cp1252, shift_jis."
        )


def _encoding(root: Path, paths: list[str], learnt: str | None) -> str:
    """UTF-8 if all the files are; else what the first that is not seems to be written in."""
    for path in paths:
        found = _encoding_of(root / path, learnt)
        if found != "utf-8":
            return found
    return "utf-8"


def _encoding_of(file: Path, learnt: str | None) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")()
    head, seen = b"", b""
    try:
        for chunk in _chunks(file):
            head, seen = head or chunk, chunk
            if head is chunk and (encodings.bom_length(head) or b"\0" in head or b"\x1b" in head):
                return encodings.guess(file, head[:_SAMPLE], "csv.encoding").removesuffix("-sig")
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        data = head[:_SAMPLE] + seen[error.start : error.start + _SAMPLE]
        return encodings.guess(file, data, "csv.encoding", learnt)
    return "utf-8"


def _chunks(file: Path) -> Iterator[bytes]:
    if str(file).endswith(".gz"):
        yield spans.raw_bytes(file)
        return
    with file.open("rb") as opened:
        yield from iter(lambda: opened.read(_CHUNK), b"")


def cut(root: Path, listing: Listing, dialect: Dialect, shards: int) -> list[Span]:
    """The files in stretches: about `shards` in all; where it is 0, in eight or as many more or
    fewer as are of 16 to 64 MiB each, so that several processes have about the same to do.
    """
    total = sum((root / row.path).stat().length for row in listing.rows)
    if not shards:
        least, most = _SHARD_BYTES
        shards = -(-total // min(max(total // _SHARDS, least), most))
    size = max(1, -(-total // max(1, shards)))
    return [
        span
        for row in listing.rows
        for span in spans.spans(root, row.path, row.split, dialect, size)
    ]
