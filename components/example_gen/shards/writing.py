"""The pass that ingests share: inputs to records, a shard of every split by one worker.

A worker reads its share of the inputs, proves and encodes them (photos in threads, as Pillow
releases the interpreter lock), and writes its shard of every split. So no image's bytes ever travel
between workers, and a shard's bytes depend on its inputs alone.
"""

import collections
import concurrent.futures
import contextlib
import functools
import hashlib
import itertools
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import pyarrow as pa
from etils.epath import Path

from millrace.components.artifacts import Examples, Rejected, SetAside
from millrace.components.beam.exchange import Reads
from millrace.components.beam.options import BeamOptions
from millrace.components.beam.shard_pass import shard_pass
from millrace.components.example_gen.shards.folders import ListedRow, Listing
from millrace.components.example_gen.shards.splits import SplitRule
from millrace.components.example_gen.shards.tally import IngestTally
from millrace.components.files import arrow_examples
from millrace.components.files.tfrecord import FAST, record_writer

_SHARD_BYTES, _SHARD_ROWS = 64 * 2**20, 2**16
_SAMPLED = 64  # files whose size is looked up to estimate a source's
_GROUP = 16  # inputs handed to a thread at once
_AT_ONCE, _MOST = 2**20, 2**13  # bytes and number of the records that are written at once
_THREADS = min(os.cpu_count() or 1, 16)
# Bytes of a record. Below it, decoding is so short that threads cost more than they save, and
# names weigh so much that zlib's level 1 saves a third; above it, neither holds.
_SMALL = 4096

Row = TypeVar("Row", contravariant=True)  # what a shard is a share of


class SplitRecord(NamedTuple):
    """A serialised `tf.train.Example`, its split and its class name.

    `digest` is 8 bytes of a hash of what makes two records duplicates; without one none are
    counted. `remark` says what was done to the record that is worth counting.
    """

    split: str
    label: str
    example: bytes
    digest: bytes = b""
    remark: str = ""


class SplitCells(NamedTuple):
    """A `SplitRecord` that is still to be encoded, many of them at once.

    `cells` are its features, one value each: bytes or a whole number of 64 bits.
    """

    split: str
    label: str
    cells: Mapping[str, bytes | int]
    digest: bytes = b""
    remark: str = ""


class Skipped(NamedTuple):
    """An input that is nothing, such as an empty line; counted under `remark`."""

    remark: str


class Unlabelled(NamedTuple):
    """An input that lacks the label that others have."""

    item: Rejected


Converted = SplitRecord | SplitCells | Rejected | Skipped | Unlabelled


class Inputs(Protocol[Row]):
    """A kind of input; instances are pickled to the workers."""

    def read(self, rows: Sequence[Row]) -> Iterator[Any]:
        """Yield the inputs of `rows` in order, one at a time."""

    def convert(self, item: Any) -> Converted:
        """Prove one input of `read`, and encode it; called from several threads at once.

        If it gives cells, they have the same names and kinds for every input.
        """


def mixed(rows: Sequence[ListedRow]) -> list[ListedRow]:
    """`rows` in an order that mixes classes and depends on nothing but their paths."""
    return sorted(rows, key=lambda row: hashlib.sha256(row.path.encode()).digest())


