"""Plain text as a source of records: files cut into lines, paragraphs or passages."""

import dataclasses
import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from etils.epath import Path

from millrace.components.artifacts import Examples, Rejected
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.example_gen.csv.encodings import BadBytes, decode_text
from millrace.components.example_gen.shards.folders import ListedRow, Listing
from millrace.components.example_gen.shards.splits import SplitRule, canonical, is_split_name
from millrace.components.example_gen.shards.tally import IngestTally
from millrace.components.example_gen.shards.writing import (
    Converted,
    Skipped,
    SplitCells,
    shard_count,
    write_shards,
)
from millrace.components.files.walk import is_hidden, walk
from millrace.serving.values import utf8

Unit = Literal["line", "paragraph", "passage", "file"]

_SUFFIXES = (".txt", ".text", ".md")
_SAMPLED_FILES, _SAMPLED_BYTES = 8, 1 << 18
_FEW_LINES = 20
_LONG_LINE = 200  # characters on average
_BLANKS = 0.02  # the share of lines that are empty from which on they part paragraphs
_BLANK_LINES = re.compile(r"\n(?:[ \t\f\v]*\n)+")


@dataclasses.dataclass(frozen=True)
class CorpusOptions:
    """How files become records.

    Attributes:
        unit: what a record is.
        passage: characters of a passage, about.
        encoding: of the files, by Python's name; None finds it out, file by file.
        bad_bytes: what becomes of bytes that have no meaning in it.
    """

    unit: Unit
    passage: int
    encoding: str | None
    bad_bytes: BadBytes


class Place(NamedTuple):
    """Where a file lies in all the text of its split: from `start` to `end`, 0 to 1."""

    start: float
    end: float


class _Item(NamedTuple):
    source: str
    split: str
    text: str
    fraction: float  # of the split's text that lies before the item's middle
    remark: str


@dataclasses.dataclass(frozen=True)
class CorpusFiles:
    """Text files below `root`, each with its place in the corpus."""

    root: str
    cutting: CorpusOptions
    rule: SplitRule
    places: Mapping[str, Place]

    def read(self, rows: Sequence[ListedRow]) -> Iterator[_Item | Rejected]:
        """The records of the files of `rows`, in order; a file that cannot be read is one."""
        for row in rows:
            try:
                yield from self._records(row)
            except OSError as error:
                yield Rejected(row.path, f"cannot be read: {error.strerror}")
            except DataError as error:
                yield Rejected(row.path, str(error))

    def convert(self, item: _Item | Rejected) -> Converted:
        """Encode one record and choose its split."""
        if isinstance(item, Rejected):
            return item
        if not item.text.strip():
            return Skipped("empty, left out")
        content = item.text.encode()
        cells = {
            "text": content,
            "text/filename": utf8(item.source, "Feature", "text/filename"),
            "text/unit": self.cutting.unit.encode(),
        }
        digest = hashlib.sha256(content).digest()
        return SplitCells(self._split(item, digest), "", cells, digest[:8], item.remark)

    def _records(self, row: ListedRow) -> Iterator[_Item]:
        found = decode_text(
            (Path(self.root) / row.path).read_bytes(), self.cutting.encoding, self.cutting.bad_bytes
        )
        texts = cut(found.text, self.cutting.unit, self.cutting.passage)
        place = self.places[row.path]
        remark = ""
        if found.repaired:
            remark = f"of files with bad bytes: {self.cutting.bad_bytes}"
        elif not self.cutting.encoding and not found.encoding.startswith("utf"):
            remark = f"of files read as {found.encoding}; corpus_example_gen.encoding names another"
        for number, text in enumerate(texts):
            within = (number + 0.5) / len(texts)
            fraction = place.start + within * (place.end - place.start)
            source = f"{row.path}#{number + 1}" if len(texts) > 1 else row.path
            yield _Item(source, row.split, text, fraction, remark)

    def _split(self, item: _Item, digest: bytes) -> str:
        if self.cutting.unit == "passage":
            return contiguous_split(self.rule, item.split, item.fraction)
        return self.rule.choose_by(item.split, digest)


