"""The texts to predict: rows of a table, CSV, TSV, JSON lines or array; lines; or files."""

import dataclasses
import itertools
import logging
from collections.abc import Iterator

from etils.epath import Path

from millrace.components.artifacts import Rejected
from millrace.components.errors import DataError
from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.shards.folders import ListedRow, Listing
from millrace.components.example_gen.texts import columns, files, lines, tables
from millrace.components.example_gen.texts.rows import joined
from millrace.components.example_gen.texts.tables import TextTable
from millrace.components.example_gen.unlabelled_rows.source import LINES, TextSource
from millrace.components.files.walk import is_hidden, walk
from millrace.serving.errors import few

AS_DETECTED = CsvFormat()
Texts = Iterator[tuple[str, bytes] | Rejected]
_log = logging.getLogger(__name__)


def read_all(place: Path, source: TextSource | None) -> tuple[Texts, list[str]]:
    """Where each text of the file or folder `place` stands and the text, and what has none.

    Tables are read by `read`, and so are files of lines where the model learnt from such. Any
    other file is one text; beside tables it is ignored where the model learnt from tables.

    Returns:
        These, and the files that were ignored.

    Raises:
        DataError: there is no such file or folder.
    """
    form = source.form if source else "classes"
    if place.is_file():
        paths, entries = [place.name], {place.name: ""}
        place = place.parent
        tabular = paths if tables.is_table(*paths) or _has_columns(place / paths[0], source) else []
    else:
        entries = walk(place)
        paths = [path for path in entries if not is_hidden(path)]
        tabular = [path for path in paths if tables.is_table(path)]
    used = tabular if form == "tables" and tabular else paths
    is_whole = form not in LINES and len(tabular) < len(used)
    listing = Listing([ListedRow(path, "") for path in used])
    listing.set_aside(place, entries)
    return _each(place, listing, source, is_whole=is_whole), sorted({*entries} - {*used})


def _has_columns(file: Path, source: TextSource | None) -> bool:
    """Whether the model learnt from tables, and `file` is one, whatever its name."""
    if source is None or source.form != "tables":
        return False
    try:
        names = _table(file, source)[0].names
    except DataError:
        names = ()
    if not set(source.text) <= set(names):
        _log.info("%s has no column %s: read as one text", file, " or ".join(source.text))
        return False
    return True


def _each(root: Path, listing: Listing, source: TextSource | None, *, is_whole: bool) -> Texts:
    yield from listing.rejected
    form = files.Decoding(source.encoding, source.bad) if source else files.Decoding()
    is_unknown = is_whole and not form.encoding
    likely = files.likely_encodings(root, listing.rows, option="") if is_unknown else {}
    for row in listing.rows:
        if is_whole:
            try:
                text = form.read(root / row.path, likely.get("", "utf-8")).text
            except DataError as error:
                yield Rejected(row.path, str(error))
            else:
                yield (row.path, text.encode()) if text.strip() else Rejected(row.path, "no text")
            continue
        for item in read(root / row.path, source):
            if isinstance(item, Rejected):
                yield dataclasses.replace(item, source=row.path)
            else:
                yield f"{row.path}, {item[0]}", item[1]


def read(file: Path, source: TextSource | None) -> Texts:
    """Where each text of `file` stands and the text, and the rows that have none.

    Args:
        file: a table that has the columns of the training data's texts; others are ignored. Or,
            for a model that learnt from lines, such lines, where its name is not a table's.
        source: has the columns' names. None: the one with a usual name, or the longest cells.

    Raises:
        DataError: it is not a table, or has no such column.
    """
    if source is None or source.form not in LINES:
        return _rows(file, source if source and source.text else None)
    return _rows(file, None) if tables.is_table(file.name) else _lines(file, source)


def _lines(file: Path, source: TextSource) -> Texts:
    """The lines of `file`; without their labels, where each begins with one of the classes."""
    table, listing = tables.find_lines(file, "class_files", source.encoding, source.bad)
    spans = tables.cut(table, listing, 1)

    def items() -> Iterator[tables.Item]:
        return itertools.chain.from_iterable(tables.read(table, span) for span in spans)

    is_labelled = source.form == "labelled_lines" and all(
        isinstance(cells, str) or _begins_with_class(cells["text"], source)
        for _, cells, _ in items()
    )
    if is_labelled:
        _log.info("%s: every line begins with one of the classes, which is left out", file)
    for place, cells, _ in items():
        if isinstance(cells, str):
            yield Rejected(file.name, cells, place)
        else:
            line = cells["text"]
            yield place, (lines.parted(line, source.separator)[1] if is_labelled else line).encode()


def _begins_with_class(line: str, source: TextSource) -> bool:
    try:
        found, _ = lines.parted(line, source.separator)
    except DataError:
        return False
    return not source.classes.isdisjoint(found)


def _rows(file: Path, source: TextSource | None) -> Texts:
    table, listing = _table(file, source)
    found = columns.text_column(table.names, tables.first_rows(table, listing))[0]
    names = source.text if source else (found,)
    lacking = [name for name in names if name not in table.names]
    if lacking:
        called = f" called {' and '.join(map(repr, lacking))}" if lacking[0] else ""
        raise DataError(
            f"{file}: expected a column of texts{called}. Received: "
            f"{few(map(repr, table.names)) or 'no column'}. Name it in the first line."
        )
    for span in tables.cut(table, listing, 1):
        for place, cells, _ in tables.read(table, span, names):
            if isinstance(cells, str):
                yield Rejected(file.name, cells, place)
            elif text := joined(cells, names):
                yield place, text.encode()
            else:
                yield Rejected(
                    file.name, f"nothing in column {' or '.join(map(repr, names))}", place
                )


def _table(file: Path, source: TextSource | None) -> tuple[TextTable, Listing]:
    """The table, whose columns have the training data's names where it has none of its own."""
    if source is None:
        return tables.find(file, AS_DETECTED)
    given = source.csv
    named = dataclasses.replace(given, header=None, names=())
    table, listing = tables.find(file, named, is_another=True)
    is_headless = given.names or (table.kind == "csv" and not table.dialect.header)
    if is_headless and not set(source.text) <= set(table.names):
        learnt = given.names or source.names
        every = learnt if len(learnt) == len(table.names) else source.text
        if len(every) == len(table.names):
            headless = dataclasses.replace(named, header=False, names=every)
            return tables.find(file, headless, is_another=True)
    return table, listing
