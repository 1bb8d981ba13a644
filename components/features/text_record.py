"""The names in a raw text record, and in a transformed one, and what its class is called."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from millrace.serving.example import Decoded

_BATCH = 256  # texts that are brought to tokens at once
_BYTES = 1 << 22  # of them, but for a single one that has more

Row = TypeVar("Row")

TEXT = "text"  # bytes: UTF-8
FILENAME = "text/filename"  # bytes: path relative to the source, of a table with its row
LABEL = "text/class/label"  # int64
CLASS = "text/class/text"  # bytes: the class name

TOKENS = "tokens"  # transformed, int64 [sequence_length]: ids
INDEX = "label"  # transformed, int64: index in the analysis' classes


def class_name(row: Decoded) -> str | None:
    """The class of a raw record: its text, else its label's number, else None."""
    name, label = row.get(CLASS), row.get(LABEL)
    if name is not None and len(name):
        return bytes(name[0]).decode("utf-8", "backslashreplace")
    return str(label[0]) if label is not None and len(label) else None


def text(row: Decoded) -> bytes | None:
    """The text of a raw record, as its bytes; None if it has none."""
    value = row.get(TEXT)
    return bytes(value[0]) if isinstance(value, list) and len(value) == 1 else None


def source(row: Decoded) -> str:
    """Where a record came from, for messages; empty where it does not say."""
    name = row.get(FILENAME)
    return bytes(name[0]).decode("utf-8", "backslashreplace") if name is not None else ""


def batches(rows: Iterable[Row], size: Callable[[Row], int]) -> Iterator[list[Row]]:
    """The rows in their order, a few hundred or a few megabytes of text at a time.

    Args:
        rows: of any number.
        size: the bytes of a row's text.
    """
    batch: list[Row] = []
    total = 0
    for row in rows:
        if batch and (len(batch) == _BATCH or total + size(row) > _BYTES):
            yield batch
            batch, total = [], 0
        batch.append(row)
        total += size(row)
    if batch:
        yield batch
