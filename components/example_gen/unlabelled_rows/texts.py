"""The texts in a table, CSV, TSV, JSON lines or array, to predict."""

from collections.abc import Iterator

from etils.epath import Path

from millrace.components.artifacts import Rejected
from millrace.components.errors import DataError
from millrace.components.example_gen.csv.dialect import TextCsv
from millrace.components.example_gen.texts import columns, tables
from millrace.components.example_gen.unlabelled_rows.source import TextSource

AS_DETECTED = TextCsv()


def read(file: Path, source: TextSource | None) -> Iterator[tuple[str, bytes] | Rejected]:
    """Where each text of `file` stands and the text, and the rows that have none.

    Args:
        file: a table that has the column of the training data's texts; others are ignored.
        source: has that column's name. None: the one with a usual name, or the longest cells.

    Raises:
        DataError: it is not a table, or has no such column.
    """
    table, listing = tables.find(file, AS_DETECTED, None)
    rows = tables.first_rows(table, listing)
    name = source.text if source else columns.text_column(table.names, rows)
    if name not in table.names:
        raise DataError(
            f"{file}: expected a column of texts{f' called {name!r}' if name else ''}. Received: "
            f"{', '.join(map(repr, table.names)) or 'no column'}. Name it in the first line."
        )
    for span in tables.cut(table, listing, 1):
        for place, cells in tables.read(table, span):
            if isinstance(cells, str):
                yield Rejected(file.name, cells, place)
            elif cells.get(name, "").strip():
                found = tables.repaired(cells[name], table.dialect.encoding, "latin-1")
                yield place, found.text.encode()
            else:
                yield Rejected(file.name, f"nothing in column {name!r}", place)
