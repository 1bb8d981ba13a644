"""Rows of tables as a source of text records: two passes, a stretch of a table as one shard.

The first counts the labels, for a class is a place among all of them; the second writes each
stretch as one shard of every split.
"""

import collections
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from millrace.components.artifacts import Examples, Rejected
from millrace.components.beam.exchange import Reads
from millrace.components.beam.options import BeamOptions
from millrace.components.beam.rejected import check_rejected
from millrace.components.beam.shard_pass import shard_pass
from millrace.components.errors import DataError
from millrace.components.example_gen.csv.encodings import DecodedText
from millrace.components.example_gen.csv.spans import Span
from millrace.components.example_gen.shards.folders import ListedRow, Listing
from millrace.components.example_gen.shards.splits import SplitRule
from millrace.components.example_gen.shards.tally import IngestTally
from millrace.components.example_gen.shards.writing import Converted, Unlabelled, write_shards
from millrace.components.example_gen.texts import columns as text_columns
from millrace.components.example_gen.texts import json_rows, labels, tables
from millrace.components.example_gen.texts.files import EMPTY, empty_text, text_record
from millrace.components.example_gen.texts.options import EmptyTexts, LabelSets
from millrace.components.example_gen.texts.tables import Item, TextTable

_NO_LIST = "[]"


class LabelCounts(NamedTuple):
    """Of a stretch: rows by label, rows without one, and what cannot be used."""

    labels: collections.Counter[str]
    unlabelled: int
    rejected: list[Rejected]


@dataclasses.dataclass(frozen=True)
class TextRows:
    """The rows of `table` in `spans`.

    Attributes:
        text: the columns of texts, which are joined.
        label: the column of classes.
        missing: labels that are none.
        empty: what becomes of a row without a text.
        sets: what becomes of several labels in one cell.
    """

    table: TextTable
    spans: tuple[Span, ...]
    text: tuple[str, ...]
    label: str
    missing: frozenset[str]
    empty: EmptyTexts = "reject"
    sets: LabelSets = "refuse"

    @property
    def notes(self) -> dict[str, str]:
        """What the summary is to hold: how the rows were read."""
        encoding = self.table.dialect.encoding
        return {"encoding": encoding, "text": ",".join(self.text), "label": self.label}

    def items(self, span: Span) -> Iterator[Item]:
        """The rows of a stretch."""
        return tables.read(self.table, span, (*self.text, self.label))

    def label_of(self, cells: json_rows.Cells) -> str:
        """The label of a row, without spaces around it; empty where it has none."""
        label = cells.get(self.label, "").strip()
        return "" if label in self.missing or label == _NO_LIST else label

    def counts(self, span: Span) -> LabelCounts:
        """What labels the rows of a stretch have."""
        found = LabelCounts(collections.Counter(), 0, [])
        unlabelled = 0
        for place, cells, _ in self.items(span):
            if isinstance(cells, str):
                found.rejected.append(Rejected(span.path, cells, place))
            elif not joined(cells, self.text):
                if self.empty == "reject":
                    found.rejected.append(Rejected(span.path, EMPTY, place))
            elif label := self.label_of(cells):
                found.labels[label] += 1
            else:
                unlabelled += 1
        return found._replace(unlabelled=unlabelled)


def joined(cells: json_rows.Cells, columns: Sequence[str]) -> str:
    """The cells of `columns` with a line's end between them; those without a text are left out."""
    return "\n".join(cells[name] for name in columns if cells.get(name, "").strip())


@dataclasses.dataclass(frozen=True)
class _LabelledRows:
    """The rows of stretches, with the class of each label, and the place of each class."""

    rows: TextRows
    classes: Mapping[str, str]
    places: Mapping[str, int]
    rule: SplitRule

    def read(self, rows: Sequence[ListedRow]) -> Iterator[tuple[Span, Item]]:
        """Every row of the stretches whose numbers are the paths of `rows`."""
        for row in rows:
            span = self.rows.spans[int(row.path)]
            for item in self.rows.items(span):
                yield span, item

    def convert(self, item: tuple[Span, Item]) -> Converted:
        """Encode one row."""
        span, (place, cells, repaired) = item
        if isinstance(cells, str):
            return Rejected(span.path, cells, place)
        text, label = joined(cells, self.rows.text), self.rows.label_of(cells)
        if not text:
            return empty_text(self.rows.empty, Rejected(span.path, EMPTY, place))
        if not label:
            reason = f"no label in column {self.rows.label!r}"
            return Unlabelled(Rejected(span.path, reason, place))
        found = DecodedText(text, repaired, repaired=bool(repaired))
        name = self.classes[label]
        return text_record(
            *(self.rule, span.split, found),
            filename=f"{span.path}, {place}",
            label=self.places[name],
            name=name,
        )


def columns(
    step: str, table: TextTable, listing: Listing, text: str, label: str
) -> tuple[tuple[str, ...], str]:
    """The columns of texts and of classes, as named or chosen; see `text_columns.choose`."""
    place = table.root / listing.rows[0].path
    rows = tables.first_rows(table, listing)
    try:
        return text_columns.choose(step, place, table.names, rows, text, label)
    except DataError as error:
        if table.kind != "csv" or (table.dialect.header and len(table.names) > 1):
            raise
        advice = f"Or set {step}.layout=labelled_lines if each line begins with its label."
        raise DataError(f"{error} {advice}") from None


def classes_of(
    step: str, run_on: BeamOptions, rows: TextRows, out: Examples, max_rejected: float
) -> dict[str, str]:
    """The class that each label of all the rows means.

    Raises:
        DataError: a stretch cannot be read, too many rows are unusable, or the labels are no
            classes.
    """
    reads = Reads(rows.table.root, lambda span: [span.path])
    every = list(shard_pass("Labels", rows.spans, rows.counts, out.path, run_on, reads=reads))
    counts = sum((part.labels for part in every), collections.Counter[str]())
    rejected = [row for part in every for row in part.rejected]
    check_rejected(step, rejected, counts.total() + len(rejected), max_rejected)
    place = f"{rows.table.root}, column {rows.label!r}"
    without = sum(part.unlabelled for part in every)
    if without and not counts:
        raise DataError(
            f"{place}: expected labels. Received: none in {without} rows. Name the column of "
            "classes by the option label."
        )
    return labels.settle(step, place, counts, rows.sets)


def write_rows(
    step: str,
    run_on: BeamOptions,
    out: Examples,
    rows: TextRows,
    rule: SplitRule,
    max_rejected: float,
) -> IngestTally:
    """Write the rows and report what became of them.

    Raises:
        DataError: as of `classes_of`.
    """
    classes = classes_of(step, run_on, rows, out, max_rejected)
    names = labels.in_order(set(classes.values()))
    given = {span.split for span in rows.spans}
    rule = rule.for_given(given)
    return write_shards(
        run_on,
        out,
        _LabelledRows(rows, classes, {name: place for place, name in enumerate(names)}, rule),
        [ListedRow(str(index), "", span.split) for index, span in enumerate(rows.spans)],
        splits=rule.reachable(given),
        shards=len(rows.spans),
        reads=Reads(rows.table.root, lambda some: (rows.spans[int(row.path)].path for row in some)),
    )
