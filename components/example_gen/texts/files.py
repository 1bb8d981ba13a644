"""Text files, each one record, as a source of records."""

import collections
import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence

from etils.epath import Path

from millrace.components.artifacts import Rejected
from millrace.components.errors import DataError
from millrace.components.example_gen.csv import encodings
from millrace.components.example_gen.csv.encodings import BadBytes, DecodedText, decode_as
from millrace.components.example_gen.shards.folders import FileKind, ListedRow
from millrace.components.example_gen.shards.splits import SplitRule
from millrace.components.example_gen.shards.writing import Skipped, SplitCells
from millrace.components.example_gen.texts.options import EmptyTexts
from millrace.serving.values import utf8

OPTION = "text_example_gen.encoding"
_SAMPLED, _LEAST = 4000, 8  # files, of all and of a class
_LOOKED_AT = 1 << 18  # bytes of a file
DROPPED = "empty, left out"
EMPTY = "empty text; text_example_gen.empty=drop leaves such out"
TEXTS = FileKind(
    "a text",
    "text files",
    "give a CSV, TSV or JSON file of texts and labels",
    lambda _: False,  # a README beside the class folders does not belong to them
)


@dataclasses.dataclass(frozen=True)
class Decoding:
    """How bytes become text: the encoding, or None to find it out, what becomes of bytes that it
    has no place for, and of texts in which nothing stands.
    """

    encoding: str | None = None
    bad: BadBytes = "latin-1"
    empty: EmptyTexts = "reject"

    def read(self, file: Path, likely: str = "utf-8") -> DecodedText:
        """The text of `file`; see `decode`.

        Raises:
            DataError: it cannot be read, is refused, or is no text; the reason alone.
        """
        try:
            return self.decode(file.read_bytes(), likely)
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror}") from error

    def decode(self, data: bytes, likely: str = "utf-8") -> DecodedText:
        """The text of `data`, `likely` being its encoding where none was given and none is certain.

        Raises:
            DataError: it is refused, or no text; the reason alone.
        """
        name = self.encoding or encodings.certain(data) or likely
        found = decode_as(data, name, self.bad)
        if "\0" in found.text:
            raise DataError("holds zero bytes: not text")
        return found


def check_encoding(step: str, encoding: str | None) -> None:
    """Raise DataError if Python knows no such encoding."""
    if encoding and not encodings.is_known(encoding):
        raise DataError(
            f"{step}, option encoding: expected an encoding that Python knows. Received: "
            f"{encoding!r}. Give e.g. utf-8, cp1252 or shift_jis, or leave it out."
        )


def text_record(
    rule: SplitRule, given: str, found: DecodedText, *, filename: str, label: int, name: str
) -> SplitCells:
    """The record of a text, which is not empty."""
    content = found.text.encode()
    cells: dict[str, bytes | int] = {
        "text": content,
        "text/class/label": label,
        "text/class/text": utf8(name, "Feature", "text/class/text"),
        "text/filename": utf8(filename, "Feature", "text/filename"),
    }
    remark = f"bad bytes, read as {found.encoding}" if found.repaired else ""
    digest = hashlib.sha256(content).digest()
    return SplitCells(rule.choose_by(given, digest), name, cells, digest[:8], remark)


def empty_text(empty: EmptyTexts, row: Rejected) -> Rejected | Skipped:
    """What becomes of `row`, which holds no text."""
    return Skipped(DROPPED) if empty == "drop" else row


def likely_encodings(root: Path, rows: Sequence[ListedRow], option: str = OPTION) -> dict[str, str]:
    """By class, the encoding of those files that are not certainly in one; said if not UTF-8.

    One for all, by a sample of them, but for classes whose own files are certainly in another. A
    few odd files among others in UTF-8 are such with bad bytes.
    """
    by_class = collections.defaultdict[str, list[ListedRow]](list)
    for row in rows:
        by_class[row.label].append(row)
    most = max(_LEAST, _SAMPLED // max(1, len(by_class)))
    odd = dict[str, bytes]()
    for label, every in by_class.items():
        sample = [_beginning(root / row.path) for row in every[:: 1 + len(every) // most]]
        telling = [data for data in sample if not data.isascii() and b"\0" not in data]
        uncertain = [data for data in telling if not encodings.certain(data)]
        if 2 * len(uncertain) > len(telling):
            odd[label] = b"\n".join(uncertain)
    if not odd:
        return {}
    usual = encodings.guess(root, b"\n".join(odd.values()), option)
    found = {}
    for label, data in odd.items():
        texts = [data.decode(name, "replace") for name in encodings.readings(data)]
        is_usual = data.decode(usual, "replace") in texts
        place = f"{root}, class {label},"
        found[label] = usual if is_usual else encodings.guess(place, data, option)
    return found


def _beginning(file: Path) -> bytes:
    """The beginning of `file` in whole lines; nothing where it cannot be read."""
    try:
        with file.open("rb") as opened:
            data = opened.read(_LOOKED_AT)
    except OSError:  # read again by a worker, who sets it aside
        return b""
    return data if len(data) < _LOOKED_AT else data[: data.rfind(b"\n") + 1]


@dataclasses.dataclass(frozen=True)
class TextFiles:
    """Text files below `root`, with the label of each class name, and its likely encoding."""

    root: str
    labels: Mapping[str, int]
    rule: SplitRule
    decoding: Decoding
    likely: Mapping[str, str]

    def read(self, rows: Sequence[ListedRow]) -> Iterator[ListedRow]:
        """The rows themselves."""
        yield from rows

    def convert(self, row: ListedRow) -> SplitCells | Rejected | Skipped:
        """Read, decode and encode the file of `row`."""
        try:
            likely = self.likely.get(row.label, "utf-8")
            found = self.decoding.read(Path(self.root) / row.path, likely)
        except DataError as error:
            return Rejected(row.path, str(error))
        if not found.text.strip():
            return empty_text(self.decoding.empty, Rejected(row.path, EMPTY))
        label = self.labels[row.label]
        return text_record(
            self.rule, row.split, found, filename=row.path, label=label, name=row.label
        )
