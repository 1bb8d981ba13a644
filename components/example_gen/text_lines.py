"""The texts in a table, CSV, TSV, JSON lines or array, to ask a model about."""

from collections.abc import Iterator

from etils.epath import Path

from millrace.components.artifacts import Rejected
from millrace.components.errors import DataError
from millrace.components.example_gen import text_columns, text_tables
from millrace.components.example_gen.source import TextSource
from millrace.components.example_gen.text_csv import TextCsv

AS_DETECTED = TextCsv()


def read(file: Path, source: TextSource | None) -> Iterator[tuple[str, bytes] | Rejected]:
    """Where each text of `file` stands and the text, and the rows that have none.

    Args:
        file: a table that has the column of the training data's texts; others are ignored.
        source: tells that column's name. None: the one with a usual name, or the longest cells.

    Raises:
        DataError: it is no table, or has no such column.
    """
    table, listing = text_tables.find(file, AS_DETECTED, None)
    rows = text_tables.first_rows(table, listing)
    name = source.text if source else text_columns.text_column(table.names, rows)
    if name not in table.names:
        raise DataError(
            f"{file}: expected a column of texts{f' called {name!r}' if name else ''}. Received: "
            f"{', '.join(map(repr, table.names)) or 'no column'}. Name it in the first line."
        )
    for span in text_tables.cut(table, listing, 1):
        for place, cells in text_tables.read(table, span):
            if isinstance(cells, str):
                yield Rejected(file.name, cells, place)
            elif cells.get(name, "").strip():
                found = text_tables.mended(cells[name], table.dialect.encoding, "latin-1")
                yield place, found.text.encode()
            else:
                yield Rejected(file.name, f"nothing in column {name!r}", place)
