"""Text files, each one record, as a source of records."""

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence

from etils.epath import Path

from millrace.components.artifacts import Rejected
from millrace.components.errors import DataError
from millrace.components.example_gen.csv import encodings
from millrace.components.example_gen.csv.encodings import (
    BadBytes,
    DecodedText,
    decode_as,
    named_by_bom,
)
from millrace.components.example_gen.shards.folders import FileKind, ListedRow
from millrace.components.example_gen.shards.splits import SplitRule
from millrace.components.example_gen.shards.writing import Skipped, SplitRecord
from millrace.components.example_gen.texts.options import EmptyTexts
from millrace.serving.example import Value, encode

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
    """How bytes become text: the encoding, or None for UTF-8 or what a BOM says, what becomes of
    bytes that it has no place for, and of texts in which nothing stands.
    """

    encoding: str | None
    bad: BadBytes
    empty: EmptyTexts = "reject"

    def decode(self, data: bytes) -> DecodedText:
        """The text of `data`.

        Raises:
            DataError: it is refused, or no text; the reason alone.
        """
        name = self.encoding or named_by_bom(data) or "utf-8"
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
) -> SplitRecord:
    """The record of a text, which is not empty."""
    content = found.text.encode()
    features: dict[str, Value] = {
        "text": content,
        "text/class/label": label,
        "text/class/text": name,
        "text/filename": filename,
    }
    remark = f"bad bytes, read as {found.encoding}" if found.repaired else ""
    digest = hashlib.sha256(content).digest()[:8]
    return SplitRecord(rule.choose(given, content), name, encode(features), digest, remark)


def empty_text(empty: EmptyTexts, row: Rejected) -> Rejected | Skipped:
    """What becomes of `row`, which holds no text."""
    return Skipped(DROPPED) if empty == "drop" else row


@dataclasses.dataclass(frozen=True)
class TextFiles:
    """Text files below `root`, with the label of each class name."""

    root: str
    labels: Mapping[str, int]
    rule: SplitRule
    decoding: Decoding

    def read(self, rows: Sequence[ListedRow]) -> Iterator[ListedRow]:
        """The rows themselves."""
        yield from rows

    def convert(self, row: ListedRow) -> SplitRecord | Rejected | Skipped:
        """Read, decode and encode the file of `row`."""
        try:
            found = self.decoding.decode(Path(f"{self.root}/{row.path}").read_bytes())
        except OSError as error:
            return Rejected(row.path, f"cannot be read: {error.strerror}")
        except DataError as error:
            return Rejected(row.path, str(error))
        if not found.text.strip():
            return empty_text(self.decoding.empty, Rejected(row.path, EMPTY))
        label = self.labels[row.label]
        return text_record(
            self.rule, row.split, found, filename=row.path, label=label, name=row.label
        )
