"""Rows named by a CSV file: path, class, and maybe split."""

import csv
import io
import posixpath
from collections.abc import Iterator, Mapping

from etils.epath import Path

from millrace.components.artifacts import Rejected
from millrace.components.errors import DataError
from millrace.components.example_gen.images.options import Manifest
from millrace.components.example_gen.shards.folders import ListedRow, Listing, check_two_classes
from millrace.components.example_gen.shards.splits import canonical, is_folder_name
from millrace.components.files.walk import problem, walk

_LONGEST = 2**17  # characters of a cell: a quote that nothing closes makes a longer one


def list_manifest(root: Path, manifest: Manifest) -> Listing:
    """The rows of `root / manifest.file`; each line is found, none is lost.

    A line is set aside if its file does not exist below `root`, was named before, or its
    class is empty.

    Raises:
        DataError: the CSV is missing, not UTF-8, lacks a column, or names fewer than two
            classes.
    """
    files = walk(root)
    place = root / manifest.file
    csv.field_size_limit(_LONGEST)
    reader = csv.DictReader(io.StringIO(_text(place), newline=""), delimiter=manifest.delimiter)
    _check_columns(place, manifest, list(reader.fieldnames or ()))
    listing = Listing()
    seen: dict[str, int] = {}
    for cells in _lines(place, reader):
        row = _row(root, manifest, cells)
        reason = _refusal(row, files, seen)
        seen.setdefault(row.path, reader.line_num)
        if reason:
            listing.rejected.append(Rejected(row.path, reason, f"line {reader.line_num}"))
        else:
            listing.rows.append(row)
    _check_rows(place, listing)
    return listing


def _text(place: Path) -> str:
    try:
        if reason := problem(place):  # reading a pipe would never end
            raise OSError(None, reason)
        return place.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(
            f"{place}: expected a CSV of paths and labels. Received: {error.strerror}. "
            "Check the option manifest.file; it is relative to the source folder."
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{place}: expected UTF-8. Received: byte {error.object[error.start]:#04x} at "
            f"{error.start}. Save the CSV as UTF-8."
        ) from error


def _check_columns(place: Path, manifest: Manifest, columns: list[str]) -> None:
    wanted = [manifest.path_column, manifest.label_column]
    if manifest.split_column != Manifest.split_column:
        wanted.append(manifest.split_column)
    missing = [column for column in wanted if column and column not in columns]
    if missing:
        raise DataError(
            f"{place}: expected the column {' and '.join(map(repr, missing))}. Received: "
            f"{', '.join(map(repr, columns)) or 'an empty file'}. Name the CSV's own columns by "
            "the options manifest.path_column, manifest.label_column, manifest.split_column, "
            "and the delimiter by manifest.delimiter."
        )


def _lines(place: Path, reader: "csv.DictReader[str]") -> Iterator[dict[str, str | None]]:
    try:
        yield from reader
    except csv.Error as error:  # a quote that nothing closes swallows all that follows
        raise DataError(
            f"{place}, line {reader.line_num}: expected quotes in pairs. Received: {error}. "
            "Correct the quotes or option manifest.delimiter."
        ) from error


def _row(root: Path, manifest: Manifest, cells: dict[str, str | None]) -> ListedRow:
    path = (cells[manifest.path_column] or "").strip()
    path = path.removeprefix(f"{root}/")
    label = (cells[manifest.label_column] or "").strip()
    split = (cells.get(manifest.split_column) or "").strip()
    return ListedRow(posixpath.normpath(path) if path else "", label, canonical(split))


def _refusal(row: ListedRow, files: Mapping[str, str], seen: dict[str, int]) -> str:
    if files.get(row.path, "none"):
        return files.get(row.path, "no such file below the source folder")
    if row.path in seen:
        return f"named before, in line {seen[row.path]}"
    if row.split and not is_folder_name(row.split):
        return f"split {row.split!r} cannot be a folder's name"
    return "" if row.label else "no label"


def _check_rows(place: Path, listing: Listing) -> None:
    if not listing.rows:
        first = f", such as {listing.rejected[0].source!r}" if listing.rejected else ""
        raise DataError(
            f"{place}: expected lines that name files below {place.parent} and their classes. "
            f"Received: {len(listing.rejected)} lines that do not{first}. Correct the paths."
        )
    check_two_classes(place, listing, "Add lines of other classes.")
