"""Rows named by a CSV file: path, class, and maybe split."""

import logging
import posixpath
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from etils.epath import Path

from millrace.components.artifacts import Rejected
from millrace.components.errors import DataError
from millrace.components.example_gen.csv import files as csv_files
from millrace.components.example_gen.csv import parsing
from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.csv.passes import CsvFiles
from millrace.components.example_gen.images.options import Manifest
from millrace.components.example_gen.shards.folders import (
    ListedRow,
    Listing,
    check_two_classes,
)
from millrace.components.example_gen.shards.splits import canonical, is_folder_name
from millrace.components.features import class_names
from millrace.components.files.picture_names import is_other, is_picture
from millrace.components.files.walk import is_hidden, problem, walk
from millrace.serving.errors import few

_PATHS = (  # names of columns, the likeliest first
    *("path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path"),
    *("image_file", "image_name", "img", "img_path", "img_name", "picture", "photo"),
    *("image_id", "imageid", "id_code", "id", "name"),
)
_LABELS = (
    *("label", "class", "target", "category", "class_name", "label_name", "labels", "breed"),
    *("species", "diagnosis", "type", "tag", "y", "classes", "kind"),
)
_log = logging.getLogger(__name__)


def list_manifest(root: Path, manifest: Manifest, csv: CsvFormat) -> Listing:
    """The rows of `root / manifest.file`; each line is found, none is lost.

    A line is set aside if its file does not exist below `root` or was named before; one without
    a class is unlabelled. Files that no line names are ignored.

    Raises:
        DataError: the CSV is missing, lacks a column, has several classes in a cell, or names
            fewer than two.
    """
    entries = walk(root)
    place = root / manifest.file
    _check_place(place)
    listing, seen = Listing(), dict[str, int]()
    lines, columns = _lines(place, manifest, csv, listing)
    found = _Files(entries, posixpath.dirname(str(manifest.file)))
    elsewhere = _elsewhere([_plain(root, cells[0]) for _, cells in lines], entries, found)
    if elsewhere:
        _log.info("%s: what lay in %s is looked for in %s", place, elsewhere, root)
    for number, cells in lines:
        row = _row(root, cells, found, elsewhere)
        if reason := _refusal(row, entries, seen, found):
            listing.rejected.append(Rejected(row.path, reason, f"line {number}"))
        elif not row.label:
            listing.unlabelled.append(Rejected(row.path, "no label", f"line {number}"))
        else:
            listing.rows.append(row)
        seen.setdefault(row.path, number)
    listing.ignored = sorted(entries.keys() - seen.keys())
    pictures = [path for path in listing.ignored if is_picture(path) and not is_hidden(path)]
    if pictures:
        _log.warning("%d images are not in %s: ignored", len(pictures), place)
    _check_rows(place, listing)
    _check_labels(place, columns[1], listing.classes)
    return listing


def _check_place(place: Path) -> None:
    try:
        if reason := problem(place):  # reading a pipe would never end
            raise OSError(None, reason)
    except OSError as error:
        raise DataError(
            f"{place}: expected a CSV of paths and labels. Received: {error.strerror}. "
            "Check the option manifest.file; it is relative to the source folder."
        ) from error


def _lines(
    place: Path, manifest: Manifest, csv: CsvFormat, listing: Listing
) -> tuple[list[tuple[int, tuple[str, ...]]], list[str]]:
    """The cells of path, label and maybe split of each record, with its line; those columns.

    Records of too many cells are set aside in `listing`.

    Raises:
        DataError: the CSV cannot be read, or lacks a column.
    """
    table = Listing([ListedRow(place.name, "")])
    dialect = csv_files.settle(place.parent, table, csv)
    columns = [
        _column(place, "path", manifest.path_column, _PATHS, dialect.names),
        _column(place, "label", manifest.label_column, _LABELS, dialect.names),
    ]
    if manifest.split_column in dialect.names:
        columns.append(manifest.split_column)
    elif manifest.split_column not in ("", Manifest.split_column):
        raise _no_column(place, repr(manifest.split_column), dialect.names, "split")
    _log.info("%s: files are in column %r, classes in %r", place, *columns[:2])
    source = CsvFiles(str(place.parent), dialect)
    lines: list[tuple[int, tuple[str, ...]]] = []
    for span in csv_files.cut(place.parent, table, dialect, 1):
        for block in source.blocks(span):
            cells = parsing.strings(block, dialect, columns)
            listing.rejected += cells.rejected
            numbers = parsing.lines_of(cells.places.tolist(), block, cells.text, dialect)
            texts = [cells.columns[name].fill_null("").to_pylist() for name in columns]
            lines += zip(numbers, zip(*texts, strict=True), strict=True)
    return lines, columns


