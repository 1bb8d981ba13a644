"""CSV files of series to one table of text, their columns held equal."""

import csv
import io
from typing import Literal

import numpy as np
import pandas as pd
from etils.epath import Path

from millrace.components.artifacts import Rejected
from millrace.components.errors import DataError
from millrace.components.example_gen.csv import dialect as csv_dialect
from millrace.components.example_gen.csv import encodings, spans
from millrace.components.example_gen.csv.dialect import CsvFormat, Dialect
from millrace.components.example_gen.shards.folders import ListedRow, Listing
from millrace.components.files.walk import is_hidden, walk

FILE = "\0file"  # the column with each row's file, without its suffix

_SUFFIXES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
_LOOKED_AT = 1 << 16  # bytes from which delimiter and encoding are detected


def read(source: Path, given: CsvFormat) -> tuple[pd.DataFrame, Dialect, list[Rejected]]:
    """The rows of the file `source`, or of all CSV files in that folder, as text.

    Missing cells are NaN. The dialect is that of the first file. What is not a readable
    file comes last.

    Raises:
        DataError: there is no such file, one cannot be read, or their columns differ.
    """
    listing = _listing(source)
    files = _paths(source, listing)
    read_all = [_read_one(file, given) for file in files]
    first, dialect = read_all[0]
    for file, (frame, _) in zip(files, read_all, strict=True):
        if list(frame.columns) != list(first.columns):
            raise DataError(
                f"{file}: expected the columns of {files[0].name}: {', '.join(dialect.names)}. "
                f"Received: {', '.join(frame.columns[:-1])}. Keep files of other tables in "
                "other folders."
            )
    whole = pd.concat([frame for frame, _ in read_all], ignore_index=True)
    return whole, dialect, listing.rejected


def place_of(source: Path, given: CsvFormat, row: int) -> str:
    """The file and the line in which row number `row`, from 0, of what `read` gave begins."""
    for file in _paths(source, _listing(source)):
        text, dialect = _text(file, given)
        quoting: Literal[0, 3] = 0 if dialect.quote else 3
        reader = csv.reader(
            io.StringIO(text, newline=""),
            delimiter=dialect.delimiter,
            quoting=quoting,
            skipinitialspace=True,
        )
        csv.field_size_limit(2**31 - 1)
        line, row = 1, row + dialect.header
        for cells in reader:
            if cells and not row:
                return f"{file}:{line}"
            line, row = reader.line_num + 1, row - bool(cells)
    return str(source)


def numbers(values: "pd.Series[str]", dialect: Dialect) -> "pd.Series[float]":
    """Text as float64, NaN where a cell is missing or no number."""
    text = values
    if dialect.thousands:
        text = text.str.replace(dialect.thousands, "", regex=False)
    found = pd.to_numeric(text, errors="coerce").astype(np.float64)
    is_comma = dialect.decimal == ","
    if is_comma or (dialect.decimal == "auto" and dialect.delimiter != "," and _lost(found, text)):
        commas = pd.to_numeric(text.str.replace(",", ".", regex=False), errors="coerce")
        return commas.astype(np.float64)
    return found


def decode(raw: bytes, encoding: str | None, file: Path) -> tuple[str, str]:
    """The text of `raw` and its encoding: by its byte order mark, UTF-8, or what it looks like.

    Raises:
        DataError: it is not of the given encoding, or no text.
    """
    name = encoding or encodings.detect(raw)
    try:
        text = raw.decode("utf-8-sig" if name == "utf-8" else name)
    except (UnicodeError, LookupError) as error:
        if encoding:
            raise DataError(
                f"{file}: expected text in {encoding}. Received: {error}. Set "
                "series_example_gen.csv.encoding to the file's own, or to none."
            ) from error
        text = raw.decode(name, errors="replace")
    if "\0" in text:
        raise DataError(
            f"{file}: expected a text file. Received: bytes of no known encoding. "
            "Name the encoding by series_example_gen.csv.encoding."
        )
    return text, name


def _lost(found: "pd.Series[float]", text: "pd.Series[str]") -> bool:
    return bool((found.isna() & text.notna()).any())


def _list(source: Path) -> Listing:
    entries = walk(source)
    names = [name for name in entries if not is_hidden(name)]
    listing = Listing([ListedRow(name, "") for name in names if name.lower().endswith(_SUFFIXES)])
    if not listing.rows:
        raise DataError(
            f"{source}: expected CSV files, named *.csv, *.tsv or *.txt. Received: "
            f"{', '.join(names[:5]) or 'an empty folder'}. Check the path, or name the file."
        )
    listing.set_aside(source, entries)
    return listing


def _listing(source: Path) -> Listing:
    return Listing([ListedRow(source.name, "")]) if source.is_file() else _list(source)


def _paths(source: Path, listing: Listing) -> list[Path]:
    folder = source.parent if source.is_file() else source
    return [folder / row.path for row in listing.rows]


def _read_one(file: Path, given: CsvFormat) -> tuple[pd.DataFrame, Dialect]:
    text, dialect = _text(file, given)
    frame = _table(file, text, dialect)
    if frame.empty:
        raise DataError(f"{file}: expected rows below the header. Received: none. Fill the file.")
    frame[FILE] = file.name.split(".")[0]
    return frame, dialect


def _text(file: Path, given: CsvFormat) -> tuple[str, Dialect]:
    """All of `file`, and how it is written."""
    text, encoding = decode(spans.raw_bytes(file), given.encoding, file)
    sample = text[:_LOOKED_AT]
    end = sample.rfind("\n" if "\n" in sample else "\r") + 1  # the latter on old Macs
    whole = sample if len(text) <= _LOOKED_AT else sample[:end]
    return text, csv_dialect.settle(file, whole, encoding, given)


def _table(file: Path, text: str, dialect: Dialect) -> pd.DataFrame:
    try:
        return pd.read_csv(
            io.StringIO(text),
            sep=dialect.delimiter,
            header=0 if dialect.header else None,
            names=list(dialect.names),
            index_col=False,
            dtype=str,
            keep_default_na=False,
            na_values=list(dialect.missing),
            skipinitialspace=True,
            quoting=0 if dialect.quote else 3,  # csv.QUOTE_MINIMAL, csv.QUOTE_NONE
        )
    except pd.errors.ParserError as error:
        reason = str(error).removeprefix("Error tokenizing data. C error: ").strip()
        raise DataError(
            f"{file}: expected rows of as many cells as the header. Received: {reason}. "
            "Correct them, or name the delimiter by series_example_gen.csv.delimiter."
        ) from error
