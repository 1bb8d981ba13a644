"""The two passes over CSV files, a stretch of a file as one shard.

The first gathers what the cells of each column can be read as; the second writes each stretch
as one shard of every split.
"""

import contextlib
import dataclasses
import functools
import gzip
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
from etils.epath import Path
from numpy.typing import NDArray

from millrace.components.artifacts import Examples
from millrace.components.beam.exchange import Reads
from millrace.components.beam.options import BeamOptions
from millrace.components.beam.shard_pass import SHORT, shard_pass
from millrace.components.example_gen.csv import no_data, numbers, parsing
from millrace.components.example_gen.csv.columns import ColumnReading
from millrace.components.example_gen.csv.dialect import Dialect
from millrace.components.example_gen.csv.evidence import HEAD, Evidence, seen_in
from millrace.components.example_gen.csv.parsing import Block, TableLayout
from millrace.components.example_gen.csv.spans import Span, blocks
from millrace.components.example_gen.shards.splits import SplitRule
from millrace.components.example_gen.shards.tally import IngestTally
from millrace.components.example_gen.shards.writing import shard_files
from millrace.components.files import arrow_examples
from millrace.components.files.tfrecord import FAST

_LARGE = 2**27  # bytes that take ten seconds to write

Candidates = Mapping[str, tuple[ColumnReading, ...]]


@dataclasses.dataclass(frozen=True)
class CsvFiles:
    """Files below `root`, all in `dialect`; travels to the workers."""

    root: str
    dialect: Dialect

    def reads(self, span_of: Callable[[Any], Span] = lambda span: span) -> Reads:
        """Of a pass over them, given the stretch that a shard is."""
        return Reads(Path(self.root), lambda shard: [span_of(shard).path])

    def blocks(self, span: Span) -> Iterator[Block]:
        """A stretch of a file in parsable pieces."""
        encoding = "utf-8" if span.whole else self.dialect.encoding
        for data, line in blocks(Path(self.root), span, self.dialect):
            yield Block(span.path, line, data, encoding)


def gather(
    run_on: BeamOptions, out: Path, files: CsvFiles, spans: Sequence[Span], candidates: Candidates
) -> dict[str, Evidence]:
    """What the cells of each column in `candidates` can be read as, over all `spans`.

    A column of numbers beside other cells is looked at twice: the second time all its cells as
    text, so that the counts are exact.
    """
    find = functools.partial(_evidence, files, candidates)
    reads = files.reads()
    found = shard_pass("Gather", spans, find, out, run_on, worth=SHORT, reads=reads)
    evidence = _merged(candidates, found)
    again = {name: candidates[name] for name, seen in evidence.items() if seen.needs_recount}
    if not again:
        return evidence
    recount = functools.partial(_recounted, files, again)
    found = shard_pass("Recount", spans, recount, out, run_on, worth=SHORT, reads=reads)
    return evidence | _merged(again, found)


def place_of(files: CsvFiles, spans: Sequence[Span], name: str, cell: str) -> str:
    """Where the first such cell of the column `name` is, to be written behind it."""
    for span in spans:
        for block in files.blocks(span):
            found = parsing.strings(block, files.dialect, [name])
            row = found.columns[name].index(cell).as_py()
            if row >= 0:
                place = int(found.places[row])
                (line,) = parsing.lines_of([place], block, found.text, files.dialect)
                return f" in line {line} of {span.path}"
    return ""


def _merged(candidates: Candidates, parts: Iterable[Mapping[str, Evidence]]) -> dict[str, Evidence]:
    evidence = _nothing_seen(candidates)
    for found in parts:
        evidence = {name: seen + found[name] for name, seen in evidence.items()}
    return evidence


def _evidence(files: CsvFiles, candidates: Candidates, span: Span) -> dict[str, Evidence]:
    evidence = _nothing_seen(candidates)
    for block in files.blocks(span):
        evidence = with_block(evidence, block, files.dialect)
    return evidence


def _recounted(files: CsvFiles, candidates: Candidates, span: Span) -> dict[str, Evidence]:
    evidence = _nothing_seen(candidates)
    for block in files.blocks(span):
        cells = parsing.strings(block, files.dialect, list(evidence), _least(files.dialect)).columns
        evidence = seen_in(evidence, cells, exact=True)
    return evidence


def _nothing_seen(candidates: Candidates) -> dict[str, Evidence]:
    return {name: Evidence(readings) for name, readings in candidates.items()}