def cut(text: str, unit: Unit, passage: int) -> list[str]:
    """The records of a file, some of them perhaps empty.

    Line breaks become line feeds; whitespace at the end of a record is dropped. A passage is cut
    to the character, all of a file's about equally long, so that none is a short remainder.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    match unit:
        case "line":
            return [line.rstrip() for line in text.removesuffix("\n").split("\n")]
        case "paragraph":
            return [part.strip("\n").rstrip() for part in _BLANK_LINES.split(text)]
        case "passage":
            count = max(1, round(len(text) / passage))
            edges = [len(text) * number // count for number in range(count + 1)]
            return [text[start:end] for start, end in itertools.pairwise(edges)]
        case "file":
            return [text]


def contiguous_split(rule: SplitRule, given: str, fraction: float) -> str:
    """The split of what lies at `fraction` of the text that was given as `given`.

    What is held out of train for eval is its end.
    """
    if not given:
        edges = zip(rule.names, rule.edges, strict=True)
        return next((name for name, edge in edges if fraction < edge), rule.names[-1])
    return "eval" if given == "train" and fraction >= 1 - rule.held_out else given


def fitting_unit(samples: Sequence[str]) -> Unit:
    """`line` for short lines with hardly an empty one between them, else `passage`.

    Args:
        samples: the beginnings of some files.
    """
    lines = [line.strip() for text in samples for line in text.rstrip().splitlines()]
    filled = [len(line) for line in lines if line]
    if len(filled) < _FEW_LINES and len(filled) < 2:
        return "passage"
    is_dense = len(lines) - len(filled) <= _BLANKS * len(lines)
    return "line" if is_dense and sum(filled) <= _LONG_LINE * len(filled) else "passage"


def sample(root: Path, rows: Sequence[ListedRow], cutting: CorpusOptions) -> list[str]:
    """The beginnings of the first files, as text."""
    texts = []
    for row in rows[:_SAMPLED_FILES]:
        with (root / row.path).open("rb") as file:
            texts.append(decode_text(file.read(_SAMPLED_BYTES), cutting.encoding, "replace").text)
    return texts


def list_texts(source: Path) -> tuple[Path, Listing]:
    """The text files of `source` with their splits, and the folder that they lie in.

    A file alone is taken whatever its name. Of a folder, `.txt`, `.text` and `.md` files at any
    depth; if all of them lie in folders named like splits, or are themselves named so
    (`train.txt`, `valid.txt`), and there are two splits or more, those are their splits.

    Raises:
        DataError: there is no text file.
    """
    if source.exists() and not source.is_dir():
        return source.parent, Listing([ListedRow(source.name, "")])
    listing, paths = Listing(), list[str]()
    entries = walk(source)
    for path in entries:
        is_text = path.lower().endswith(_SUFFIXES) and not is_hidden(path)
        (paths if is_text else listing.ignored).append(path)
    if not paths:
        raise DataError(
            f"{source}: expected a text file, or a folder of files in {', '.join(_SUFFIXES)}. "
            f"Received: {len(listing.ignored)} other files. Name the file itself, or rename them."
        )
    tops = [path.split("/")[0].partition(".")[0] for path in paths]
    splits = {canonical(top) for top in tops}
    is_given = len(splits) > 1 and all(map(is_split_name, tops))
    for path, top in zip(paths, tops, strict=True):
        listing.rows.append(ListedRow(path, "", canonical(top) if is_given else ""))
    listing.set_aside(source, entries)
    return source, listing


def places(root: Path, rows: Sequence[ListedRow]) -> dict[str, Place]:
    """Where each file lies in the text of its split, files in the order of their paths.

    By their sizes in bytes, which are known without reading them.
    """
    found: dict[str, Place] = {}
    for split in {row.split for row in rows}:
        paths = sorted(row.path for row in rows if row.split == split)
        ends = list(itertools.accumulate((root / path).stat().length for path in paths))
        total = max(1, ends[-1])
        for path, start, end in zip(paths, [0, *ends], ends, strict=False):
            found[path] = Place(start / total, end / total)
    return found


def write_texts(
    run_on: BeamOptions,
    out: Examples,
    root: Path,
    listing: Listing,
    rule: SplitRule,
    cutting: CorpusOptions,
    *,
    shards: int,
) -> IngestTally:
    """Write the records of the files of `listing`, and report what became of them."""
    rule = rule.for_given(listing.given)
    tally = write_shards(
        run_on,
        out,
        CorpusFiles(str(root), cutting, rule, places(root, listing.rows)),
        listing.rows,
        splits=rule.reachable(listing.given),
        shards=shard_count(root, listing.rows, shards),
    )
    tally.rejected.extend(listing.rejected)
    return tally