def _column(
    place: Path, what: str, given: str, usual: Sequence[str], columns: Sequence[str]
) -> str:
    """The column `given`, or the one with the likeliest name."""
    if given:
        if given in columns:
            return given
        raise _no_column(place, repr(given), columns, what)
    folded = {re.sub(r"[\s-]+", "_", name.strip().lower()): name for name in reversed(columns)}
    named = [folded[name] for name in usual if name in folded]
    if not named:
        raise _no_column(place, f"of a {what}, such as {usual[0]!r}", columns, what)
    return named[0]


def _no_column(place: Path, wanted: str, columns: Sequence[str], what: str) -> DataError:
    return DataError(
        f"{place}: expected the column {wanted}. Received: {few(map(repr, columns))}. Name "
        f"the CSV's own by the option manifest.{what}_column."
    )


class _Files:
    """The files below a folder, found by what a manifest calls them."""

    def __init__(self, entries: Mapping[str, str], folder: str) -> None:
        self._entries = entries
        self._folder = folder
        self._endings = defaultdict[str, list[str]](list)
        for path in entries:
            if is_other(path):
                continue
            parts = path.split("/")
            for start in range(len(parts)):
                tail = "/".join(parts[start:])
                self._endings[tail].append(path)
                if is_picture(tail):
                    self._endings[posixpath.splitext(tail)[0]].append(path)

    def named(self, path: str) -> list[str]:
        """The file at `path`; else those whose path ends so, or would with an extension."""
        near = posixpath.normpath(posixpath.join(self._folder, path))
        for exact in (path, near):
            if exact in self._entries:
                return [exact]
        return sorted({*self._endings.get(path, ())})


def _row(root: Path, cells: Sequence[str], files: _Files, elsewhere: str) -> ListedRow:
    path, label, *split = (cell.strip() for cell in cells)
    path = _plain(root, path).removeprefix(elsewhere)
    found = files.named(path)
    return ListedRow(found[0] if len(found) == 1 else path, label, canonical("".join(split)))


def _plain(root: Path, path: str) -> str:
    path = path.strip().replace("\\", "/").removeprefix(f"{root}/")
    return posixpath.normpath(path) if path else ""


def _elsewhere(paths: Sequence[str], entries: Mapping[str, str], files: _Files) -> str:
    """The folder of another machine, ended by `/`, that all `paths` begin with, or "".

    Without it some are `entries`, of which none is named as it stands. Of several it is the
    shortest, so that most of a path is compared.
    """
    paths = [path for path in paths if path]
    if not paths or any(files.named(path) for path in paths):
        return ""
    parts = posixpath.commonprefix([path.split("/")[:-1] for path in paths])
    starts = ["/".join(parts[:count]) + "/" for count in range(1, len(parts) + 1)]
    return next((s for s in starts if any(path[len(s) :] in entries for path in paths)), "")


def _refusal(
    row: ListedRow, entries: Mapping[str, str], seen: Mapping[str, int], files: _Files
) -> str:
    if row.path in seen:
        return f"named before, in line {seen[row.path]}"
    if row.path not in entries:
        several = files.named(row.path)
        return f"could be {' or '.join(several[:3])}" if several else _NO_FILE
    if entries[row.path]:
        return entries[row.path]
    if row.split and not is_folder_name(row.split):
        return f"split {row.split!r} cannot be a folder's name"
    return ""


_NO_FILE = "no such file below the source folder"


def _check_rows(place: Path, listing: Listing) -> None:
    if not listing.rows:
        first = f", such as {listing.rejected[0].source!r}" if listing.rejected else ""
        raise DataError(
            f"{place}: expected lines that name files below {place.parent} and their classes. "
            f"Received: {len(listing.rejected)} lines that do not{first}. Correct the paths."
        )
    check_two_classes(place, listing, "Add lines of other classes.")


def _check_labels(place: Path, column: str, classes: Sequence[str]) -> None:
    """Refuse cells of several labels: `cat|dog`, or words that stand alone in other cells."""
    lists = class_names.lists(classes, (*class_names.MARKS, " "))
    several = [name for name in classes if len(lists.get(name, "")) > 1]
    if several:
        raise DataError(
            f"{place}: expected one class a line in column {column!r}. Received: {len(several)} "
            f"classes of several, such as {several[0]!r}. Name a column of one by the option "
            "manifest.label_column, or keep one in each cell."
        )