def shard_count(
    root: Path, rows: Sequence[ListedRow], wanted: int, *, most: int | None = None
) -> int:
    """`wanted` if above 0, else one shard per 64 MiB, and per 65,536 rows where these are small.

    The bytes are estimated from a sample of the files' sizes. There are no more than `most`, or
    than there are rows.
    """
    most = len(rows) if most is None else most
    if wanted:
        return min(wanted, most)
    sample = rows[:: max(1, len(rows) // _SAMPLED)]
    sizes = [size for row in sample if (size := _size(root / row.path))]
    total = sum(sizes) / max(1, len(sizes)) * len(rows)
    shards = max(math.ceil(total / _SHARD_BYTES), math.ceil(len(rows) / _SHARD_ROWS))
    return max(1, min(shards, most))


def _size(path: Path) -> int:
    try:
        return path.stat().length
    except OSError:  # read again by a worker, who sets it aside
        return 0


def shard_files(out: Examples, splits: Iterable[str], shards: int) -> list[dict[str, Path]]:
    """For each shard, its file in every split; makes the splits' folders."""
    splits = list(splits)
    for split in splits:
        out.split_path(split).mkdir(parents=True)
    return [{split: out.shard(split, index, shards) for split in splits} for index in range(shards)]


def write_shards(
    run_on: BeamOptions,
    out: Examples,
    source: Inputs[Row],
    rows: Sequence[Row],
    *,
    splits: Sequence[str],
    shards: int,
    reads: Reads | None = None,
) -> IngestTally:
    """Write `rows` as `shards` files in each of `splits`; row i goes to shard i modulo `shards`.

    Every split has as many files as the others, whatever its size, so that one rule holds. `reads`
    says in which files rows lie, where these are named by a folder of many; see `shard_pass`.
    """
    tally = IngestTally({split: {} for split in splits})
    work = functools.partial(_write_shard, source)
    share = (
        (files, rows[index::shards]) for index, files in enumerate(shard_files(out, splits, shards))
    )
    digests = bytearray()
    if reads is not None:
        names = reads.names
        reads = reads._replace(names=lambda shard: names(shard[1]))
    for written, seen in shard_pass("WriteShard", share, work, out.path, run_on, reads=reads):
        tally.add(written)
        digests += seen
    known = np.frombuffer(digests, np.uint64)
    tally.duplicates = len(known) - len(np.unique(known))
    return tally


def write_class_folders(
    run_on: BeamOptions,
    out: Examples,
    root: Path,
    listing: Listing,
    rule: SplitRule,
    inputs: Callable[[Mapping[str, int], SplitRule], Inputs[ListedRow]],
    *,
    shards: int,
) -> IngestTally:
    """Write the files of `listing`, which lie below `root`, and report what became of them.

    Args:
        run_on: Beam's flags.
        out: becomes the records.
        root: the source.
        listing: its files and their classes.
        rule: chooses the split of a file that came in none.
        inputs: how the files are read, given the label of each class name and the rule.
        shards: files per split; 0 makes one per 64 MiB.
    """
    rule = rule.for_given(listing.given)
    rows = mixed(listing.rows)
    labels = {name: label for label, name in enumerate(listing.classes)}
    tally = write_shards(
        run_on,
        out,
        inputs(labels, rule),
        rows,
        splits=rule.reachable(listing.given),
        shards=shard_count(root, rows, shards),
        reads=listed(root),
    )
    tally.rejected.extend(listing.rejected)
    tally.unlabelled.extend(SetAside.of(listing.unlabelled))
    return tally


def listed(root: Path) -> Reads:
    """Of a pass whose rows are files below `root`."""
    return Reads(root, lambda rows: (row.path for row in rows))


def _write_shard(
    source: Inputs[Row], share: tuple[Mapping[str, Path], Sequence[Row]]
) -> tuple[IngestTally, bytes]:
    """Write the rows of a shard, by split into a file each; counts, and the records' digests."""
    files, rows = share
    tally, digests = IngestTally(), bytearray()
    items = source.read(rows)
    first = _convert(source, itertools.islice(items, _GROUP))
    sizes = [len(each.example) for each in encoded(first) if isinstance(each, SplitRecord)]
    is_small = sum(sizes) < _SMALL * len(sizes)
    convert = _in_turn if is_small else _in_threads
    with contextlib.ExitStack() as stack:
        writers: dict[str, Callable[[Sequence[bytes]], object]] = {
            split: stack.enter_context(record_writer(file, level=FAST if is_small else 0))
            for split, file in files.items()
        }
        for outcomes in _together(itertools.chain(first, convert(source, items))):
            examples = collections.defaultdict[str, list[bytes]](list)
            for outcome in encoded(outcomes):
                if isinstance(outcome, SplitRecord):
                    examples[outcome.split].append(outcome.example)
                    tally.count(outcome.split, outcome.label, outcome.remark)
                    digests += outcome.digest
                elif isinstance(outcome, Skipped):
                    tally.remark(outcome.remark)
                elif isinstance(outcome, Unlabelled):
                    tally.unlabelled.append(outcome.item)
                else:
                    tally.rejected.append(outcome)
            for split, records in examples.items():
                writers[split](records)
    return tally, bytes(digests)


def encoded(
    outcomes: Sequence[Converted],
) -> list[SplitRecord | Rejected | Skipped | Unlabelled]:
    """`outcomes` with records in the place of cells."""
    cells = [each.cells for each in outcomes if isinstance(each, SplitCells)]
    found: Iterator[bytes] = iter(())
    if cells:
        columns = {
            name: pa.array(
                [each[name] for each in cells],
                pa.int64() if isinstance(value, int) else pa.binary(),
            )
            for name, value in cells[0].items()
        }
        found = iter(arrow_examples.as_bytes(arrow_examples.records(columns, prefix_last=True)))
    return [
        SplitRecord(each.split, each.label, next(found), each.digest, each.remark)
        if isinstance(each, SplitCells)
        else each
        for each in outcomes
    ]


def _together(outcomes: Iterable[Converted]) -> Iterator[list[Converted]]:
    """`outcomes` in groups of a megabyte or so."""
    held, size = list[Converted](), 0
    for outcome in outcomes:
        held.append(outcome)
        if isinstance(outcome, SplitRecord):
            size += len(outcome.example)
        elif isinstance(outcome, SplitCells):
            size += sum(len(each) for each in outcome.cells.values() if isinstance(each, bytes))
        if size >= _AT_ONCE or len(held) == _MOST:
            yield held
            held, size = [], 0
    if held:
        yield held


def _in_turn(source: Inputs[Any], items: Iterator[Any]) -> Iterator[Converted]:
    return map(source.convert, items)


def _in_threads(source: Inputs[Any], items: Iterator[Any]) -> Iterator[Converted]:
    """The outcome of each input in order, a bounded number of them under way at once."""
    groups = iter(lambda: list(itertools.islice(items, _GROUP)), [])
    with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
        ahead: collections.deque[concurrent.futures.Future[list[Converted]]] = collections.deque()
        for group in groups:
            ahead.append(pool.submit(_convert, source, group))
            if len(ahead) > 2 * _THREADS:
                yield from ahead.popleft().result()
        for future in ahead:
            yield from future.result()


def _convert(source: Inputs[Any], group: Iterable[Any]) -> list[Converted]:
    return [source.convert(item) for item in group]
