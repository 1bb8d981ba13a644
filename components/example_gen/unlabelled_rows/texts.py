"""The texts in a table, CSV, TSV, JSON lines or array, to predict."""

import dataclasses
from collections.abc import Iterator

from etils.epath import Path

from millrace.components.artifacts import Rejected
from millrace.components.errors import DataError
from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.shards.folders import Listing
from millrace.components.example_gen.texts import columns, tables
from millrace.components.example_gen.texts.rows import joined
from millrace.components.example_gen.texts.tables import TextTable
from millrace.components.example_gen.unlabelled_rows.source import TextSource

AS_DETECTED = CsvFormat()


def read(file: Path, source: TextSource | None) -> Iterator[tuple[str, bytes] | Rejected]:
    """Where each text of `file` stands and the text, and the rows that have none.

    Args:
        file: a table that has the columns of the training data's texts; others are ignored.
        source: has their names. None: the one with a usual name, or the longest cells.

    Raises:
        DataError: it is not a table, or has no such column.
    """
    table, listing = _table(file, source)
    found = columns.text_column(table.names, tables.first_rows(table, listing))[0]
    names = source.text if source else (found,)
    lacking = [name for name in names if name not in table.names]
    if lacking:
        called = f" called {' and '.join(map(repr, lacking))}" if lacking[0] else ""
        raise DataError(
            f"{file}: expected a column of texts{called}. Received: "
            f"{', '.join(map(repr, table.names)) or 'no column'}. Name it in the first line."
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