def with_block(
    evidence: Mapping[str, Evidence], block: Block, dialect: Dialect
) -> dict[str, Evidence]:
    """`evidence` and what the cells of `block` say.

    A column of numbers is read as such, which is faster than as text; where a cell of the block
    is none, all are looked at as text, and so is a number that Arrow would not read as written.
    Which columns those are, the first records of all say.
    """
    if not any(seen.filled for seen in evidence.values()):
        head, block = parsing.parted(block, dialect, HEAD)
        evidence = _with_part(evidence, head, dialect)
    return _with_part(evidence, block, dialect)


def _with_part(
    evidence: Mapping[str, Evidence], block: Block, dialect: Dialect
) -> dict[str, Evidence]:
    guesses = {name: seen.guess for name, seen in evidence.items()}
    cells = parsing.cells_of(block, dialect, guesses, _least(dialect)).columns
    read = [name for name, each in cells.items() if each.type != pa.string()]
    zeros = parsing.leading_zeros(block, dialect) if read else frozenset()
    doubtful = [name for name in read if name in zeros or not numbers.are_plain(cells[name])]
    if doubtful:
        cells |= parsing.strings(block, dialect, doubtful, _least(dialect)).columns
    return seen_in(evidence, cells)


def _least(dialect: Dialect) -> int:
    """How many cells a record needs to be none of the notes below a table."""
    return 1 if dialect.fill_short else len(dialect.names) // 2 + 1


def write(
    run_on: BeamOptions,
    out: Examples,
    files: CsvFiles,
    spans: Sequence[Span],
    layout: TableLayout,
    rule: SplitRule,
    label: str,
) -> IngestTally:
    """Write stretch i of `spans` as shard i of every split that its rows can come to lie in.

    Rows without the feature `label` are left out and counted; none are where it is empty.
    """
    splits = rule.reachable({span.split for span in spans})
    shards = list(zip(spans, shard_files(out, splits, len(spans)), strict=True))
    work = functools.partial(_write_shard, files, layout, rule, label)
    tally = IngestTally({split: {"": 0} for split in splits})
    worth = 0.0 if sum(span.stop - span.start for span in spans) > _LARGE else SHORT
    reads = files.reads(lambda shard: shard[0])
    done = shard_pass("WriteShard", shards, work, out.path, run_on, worth=worth, reads=reads)
    for part in done:
        tally.add(part)
    return tally


def _write_shard(
    files: CsvFiles,
    layout: TableLayout,
    rule: SplitRule,
    label: str,
    shard: tuple[Span, Mapping[str, Path]],
) -> IngestTally:
    """Write the rows of a stretch, by split into a file each."""
    span, targets = shard
    tally = IngestTally()
    with contextlib.ExitStack() as stack:
        sinks = {split: stack.enter_context(_sink(file)) for split, file in targets.items()}
        for block in files.blocks(span):
            rows = parsing.features(block, files.dialect, layout)
            for each in rows.rejected:
                is_data = not each.reason.startswith(no_data.REASONS)
                (tally.rejected if is_data else tally.no_data).append(each)
            rows, unlabelled = parsing.labelled(rows, label, block, files.dialect)
            tally.unlabelled.extend(unlabelled)
            tally.bad_cells.extend(rows.bad_cells)
            for split, frames in framed(rows.columns, rule, span.split).items():
                sinks[split].write(arrow_examples.flat(frames))
                tally.written.setdefault(split, {"": 0})[""] += len(frames)
    return tally


def framed(
    features: Mapping[str, pa.Array], rule: SplitRule, given: str
) -> dict[str, pa.BinaryArray]:
    """The rows as framed records, by the split that each belongs to; order is kept.

    Args:
        features: columns by name, at least one.
        rule: chooses by the content of the record.
        given: the split that the rows came in, or "".
    """
    examples = arrow_examples.records(features)
    values = arrow_examples.as_bytes(examples)
    frames = arrow_examples.frames(examples, values)
    names, edges = [given], np.array([1.0])
    if not given:
        names, edges = list(rule.names), np.array(rule.edges)
    elif given == "train" and rule.held_out:
        names, edges = ["eval", given], np.array([rule.held_out, 1.0])
    if len(names) == 1:
        return {names[0]: frames}
    chosen: NDArray[np.int64] = edges.searchsorted(arrow_examples.points(values), side="right")
    return {name: frames.filter(pa.array(chosen == place)) for place, name in enumerate(names)}


@contextlib.contextmanager
def _sink(path: Path) -> Iterator[BinaryIO]:
    """A gzipped file for framed records; the same records give the same bytes."""
    with (
        path.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", compresslevel=FAST, fileobj=file, mtime=0) as sink,
    ):
        yield sink  # type: ignore[misc]
