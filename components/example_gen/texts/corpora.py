"""Plain text as a source of records: files cut into lines, paragraphs or passages."""

import dataclasses
import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from etils.epath import Path

from millrace.components.artifacts import Examples, Rejected
from millrace.components.beam.exchange import Reads
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.example_gen.csv.encodings import decode_text
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
from millrace.components.example_gen.texts.cutting import CorpusOptions, cut
from millrace.components.example_gen.texts.parts import Part, parts, records_of
from millrace.components.files.walk import is_hidden, walk
from millrace.serving.values import utf8

_SUFFIXES = (".txt", ".text", ".md")
_SAMPLED_FILES, _SAMPLED_BYTES = 8, 1 << 18


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

    def read(self, rows: Sequence[Part]) -> Iterator[_Item | Rejected]:
        """The records of files or parts, in order; a file that cannot be read is one."""
        for part in rows:
            try:
                yield from self._records(part)
            except OSError as error:
                yield Rejected(part.row.path, f"cannot be read: {error.strerror}")
            except DataError as error:
                yield Rejected(part.row.path, str(error))

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

    def _records(self, part: Part) -> Iterator[_Item]:
        path, place = part.row.path, self.places[part.row.path]
        file = Path(self.root) / path
        if part.within:
            texts = records_of(file, part.within, self.cutting)
            first, records = part.within.first, part.within.records
            encoding, is_repaired = part.within.encoding, part.within.errors != "strict"
        else:
            found = decode_text(file.read_bytes(), self.cutting.encoding, self.cutting.bad_bytes)
            texts = cut(found.text, self.cutting.unit, self.cutting.passage)
            first, records = 0, len(texts)
            encoding, is_repaired = found.encoding, found.repaired
        remark = ""
        if is_repaired:
            remark = f"of files with bad bytes: {self.cutting.bad_bytes}"
        elif not self.cutting.encoding and not encoding.startswith("utf"):
            remark = f"of files read as {encoding}; corpus_example_gen.encoding names another"
        for number, text in enumerate(texts, first):
            within = (number + 0.5) / records
            fraction = place.start + within * (place.end - place.start)
            source = f"{path}#{number + 1}" if records > 1 else path
            yield _Item(source, part.row.split, text, fraction, remark)

    def _split(self, item: _Item, digest: bytes) -> str:
        if self.cutting.unit == "passage":
            return contiguous_split(self.rule, item.split, item.fraction)
        return self.rule.choose_by(item.split, digest)


def contiguous_split(rule: SplitRule, given: str, fraction: float) -> str:
    """The split of what lies at `fraction` of the text that was given as `given`.

    What is held out of train for eval is its end.
    """
    if not given:
        edges = zip(rule.names, rule.edges, strict=True)
        return next((name for name, edge in edges if fraction < edge), rule.names[-1])
    return "eval" if given == "train" and fraction >= 1 - rule.held_out else given


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
    rows = list(parts(root, listing.rows, cutting))
    tally = write_shards(
        run_on,
        out,
        CorpusFiles(str(root), cutting, rule, places(root, listing.rows)),
        rows,
        splits=rule.reachable(listing.given),
        shards=shard_count(root, listing.rows, shards, most=len(rows)),
        reads=Reads(root, lambda share: (part.row.path for part in share)),
    )
    tally.rejected.extend(listing.rejected)
    return tally
