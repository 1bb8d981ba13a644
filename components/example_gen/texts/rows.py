"""Rows of tables as a source of text records: two passes, a stretch of a table as one shard.

The first gathers the class names, for a label is a place among all of them; the second writes
each stretch as one shard of every split.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence

from etils.epath import Path

from millrace.components.artifacts import Examples, Rejected
from millrace.components.beam.options import BeamOptions
from millrace.components.beam.shard_pass import shard_pass
from millrace.components.errors import DataError
from millrace.components.example_gen.csv.encodings import BadBytes, DecodedText
from millrace.components.example_gen.csv.spans import Span
from millrace.components.example_gen.shards.folders import ListedRow, Listing
from millrace.components.example_gen.shards.splits import SplitRule
from millrace.components.example_gen.shards.tally import IngestTally
from millrace.components.example_gen.shards.writing import SplitRecord, write_shards
from millrace.components.example_gen.texts import columns as text_columns
from millrace.components.example_gen.texts import json_rows, tables
from millrace.components.example_gen.texts.files import Decoding, text_record
from millrace.components.example_gen.texts.tables import Item, TextTable


@dataclasses.dataclass(frozen=True)
class TextRows:
    """The rows of `table` in `spans`, and its columns of texts and of classes."""

    table: TextTable
    spans: tuple[Span, ...]
    text: str
    label: str
    decoding: Decoding

    def text_of(self, cells: json_rows.Cells) -> DecodedText:
        """The text of a row.

        Raises:
            DataError: it has none, or one that is not in the encoding and refused.
        """
        return self._column(cells, self.text, self.decoding.bad)

    def class_of(self, cells: json_rows.Cells) -> str:
        """The class name of a row, without spaces around it.

        Raises:
            DataError: it has none.
        """
        bad: BadBytes = "replace" if self.decoding.bad == "reject" else self.decoding.bad
        return self._column(cells, self.label, bad).text.strip()

    def _column(self, cells: json_rows.Cells, name: str, bad: BadBytes) -> DecodedText:
        if not cells.get(name, "").strip():
            raise DataError(f"nothing in column {name!r}")
        return tables.repaired(cells[name], self.table.dialect.encoding, bad)

    def classes(self, span: Span) -> set[str]:
        """The class names of a stretch."""
        names = set[str]()
        for _, cells in tables.read(self.table, span):
            if not isinstance(cells, str):
                with contextlib.suppress(DataError):  # set aside and reported by the second pass
                    names.add(self.class_of(cells))
        return names


@dataclasses.dataclass(frozen=True)
class _LabelledRows:
    """The rows of stretches, with the label of each class name."""

    rows: TextRows
    labels: dict[str, int]
    rule: SplitRule

    def read(self, rows: Sequence[ListedRow]) -> Iterator[tuple[Span, Item]]:
        """Every row of the stretches whose numbers are the paths of `rows`."""
        for row in rows:
            span = self.rows.spans[int(row.path)]
            for item in tables.read(self.rows.table, span):
                yield span, item

    def convert(self, item: tuple[Span, Item]) -> SplitRecord | Rejected:
        """Decode and encode one row."""
        span, (place, cells) = item
        if isinstance(cells, str):
            return Rejected(span.path, cells, place)
        try:
            text, name = self.rows.text_of(cells), self.rows.class_of(cells)
        except DataError as error:
            return Rejected(span.path, str(error), place)
        filename, label = f"{span.path}, {place}", self.labels[name]
        return text_record(self.rule, span.split, text, filename=filename, label=label, name=name)


def columns(
    step: str, table: TextTable, listing: Listing, text: str, label: str
) -> tuple[str, str]:
    """The columns of texts and of classes, as named or chosen; see `text_columns.choose`."""
    place = table.root / listing.rows[0].path
    rows = tables.first_rows(table, listing)
    return text_columns.choose(step, place, table.names, rows, text, label)


def class_names(run_on: BeamOptions, rows: TextRows, out: Path) -> tuple[str, ...]:
    """The names of all classes in the order of their labels.

    Raises:
        DataError: a stretch cannot be read, or there are fewer than two classes, or too many.
    """
    names = set[str]().union(*shard_pass("ClassNames", rows.spans, rows.classes, out, run_on))
    text_columns.check_classes(rows.table.root, rows.label, names)
    return text_columns.in_order(names)


def write_rows(run_on: BeamOptions, out: Examples, rows: TextRows, rule: SplitRule) -> IngestTally:
    """Write the rows and report what became of them.

    Raises:
        DataError: a stretch cannot be read, or there are fewer than two classes, or too many.
    """
    names = class_names(run_on, rows, out.path)
    given = {span.split for span in rows.spans}
    rule = rule.for_given(given)
    return write_shards(
        run_on,
        out,
        _LabelledRows(rows, {name: label for label, name in enumerate(names)}, rule),
        [ListedRow(str(index), "", span.split) for index, span in enumerate(rows.spans)],
        splits=rule.reachable(given),
        shards=len(rows.spans),
    )
