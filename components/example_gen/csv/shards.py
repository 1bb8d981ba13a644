"""The two Beam passes over CSV files, one element per stretch of a file.

The first gathers what the cells of each column can be read as; the second writes each stretch
as one shard of every split. No row travels between workers; what a worker has to say it leaves
in a file, so that it arrives the same way from every runner.
"""

import contextlib
import dataclasses
import functools
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

import numpy as np
import pyarrow as pa
from etils.epath import Path
from numpy.typing import NDArray

from millrace.components.artifacts import Examples
from millrace.components.beam.options import BeamOptions
from millrace.components.example_gen.csv import arrow_examples, columns, parsing
from millrace.components.example_gen.csv.columns import Evidence, Reading
from millrace.components.example_gen.csv.dialect import Dialect
from millrace.components.example_gen.csv.parsing import Block, Layout
from millrace.components.example_gen.csv.spans import Span, blocks
from millrace.components.example_gen.shards.splits import SplitRule
from millrace.components.example_gen.shards.tally import Tally
from millrace.components.files.tfrecord import FAST
from millrace.serving.errors import MillraceError

Candidates = Mapping[str, tuple[Reading, ...]]


@dataclasses.dataclass(frozen=True)
class Job:
    """What the workers know: files below `root`, all in `dialect`, and where to write."""

    root: str
    dialect: Dialect
    out: Examples

    def notes(self, index: int) -> Path:
        """Where the worker of a stretch leaves what it has to say."""
        return self.out.path / ".shards" / f"{index:05d}.json"


def gather(
    run_on: BeamOptions, job: Job, spans: Sequence[Span], candidates: Candidates
) -> dict[str, Evidence]:
    """What the cells of each column in `candidates` can be read as, over all `spans`."""
    import apache_beam as beam

    job.notes(0).parent.mkdir(parents=True)
    with run_on.pipeline() as pipeline:
        _ = (
            pipeline
            | "Stretches" >> beam.Create(list(enumerate(spans)))
            | "Gather" >> beam.MapTuple(functools.partial(_gather, job, candidates))
        )
    evidence = {name: Evidence(readings) for name, readings in candidates.items()}
    for index in range(len(spans)):
        found = json.loads(job.notes(index).read_text())
        for name, (survivors, filled) in found.items():
            kept = tuple(Reading(*reading) for reading in survivors)
            evidence[name] += Evidence(kept, filled)
    job.notes(0).parent.rmtree()
    return evidence


def _gather(job: Job, candidates: Candidates, index: int, span: Span) -> None:
    evidence = {name: Evidence(readings) for name, readings in candidates.items()}
    for block in _blocks(job, span):
        evidence = with_block(evidence, block, job.dialect)
    found = {
        name: ([dataclasses.astuple(reading) for reading in seen.survivors], seen.filled)
        for name, seen in evidence.items()
    }
    job.notes(index).write_text(json.dumps(found))


def with_block(
    evidence: Mapping[str, Evidence], block: Block, dialect: Dialect
) -> dict[str, Evidence]:
    """`evidence` and what the cells of `block` say.

    A column of numbers is read as such, which is faster than as text; where a cell of the block
    is none, all are looked at as text.
    """
    guesses = {name: seen.guess for name, seen in evidence.items()}
    cells = parsing.cells_of(block, dialect, guesses).columns
    if not all(map(columns.are_usual, cells.values())):
        cells = parsing.strings(block, dialect, list(evidence)).columns
    return {name: seen.seen(cells[name]) for name, seen in evidence.items()}


def write(
    run_on: BeamOptions, job: Job, spans: Sequence[Span], layout: Layout, rule: SplitRule
) -> Tally:
    """Write stretch i of `spans` as shard i of every split that its rows can come to lie in."""
    import apache_beam as beam

    splits = rule.reachable({span.split for span in spans})
    for folder in (job.notes(0).parent, *map(job.out.split_path, splits)):
        folder.mkdir(parents=True)
    writing = functools.partial(_write, job, layout, rule, tuple(splits), len(spans))
    with run_on.pipeline() as pipeline:
        _ = (
            pipeline
            | "Stretches" >> beam.Create(list(enumerate(spans)))
            | "WriteShard" >> beam.MapTuple(writing)
        )
    tally = Tally({split: {"": 0} for split in splits})
    for index in range(len(spans)):
        tally.add(Tally.from_json(job.notes(index).read_text()))
    job.notes(0).parent.rmtree()
    return tally


def _write(
    job: Job,
    layout: Layout,
    rule: SplitRule,
    splits: tuple[str, ...],
    shards: int,
    index: int,
    span: Span,
) -> None:
    tally = Tally()
    try:
        with contextlib.ExitStack() as stack:
            sinks = {
                split: stack.enter_context(_sink(job.out.shard(split, index, shards)))
                for split in splits
            }
            for block in _blocks(job, span):
                rows = parsing.features(block, job.dialect, layout)
                tally.rejected.extend(rows.rejected)
                for split, frames in framed(rows.columns, rule, span.split).items():
                    sinks[split].write(arrow_examples.flat(frames))
                    tally.written.setdefault(split, {"": 0})[""] += len(frames)
    except MillraceError as error:  # told through the tally: a runner would wrap or retry it
        tally.failure = str(error)
    job.notes(index).write_text(tally.to_json())


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


def _blocks(job: Job, span: Span) -> Iterator[Block]:
    encoding = "utf-8" if span.whole else job.dialect.encoding
    for data, line in blocks(Path(job.root), span, job.dialect):
        yield Block(span.path, line, data, encoding)


@contextlib.contextmanager
def _sink(path: Path) -> Iterator[BinaryIO]:
    """A gzipped file for framed records; the same records give the same bytes."""
    with (
        path.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", compresslevel=FAST, fileobj=file, mtime=0) as sink,
    ):
        yield sink  # type: ignore[misc]
